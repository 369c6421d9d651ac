"""Numbers of the annual report, counted from ledgers by an independent program: standard library only."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from tests.country.ledgers import Body, Ledgers

Counts = Counter[tuple[str, tuple[str, ...]]]
HALT = 3
TOTALS = {
    "released": "halts.released", "suspended": "halts.suspensions", "rectification_recorded": "rectifications.recorded",
    "assessment_missed": "assessments.missed", "amended": "charters.amended",
}  # fmt: skip
"""Reason -> the measure that counts it."""
BY_REASON = {
    "halts.problems": ("halt_overdue", "halt_contradicted"),
    "exits.reports": ("report_issued", "published", "withheld"),
    "drills": ("drill_begun", "drill_passed", "drill_overdue"),
    "inspections": ("inspected", "inspection_finding", "finding_overdue"),
    "guidance": ("guidance_asked", "guidance_given", "guidance_followed"),
    "changes": (
        "change_registered", "change_proposed", "change_refused", "change_not_registered", "unregistered_model",
    ),
}  # fmt: skip
"""Measure -> the reasons by which it is divided."""


def counts(ledgers: Ledgers, year: int) -> Counts:
    """Measure and group -> number."""
    begin, end = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp()) * 1000 for y in (year, year + 1))
    found: Counts = Counter()
    for decisions in ledgers.decisions.values():
        mine = [one for one in decisions if begin <= one["at"] < end]
        responsible: list[str] = []
        for one in mine:
            responsible = one.get("responsible", responsible)
            _decision(one, responsible, found)
        if any(one["reason"] == "admitted" for one in mine):
            found["pilots.in_year", ()] += 1
            found["pilots.firm", (mine[0]["participant"],)] += 1
    for charters in ledgers.charters.values():
        last = [one for one in charters if one["at"] < end][-1]["document"]
        for field in ("tier", "sector", "region"):
            found[f"pilots.{field}", (last[field],)] += 1
    return +found


def _decision(one: Body, responsible: list[str], found: Counts) -> None:
    reason, clock = one["reason"], one["finding"].get("clock")
    content = one["finding"].get("content") or {}
    if one["level"] == HALT > one["was"]:
        found["halts.begun", ()] += 1
        found["halts.reason", (reason,)] += 1
    if reason in TOTALS:
        found[TOTALS[reason], ()] += 1
    for measure, reasons in BY_REASON.items():
        if reason in reasons:
            found[measure, (reason,)] += 1
    if reason == "assessed":
        found["assessments", (content["outcome"],)] += 1
    if reason == "exited":
        found["exits", (content.get("outcome", "none stated"),)] += 1
    if clock:
        found["deadlines", (clock["starts"], clock["rule"], clock["owed_by"], clock["change"])] += 1
        if clock["owed_by"] == "authority" and clock["change"] == "missed":
            for name in responsible:
                found["deadlines.authority", (name, clock["rule"])] += 1
