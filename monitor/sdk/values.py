"""Arguments of a report as plain JSON values: what converts is converted, what does not is refused by field, before
anything is written."""

from __future__ import annotations

import math
import numbers
import operator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from monitor.errors import SetAside

EXACT = 1 << 53  # integers up to here are exact as a float
TEXT = 200  # characters of a name


class BadEvent(SetAside):
    """An argument is wrong: `field` names it, `detail` says what to give instead. Nothing was recorded."""


def converted(field: str, value: Any, fix: str = "give a finite number") -> Any:
    """`value` as str, int, float, datetime in UTC, or itself where it is none of these. Raises `BadEvent`.

    Decimal, Fraction and the numbers of numpy become int where they are whole, else float; subclasses of str and
    datetime become str and datetime.

    >>> converted("amount", Decimal("7")), converted("amount", Decimal("7.5"))
    (7, 7.5)
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(field, value)
    if isinstance(value, datetime):
        return _utc(field, value)
    if isinstance(value, numbers.Integral):
        return operator.index(value)
    if isinstance(value, Decimal | numbers.Real):
        return _number(field, value, fix)
    return value


def _text(field: str, value: str) -> str:
    value = str.__str__(value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadEvent(
            field,
            "not_text",
            f"character {error.start + 1} is half of a surrogate pair; give text that UTF-8 can encode",
        ) from None
    return value


def _number(field: str, value: Any, fix: str) -> int | float:
    try:
        number = float(value)
    except (OverflowError, ValueError, TypeError):
        number = math.nan
    if not math.isfinite(number):
        raise BadEvent(field, "not_finite", fix)
    if isinstance(value, float) or not number.is_integer() or abs(number) > EXACT:
        return number
    return int(number)


def _utc(field: str, value: datetime) -> datetime:
    fix = "give a datetime with a UTC offset, such as datetime.now(UTC)"
    try:
        if value.utcoffset() is None:
            raise BadEvent(field, "no_offset", fix)
        moved = value.astimezone(UTC)
    except (OverflowError, ValueError, TypeError) as error:
        raise BadEvent(field, "not_a_time", f"{error}; {fix}") from None
    return datetime.combine(moved.date(), moved.time(), UTC)  # of a subclass too


def shown(text: object) -> str:
    """`text` as a name that can always be sent: at most 200 characters, what UTF-8 cannot encode replaced."""
    return str(text)[:TEXT].encode(errors="replace").decode()
