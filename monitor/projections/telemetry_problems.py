"""What of a pilot's telemetry has no effect, and how to correct it: rejected, counted nowhere, or too late to count.

One list for the SDK, the command line and the board. Bound: a fold keeps `ROWS` kinds of problems for each of `PILOTS`
pilots; the kind that was seen longest ago is forgotten first. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, structs

from monitor.model.notice import COUNTED_NOWHERE, LATE_DROPPED, Notice
from monitor.model.records import Decision, Reason, Rejected
from monitor.projections.formats import stamp
from monitor.validate.rejections import SENTENCES, RejectionReason
from monitor.words import mark, tr, trn

ROWS, PILOTS = 64, 10_000
Kind = Literal["rejected", "counts_nowhere", "too_late"]
KINDS: dict[Kind, str] = {
    "rejected": mark("rejected"),
    "counts_nowhere": mark("accepted, counts nowhere"),
    "too_late": mark("accepted, too late to count"),
}
_NOT_REJECTED: dict[str, Kind] = {COUNTED_NOWHERE: "counts_nowhere", LATE_DROPPED: "too_late"}
_SAYS: dict[str, str] = {
    COUNTED_NOWHERE: "No indicator of the charter counts the event.",
    LATE_DROPPED: "The period of the event had closed.",
}
_SENTENCES: dict[str, str] = {reason.value: words for reason, words in SENTENCES.items()}
_SEND_JSON = mark("Send one CloudEvent as a JSON object in UTF-8 (`monitor/asyncapi.yaml`), or use the SDK.")
_SMALLER = mark("Send smaller batches.")
_CORRECT = mark("Correct the field in the service and send the event again with a new sequence number.")
_CLOCK = mark("Set the clock of the sending machine (NTP).")
_OPERATOR = mark("Ask the authority; the service cannot correct this.")
FIXES: dict[str, str] = {
    RejectionReason.EMPTY_VALUE: _SEND_JSON,
    RejectionReason.TOO_LARGE: _SMALLER,
    RejectionReason.UNREADABLE_BATCH: mark("Send with a Kafka client of a current version, or use the SDK."),
    RejectionReason.TOO_MANY_EVENTS: _SMALLER,
    RejectionReason.TOO_DEEP: _CORRECT,
    RejectionReason.UNKNOWN_CONTENT_TYPE: mark("Set the header content-type to application/cloudevents+json."),
    RejectionReason.NOT_UTF8: _SEND_JSON,
    RejectionReason.NOT_JSON: _SEND_JSON,
    RejectionReason.NOT_FINITE: _CORRECT,
    RejectionReason.NOT_AN_OBJECT: _SEND_JSON,
    RejectionReason.NOT_AN_ARRAY: _SEND_JSON,
    RejectionReason.UNKNOWN_TYPE: _CORRECT,
    RejectionReason.UNKNOWN_VALUE: _CORRECT,
    RejectionReason.MISSING_FIELD: _CORRECT,
    RejectionReason.WRONG_TYPE: _CORRECT,
    RejectionReason.WRONG_FORM: _CORRECT,
    RejectionReason.NOT_AN_ID: mark("Send a pseudonym: ASCII letters, digits and - _ . : / only."),
    RejectionReason.NOT_A_PSEUDONYM: mark("Send a UUID or a digest, or make the Pilot with `pseudonyms=True`."),
    RejectionReason.OUT_OF_RANGE: _CORRECT,
    RejectionReason.BAD_TIME: mark("Write the time with its offset, such as 2026-01-31T12:00:00Z."),
    RejectionReason.TIME_IN_FUTURE: _CLOCK,
    RejectionReason.TIME_BEFORE_2000: _CLOCK,
    RejectionReason.CLOSED_BEFORE_FILED: mark("Send in `filed` when the complaint was filed."),
    RejectionReason.KEY_MISMATCH: mark("Send each record with the id of its pilot as record key."),
    RejectionReason.NOT_ADMITTED: mark("Check the id of the pilot; telemetry counts from the admission on."),
    RejectionReason.NOT_YOURS: mark("Send to the topic of your own firm, with the id of your own pilot."),
    RejectionReason.SEQUENCE_TOO_OLD: mark("Number events by one per source and send them in order, as the SDK does."),
    RejectionReason.SOURCE_CONFLICT: mark("Give each start and each replica of the service its own source."),
    RejectionReason.AFTER_EXIT: mark("Stop sending: the pilot has left the sandbox."),
    RejectionReason.BEFORE_ADMISSION: mark("Send only events that happened since the pilot began."),
    RejectionReason.NOT_IN_FORCE: mark("Acknowledge the newest command, with its id and standing."),
    RejectionReason.FORGED: mark(
        "Sign with a key of the charter (`Pilot(key=...)`). If your service does so, somebody sends in your name: tell "
        "the authority."
    ),
    RejectionReason.REPEATED: mark("Nothing to do: the first copy took effect."),
    RejectionReason.CONFLICT: mark("Give each act its own id."),
    RejectionReason.CONTROL_REFUSED: mark(
        "See `sandbox-monitor status PILOT`: it names the next step and who owes it."
    ),
    RejectionReason.SKIPPED: _OPERATOR,
    RejectionReason.STATE_UNREADABLE: _OPERATOR,
    RejectionReason.SEVERAL_REASONS: _CORRECT,
    RejectionReason.RATE_LIMITED: mark("Correct the first of these mistakes; the others were only counted."),
    COUNTED_NOWHERE: mark("Send a label that the charter knows, or ask for an amendment of the charter."),
    LATE_DROPPED: mark("Send events within the reporting delay of the charter, or ask for a longer `late_window`."),
}
"""What the sender does about each reason of a rejection, and about telemetry that has no effect."""


class TelemetryProblem(Struct, frozen=True, kw_only=True):
    """Telemetry without effect, of one kind. `reason` is a word of `RejectionReason`, `counted_nowhere` or
    `late_dropped`; `field` "" where none is named; `detail` what is wrong; `events` how many events have this reason
    (and this field, where all of them were read); `at` when the newest was received (ms), None where it is not known;
    `place` where in the logs it stands, "" where it is not known."""

    kind: Kind
    reason: str
    field: str = ""
    detail: str = ""
    events: int = 1
    at: int | None = None
    place: str = ""

    @property
    def fix(self) -> str:
        """What to do about it, in the language that is spoken."""
        return tr(FIXES[self.reason]) if self.reason in FIXES else ""

    def __str__(self) -> str:
        return problem_line(self)


def problem_line(problem: TelemetryProblem) -> str:
    """One line: what happened, how often, which field, why, and the fix.

    >>> problem_line(TelemetryProblem(kind="rejected", reason="bad_time", field="time", detail="No offset.", events=2))
    '2 events rejected, time (bad_time): No offset. Fix: Write the time with its offset, such as 2026-01-31T12:00:00Z.'
    """
    number = f"{problem.events:,}"
    said = {"number": number, "kind": tr(KINDS[problem.kind]), "reason": problem.reason}
    if problem.field:
        text = trn("{number} event {kind}, {field} ({reason})", "{number} events {kind}, {field} ({reason})",
                   problem.events, field=problem.field, **said)  # fmt: skip
    else:
        text = trn("{number} event {kind} ({reason})", "{number} events {kind} ({reason})", problem.events, **said)
    detail = f": {problem.detail}" if problem.detail else ""
    return tr("{problem}{detail} Fix: {fix}", problem=text, detail=detail, fix=problem.fix) if problem.fix else (
        f"{text}{detail}"
    )  # fmt: skip


def problems_of(notice: Notice) -> tuple[TelemetryProblem, ...]:
    """The problems that a notice of the monitor states, the newest first; then the reasons of which it has the count
    alone."""
    counts = {**notice.rejected, **notice.uncounted}
    listed = [
        TelemetryProblem(
            kind=_kind(one.reason), reason=one.reason, field=one.field, detail=one.detail,
            events=max(1, counts.get(one.reason, 1)), at=one.received,
        )
        for one in reversed(notice.newest)
    ]  # fmt: skip
    named = {one.reason for one in listed}
    others = [
        TelemetryProblem(kind=_kind(reason), reason=reason, detail=_sentence(reason), events=count)
        for reason, count in counts.items()
        if reason not in named
    ]
    return (*listed, *others)


class ProblemFold:
    """The problems of each pilot from rejections and decisions, in order; both in any interleaving."""

    def __init__(self) -> None:
        self._pilots: dict[str, dict[tuple[str, str], TelemetryProblem]] = {}

    def take(self, record: Rejected | Decision) -> None:
        """Add a rejection, or a decision about telemetry that has no effect; others change nothing."""
        for pilot, problem in _problems(record):
            rows = self._pilots.pop(pilot, {})
            before = rows.pop((problem.reason, problem.field), None)
            events = problem.events + (before.events if before is not None else 0)
            rows[problem.reason, problem.field] = structs.replace(problem, events=events)
            if len(rows) > ROWS:
                del rows[next(iter(rows))]
            self._pilots[pilot] = rows
            if len(self._pilots) > PILOTS:
                del self._pilots[next(iter(self._pilots))]

    def rows(self, pilot: str) -> tuple[TelemetryProblem, ...]:
        """The problems of a pilot, the newest first."""
        return tuple(reversed(self._pilots.get(pilot, {}).values()))


def problems_in(pilot: str, records: Iterable[Rejected | Decision]) -> tuple[TelemetryProblem, ...]:
    """The problems of one pilot in rejections and decisions, oldest first; the newest comes first."""
    fold = ProblemFold()
    for record in records:
        fold.take(record)
    return fold.rows(pilot)


def problem_lines(problems: Iterable[TelemetryProblem]) -> list[str]:
    """A line for each, with its time."""
    return [f"{stamp(one.at)}  {one}" if one.at is not None else str(one) for one in problems]


def _problems(record: Rejected | Decision) -> Iterable[tuple[str, TelemetryProblem]]:
    if isinstance(record, Rejected):
        for reason, count in record.reasons.items():
            same = reason == record.reason
            yield record.pilot, TelemetryProblem(
                kind="rejected", reason=reason, field=record.field if same else "", events=count, at=record.received,
                detail=record.detail if same else _sentence(reason), place=record.id,
            )  # fmt: skip
    elif record.reason in (Reason.COUNTED_NOWHERE, Reason.LATE_DROPPED):
        uncounted = record.reason is Reason.COUNTED_NOWHERE
        yield record.pilot, TelemetryProblem(
            kind=_kind(record.reason.value), reason=record.reason.value, at=record.at, detail=record.finding.detail,
            field=record.finding.rule if uncounted else "time", place=f"entry {record.standing}",
        )  # fmt: skip


def _kind(reason: str) -> Kind:
    return _NOT_REJECTED.get(reason, "rejected")


def _sentence(reason: str) -> str:
    return _SAYS.get(reason) or _SENTENCES.get(reason, "")
