"""Convert the arguments of a report to plain JSON values, or reject them by field before anything is written."""

from __future__ import annotations

import math
import numbers
import operator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from monitor.errors import SetAside
from monitor.sdk.refusals import ArgumentError

EXACT = 1 << 53  # integers up to here have an exact float
NAME_CHARACTERS = 200
OFFSET_FIX = "give a datetime with a UTC offset, such as datetime.now(UTC)"


class BadEvent(SetAside):
    """An argument is wrong and nothing was recorded.

    `field` names the argument, `reason` is a word of `monitor.sdk.refusals.ArgumentError`, `detail` says the fix.
    """


def converted(field: str, value: Any, fix: str = "give a finite number") -> Any:
    """Return `value` as str, int, float or datetime in UTC; a value of any other type is returned unchanged.

    Decimal, Fraction and the numbers of numpy become int where they are whole, else float; subclasses of str and
    datetime become str and datetime. Raises `BadEvent` for `field`, with `fix` where a number is not finite.

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
        fix = f"character {error.start + 1} is half of a surrogate pair; give text that UTF-8 can encode"
        raise BadEvent(field, ArgumentError.NOT_TEXT, fix) from None
    return value


def _number(field: str, value: Any, fix: str) -> int | float:
    try:
        number = float(value)
    except (OverflowError, ValueError, TypeError):
        number = math.nan
    if not math.isfinite(number):
        raise BadEvent(field, ArgumentError.NOT_FINITE, fix)
    if isinstance(value, float) or not number.is_integer() or abs(number) > EXACT:
        return number
    return int(number)


def _utc(field: str, value: datetime) -> datetime:
    try:
        if value.utcoffset() is None:
            raise BadEvent(field, ArgumentError.NO_OFFSET, OFFSET_FIX)
        moved = value.astimezone(UTC)
    except (OverflowError, ValueError, TypeError) as error:
        raise BadEvent(field, ArgumentError.NOT_A_TIME, f"{error}; {OFFSET_FIX}") from None
    return datetime.combine(moved.date(), moved.time(), UTC)  # a plain datetime also for a subclass


def sendable(text: object) -> str:
    """Return `text` as a name that can always be sent: at most 200 characters, those that UTF-8 lacks replaced."""
    return str(text)[:NAME_CHARACTERS].encode(errors="replace").decode()
