"""Sentences about legal deadlines, from the record of a decision: what is owed, by whom, until when, and why. Pure."""

from __future__ import annotations

from monitor.model.clock_record import Change, ClockRecord, OnMiss, Owes
from monitor.projections.formats import stamp
from monitor.translation import mark, tr

OWED_BY = {
    Owes.FIRM: mark("the firm"),
    Owes.AUTHORITY: mark("the authority"),
    Owes.SUPPLIER: mark("the supplier"),
}
ON_MISS = {
    OnMiss.RECORD: mark("a miss is recorded"),
    OnMiss.WATCH: mark("a miss puts the pilot on watch"),
    OnMiss.ESCALATE: mark("a miss escalates the pilot"),
    OnMiss.HALT: mark("a miss halts the pilot"),
}
FORBIDDEN = {"model_changed": mark("no change of the model"), "logs_deleted": mark("no deletion of logs")}
"""What a duty to leave something as it is forbids, by the fact that would be the miss."""
DUE = mark("due before {time} (last day {day}, {zone})")
WAS_DUE = mark("was due before {time} (last day {day}, {zone})")
KINDS = {
    "serious_incident": mark("(incident {key})"), "application": mark("(application {key})"),
    "exit": mark("(exit {key})"), "suspension": mark("(suspension {key})"),
    "assessment_set": mark("(assessment {key})"), "inspection_set": mark("(inspection {key})"),
    "drill_set": mark("(drill {key})"), "finding": mark("(finding {key})"), "complaint": mark("(complaint {key})"),
}  # fmt: skip
"""An occurrence in parentheses, by the fact that starts its clocks."""


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
    about = tr(
        "{title}{occurrence}, owed by {who}",
        title=tr(record.title),
        occurrence=occurrence(record.starts, record.key),
        who=tr(OWED_BY[record.owed_by]),
    )
    return "; ".join(part for part in (about, *_dates(record), tr(record.basis), _otherwise(record)) if part)


def occurrence(starts: str, key: str) -> str:
    """The occurrence in parentheses, such as " (incident i-7)"; empty where it has no name."""
    if not key:
        return ""
    return " " + (tr(KINDS[starts], key=key) if starts in KINDS else f"({key})")


def _dates(record: ClockRecord) -> list[str]:
    said = []
    if record.due is not None:
        runs = record.change in (Change.STARTED, Change.MOVED, Change.RESTARTED)
        due = DUE if runs else WAS_DUE
        said.append(tr(due, time=stamp(record.due), day=record.last_day, zone=record.zone))
        if record.provisional:
            said.append(tr("holidays of that time are not known yet"))
    elif record.change in (Change.STARTED, Change.RESTARTED):
        said.append(", ".join(tr(FORBIDDEN.get(kind, kind)) for kind in record.forbids) or tr("without a date"))
    if record.change is Change.MOVED and record.was_due is not None:
        said.append(tr("earlier due instant: {time}", time=stamp(record.was_due)))
    if record.done is not None and record.change in (Change.MET, Change.DONE_LATE):
        late = record.late or record.change is Change.DONE_LATE
        done = stamp(record.done)
        said.append(tr("done {time} (too late)", time=done) if late else tr("done {time}", time=done))
    return said


def _otherwise(record: ClockRecord) -> str:
    if record.change not in (Change.STARTED, Change.MOVED, Change.RESTARTED):
        return ""
    return tr(ON_MISS[record.on_miss]) if record.due is not None or record.forbids else ""
