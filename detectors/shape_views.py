"""Distances from a stream's own past: its level, its time-of-day profile (plain, and relative to the usual spread at
that time of the day), and the course of the last hours.

A view takes one number and returns a distance (>= 0, in the unit of the number), or `None` while there is too little
past. How rare a distance is, is computed in `shape_tail.py`.
"""

from __future__ import annotations

import math
from typing import Self

import msgspec

_NOISE = 1e-9
"""Distances below this fraction of the numbers are rounding errors (0.1 + 0.2 against 0.3) and are returned as 0."""

PHASES = 144
"""Most phases of a new profile (a day of ten minutes each)."""

SPREADS = 48
"""Most phases of a spread."""

_CYCLES = 10  # that a phase's spread remembers
_SHARE = 0.25  # of the mean spread in the divisor of every phase: no distance is weighted by more than its inverse


def deviation(x: float, usual: float) -> float:
    """Returns `x - usual`, 0 where it is a rounding error."""
    difference = x - usual
    return difference if abs(difference) > _NOISE * (abs(x) + abs(usual)) else 0.0


class Level(msgspec.Struct, kw_only=True):
    """Distance of a fast exponential mean from a slow one. O(1) state; plain means while there are few numbers.

    >>> level = Level(fast=4, slow=40)
    >>> quiet = [level.update(1.0) for _ in range(40)]
    >>> quiet[-1], round(level.update(2.0), 3)
    (0.0, 0.4)
    """

    fast: int
    slow: int
    seen: int = 0
    near: float = 0.0
    far: float = 0.0

    def update(self, x: float) -> float:
        """Returns the distance of the two means, before `x` enters the slow one."""
        self.seen += 1
        if self.seen == 1:
            self.near = self.far = x
        weight = 1 / self.seen
        self.near += max(weight, 2 / (self.fast + 1)) * (x - self.near)
        distance = abs(self.near - self.far)
        noise = _NOISE * (abs(self.near) + abs(self.far))
        self.far += max(weight, 2 / (self.slow + 1)) * (x - self.far)
        return distance if distance > noise else 0.0


