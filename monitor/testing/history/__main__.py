"""`python -m monitor.testing.history`: runs histories and prints one line per guarantee, `GOAL name figure bound
ok|short`.

`--real N` histories on a real broker with real worker processes, `--brokers N` under each fault of the brokers
themselves (one broker, or three), `--memory N` and `--sqlite N` in one process. A failed history prints its seed and
the first position that differs, and leaves its logs and the output of its workers in `build/history/SEED-KIND`. `--seed
SEED [--kind KIND]` runs one again: the same operations and the same faults, though the reaction of processes depends on
timing. Exit code 1 when a guarantee is violated.
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
from monitor.testing.fork_server import ForkServer
from monitor.testing.history.broker_faults import run_with_broker_faults
from monitor.testing.history.clusters import SingleBroker
from monitor.testing.history.in_process import InProcessHistory
from monitor.testing.history.kafka_history import KafkaHistory
from monitor.testing.history.parts import BrokerRoute, Report
from monitor.testing.history.plan import BROKERS, KINDS, HistoryPlan, plan
from monitor.testing.history.tally import Tally
from monitor.testing.scratch import scratch

HOME = Path("build") / "history"
CONCURRENT = 8  # histories mostly wait; this many concurrent ones keep two cores busy
OnReport = Callable[[Report, str], None]


async def run_concurrently(
    plans: Iterable[HistoryPlan],
    routes: Sequence[BrokerRoute],
    fork_server: ForkServer,
    home: Path,
    on_report: OnReport,
    until: float = math.inf,
) -> None:
    """Run the plans, one per route at a time; none starts after `until` (monotonic s). A failed history keeps its
    directory."""
    waiting = iter(list(plans))

    async def work(route: BrokerRoute) -> None:
        for each in waiting:
            if time.monotonic() > until:
                return
            directory = home / f"{each.seed}-{each.kind}"
            shutil.rmtree(directory, ignore_errors=True)
            report = await KafkaHistory(each, route, fork_server, directory).run()
            on_report(report, "kafka")
            if not report.differences:
                shutil.rmtree(directory, ignore_errors=True)

    await asyncio.gather(*(work(route) for route in routes))


def run_on_kafka(
    plans: Sequence[HistoryPlan], home: Path, on_report: OnReport, routes: int = CONCURRENT, minutes: float = math.inf
) -> None:
    """Histories on one real broker."""
    with (
        tempfile.TemporaryDirectory(prefix=scratch("history")) as directory,
        SingleBroker(Path(directory) / "broker", min(routes, len(plans))) as cluster,
        ForkServer() as fork_server,
    ):
        asyncio.run(
            run_concurrently(plans, cluster.routes, fork_server, home, on_report, time.monotonic() + 60 * minutes)
        )


def run_in_process(seeds: Iterable[int], on_report: OnReport, *, on_disk: bool = False) -> None:
    """Histories in memory, or on SQLite in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix=scratch("history")) as directory:
        for seed in seeds:
            report = InProcessHistory(seed, Path(directory) if on_disk else None).run()
            on_report(report, report.kind)


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(
        prog="python -m monitor.testing.history", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--real", type=int, default=0, help="histories on a real broker")
    parser.add_argument("--brokers", type=int, default=0, help="histories under each fault of the brokers themselves")
    parser.add_argument("--memory", type=int, default=0, help="histories in memory")
    parser.add_argument("--sqlite", type=int, default=0, help="histories on SQLite")
    parser.add_argument("--kills", type=int, default=0, help="smallest number of killed worker processes that passes")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="start no history on a real broker after this many minutes"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument(
        "--parallel",
        "--lanes",
        dest="parallel",
        type=int,
        default=CONCURRENT,
        help=f"histories at a time (default {CONCURRENT})",
    )
    parser.add_argument("--seed", type=int, default=None, help="run this one history again")
    parser.add_argument(
        "--kind", default="", choices=["", "memory", "sqlite", *KINDS, *BROKERS], help="with --seed: what goes wrong"
    )
    given = parser.parse_args(arguments)
    for name in ("aiokafka", "monitor"):  # unavailable brokers and owners are expected here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    home, console, tally = HOME, Console(stderr=True), Tally()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    count = given.real + given.memory + given.sqlite + len(BROKERS) * given.brokers
    total = 1 if given.seed is not None else count
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("histories", total=total)

        def on_report(report: Report, where: str) -> None:
            tally.add(report, where)
            progress.advance(task)
            if report.differences:
                again = f"--seed {report.seed} --kind {report.kind}"
                progress.console.print(
                    f"history {again}: {len(report.differences)} differences, the first:", markup=False
                )
                progress.console.print(f"  {report.differences[0]}", markup=False, soft_wrap=True)

        if given.seed is not None and given.kind in ("memory", "sqlite"):
            run_in_process([given.seed], on_report, on_disk=given.kind == "sqlite")
        elif given.kind in BROKERS:
            run_with_broker_faults(given.kind, [plan(given.seed, given.kind)], home, on_report)
        elif given.seed is not None:
            run_on_kafka([plan(given.seed, given.kind)], home, on_report)
        else:
            run_in_process(range(given.first, given.first + given.memory), on_report)
            run_in_process(range(given.first, given.first + given.sqlite), on_report, on_disk=True)
            for number, kind in enumerate(BROKERS if given.brokers else ()):
                seeds = range(given.first + number * given.brokers, given.first + (number + 1) * given.brokers)
                run_with_broker_faults(kind, [plan(seed, kind) for seed in seeds], home, on_report)
            if given.real:
                run_on_kafka(
                    [plan(seed) for seed in range(given.first, given.first + given.real)],
                    home,
                    on_report,
                    given.parallel,
                    given.minutes,
                )
    if given.seed is None:
        points = PLACES if given.real >= 100 else ()
        kinds = {name: count for name, count in sorted(tally.histories.items()) if " " in name}
        console.print(f"killed at {dict(sorted(tally.points.items()))}\n{kinds}", markup=False, highlight=False)
        print(
            "\n".join(
                tally.lines(given.real + len(BROKERS) * given.brokers, given.memory + given.sqlite, given.kills, points)
            )
        )
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
