"""How rare a distance is, judged by the largest distances that this stream itself had before."""

from __future__ import annotations

import math

import msgspec

CAP = 15.0
"""No rarity above exp(-15): the tail of a few dozen maxima cannot tell more."""

_FEWEST = 8
_ABOVE = 0.2
_FLOOR = 0.05


class Tail(msgspec.Struct, kw_only=True):
    """Minus the logarithm of the share of blocks whose largest distance reaches the one at hand.

    Distances of neighbouring rows are alike, so what is kept is the largest of each `block` rows, the last `keep` of them
    (peaks over a threshold with declustering: Davison and Smith 1990; Leadbetter 1991). Above the level that a fifth of
    the blocks reach, the tail is exponential with the mean excess of those blocks (at least 5 % of that level, so that a
    stream whose blocks are all alike does not cry at a hair's breadth); below, the rarity falls in proportion. The present
    distance enters the maxima after it was judged. A stream whose distances were all 0 has no scale and its first movement
    is not judged. State: 8 bytes per block kept.

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

    @property
    def ready(self) -> bool:
        """Whether enough blocks have passed to judge a distance."""
        return len(self.maxima) >= _FEWEST

    def rarity(self, distance: float) -> float | None:
        """Judge a distance >= 0 by the blocks before it, then let it count: from 0 (usual) to `CAP`; `None` if too early."""
        judged = self._compute(distance) if self.ready else None
        self.largest = max(self.largest, distance)
        self.count += 1
        if self.count == self.block:
            self.maxima.append(self.largest)
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

    def _refit(self) -> None:
        ranked = sorted(self.maxima)
        self.level = ranked[int((1 - _ABOVE) * len(ranked))]
        above = [m - self.level for m in ranked if m > self.level]
        self.excess = max(sum(above) / len(above) if above else 0.0, _FLOOR * self.level)
