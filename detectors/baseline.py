"""What is normal here? A rate learnt from the first periods, with limits that own up to how little was seen.

A baseline learnt from few events is uncertain, and a chart that takes its point estimate for the truth alarms far more often
than it declares. So what is handed on is not the estimate but `low` and `high`: every rate outside them would make the
learnt events so unlikely (Chernoff's bound) that both together err with probability at most 1 - confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import msgspec

from detectors.likelihood import count_line, share_line

_RATIO = 1e12  # alternatives further away than this are not asked about, which only widens the interval
_SURE = 1 - 1e-12
_TRACE = 1e-15  # less exposure, or less of an event, than this is none


class Baseline(msgspec.Struct, kw_only=True, array_like=True):
    """Learns over `wanted` periods that hold some exposure and at least `events` events, then stands.

    `spread` is the variance/mean granted by the charter, raised to what the learnt periods show (Pearson's chi-square over
    its degrees of freedom): an estimate, so no promise rests on more than the granted one. Waiting for `events` makes the
    number of periods depend on the data, and the confidence then is approximate.
    """

    wanted: int = 20
    events: float = 0.0
    confidence: float = 0.95
    spread: float = 1.0
    learnt: bool = False
    periods: int = 0
    k: float = 0.0
    x: float = 0.0
    squares: float = 0.0  # sum of k^2/x
    rate: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def known(cls, rate: float, room: float, spread: float) -> Baseline:
        """A baseline that needs no learning: `rate` known up to `room` (0.2 = 20 %) on both sides."""
        return cls(learnt=True, rate=rate, low=rate / (1 + room), high=rate * (1 + room), spread=spread)

    def again(self, granted: float) -> Baseline:
        """The same settings with nothing learnt yet."""
        return Baseline(wanted=self.wanted, events=self.events, confidence=self.confidence, spread=granted)

    def learn(self, k: float, x: float, share: bool) -> bool:
        """Take one period; True once the baseline stands. Periods without exposure teach nothing."""
        if self.learnt or x < _TRACE:
            return self.learnt
        self.periods += 1
        self.k += k
        self.x += x
        self.squares += k / x * k
        if self.periods < self.wanted or self.k < self.events:
            return False
        self.rate = self.k / self.x
        if self.periods > 1 and self.rate > 0 and not (share and self.rate >= 1):
            variance = self.rate * (1 - self.rate) if share else self.rate
            seen = (self.squares - self.rate * self.k) / variance / (self.periods - 1)
            self.spread = min(max(self.spread, seen), 1000.0)
        bound = log(2 / (1 - self.confidence))
        self.low, self.high = interval(self.k, self.x, share, self.spread, bound)
        self.learnt = True
        return True


def interval(k: float, x: float, share: bool, spread: float, bound: float) -> tuple[float, float]:
    """Rates (or shares) under which `k` events over `x` have log evidence below `bound` against them.

    Each side misses with probability at most exp(-bound): P(e-value >= exp(bound)) <= exp(-bound), and the most
    telling ratio on one side is Chernoff's bound.

    >>> low, high = interval(100.0, 20.0, False, 1.0, log(40))
    >>> round(low, 2), round(high, 2)
    (3.76, 6.48)
    """

    def evidence(rate: float) -> float:
        if share:
            odds = k / (x - k) if k < x else _RATIO
            ratio = odds * (1 - rate) / rate
            slope, cost = share_line(min(max(ratio, 1 / _RATIO), _RATIO), rate, spread)
        else:
            ratio = k / x / rate
            slope, cost = count_line(min(max(ratio, 1 / _RATIO), _RATIO), rate, spread)
        return slope * k + cost * x

    middle = k / x
    low, high = 0.0, 1.0 if share else 0.0
    if k > _TRACE:
        low = _crossing(evidence, middle, 0.5, bound, middle / _RATIO, 0.0)
    if not share:
        high = _crossing(evidence, max(middle, 1e-3 / x), 2.0, bound, 1e300, 1e300)
    elif k < x:
        high = _crossing(evidence, min(max(middle, 1e-3 / x), _SURE), 2.0, bound, _SURE, 1.0)
    return low, high


def _crossing(
    evidence: Callable[[float], float], near: float, factor: float, bound: float, end: float, never: float
) -> float:
    """Going from `near` by `factor` towards `end`, then bisecting: the rate just past which evidence meets `bound`."""
    far = near
    while evidence(far) < bound:
        if far == end:
            return never
        near, far = far, max(far * factor, end) if factor < 1 else min(far * factor, end)
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (near, middle) if evidence(middle) >= bound else (middle, far)
    return far
