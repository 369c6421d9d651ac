"""A baseline rate estimated from the first periods, with a confidence interval.

A baseline estimated from few events is uncertain, and a chart that treats the point estimate as the true rate has a
much shorter run length than it declares. Detectors therefore compare with `low` and `high`, a confidence interval
from Chernoff's bound: it misses the true rate with probability at most 1 - confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import msgspec

from detectors.base import within
from detectors.likelihood import count_line, proportion_line

_RATIO = 1e12  # largest rate ratio considered as an alternative; larger ones could only narrow the interval
_SURE = 1 - 1e-12
_TRACE = 1e-15  # smaller exposures and event counts are treated as 0


class Baseline(msgspec.Struct, kw_only=True, array_like=True):
    """Estimates a rate from `required_periods` periods with exposure that hold at least `required_events` events.

    `dispersion` is the variance/mean assumed by the charter, or the one estimated from these periods (Pearson's
    chi-square over its degrees of freedom) if that is larger. Guarantees hold only up to the assumed one. With
    `required_events` the number of periods depends on the data, and the confidence level is approximate.
    """

    required_periods: int = 20
    required_events: float = 0.0
    confidence: float = 0.95
    dispersion: float = 1.0
    ready: bool = False
    periods: int = 0
    k: float = 0.0
    x: float = 0.0
    squares: float = 0.0  # sum of k^2/x over the periods
    rate: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def to_learn(cls, periods: int, events: float, confidence: float, dispersion: float, fewest: int = 1) -> Baseline:
        """Returns an empty baseline. Raises ValueError that names the charter's parameter.

        `periods` and `events` (`baseline_periods` from `fewest`, `baseline_events` from 0) are required before it is
        ready.
        """
        return cls(
            required_periods=int(within("baseline_periods", periods, low=fewest, high=1e6)),
            required_events=within("baseline_events", events, low=0),
            confidence=within("confidence", confidence, low=0.01, high=0.999999),
            dispersion=dispersion,
        )

    @classmethod
    def known(cls, rate: float, margin: float, dispersion: float) -> Baseline:
        """Returns a ready baseline: `rate` is known within a relative `margin` (0.2 = 20 %) on both sides."""
        return cls(ready=True, rate=rate, low=rate / (1 + margin), high=rate * (1 + margin), dispersion=dispersion)

    def restarted(self, assumed_dispersion: float) -> Baseline:
        """Returns a baseline with the same settings and no data."""
        return Baseline(
            required_periods=self.required_periods,
            required_events=self.required_events,
            confidence=self.confidence,
            dispersion=assumed_dispersion,
        )

    def learn(self, k: float, x: float, is_proportion: bool) -> bool:
        """Adds one period and returns whether the baseline is ready. Periods without exposure are ignored."""
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
    """Returns (low, high): the rates (or proportions) against which `k` events over `x` have log evidence below
    `bound`.

    Each side misses the true rate with probability at most exp(-bound), because P(e-value >= exp(bound)) <=
    exp(-bound); the largest e-value over the ratios on one side is Chernoff's bound.

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
    """Returns the rate at which the evidence reaches `bound`: steps from `near` by `factor` towards `end`, then
    bisects.

    Returns `never` if the evidence stays below `bound` up to `end`.
    """
    far = near
    while evidence(far) < bound:
        if far == end:
            return never
        near, far = far, max(far * factor, end) if factor < 1 else min(far * factor, end)
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (near, middle) if evidence(middle) >= bound else (middle, far)
    return far
