"""Expected events between two moments: an hour-of-week profile of rates, integrated exactly.

A night without events is no silence for a service that works by day. A `Gap` whose `expected` comes from here carries
the integral of the rate over the gap, so `silence` keeps its false alarm rate for streams with business hours
(time-rescaling theorem: in units of expected events every Poisson process is the homogeneous one).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import floor, inf

import msgspec

from detectors.base import Gap, within

HOUR, WEEK = 3_600.0, 604_800.0


class HourOfWeek(msgspec.Struct, frozen=True):
    """168 rates in events per second. Hour 0 begins at `start` (seconds since 1970; default Monday 5 January 1970,
    00:00 UTC).

    >>> office = HourOfWeek.of([60.0 if 8 <= h % 24 < 18 and h < 120 else 0.5 for h in range(168)])
    >>> office.expected(345_600.0 + 9 * 3600, 345_600.0 + 10 * 3600)
    60.0
    """

    rates: tuple[float, ...]
    start: float = 345_600.0
    sums: tuple[float, ...] = ()  # cumulative expected events at the start of each hour, and at the end of the week

    @classmethod
    def of(cls, per_hour: list[float] | tuple[float, ...], start: float = 345_600.0) -> HourOfWeek:
        """Builds a profile from events per hour, Monday 00:00 first. Raises ValueError unless 168 rates >= 0, not all
        0."""
        if len(per_hour) != 168:
            raise ValueError(f"per_hour: {len(per_hour)} rates given; give one for each of the 168 hours of a week")
        rates = tuple(within("per_hour", r, low=0.0, high=1e15) / HOUR for r in per_hour)
        if not any(rates):
            raise ValueError("per_hour: at least one must be above 0")
        return cls(rates, start, tuple(accumulate((r * HOUR for r in rates), initial=0.0)))

    @classmethod
    def from_counts(cls, events: Sequence[float], hours: Sequence[float], start: float = 345_600.0) -> HourOfWeek:
        """Builds a profile from `events` counted in each of the 168 hours of a week, and `hours` of observation of
        each.

        Empirical Bayes shrinkage (gamma-Poisson): each cell is shrunk towards the rate of its hour of the day (over
        all seven days), and that towards the overall rate, as far as the differences between cells are explained by
        chance (variance between cells by the method of moments). With few events all cells get one rate, with many
        each its own. No rate is 0 unless the stream has no events. Raises ValueError for other than 168 cells,
        negative numbers, or no event.

        >>> profile = HourOfWeek.from_counts([3.0] * 8 + [9.0] * 16 + [0.0] * 144, [1.0] * 24 + [0.0] * 144)
        >>> [round(3600 * profile.rates[hour], 1) for hour in (3, 12, 27)]
        [6.5, 7.3, 6.5]
        """
        if len(events) != 168 or len(hours) != 168:
            raise ValueError(
                f"events, hours: {len(events)} and {len(hours)} given; give one for each of the 168 hours of a week"
            )
        k = [within("events", v, low=0.0, high=1e15) for v in events]
        t = [within("hours", v, low=0.0, high=1e9) for v in hours]
        if not sum(k) or not sum(t):
            raise ValueError("events, hours: at least one must be above 0")
        flat = sum(k) / sum(t)
        day = _shrunk([sum(k[h::24]) for h in range(24)], [sum(t[h::24]) for h in range(24)], [flat] * 24)
        return cls.of(_shrunk(k, t, [day[h % 24] for h in range(168)]), start)

    @classmethod
    def from_event_times(cls, moments: Sequence[float], start: float = 345_600.0) -> HourOfWeek:
        """Builds a profile from the moments (seconds since 1970) of at least two events, by `from_counts`.

        The observation time is from the first event to the last. Raises ValueError if that is 0.

        >>> twice_an_hour = HourOfWeek.from_event_times([1800.0 * i for i in range(2 * 168 * 2)])
        >>> round(HOUR * twice_an_hour.rate, 1)
        2.0
        """
        first, last = min(moments), max(moments)
        events, hours = [0.0] * 168, [0.0] * 168
        for moment in moments:
            events[_hour(moment - start)] += 1
        at = first
        while at < last:
            edge = min(start + ((at - start) // HOUR + 1) * HOUR, last)
            hours[_hour(at - start)] += (edge - at) / HOUR
            at = edge
        return cls.from_counts(events, hours, start)

    @property
    def rate(self) -> float:
        """Mean events per second: the `limit` of the `silence` detector that uses this profile."""
        return self.sums[-1] / WEEK

    def expected(self, begin: float, end: float) -> float:
        """Returns the events expected from `begin` to `end` (seconds since 1970); 0 if `end` is not later."""
        return max(0.0, self._until(end) - self._until(begin)) if end > begin else 0.0

    def gap(self, last: float, now: float) -> Gap:
        """Returns the gap since the last event as an observation."""
        return Gap(seconds=max(0.0, now - last), expected=self.expected(last, now))

    def when(self, last: float, expected: float) -> float:
        """Returns the moment at which `expected` > 0 events should have come since `last`: the time of a timer."""
        target = self._until(last) + expected
        weeks = floor(target / self.sums[-1])
        rest = target - weeks * self.sums[-1]
        hour = next((h for h in range(168) if self.sums[h + 1] >= rest and self.rates[h]), 167)
        into = (rest - self.sums[hour]) / self.rates[hour] if self.rates[hour] else 0.0
        return self.start + weeks * WEEK + hour * HOUR + min(into, HOUR)

    def _until(self, moment: float) -> float:
        weeks, rest = divmod(moment - self.start, WEEK)
        hour = min(int(rest / HOUR), 167)
        return weeks * self.sums[-1] + self.sums[hour] + (rest - hour * HOUR) * self.rates[hour]


class LocalWeek(msgspec.Struct, frozen=True):
    """An hour-of-week profile in local time, whose offset from UTC changes (daylight saving time).

    `profile` is by local time. Local time is UTC plus `offsets[i]` seconds up to `changes[i]` (seconds since 1970,
    rising); there is one more offset than changes. An hour skipped by a change contributes 0 expected events, a
    repeated hour contributes twice.

    >>> office = HourOfWeek.of([60.0 if 8 <= h % 24 < 18 and h < 120 else 0.0 for h in range(168)])
    >>> berlin = LocalWeek(office, changes=(1_792_890_000.0,), offsets=(7_200.0, 3_600.0))  # 25 October 2026, 01:00 UTC
    >>> monday = 1_792_972_800.0  # the next day, 00:00 UTC
    >>> [berlin.expected(monday + h * HOUR, monday + (h + 1) * HOUR) for h in (6, 7, 16, 17)]
    [0.0, 60.0, 60.0, 0.0]
    """

    profile: HourOfWeek
    changes: tuple[float, ...]
    offsets: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Mean events per second of local time."""
        return self.profile.rate

    def expected(self, begin: float, end: float) -> float:
        """Returns the events expected from `begin` to `end` (seconds since 1970); 0 if `end` is not later."""
        total = 0.0
        while begin < end:
            offset, until = self._stretch(begin)
            until = min(until, end)
            total += self.profile.expected(begin + offset, until + offset)
            begin = until
        return total

    def gap(self, last: float, now: float) -> Gap:
        """Returns the gap since the last event as an observation."""
        return Gap(seconds=max(0.0, now - last), expected=self.expected(last, now))

    def when(self, last: float, expected: float) -> float:
        """Returns the moment at which `expected` > 0 events should have come since `last`."""
        while True:
            offset, until = self._stretch(last)
            at = self.profile.when(last + offset, expected) - offset
            if at <= until:
                return at
            expected -= self.profile.expected(last + offset, until + offset)
            if expected <= 0:
                return until
            last = until

    def _stretch(self, moment: float) -> tuple[float, float]:
        """Returns the offset at `moment` and the moment until which it holds."""
        index = bisect_right(self.changes, moment)
        return self.offsets[index], self.changes[index] if index < len(self.changes) else inf


def _hour(since: float) -> int:
    return min(int(since % WEEK / HOUR), 167)


def _shrunk(k: Sequence[float], t: Sequence[float], towards: Sequence[float]) -> list[float]:
    """Returns the rates of cells, each shrunk from k/t towards its prior rate: the posterior mean under gamma priors.

    The priors share one relative variance, estimated by the method of moments: squared differences less Poisson
    variance.
    """
    expected = [rate * time for rate, time in zip(towards, t, strict=True)]
    chance, square = sum(expected), sum(e * e for e in expected)
    seen = sum((v - e) ** 2 for v, e in zip(k, expected, strict=True))
    apart = max((seen - chance) / square, 1e-9) if square else 1e-9
    return [
        rate * (1 / apart + v) / (1 / apart + e) if rate else 0.0
        for v, e, rate in zip(k, expected, towards, strict=True)
    ]
