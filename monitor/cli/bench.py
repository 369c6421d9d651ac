"""`sandbox-monitor bench`: benchmarks of detectors (by simulation) and of the stream (against peers); needs a
checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

import monitor
from monitor.errors import SetAside

ROOT = Path(monitor.__file__).resolve().parents[1]


@click.group()
def bench() -> None:
    """Benchmarks of detectors and of the stream."""


@bench.command()
@click.option("--quick", is_flag=True, envvar="QUICK", help="Within ten minutes; wider Monte Carlo errors.")
@click.option("--only", multiple=True, metavar="GOAL", help="Run the module of one goal, such as g3; repeatable.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="File of the picture (default: build/bench/detection.html).",
)
@click.option("--strict", is_flag=True, help="Exit 1 if a goal is not met.")
def detection(quick: bool, only: tuple[str, ...], out: Path | None, strict: bool) -> None:
    """Simulate streams, measure the detectors, print one line per goal: GOAL name figure bound ok|short.

    Tables and lines on stdout, progress on stderr. Exit codes: 0 everything was measured, 1 no checkout, or with
    --strict a goal is not met, 2 usage error.
    """
    if not (ROOT / "tests" / "bench" / "detbench" / "__main__.py").is_file():
        raise SetAside("bench", "not_in_a_checkout", "the simulations come with the source; run it from a clone")
    arguments = [*(["--quick"] if quick else []), *(part for name in only for part in ("--only", name))]
    if strict:
        arguments.append("--strict")
    if out is not None:
        arguments += ["--out", str(out.resolve())]
    sys.exit(
        subprocess.run([sys.executable, "-m", "tests.bench.detbench", *arguments], cwd=ROOT, check=False).returncode
    )


@bench.command()
@click.argument("parts", nargs=-1, type=click.Choice(["pure", "packed", "single", "latency", "scale", "two"]))
@click.option("--quick", is_flag=True, envvar="QUICK", help="Within five minutes: fewer events and rounds.")
@click.option("--strict", is_flag=True, help="Exit 1 if a goal is not met.")
def stream(parts: tuple[str, ...], quick: bool, strict: bool) -> None:
    """Measure the Kafka worker against its peers on one broker: GOAL name figure bound ok|short.

    Without PARTS all of them. Needs Java, Maven once, and the package registry once for the peers.
    Exit codes: 0 everything was measured, 1 no checkout, or with --strict a goal is not met, 2 usage error.
    """
    if not (ROOT / "tests" / "bench" / "stream" / "__main__.py").is_file():
        raise SetAside("bench", "not_in_a_checkout", "the bench comes with the source; run it from a clone")
    arguments = [*parts, *(["--strict"] if strict else [])]
    environment = {**os.environ, **({"QUICK": "1"} if quick else {})}
    sys.exit(
        subprocess.run(
            [sys.executable, "-m", "tests.bench.stream", *arguments], cwd=ROOT, env=environment, check=False
        ).returncode
    )
