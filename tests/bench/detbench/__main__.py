"""Runs the goals: `python -m tests.bench.detbench [--quick] [--only g3] [--strict] [--out FILE]`."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.detbench import show
from tests.bench.detbench.goal import Goal

HERE = Path(__file__).parent
OUT = HERE.parents[2] / "build" / "bench" / "detection.html"


def found() -> dict[str, str]:
    """Goal modules by short name (g3), in the order of their numbers."""
    names = [path.stem for path in HERE.glob("g[0-9]*.py")]
    names.sort(key=lambda name: int(re.findall(r"\d+", name)[0]))
    return {re.match(r"g\d+", name).group() if names.count(name) == 1 else name: name for name in names}  # type: ignore[union-attr]


def main(arguments: list[str] | None = None) -> int:
    """Prints tables, then one line per goal. Returns 0, 1 with `--strict` if a goal fell short, or 2 for a usage
    error."""
    modules = found()
    parser = argparse.ArgumentParser(prog="detbench", description="Measure the detectors by simulation.")
    parser.add_argument("--quick", action="store_true", default=os.environ.get("QUICK", "") not in ("", "0"))
    parser.add_argument("--only", action="append", choices=sorted(modules), help="a goal's module; may be repeated")
    parser.add_argument("--out", type=Path, default=OUT, help="where the picture goes")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a goal fell short")
    options = parser.parse_args(arguments)
    done: list[Goal] = []
    for name in options.only or modules:
        began = time.perf_counter()
        print(f"{name} ...", file=sys.stderr, flush=True)
        goals: Callable[[bool], list[Goal]] = importlib.import_module(f"{__package__}.{modules[name]}").goals
        made = goals(options.quick)
        done += made
        print(f"{name} took {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        print(show.tables(made), flush=True)
    show.write(options.out, done, options.quick)
    print(f"\npicture: {os.path.relpath(options.out)}", file=sys.stderr)
    print()
    for goal in done:
        print(goal.line())
    return 1 if options.strict and not all(goal.ok for goal in done) else 0


if __name__ == "__main__":
    sys.exit(main())
