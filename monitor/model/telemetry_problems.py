"""What of a pilot's telemetry has no effect, and how to correct it: rejected, counted nowhere, or too late to count.

One list for the SDK, the command line and the board; `monitor/projections/problem_fold.py` has those of many pilots.
Reasons are words of `monitor.validate.rejections.RejectionReason`, or of `NOT_REJECTED`. Pure.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from monitor.model.notice import COUNTED_NOWHERE, LATE_DROPPED, Notice
from monitor.translation import mark, tr, trn

Kind = Literal["rejected", "counts_nowhere", "too_late"]
KINDS: dict[Kind, str] = {
    "rejected": mark("rejected"),
    "counts_nowhere": mark("accepted, counts nowhere"),
    "too_late": mark("accepted, too late to count"),
}
_NOT_REJECTED: dict[str, Kind] = {COUNTED_NOWHERE: "counts_nowhere", LATE_DROPPED: "too_late"}
_SEND_JSON = mark("Send one CloudEvent as a JSON object in UTF-8 (`monitor/asyncapi.yaml`), or use the SDK.")
_SMALLER = mark("Send smaller batches.")
_CORRECT = mark("Correct the field in the service and send the event again with a new sequence number.")
_CLOCK = mark("Set the clock of the sending machine (NTP).")
_OPERATOR = mark("Ask the authority; the service cannot correct this.")
FIXES: dict[str, str] = {
    "empty_value": _SEND_JSON,
    "too_large": _SMALLER,
    "unreadable_batch": mark("Send with a Kafka client of a current version, or use the SDK."),
    "too_many_events": _SMALLER,
    "too_deep": _CORRECT,
    "unknown_content_type": mark("Set the header content-type to application/cloudevents+json."),
    "not_utf8": _SEND_JSON,
    "not_json": _SEND_JSON,
    "not_finite": _CORRECT,
    "not_an_object": _SEND_JSON,
    "not_an_array": _SEND_JSON,
    "unknown_type": _CORRECT,
    "unknown_value": _CORRECT,
    "missing_field": _CORRECT,
    "wrong_type": _CORRECT,
    "wrong_form": _CORRECT,
    "not_an_id": mark("Send a pseudonym: ASCII letters, digits and - _ . : / only."),
    "not_a_pseudonym": mark("Send a UUID or a digest, or make the Pilot with `pseudonyms=True`."),
    "out_of_range": _CORRECT,
    "bad_time": mark("Write the time with its offset, such as 2026-01-31T12:00:00Z."),
    "time_in_future": _CLOCK,
    "time_before_2000": _CLOCK,
    "closed_before_filed": mark("Send in `filed` when the complaint was filed."),
    "key_mismatch": mark("Send each record with the id of its pilot as record key."),
    "not_admitted": mark("Check the id of the pilot; telemetry counts from the admission on."),
    "not_yours": mark("Send to the topic of your own firm, with the id of your own pilot."),
    "sequence_too_old": mark("Number events by one per source and send them in order, as the SDK does."),
    "source_conflict": mark("Give each start and each replica of the service its own source."),
    "after_exit": mark("Stop sending: the pilot has left the sandbox."),
    "before_admission": mark("Send only events that happened since the pilot began."),
    "not_in_force": mark("Acknowledge the newest command, with its id and standing."),
    "forged": mark(
        "Sign with a key of the charter (`Pilot(key=...)`). If your service does so, somebody sends in your name: tell "
        "the authority."
    ),
    "repeated": mark("Nothing to do: the first copy took effect."),
    "conflict": mark("Give each act its own id."),
    "control_refused": mark("See `sandbox-monitor status PILOT`: it names the next step and who owes it."),
    "skipped": _OPERATOR,
    "state_unreadable": _OPERATOR,
    "several_reasons": _CORRECT,
    "rate_limited": mark("Correct the first of these mistakes; the others were only counted."),
    COUNTED_NOWHERE: mark("Send a label that the charter knows, or ask for an amendment of the charter."),
    LATE_DROPPED: mark("Send events within the reporting delay of the charter, or ask for a longer `late_window`."),
}
"""What the sender does about each reason of a rejection, and about telemetry that has no effect."""


class TelemetryProblem(Struct, frozen=True, kw_only=True):
    """Telemetry without effect, of one kind.

    `reason` is a word of `RejectionReason` or `NOT_REJECTED`; `field` "" where none is named; `detail` what is wrong;
    `events` how many events have this reason (and this field, where all of them were read); `at` when the newest was
    received (ms), None where it is not known; `place` where in the logs it stands, "" where it is not known.
    """

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
            kind=kind_of(one.reason), reason=one.reason, field=one.field, detail=one.detail,
            events=max(1, counts.get(one.reason, 1)), at=one.received,
        )
        for one in reversed(notice.newest)
    ]  # fmt: skip
    named = {one.reason for one in listed}
    others = [
        TelemetryProblem(kind=kind_of(reason), reason=reason, events=count)
        for reason, count in counts.items()
        if reason not in named
    ]
    return (*listed, *others)


def kind_of(reason: str) -> Kind:
    """What happened to telemetry with this reason."""
    return _NOT_REJECTED.get(reason, "rejected")
