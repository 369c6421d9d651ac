"""`python -m monitor.testing.history`: runs histories and prints one line per promise, `GOAL name figure bound
ok|short`.

`--real N` histories on a real broker with real worker processes, `--brokers N` under each fault of the brokers
themselves (one broker, or three), `--memory N` and `--sqlite N` cheap ones. A failed history prints its seed and the
first position that differs, and leaves its logs and the talk of its workers in `build/history/SEED-KIND`. `--seed SEED
[--kind KIND]` runs one again: the same operations and the same faults, though what processes make of them depends on
time. Exit code 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.engine.failpoint import PLACES
from monitor.testing.fork_server import Nursery
from monitor.testing.history.brokers import disturbed
from monitor.testing.history.live import Live
from monitor.testing.history.memory import Cheap
from monitor.testing.history.parts import Lane, Report
from monitor.testing.history.plan import BROKERS, KINDS, Plan, plan
from monitor.testing.history.site import Site
from monitor.testing.history.tally import Tally
from monitor.testing.scratch import scratch

HOME = Path("build") / "history"
LANES = 8  # histories wait most of their time; so many at once keep two cores busy
Told = Callable[[Report, str], None]


async def run_lanes(
    plans: Iterable[Plan], lanes: Sequence[Lane], nursery: Nursery, home: Path, told: Told, until: float = math.inf
) -> None:
    """Run the plans, as many at a time as there are lanes, beginning none after `until` (monotonic s). What fails
    leaves its directory behind."""
    waiting = iter(list(plans))

    async def work(lane: Lane) -> None:
        for each in waiting:
            if time.monotonic() > until:
                return
            directory = home / f"{each.seed}-{each.kind}"
            shutil.rmtree(directory, ignore_errors=True)
            report = await Live(each, lane, nursery, directory).run()
            told(report, "kafka")
            if not report.differences:
                shutil.rmtree(directory, ignore_errors=True)

    await asyncio.gather(*(work(lane) for lane in lanes))


def real(plans: Sequence[Plan], home: Path, told: Told, lanes: int = LANES, minutes: float = math.inf) -> None:
    """Histories on one real broker."""
    with (
        tempfile.TemporaryDirectory(prefix=scratch("history")) as directory,
        Site(Path(directory) / "broker", min(lanes, len(plans))) as site,
        Nursery() as nursery,
    ):
        asyncio.run(run_lanes(plans, site.lanes, nursery, home, told, time.monotonic() + 60 * minutes))


def cheap(seeds: Iterable[int], told: Told, *, on_disk: bool = False) -> None:
    """Histories in memory, or on SQLite in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix=scratch("history")) as directory:
        for seed in seeds:
            report = Cheap(seed, Path(directory) if on_disk else None).run()
            told(report, report.kind)


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(
        prog="python -m monitor.testing.history", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--real", type=int, default=0, help="histories on a real broker")
    parser.add_argument("--brokers", type=int, default=0, help="histories under each fault of the brokers themselves")
    parser.add_argument("--memory", type=int, default=0, help="histories in memory")
    parser.add_argument("--sqlite", type=int, default=0, help="histories on SQLite")
    parser.add_argument("--kills", type=int, default=0, help="bound on killed worker processes")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no further real one after so long")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--lanes", type=int, default=LANES, help=f"histories at a time (default {LANES})")
    parser.add_argument("--seed", type=int, default=None, help="run this one history again")
    parser.add_argument(
        "--kind", default="", choices=["", "memory", "sqlite", *KINDS, *BROKERS], help="with --seed: what goes wrong"
    )
    given = parser.parse_args(arguments)
    for name in ("aiokafka", "monitor"):  # brokers and owners that are away are what this is about
        logging.getLogger(name).setLevel(logging.CRITICAL)
    home, talk, tally = HOME, Console(stderr=True), Tally()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    count = given.real + given.memory + given.sqlite + len(BROKERS) * given.brokers
    total = 1 if given.seed is not None else count
    with Progress(*columns, console=talk) as progress:
        task = progress.add_task("histories", total=total)

        def told(report: Report, where: str) -> None:
            tally.add(report, where)
            progress.advance(task)
            if report.differences:
                again = f"--seed {report.seed} --kind {report.kind}"
                progress.console.print(
                    f"history {again}: {len(report.differences)} differences, the first:", markup=False
                )
                progress.console.print(f"  {report.differences[0]}", markup=False, soft_wrap=True)

        if given.seed is not None and given.kind in ("memory", "sqlite"):
            cheap([given.seed], told, on_disk=given.kind == "sqlite")
        elif given.kind in BROKERS:
            disturbed(given.kind, [plan(given.seed, given.kind)], home, told)
        elif given.seed is not None:
            real([plan(given.seed, given.kind)], home, told)
        else:
            cheap(range(given.first, given.first + given.memory), told)
            cheap(range(given.first, given.first + given.sqlite), told, on_disk=True)
            for number, kind in enumerate(BROKERS if given.brokers else ()):
                seeds = range(given.first + number * given.brokers, given.first + (number + 1) * given.brokers)
                disturbed(kind, [plan(seed, kind) for seed in seeds], home, told)
            if given.real:
                real(
                    [plan(seed) for seed in range(given.first, given.first + given.real)],
                    home,
                    told,
                    given.lanes,
                    given.minutes,
                )
    if given.seed is None:
        points = PLACES if given.real >= 100 else ()
        kinds = {name: count for name, count in sorted(tally.histories.items()) if " " in name}
        talk.print(f"killed at {dict(sorted(tally.points.items()))}\n{kinds}", markup=False, highlight=False)
        print(
            "\n".join(
                tally.lines(given.real + len(BROKERS) * given.brokers, given.memory + given.sqlite, given.kills, points)
            )
        )
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
