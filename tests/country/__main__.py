"""A year of a simulated country, judged: `python -m tests.country`, one line `GOAL name figure limit ok|short` each.

A second year is the same, but that the authority of one province does nothing after the first months. QUICK=1: 12
pilots and two months. `--in-process`: without Kafka, to try a script. Exit code 1 when a promise is not kept.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from monitor.lifecycle.sandbox_acts import SandboxFounding
from monitor.model.records import Level
from monitor.state.acts_once import validity
from monitor.testing.scratch import scratch
from tests.country.addressed import addressed
from tests.country.checks import accounted, clocks, halting, missed_by_authority, unchanged
from tests.country.compared import annual, firm_classes
from tests.country.in_process import InProcess
from tests.country.ledgers import Body, Ledgers
from tests.country.nation import ADMITTER, PROVINCES, START, key, sandbox
from tests.country.on_kafka import PREFIX, OnKafka
from tests.country.receivers import Notified, available, notified, wrong_receivers
from tests.country.script import QUICK, YEAR, Script, script
from tests.country.year import Year

MINUTES = 10.0


class Result(NamedTuple):
    """One run: the year, its ledgers and their directory, how many events were stepped, records and classes of firms,
    and who was notified of what (`None` where there is no Alertmanager)."""

    year: Year
    ledgers: Ledgers
    directory: Path
    stepped: int
    firms: list[Body]
    notified: Notified | None = None


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
        ledgers, firms, found = runtime.ledgers(), runtime.firms(), None
        if isinstance(runtime, OnKafka) and available():
            found = notified(runtime.broker.bootstrap, PREFIX, home / "alerts")
        return Result(year, ledgers, runtime.ledger, stepped, firms, found)


def judge(result: Result) -> list[tuple[str, float, float]]:
    """Name, figure and limit of each promise; a figure above its limit is short. Differences go to stderr."""
    year, ledgers = result.year, result.ledgers
    plan, sent = year.script, year.totals
    count, ends = clocks(year, ledgers)
    due, without, halts = halting(plan, ledgers)
    classes = Counter(one["computed"]["gives"] for one in result.firms)
    decided, others = addressed(plan, ledgers)
    found = {
        "clocks-not-as-scripted": ends, "faults-not-found": halts, "addressed-otherwise": others,
        "firm-classes-otherwise": firm_classes(result.firms, ledgers),
        "annual-numbers-otherwise": annual(result.directory, ledgers),
        "unaccounted": accounted(year, result.stepped, ledgers),
    }  # fmt: skip
    if result.notified is not None:
        halted = frozenset(pilot for pilot, level in year.levels.items() if level == Level.HALT)
        found["notified-otherwise"] = list(wrong_receivers(plan, result.notified, halted))
        print(f"{len(result.notified.held)} alerts stand at the end", file=sys.stderr)
    for name, texts in found.items():
        for text in texts[:20]:
            print(f"  {name}: {text}", file=sys.stderr)
    print(
        f"{len(plan.pilots)} pilots, {plan.calendar.days} days: {sent.events:,} events, {sent.acts:,} acts, "
        f"{decided:,} decisions on pilots, {count:,} deadlines, {due} halts due, {without} without need; "
        f"classes of firms {dict(sorted(classes.items()))}",
        file=sys.stderr,
    )
    return [(name, len(texts), 0) for name, texts in found.items()]


def compare(first: Result, second: Result) -> list[tuple[str, float, float]]:
    """What the silence of an authority changes: nothing in other provinces; in its own, deadlines are missed."""
    plan = second.year.script
    others = [pilot.id for pilot in plan.pilots if pilot.authority != plan.silent]
    differ = unchanged(others, first.ledgers, second.ledgers)
    for text in differ[:20]:
        print(f"  changed-elsewhere: {text}", file=sys.stderr)
    before, after = (missed_by_authority(plan, one.ledgers) for one in (first, second))
    print(f"deadlines that {plan.silent} missed: {before}, when it is silent {after}", file=sys.stderr)
    return [("changed-elsewhere", len(differ), 0), ("silence-without-a-miss", float(after <= before), 0)]


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--silent", default="north", choices=PROVINCES, help="the province whose authority is silent")
    parser.add_argument("--once", action="store_true", help="only the first year")
    parser.add_argument("--in-process", action="store_true", help="without Kafka")
    parser.add_argument("--keep", type=Path, help="new directory of the runs, which is kept")
    given = parser.parse_args()
    if given.keep is not None and given.keep.exists():
        parser.error(f"--keep: {given.keep} exists; name a new directory")
    home = given.keep or Path(tempfile.mkdtemp(prefix=scratch("country")))
    try:
        return int(_judged(given, home, quick=bool(os.environ.get("QUICK"))))
    finally:
        if given.keep is None:
            shutil.rmtree(home, ignore_errors=True)


def _judged(given: argparse.Namespace, home: Path, quick: bool) -> bool:
    """Run and judge both years; returns whether a promise was not kept."""
    pilots, firms, calendar = (12, 6, QUICK) if quick else (200, 30, YEAR)
    results: list[Result] = []
    short = False
    for silent in ("",) if given.once else ("", given.silent):
        plan = script(given.seed, pilots=pilots, firms=firms, calendar=calendar, silent=silent)
        began = time.monotonic()
        results.append(run(plan, home / (silent or "all"), given.in_process))
        goals = [*judge(results[-1]), ("minutes", (time.monotonic() - began) / 60, MINUTES)]
        if silent:
            goals += compare(*results)
        name = f"country{'-silent' if silent else ''}{'-quick' if quick else ''}"
        for what, figure, limit in goals:
            print(f"GOAL {name}-{what} {figure:.4g} <={limit:g} {'ok' if figure <= limit else 'short'}", flush=True)
        short |= any(figure > limit for _, figure, limit in goals)
    return short


if __name__ == "__main__":
    sys.exit(main())
