"""Sentences about legal deadlines, from the record of a decision: what is owed, by whom, until when, and why. Pure."""

from __future__ import annotations

from monitor.model.clock_record import Change, ClockRecord, OnMiss, Owes
from monitor.projections.formats import stamp
from monitor.words import mark

OWED_BY = {
    Owes.FIRM: mark("the firm"),
    Owes.AUTHORITY: mark("the authority"),
    Owes.SUPPLIER: mark("the supplier"),
}
ON_MISS = {
    OnMiss.RECORD: "is recorded",
    OnMiss.WATCH: "puts the pilot on watch",
    OnMiss.ESCALATE: "escalates the pilot",
    OnMiss.HALT: "halts the pilot",
}
FORBIDDEN = {"model_changed": mark("no change of the model"), "logs_deleted": mark("no deletion of logs")}
"""What a duty to leave something as it is forbids, by the fact that would be the miss."""
KINDS = {
    "serious_incident": "incident", "application": "application", "exit": "exit", "suspension": "suspension",
    "assessment_set": "assessment", "inspection_set": "inspection", "drill_set": "drill", "finding": "finding",
    "complaint": "complaint",
}  # fmt: skip
"""What an occurrence is called, by the fact that starts its clocks."""


def clock_words(record: ClockRecord) -> str:
    """What a change of a clock is about: title, occurrence, who owes, the date, the legal basis, and what a miss does.

    >>> from monitor.model.clock_record import ClockState
    >>> words = clock_words(ClockRecord(
    ...     change=Change.MISSED, at=0, rule="incident-report", title="Report of an incident", key="i-7",
    ...     starts="serious_incident", owed_by=Owes.FIRM, basis="EU AI Act, Art. 73(2)", on_miss=OnMiss.ESCALATE,
    ...     state=ClockState.MISSED, due=1773788400000, last_day="2026-03-17", zone="Europe/Berlin"))
    >>> words[:57]
    'Report of an incident (incident i-7), owed by the firm; w'
    >>> words[56:]
    'was due before 2026-03-17 23:00:00 UTC (last day 2026-03-17, Europe/Berlin); EU AI Act, Art. 73(2)'
    """
    about = f"{record.title}{occurrence(record.starts, record.key)}, owed by {OWED_BY[record.owed_by]}"
    return "; ".join(part for part in (about, *_dates(record), record.basis, _otherwise(record)) if part)


def occurrence(starts: str, key: str) -> str:
    """The occurrence in parentheses, such as " (incident i-7)"; empty where it has no name."""
    return f" ({KINDS.get(starts, '')} {key})".replace("( ", "(") if key else ""


def _dates(record: ClockRecord) -> list[str]:
    said = []
    if record.due is not None:
        word = "due" if record.change in (Change.STARTED, Change.MOVED, Change.RESTARTED) else "was due"
        said.append(f"{word} before {stamp(record.due)} (last day {record.last_day}, {record.zone})")
        if record.provisional:
            said.append("holidays of that time are not known yet")
    elif record.change in (Change.STARTED, Change.RESTARTED):
        said.append(", ".join(FORBIDDEN.get(kind, kind) for kind in record.forbids) or "without a date")
    if record.change is Change.MOVED and record.was_due is not None:
        said.append(f"earlier due instant: {stamp(record.was_due)}")
    if record.done is not None and record.change in (Change.MET, Change.DONE_LATE):
        late = " (too late)" if record.late or record.change is Change.DONE_LATE else ""
        said.append(f"done {stamp(record.done)}{late}")
    return said


def _otherwise(record: ClockRecord) -> str:
    if record.change not in (Change.STARTED, Change.MOVED, Change.RESTARTED):
        return ""
    return f"a miss {ON_MISS[record.on_miss]}" if record.due is not None or record.forbids else ""
