"""Build one event from what a caller gave, held to the same structs and bounds that the monitor validates with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.model.events import Envelope, Harm, Severity, event_type
from monitor.model.records import digest
from monitor.sdk.values import BadEvent, converted

FUTURE = timedelta(minutes=5)  # later than `received` + 5 min is rejected by the monitor
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)  # so is what lies before

FIXES = {
    "time": "give `at` as a datetime with a UTC offset, such as datetime.now(UTC)",
    "filed": "give the time of filing as a datetime with a UTC offset",
    "severity": f"one of {', '.join(Severity)}",
    "was": "the grade that the report had before",
    "harm": f"one of {', '.join(Harm)}",
    "currency": "three capital letters (ISO 4217), such as EUR",
    "amount": "a finite number from 0 to 1e15",
    "share": "a finite number, 0.2 for 20 % less effort",
    "subject": "the pilot's id, 1 to 200 characters",
    "source": "1 to 200 characters",
}
COUNTS = "a whole number from 0 to 1000000000"


def build(
    kind: type[Envelope], *, source: str, pilot: str, number: int, at: datetime | None, data: dict[str, Any]
) -> Envelope:
    """An event of type `kind`, the `number`-th of `source`; `at` defaults to now.

    Values are converted as `monitor.sdk.values.converted` says. Raises `BadEvent` naming the field and the fix, also for
    the times that the monitor would reject.
    """
    now = datetime.now(UTC)
    when = now if at is None else at
    if not isinstance(when, datetime):
        raise BadEvent("time", "wrong_type", FIXES["time"])
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
        return msgspec.convert(raw, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        message, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`").rsplit(".", 1)[-1] or "event"
        fix = FIXES.get(field) or (COUNTS if "Expected `int`" in message else "1 to 200 characters")
        raise BadEvent(field, "not_accepted", f"{message}; {fix}") from None


def _check_times(when: datetime, filed: object, now: datetime) -> None:
    """Raise `BadEvent` for a time before 2000, more than 5 minutes ahead, or a complaint closed before it was filed."""
    for field, at in (("time", when), ("filed", filed)):
        if not isinstance(at, datetime):
            continue
        if at > now + FUTURE:
            raise BadEvent(
                field, "in_the_future", f"{at.isoformat()} is more than 5 minutes ahead of this machine's clock"
            )
        if at < OLDEST:
            raise BadEvent(field, "before_2000", f"{at.isoformat()} is no time of a sandbox; {FIXES[field]}")
    if isinstance(filed, datetime) and filed > when:
        raise BadEvent(
            "filed", "after_closing", f"it was filed at {filed.isoformat()}, after `at`; correct one of them"
        )


__all__ = ["BadEvent", "build", "event_type"]
