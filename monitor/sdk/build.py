"""Build one event from a caller's arguments, validated with the same structs and bounds as in the monitor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.model.event_ids import malformed_id
from monitor.model.events import Envelope, Harm, Severity, event_type
from monitor.model.records import digest
from monitor.sdk.refusals import ArgumentError
from monitor.sdk.values import BadEvent, converted

MAX_AHEAD = timedelta(minutes=5)  # the monitor rejects a time later than `received` + 5 min
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)  # and one before this

FIXES = {
    "time": "give `at` as a datetime with a UTC offset, such as datetime.now(UTC)",
    "filed": "give the time of filing as a datetime with a UTC offset",
    "severity": f"one of {', '.join(Severity)}",
    "was": "the severity that the earlier report had",
    "harm": f"one of {', '.join(Harm)}",
    "currency": "three capital letters (ISO 4217), such as EUR",
    "amount": "a finite number from 0 to 1e15",
    "share": "a finite number, 0.2 for 20 % less effort",
    "subject": "the pilot's id, 1 to 200 characters",
    "source": "1 to 200 characters",
}
ID_FIX = (
    "an id has letters, digits and signs of ASCII, no blanks and no @; give Pilot a `key`, and it sends pseudonyms of "
    "your ids, or write ids that lead to no person"
)
COUNTS = "a whole number from 0 to 1000000000"


def build(
    kind: type[Envelope], *, source: str, pilot: str, number: int, at: datetime | None, data: dict[str, Any]
) -> Envelope:
    """Return an event of type `kind`, the `number`-th of `source`; `at` defaults to now.

    Values are converted as in `monitor.sdk.values.converted`. Raises `BadEvent` with the field and the fix, also for
    times that the monitor would reject.
    """
    now = datetime.now(UTC)
    when = now if at is None else at
    if not isinstance(when, datetime):
        raise BadEvent("time", ArgumentError.WRONG_TYPE, FIXES["time"])
    when = converted("time", when)
    data = {field: converted(field, value, FIXES.get(field, "give a finite number")) for field, value in data.items()}
    _check_times(when, data.get("filed"), now)
    source, pilot = converted("source", source), converted("subject", pilot)
    sequence = f"{number:012d}"
    raw = {
        "type": str(kind.__struct_config__.tag),
        "specversion": "1.0",
        "id": digest(source, sequence),
        "source": source,
        "subject": pilot,
        "time": when,
        "sequence": sequence,
        "data": data,
    }
    try:
        event = msgspec.convert(raw, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        message, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`").rsplit(".", 1)[-1] or "event"
        fix = FIXES.get(field) or (COUNTS if "Expected `int`" in message else "1 to 200 characters")
        raise BadEvent(field, ArgumentError.NOT_ACCEPTED, f"{message}; {fix}") from None
    if field := malformed_id(event):
        raise BadEvent(field.removeprefix("data."), ArgumentError.NOT_ACCEPTED, ID_FIX)
    return event


def _check_times(when: datetime, filed: object, now: datetime) -> None:
    """Raise `BadEvent` for a time before 2000 or over 5 minutes ahead, or a complaint closed before it was filed."""
    for field, at in (("time", when), ("filed", filed)):
        if not isinstance(at, datetime):
            continue
        if at > now + MAX_AHEAD:
            detail = f"{at.isoformat()} is more than 5 minutes ahead of this machine's clock"
            raise BadEvent(field, ArgumentError.IN_THE_FUTURE, detail)
        if at < OLDEST:
            raise BadEvent(field, ArgumentError.BEFORE_2000, f"{at.isoformat()} is before 2000; {FIXES[field]}")
    if isinstance(filed, datetime) and filed > when:
        detail = f"filed at {filed.isoformat()}, which is after `at`; correct one of the two"
        raise BadEvent("filed", ArgumentError.AFTER_CLOSING, detail)


__all__ = ["BadEvent", "build", "event_type"]
