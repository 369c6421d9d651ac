"""Calendars as data: which days are working days in a place, and when its local days begin. Pure.

Holidays are pinned in the configuration and never computed, so a replay gives the same result everywhere. A calendar
says which days it `covers`; outside them only weekends are known, and results are flagged as provisional.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from monitor.charter.time_zones import names, near, zone
from monitor.model.events import EPOCH

MOST_DAYS = 4096  # holidays and working weekend days of one calendar; so a search for a working day ends
_EPOCH_DAY = EPOCH.toordinal()

Weekday: TypeAlias = Annotated[int, Meta(ge=1, le=7)]


class NamedDay(Struct, frozen=True, forbid_unknown_fields=True):
    """A day of a calendar with the name that people know it by."""

    date: date
    name: str


class Calendar(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Working days of one place.

    `zone` is an IANA time zone, `weekend` ISO weekdays (1 = Monday), `holidays` the days off, `working_weekends` days
    of a weekend that are worked in exchange for a holiday. `covers` is the first and last day for which the lists are
    complete, `source` where they were published.
    """

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    zone: str
    covers: tuple[date, date]
    holidays: Annotated[tuple[NamedDay, ...], Meta(max_length=MOST_DAYS)]
    working_weekends: Annotated[tuple[NamedDay, ...], Meta(max_length=MOST_DAYS)] = ()
    weekend: tuple[Weekday, ...] = (6, 7)
    source: str = ""

    def working(self, day: date) -> bool:
        """Whether `day` is a working day."""
        if day in self._worked:
            return True
        return day.isoweekday() not in self.weekend and day not in self._off

    @functools.cached_property
    def _off(self) -> frozenset[date]:
        return frozenset(d.date for d in self.holidays)

    @functools.cached_property
    def _worked(self) -> frozenset[date]:
        return frozenset(d.date for d in self.working_weekends)

    def covered(self, day: date) -> bool:
        """Whether the lists are complete for `day`."""
        return self.covers[0] <= day <= self.covers[1]

    def day_of(self, at: int) -> date:
        """The local day of the instant `at` (ms since 1970)."""
        return date.fromordinal((at // 1000 + zone(self.zone).offset(at // 1000)) // 86_400 + _EPOCH_DAY)

    def begin_of(self, day: date) -> int:
        """The first instant (ms since 1970) from which on it is `day` or later by local time.

        Where the clocks change at midnight, the hour that is repeated belongs to the day before, and a midnight that
        does not exist is the moment of the change.

        >>> from monitor.model.events import instant
        >>> year = date(2026, 1, 1), date(2026, 12, 31)
        >>> berlin = Calendar(name="de", zone="Europe/Berlin", covers=year, holidays=())
        >>> instant(berlin.begin_of(date(2026, 3, 30))).isoformat()
        '2026-03-29T22:00:00+00:00'
        """
        table, midnight = zone(self.zone), (day.toordinal() - _EPOCH_DAY) * 86_400
        before, after = table.offset(midnight - 86_400), table.offset(midnight + 86_400)
        if before == after:
            return (midnight - before) * 1000
        change = table.changes[bisect_right(table.changes, midnight + 86_400) - 1]
        early, late = midnight - max(before, after), midnight - min(before, after)
        if after > before:  # the clocks go forward
            return min(max(early, change), late) * 1000
        return (early if change >= late else late) * 1000

    def end_of(self, day: date) -> int:
        """The first instant (ms since 1970) after the local day `day`."""
        return self.begin_of(day + timedelta(days=1))

    def flaws(self) -> Iterator[str]:
        """Yields each mistake in the calendar: field, what is wrong, and the fix."""
        if self.zone not in names():
            yield f"zone: no time zone {self.zone!r}; {near(self.zone)}"
        if self.covers[0] > self.covers[1]:
            yield "covers: the first day is after the last; write [first, last]"
        if len(set(self.weekend)) > 6:
            yield "weekend: no working day is left; list at most six weekdays"
        for field, days in (("holidays", self.holidays), ("working_weekends", self.working_weekends)):
            yield from (f"{field}: {d.date} is outside `covers`" for d in days if not self.covered(d.date))
            if len({d.date for d in days}) < len(days):
                yield f"{field}: a day is listed twice"
        yield from (
            f"working_weekends: {d.date} is no weekend day; remove it"
            for d in self.working_weekends
            if d.date.isoweekday() not in self.weekend
        )
        for day in sorted(self._off & self._worked):
            yield f"holidays: {day} is also in `working_weekends`; remove one"
