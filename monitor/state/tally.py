"""What was counted of a stream since its statistics began: the totals on which an assessment rests. Pure.

An incomplete period has no known exposure. Its events count and its exposure does not, so that an upper bound of the
rate is never too low; for a lower bound, its events do not count either.
"""

from __future__ import annotations

from msgspec import Struct

from detectors.base import LARGEST, Count, Observation, Proportion

_EXACT = float(1 << 53)  # whole numbers below it are added without rounding


class Tally(Struct, array_like=True, gc=False):
    """Totals from period `first` on: `complete` and `partial` periods that closed with an observation, events `k` over
    exposure (or trials) `m` of the complete ones, and `extra` events of partial periods or that came too late for the
    statistics."""

    first: int
    complete: int = 0
    partial: int = 0
    k: float = 0.0
    m: float = 0.0
    extra: float = 0.0

    def add(self, index: int, observation: Observation, partial: bool) -> None:
        """Add a closed period; one that began before `first` is left out."""
        if index < self.first:
            return
        k, m = _numbers(observation)
        if partial:
            self.partial += 1
            self.extra = min(self.extra + k, LARGEST)
        else:
            self.complete += 1
            self.k, self.m = min(self.k + k, LARGEST), min(self.m + m, LARGEST)

    def add_empty(self, index: int, observation: Observation, partial: bool, count: int) -> None:
        """Add `count` equal periods without events from `index` on, with the same result as one by one."""
        count -= min(max(self.first - index, 0), count)
        if partial:
            self.partial += count
            return
        self.complete += count
        _, m = _numbers(observation)
        if m == int(m) and self.m == int(self.m) and self.m + count * m < _EXACT:
            self.m += count * m
            return
        for _ in range(count if m else 0):
            self.m = min(self.m + m, LARGEST)

    def add_late(self, index: int, k: float) -> None:
        """Add events of a period that closed before they came."""
        if index >= self.first:
            self.extra = min(self.extra + k, LARGEST)


def _numbers(observation: Observation) -> tuple[float, float]:
    """Events and exposure; a value without a likelihood counts as a period only."""
    if isinstance(observation, Count):
        return min(observation.k, LARGEST), min(observation.m, LARGEST)
    if isinstance(observation, Proportion):
        return min(observation.k, LARGEST), min(observation.n, LARGEST)
    return 0.0, 0.0
