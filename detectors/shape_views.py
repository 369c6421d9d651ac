"""Three ways to ask "does this look as before?": the level, the hour of the day, and the course of the last hours.

A view takes one number and returns a distance, 0 or more in the units of the number, or `None` while it has too little
past. What distance is a large one, it does not know: `shape_tail.py` does.
"""

from __future__ import annotations

import math

import msgspec

_NOISE = 1e-9
"""Distances below this share of the numbers themselves come from rounding: 0.1 + 0.2 is not another shape than 0.3."""


class Level(msgspec.Struct, kw_only=True):
    """How far a quick running mean is from a slow one. O(1) state; plain means while there are few numbers.

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
        """The distance of the two means, the slow one not yet knowing of `x`."""
        self.seen += 1
        if self.seen == 1:
            self.near = self.far = x
        share = 1 / self.seen
        self.near += max(share, 2 / (self.fast + 1)) * (x - self.near)
        distance = abs(self.near - self.far)
        noise = _NOISE * (abs(self.near) + abs(self.far))
        self.far += max(share, 2 / (self.slow + 1)) * (x - self.far)
        return distance if distance > noise else 0.0


class Profile(msgspec.Struct, kw_only=True):
    """How far a number is from what this time of the day (or week) usually has.

    The profile keeps a running mean (weight `gain`) for each of at most 288 phases of the cycle; what is usual is the median
    of the phases within `reach`, so that a day that starts five minutes late is the same day. State: 8 bytes per phase.

    >>> cycle = Profile(season=4)
    >>> seen = [cycle.update(x, row) for row, x in enumerate([1.0, 5.0, 9.0, 5.0] * 3)]
    >>> seen[:5], cycle.update(2.0, 12)
    ([None, None, None, None, 0.0], 1.0)
    """

    season: int
    gain: float = 0.15
    start: int | None = None
    profile: list[float | None] = []

    def update(self, x: float, row: int) -> float | None:
        """The distance of the number at period `row` (of any grid that also counts periods without one) from its usual value."""
        usual = self.usual(row)
        if self.start is None:
            self.start, self.profile = row, [None] * min(self.season, 288)
        j = self._phase(row)
        before = self.profile[j]
        self.profile[j] = x if before is None else before + self.gain * (x - before)
        if usual is None:
            return None
        distance = abs(x - usual)
        return distance if distance > _NOISE * (abs(x) + abs(usual)) else 0.0

    def usual(self, row: int) -> float | None:
        """What the cycle has at this row, `None` in the first cycle and where it never had a number."""
        if self.start is None or row - self.start < self.season:
            return None
        phases = len(self.profile)
        reach = min(2, phases // 24)
        j = self._phase(row)
        near = [v for i in range(-reach, reach + 1) if (v := self.profile[(j + i) % phases]) is not None]
        return sorted(near)[len(near) // 2] if near else None

    def _phase(self, row: int) -> int:
        return row % self.season * min(self.season, 288) // self.season


class Motif(msgspec.Struct, kw_only=True):
    """How far the course of the last hours is from the most similar courses of the past.

    Means of `stride` numbers are points; the last `window` points are compared with every window among the last `keep`
    points that does not overlap them, and the distance is the mean over the `neighbours` nearest (root mean square per
    point). Between points the last distance stands. The idea of discords (Keogh, Lin and Fu 2005, HOT SAX) and of
    conformal nearest neighbours (Burnaev and Ishimtsev 2016). State: 8 bytes per point.

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
        """The distance as of the last full point, `None` before there is enough past to compare with."""
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
