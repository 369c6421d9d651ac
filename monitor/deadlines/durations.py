"""Durations and how they are counted: from the instant of an event to the instant at which something is due. Pure.

A period in days, working days or months leaves out the day of the event, and ends with the end of its last local day:
Regulation (EEC, Euratom) No 1182/71, Art. 3(1) and (2); so does the Civil Code of China, Art. 201 and 202. What happens
when the last day is not a working day differs, and is data (`Counting`). A period in hours is elapsed time.
"""

from __future__ import annotations

import calendar as months
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from monitor.deadlines.calendars import Calendar
from monitor.model.events import LAST_MS

HOUR_MS = 3_600_000
MOST = {"hours": 87_600, "days": 3_660, "working_days": 2_500, "months": 120}  # about ten years
_LAST_START = LAST_MS - 20 * 366 * 24 * HOUR_MS  # so that every due instant can be represented


class Unit(StrEnum):
    """The unit of a period."""

    HOURS = "hours"
    DAYS = "days"
    WORKING_DAYS = "working_days"
    MONTHS = "months"


class Duration(Struct, frozen=True, forbid_unknown_fields=True):
    """A period of `count` units."""

    count: Annotated[int, Meta(ge=1)]
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit.replace('_', ' ')}" if self.count > 1 else f"1 {_ONE[self.unit]}"


_ONE = {Unit.HOURS: "hour", Unit.DAYS: "day", Unit.WORKING_DAYS: "working day", Unit.MONTHS: "month"}


class Counting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A convention of counting, with its legal `basis`.

    `next_working_day`: a period that ends on a day that is not a working day ends with the next working day.
    `least_working_days`: a period of two days or more holds at least so many working days.
    """

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    next_working_day: bool = False
    least_working_days: Annotated[int, Meta(ge=0, le=10)] = 0
    basis: str = ""


class Due(NamedTuple):
    """The first instant (ms since 1970) that is too late. `provisional`: the calendar does not cover every day that was
    counted, so holidays may be missing and the true instant may be later."""

    at: int
    provisional: bool


def due_instant(start: int, period: Duration, calendar: Calendar, counting: Counting) -> Due:
    """When a period that begins with an event at `start` (ms since 1970) has ended.

    >>> from datetime import datetime
    >>> from monitor.model.events import instant, millis
    >>> YEAR = date(2026, 1, 1), date(2026, 12, 31)
    >>> brussels = Calendar(name="be", zone="Europe/Brussels", covers=YEAR, holidays=())
    >>> start = millis(datetime.fromisoformat("2026-01-31T12:00:00+01:00"))
    >>> instant(due_instant(start, Duration(1, Unit.MONTHS), brussels, Counting(name="c")).at).isoformat()
    '2026-02-28T23:00:00+00:00'
    """
    start = min(max(start, 0), _LAST_START)
    if period.unit is Unit.HOURS:
        return Due(start + period.count * HOUR_MS, False)
    first = calendar.day_of(start)
    last = _last_day(first, period, calendar)
    if period.unit is not Unit.WORKING_DAYS:
        last = _extended(first, last, period, calendar, counting)
        counted = counting.next_working_day or counting.least_working_days > 0
    else:
        counted = True
    covered = calendar.covered(first + timedelta(days=1)) and calendar.covered(last)
    return Due(calendar.end_of(last), counted and not covered)


def _last_day(first: date, period: Duration, calendar: Calendar) -> date:
    if period.unit is Unit.DAYS:
        return first + timedelta(days=period.count)
    if period.unit is Unit.MONTHS:
        year, month = divmod(first.year * 12 + first.month - 1 + period.count, 12)
        return date(year, month + 1, min(first.day, months.monthrange(year, month + 1)[1]))
    return _working_days_after(first, period.count, calendar)


def _extended(first: date, last: date, period: Duration, calendar: Calendar, counting: Counting) -> date:
    """The last day under the convention: it is a working day, and the period holds enough of them."""
    if counting.next_working_day and not calendar.working(last):
        last = _working_days_after(last, 1, calendar)
    if counting.least_working_days and not (period.unit is Unit.DAYS and period.count < 2):
        last = max(last, _working_days_after(first, counting.least_working_days, calendar))
    return last


def _working_days_after(day: date, count: int, calendar: Calendar) -> date:
    """The `count`-th working day after `day`."""
    while count:
        day += timedelta(days=1)
        count -= calendar.working(day)
    return day
