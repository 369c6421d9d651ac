"""A year of a simulated country, judged: `python -m tests.country`, one line `GOAL name figure limit ok|short` each.

QUICK=1: 12 pilots and two months. `--silent PROVINCE`: its authority does nothing after the first months.
`--in-process`: without Kafka, to try a script. Exit code 1 when a promise is not kept.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from monitor.lifecycle.sandbox_acts import SandboxFounding
from monitor.model.records import Outputs
from monitor.state.acts_once import validity
from monitor.testing.scratch import scratch
from tests.country.addressed import addressed
from tests.country.checks import accounted, clocks, halting
from tests.country.compared import annual, firm_classes
from tests.country.in_process import InProcess
from tests.country.ledgers import Ledgers
from tests.country.nation import ADMITTER, PROVINCES, START, key, sandbox
from tests.country.on_kafka import OnKafka
from tests.country.script import QUICK, YEAR, Script, script
from tests.country.year import Year

MINUTES = 10.0


class Result(NamedTuple):
    """One run: the year, its ledgers and their directory, how many events were stepped, and all outputs."""

    year: Year
    ledgers: Ledgers
    directory: Path
    stepped: int
    outputs: Outputs


def run(plan: Script, home: Path, in_process: bool = False) -> Result:
    """One run of a script."""
    with contextlib.ExitStack() as stack:
        runtime = InProcess(home) if in_process else stack.enter_context(OnKafka(home))
        runtime.at(START)
        founding = SandboxFounding(
            id="founding", pilot="sandbox", author=ADMITTER, sandbox=sandbox(), **validity(0, START)
        )
        runtime.found(founding, key(ADMITTER))
        year, began = Year(plan, runtime), time.monotonic()

        def said(day: int) -> None:
            if day % 10 == 9:
                seconds = time.monotonic() - began
                print(f"day {day + 1} of {plan.calendar.days}, {seconds:.0f} s", file=sys.stderr, flush=True)

        year.run(said)
        stepped = runtime.stepped()
        return Result(year, runtime.ledgers(), runtime.ledger, stepped, runtime.outputs())


def judge(result: Result) -> list[tuple[str, float, float]]:
    """Name, figure and limit of each promise; a figure above its limit is short. Differences go to stderr."""
    year, ledgers = result.year, result.ledgers
    plan, sent = year.script, year.totals
    count, ends = clocks(year, ledgers)
    due, without, halts = halting(plan, ledgers)
    decided, others = addressed(plan, ledgers)
    found = {
        "clocks-not-as-scripted": ends, "faults-not-found": halts, "addressed-otherwise": others,
        "firm-classes-otherwise": firm_classes(result.outputs, ledgers),
        "annual-numbers-otherwise": annual(result.directory, ledgers),
        "unaccounted": accounted(year, result.stepped, ledgers),
    }  # fmt: skip
    for name, texts in found.items():
        for text in texts[:20]:
            print(f"  {name}: {text}", file=sys.stderr)
    print(
        f"{len(plan.pilots)} pilots, {plan.calendar.days} days: {sent.events:,} events, {sent.acts:,} acts, "
        f"{decided:,} decisions on pilots, {count:,} deadlines, {due} halts due, {without} without need",
        file=sys.stderr,
    )
    return [(name, len(texts), 0) for name, texts in found.items()]


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--silent", default="", choices=["", *PROVINCES], help="the province whose authority is silent")
    parser.add_argument("--in-process", action="store_true", help="without Kafka")
    parser.add_argument("--keep", type=Path, help="directory of the run, which is kept")
    given = parser.parse_args()
    quick = bool(os.environ.get("QUICK"))
    pilots, firms, calendar = (12, 6, QUICK) if quick else (200, 30, YEAR)
    plan = script(given.seed, pilots=pilots, firms=firms, calendar=calendar, silent=given.silent)
    home = given.keep or Path(tempfile.mkdtemp(prefix=scratch("country")))
    began = time.monotonic()
    try:
        goals = judge(run(plan, home, given.in_process))
    finally:
        if given.keep is None:
            shutil.rmtree(home, ignore_errors=True)
    goals.append(("minutes", (time.monotonic() - began) / 60, MINUTES))
    name = f"country{'-silent' if given.silent else ''}{'-quick' if quick else ''}"
    for what, figure, limit in goals:
        print(f"GOAL {name}-{what} {figure:.4g} <={limit:g} {'ok' if figure <= limit else 'short'}", flush=True)
    return int(any(figure > limit for _, figure, limit in goals))


if __name__ == "__main__":
    sys.exit(main())
