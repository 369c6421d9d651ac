"""Rarity of a distance relative to the block maxima of the stream's own past distances."""

from __future__ import annotations

import math

import msgspec

CAP = 15.0
"""Largest rarity: a tail estimated from a few dozen maxima does not support smaller probabilities than exp(-15)."""

_FEWEST = 8  # blocks before the first score
_ABOVE = 0.2  # fraction of blocks above the level
_FLOOR = 0.05  # smallest mean excess, as a fraction of the level, in snapshots that do not state it


class Tail(msgspec.Struct, kw_only=True):
    """Minus the logarithm of the fraction of past blocks whose largest distance reaches the current one.

    Distances of neighbouring periods are dependent, so the largest of each `block` distances is kept, for the last
    `keep` blocks (peaks over a threshold with declustering: Davison and Smith 1990; Leadbetter 1991). Above the level
    that a fifth of the blocks reach, the tail is exponential with the mean excess of those blocks (at least `floor`
    times that level, so that a stream of nearly equal blocks does not alarm at tiny deviations); below, the rarity is
    proportional to the distance. A distance is added to the maxima after it was scored. A stream whose distances were
    all 0 has no scale, and its first movement has rarity 0. State: 8 bytes per block.

    `reach`: a maximum is remembered as at most the level plus so many mean excesses (winsorised: Huber 1981, Robust
    Statistics, bounded influence), so one enormous deviation does not hide the next ones for as long as it is
    remembered; large ones that recur are still learnt, because each raises the level and the excess. `None`: no bound.

    >>> tail = Tail(block=2, keep=50)
    >>> seen = [tail.rarity(d) for d in [1.0, 2.0, 1.5, 3.0] * 5]
    >>> seen[15], round(tail.rarity(3.0), 3), tail.rarity(30.0)
    (None, 1.609, 15.0)
    """

    block: int
    keep: int
    maxima: list[float] = []
    largest: float = 0.0
    count: int = 0
    level: float = 0.0
    excess: float = 0.0
    floor: float = _FLOOR
    reach: float | None = None

    @property
    def ready(self) -> bool:
        """Whether there are enough blocks to score a distance."""
        return len(self.maxima) >= _FEWEST

    def rarity(self, distance: float) -> float | None:
        """Returns the rarity of a distance >= 0, from 0 (usual) to `CAP`, or `None` before enough blocks; then adds
        it."""
        judged = self._compute(distance) if self.ready else None
        self.largest = max(self.largest, distance)
        self.count += 1
        if self.count == self.block:
            self.maxima.append(self._winsorised(self.largest))
            self.largest, self.count = 0.0, 0
            if len(self.maxima) > self.keep:
                del self.maxima[0]
            self._refit()
        return judged

    def _compute(self, distance: float) -> float:
        usual = -math.log(_ABOVE)
        if distance <= 0 or self.excess <= 0:
            return 0.0
        if distance <= self.level:
            return usual * (distance / self.level)
        return min(usual + (distance - self.level) / self.excess, CAP)

    def _winsorised(self, largest: float) -> float:
        if self.reach is None or self.excess <= 0:
            return largest
        return min(largest, self.level + self.reach * self.excess)

    def _refit(self) -> None:
        ranked = sorted(self.maxima)
        self.level = ranked[int((1 - _ABOVE) * len(ranked))]
        above = [m - self.level for m in ranked if m > self.level]
        self.excess = max(sum(above) / len(above) if above else 0.0, self.floor * self.level)