class Profile(msgspec.Struct, kw_only=True):
    """Distance of a number from the usual value at its time of the day (or week).

    The profile keeps an exponential mean (weight `gain`) for each of at most `most` phases of the cycle. The usual
    value is the median of the phases within two (of fewer than 24: one alone), so that a day that starts a phase late
    is not unusual. State: 8 bytes per phase.

    >>> cycle = Profile(season=4)
    >>> seen = [cycle.update(x, row) for row, x in enumerate([1.0, 5.0, 9.0, 5.0] * 3)]
    >>> seen[:5], cycle.update(2.0, 12)
    ([None, None, None, None, 0.0], 1.0)
    """

    season: int
    gain: float = 0.15
    start: int | None = None
    profile: list[float | None] = []
    most: int = 288

    @classmethod
    def of(cls, season: int) -> Self:
        """Returns a profile of at most `PHASES` phases, each with the same memory in cycles."""
        return cls(season=season, gain=0.15 * min(PHASES / season, 1.0), most=PHASES)

    def update(self, x: float, row: int) -> float | None:
        """Returns the distance of the number at period `row` of its grid (including periods without a number) from its
        usual value, or `None` if there is none yet; then updates the profile."""
        usual = self.usual(row)
        if self.start is None:
            self.start, self.profile = row, [None] * min(self.season, self.most)
        j = self._phase(row)
        before = self.profile[j]
        self.profile[j] = x if before is None else before + self.gain * (x - before)
        if usual is None:
            return None
        return abs(deviation(x, usual))

    def usual(self, row: int) -> float | None:
        """Returns the usual value at this row; `None` in the first cycle and for a phase without numbers."""
        if self.start is None or row - self.start < self.season:
            return None
        phases = len(self.profile)
        reach = min(2, phases // 24)
        j = self._phase(row)
        near = [v for i in range(-reach, reach + 1) if (v := self.profile[(j + i) % phases]) is not None]
        return sorted(near)[len(near) // 2] if near else None

    def _phase(self, row: int) -> int:
        return row % self.season * min(self.season, self.most) // self.season


class Spread(msgspec.Struct, kw_only=True):
    """Distance from the profile relative to the usual distance at that time of the day, in the unit of the number.

    A stream with bursts at busy hours is far from its profile at those hours and close to it at night; one scale for
    the whole day hides whatever happens at night. The distance is divided by the spread of its phase (an exponential
    mean of distances over ten cycles, at most 48 phases) and multiplied by the mean spread of all phases: standardising
    by the periodic part of volatility (Andersen and Bollerslev 1997, Intraday periodicity and volatility persistence in
    financial markets). The divisor is at least a quarter of the mean spread. State: 8 bytes per phase.

    >>> spread = Spread(season=2)
    >>> seen = [spread.update(d, row) for row, d in enumerate([1.0, 9.0] * 10)]
    >>> seen[:2], seen[-2:]
    ([None, None], [2.5, 5.625])
    """

    season: int
    seen: int = 0
    phases: list[float | None] = []

    def update(self, distance: float, row: int) -> float | None:
        """Returns the weighted distance, or `None` before as many distances as a cycle has periods; then learns it."""
        if not self.phases:
            self.phases = [None] * min(self.season, SPREADS)
        number = len(self.phases)
        j = row % self.season * number // self.season
        weighted = self._weighted(distance, self.phases[j]) if self.seen >= self.season else None
        self.seen += 1
        before = self.phases[j]
        weight = max(number / (self.seen + number), number / (_CYCLES * self.season))
        self.phases[j] = distance if before is None else before + weight * (distance - before)
        return weighted

    def _weighted(self, distance: float, usual: float | None) -> float:
        known = [spread for spread in self.phases if spread is not None]
        mean = sum(known) / len(known)
        divisor = mean if usual is None else _SHARE * mean + (1 - _SHARE) * usual
        return distance * (mean / divisor) if divisor > 0 else distance


class Motif(msgspec.Struct, kw_only=True):
    """Distance of the course of the last hours from the most similar courses of the past (a discord distance).

    Means of `stride` numbers are points. The last `window` points are compared with every window among the last `keep`
    points that does not overlap them; the distance is the mean over the `neighbours` nearest (root mean square per
    point). Between points the last distance stays. Discords: Keogh, Lin, Fu (2005), HOT SAX; conformal nearest
    neighbours: Burnaev, Ishimtsev (2016). State: 8 bytes per point.

    >>> past = Motif(stride=1, window=3, keep=40, neighbours=1)
    >>> wave = [past.update(x) for x in [0.0, 1.0, 0.0, -1.0] * 8]
    >>> wave[-1], round(past.update(5.0), 3)
    (0.0, 2.449)
    """

    stride: int
    window: int
    keep: int
    neighbours: int = 3
    points: list[float] = []
    total: float = 0.0
    count: int = 0
    distance: float | None = None

    def update(self, x: float) -> float | None:
        """Returns the distance at the last complete point, or `None` before there is enough past."""
        self.total += x
        self.count += 1
        if self.count == self.stride:
            self.points.append(self.total / self.count)
            self.total, self.count = 0.0, 0
            if len(self.points) > self.keep:
                del self.points[0]
            self.distance = self._nearest()
        return self.distance

    def _nearest(self) -> float | None:
        points, w = self.points, self.window
        others = len(points) - 2 * w + 1
        if others < self.neighbours + 5:
            return None
        now = points[-w:]
        found = sorted([math.dist(now, points[i : i + w]) for i in range(others)])[: self.neighbours]
        distance = sum(found) / self.neighbours / math.sqrt(w)
        return distance if distance > _NOISE * max(map(abs, now)) else 0.0
