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
from tests.country.ledgers import Ledgers

YEAR = 2026
NUMBERS = (
    "pilots", "operated_ms", "halts", "stops_overdue", "contradictions", "conflicts", "clocks_missed",
    "rectifications_late", "refusals", "observations", "observations_late",
)  # fmt: skip
"""The numbers of a record that the rules read."""


def firm_classes(outputs: Outputs, ledgers: Ledgers) -> list[str]:
    """The firms whose record or class differs between the fold of the monitor and the program of the test."""
    fold, rules = FirmsFold(), msgspec.to_builtins(SHIPPED_RULES, str_keys=True)
    fold.add(outputs)
    mine, wrong = records(ledgers), []
    theirs = {record.firm: record for record in fold.records()}
    for firm in sorted({*mine, *theirs}):
        numbers, record = mine.get(firm, {}), theirs.get(firm)
        if record is None:
            wrong.append(f"{firm}: the monitor has no record")
            continue
        both = {name: (numbers.get(name, 0), getattr(record, name)) for name in NUMBERS}
        differ = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
        gives, right = firm_class(record, SHIPPED_RULES).gives.value, class_of(numbers, rules)
        if differ or gives != right:
            wrong.append(f"{firm}: class {gives}, by the test {right}; {differ}")
    return wrong


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
