"""Build one event from what a caller gave, held to the same structs and bounds that the monitor validates with."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.errors import SetAside
from monitor.model import digest
from monitor.telemetry import Envelope, Harm, Severity, event_type

FUTURE = timedelta(minutes=5)  # later than `received` + 5 min is rejected by the monitor


class BadEvent(SetAside):
    """An argument is wrong: `field` names it, `detail` says what to give instead. Nothing was recorded."""


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

    Raises `BadEvent` naming the field and the fix; times more than 5 minutes ahead are refused here as they are there.
    """
    now = datetime.now(UTC)
    when = now if at is None else at
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise BadEvent("time", "wrong_type" if not isinstance(when, datetime) else "no_offset", FIXES["time"])
    if when > now + FUTURE:
        raise BadEvent(
            "time", "in_the_future", f"{when.isoformat()} is more than 5 minutes ahead of this machine's clock"
        )
    for field, value in data.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadEvent(field, "not_finite", FIXES.get(field, "give a finite number"))
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
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`").rsplit(".", 1)[-1] or "event"
        fix = FIXES.get(field) or (COUNTS if "Expected `int`" in message else "1 to 200 characters")
        raise BadEvent(field, "not_accepted", f"{message}; {fix}") from None


__all__ = ["BadEvent", "build", "event_type"]
