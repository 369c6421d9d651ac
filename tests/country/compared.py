"""Compares what the monitor computes of ledgers, classes of firms and the annual report, with independent counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec

from monitor.firms.classes import firm_class
from monitor.firms.fold import FirmsFold
from monitor.firms.rules import SHIPPED_RULES
from monitor.model.records import Outputs
from tests.country.annual_counts import counts
from tests.country.firm_classes import class_of, records
from tests.country.ledgers import Body, Ledgers

YEAR = 2026
NUMBERS = (
    "pilots", "operated_ms", "halts", "stops_overdue", "contradictions", "conflicts", "clocks_missed",
    "rectifications_late", "refusals", "observations", "observations_late",
)  # fmt: skip
"""The numbers of a record that the rules read."""


def firm_classes(shown: list[Body], ledgers: Ledgers) -> list[str]:
    """The firms whose record or class differs between the monitor (`firm list --json`) and the program of the test."""
    rules = msgspec.to_builtins(SHIPPED_RULES, str_keys=True)
    mine, wrong = records(ledgers), []
    theirs = {one["record"]["firm"]: one for one in shown}
    for firm in sorted({*mine, *theirs}):
        numbers, found = mine.get(firm, {}), theirs.get(firm)
        if found is None:
            wrong.append(f"{firm}: the monitor has no record")
            continue
        both = {name: (numbers.get(name, 0), found["record"][name]) for name in NUMBERS}
        differ = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
        gives, right = found["computed"]["gives"], class_of(numbers, rules)
        if differ or gives != right:
            wrong.append(f"{firm}: class {gives}, by the test {right}; {differ}")
    return wrong


def folded(outputs: Outputs) -> list[Body]:
    """What `firm list --json` prints, of the fold in this process."""
    fold = FirmsFold()
    fold.add(outputs)
    return [
        msgspec.to_builtins({"record": record, "computed": firm_class(record, SHIPPED_RULES)}, str_keys=True)
        for record in fold.records()
    ]


def annual(directory: Path, ledgers: Ledgers) -> list[str]:
    """The numbers of the annual report that differ from a count, by the test and by the program that comes with the
    report."""
    out = directory.parent / "annual"
    _ran([sys.executable, "-m", "monitor", "annual", str(directory), "--year", str(YEAR), "--out", str(out)])
    report = json.loads((out / f"annual-{YEAR}.json").read_bytes())
    found = {
        (measure["id"], tuple(figure.get("of", ()))): figure.get("value")
        for section in report["sections"]
        for measure in section["measures"]
        for figure in measure.get("figures", ())
    }
    right = counts(ledgers, YEAR)
    names = {name for name, _ in right}
    wrong = [
        f"{name} {of}: {found.get((name, of))}, counted {right.get((name, of))}"
        for name, of in sorted({*right, *(one for one in found if one[0] in names)})
        if (found.get((name, of)) or 0) != right.get((name, of), 0)
    ]
    again = _ran([sys.executable, str(out / "recompute_annual.py"), str(out / f"annual-{YEAR}.json"), str(directory)])
    return wrong + ([] if again is None else [f"recompute_annual.py: {again}"])


def _ran(command: list[str]) -> str | None:
    """`None` when the command succeeded, else the end of what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else (done.stdout + done.stderr)[-500:]
