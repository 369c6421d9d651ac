"""What is normal here? A rate learnt from the first periods, with limits that own up to how little was seen.

A baseline learnt from few events is uncertain, and a chart that takes its point estimate for the truth alarms far more often
than it declares. So what is handed on is not the estimate but `low` and `high`: every rate outside them would make the
learnt events so unlikely (Chernoff's bound) that both together err with probability at most 1 - confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import msgspec

from detectors.likelihood import count_line, proportion_line

_RATIO = 1e12  # alternatives further away than this are not asked about, which only widens the interval
_SURE = 1 - 1e-12
_TRACE = 1e-15  # less exposure, or less of an event, than this is none


class Baseline(msgspec.Struct, kw_only=True, array_like=True):
    """Learns over `required_periods` periods that hold some exposure and at least `required_events` events, then stands.

    `dispersion` is the variance/mean granted by the charter, raised to what the learnt periods show (Pearson's chi-square over
    its degrees of freedom): an estimate, so no promise rests on more than the granted one. Waiting for `required_events` makes the
    number of periods depend on the data, and the confidence then is approximate.
    """

    required_periods: int = 20
    required_events: float = 0.0
    confidence: float = 0.95
    dispersion: float = 1.0
    ready: bool = False
    periods: int = 0
    k: float = 0.0
    x: float = 0.0
    squares: float = 0.0  # sum of k^2/x
    rate: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def known(cls, rate: float, margin: float, dispersion: float) -> Baseline:
        """A baseline that needs no learning: `rate` known up to `margin` (0.2 = 20 %) on both sides."""
        return cls(ready=True, rate=rate, low=rate / (1 + margin), high=rate * (1 + margin), dispersion=dispersion)

    def restarted(self, assumed_dispersion: float) -> Baseline:
        """The same settings with nothing learnt yet."""
        return Baseline(
            required_periods=self.required_periods,
            required_events=self.required_events,
            confidence=self.confidence,
            dispersion=assumed_dispersion,
        )

    def learn(self, k: float, x: float, is_proportion: bool) -> bool:
        """Take one period; True once the baseline stands. Periods without exposure teach nothing."""
        if self.ready or x < _TRACE:
            return self.ready
        self.periods += 1
        self.k += k
        self.x += x
        self.squares += k / x * k
        if self.periods < self.required_periods or self.k < self.required_events:
            return False
        self.rate = self.k / self.x
        if self.periods > 1 and self.rate > 0 and not (is_proportion and self.rate >= 1):
            variance = self.rate * (1 - self.rate) if is_proportion else self.rate
            observed_dispersion = (self.squares - self.rate * self.k) / variance / (self.periods - 1)
            self.dispersion = min(max(self.dispersion, observed_dispersion), 1000.0)
        bound = log(2 / (1 - self.confidence))
        self.low, self.high = interval(self.k, self.x, is_proportion, self.dispersion, bound)
        self.ready = True
        return True


def interval(k: float, x: float, is_proportion: bool, dispersion: float, bound: float) -> tuple[float, float]:
    """Rates (or shares) under which `k` events over `x` have log evidence below `bound` against them.

    Each side misses with probability at most exp(-bound): P(e-value >= exp(bound)) <= exp(-bound), and the most
    telling ratio on one side is Chernoff's bound.

    >>> low, high = interval(100.0, 20.0, False, 1.0, log(40))
    >>> round(low, 2), round(high, 2)
    (3.76, 6.48)
    """

    def evidence(rate: float) -> float:
        if is_proportion:
            odds = k / (x - k) if k < x else _RATIO
            ratio = odds * (1 - rate) / rate
            slope, cost = proportion_line(min(max(ratio, 1 / _RATIO), _RATIO), rate, dispersion)
        else:
            ratio = k / x / rate
            slope, cost = count_line(min(max(ratio, 1 / _RATIO), _RATIO), rate, dispersion)
        return slope * k + cost * x

    middle = k / x
    low, high = 0.0, 1.0 if is_proportion else 0.0
    if k > _TRACE:
        low = _crossing(evidence, middle, 0.5, bound, middle / _RATIO, 0.0)
    if not is_proportion:
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
