"""A baseline rate estimated from the first periods, with a confidence interval.

A baseline estimated from few events is uncertain, and a chart that treats the point estimate as the true rate has a
much shorter run length than it declares. Detectors therefore compare with `low` and `high`, a confidence interval
from Chernoff's bound: it misses the true rate with probability at most 1 - confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import msgspec

from detectors import robust_fit
from detectors.base import within
from detectors.likelihood import count_line, proportion_line
from detectors.mixture import summed

_RATIO = 1e12  # largest rate ratio considered as an alternative; larger ones could only narrow the interval
_SURE = 1 - 1e-12
_SIGNIFICANT = 3.5  # standard normal quantile (one in 4,000) from which on the assumed dispersion is rejected
_MARGIN = 2.0  # log likelihood that leaving periods out has to gain where it is not: by chance in one of 1,000
_TRACE = 1e-15  # smaller exposures and event counts are treated as 0


class Baseline(msgspec.Struct, kw_only=True, array_like=True):
    """Estimates a rate from `required_periods` periods with exposure that hold at least `required_events` events.

    `dispersion` is the variance/mean assumed by the charter, or the one estimated from these periods (Pearson's
    chi-square over its degrees of freedom) if that is larger. Guarantees hold only up to the assumed one. With
    `required_events` the number of periods depends on the data, and the confidence level is approximate.

    Where these periods reject the assumed variance/mean at level .001, `unusable` is true, and those that one rate
    cannot explain (`robust_fit.py`) are forgotten, so that an outbreak or a bad day among them does not hide a later
    change. Where a weekday pattern explains them, all are kept and the baseline is usable, with their dispersion. The
    interval widens as fewer periods remain; learning goes on only if too few events do. What follows is not learnt, so
    a change or a slow drift after these periods is never taken for normal.
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
    unusable: bool = False  # whether the periods vary more than assumed
    reported: bool = False  # for the caller: whether `unusable` was reported
    span: int = 0  # periods per cell; 0: none are stored, so none are left out (also in snapshots without this field)
    cells: bytes = b""  # the periods while learning (`robust_fit.py`)

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
            span=1,
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
            reported=self.reported,
            span=1,
        )

    def learn(self, k: float, x: float, is_proportion: bool) -> bool:
        """Adds one period and returns whether the baseline is ready. Periods without exposure are ignored."""
        if self.ready or x < _TRACE:
            return self.ready
        if self.span:
            self.cells, self.span = robust_fit.added(self.cells, self.span, self.periods, k, x)
        self.periods += 1
        self.k += k
        self.x += x
        self.squares += k / x * k
        if self.periods < self.required_periods or self.k < self.required_events:
            return False
        observed = robust_fit.pearson(self.k, self.x, self.squares, self.periods, is_proportion)
        if self.span:
            wild = robust_fit.exceeds(observed, self.periods, self.dispersion, _SIGNIFICANT)
            cells = robust_fit.unpacked(self.cells)
            if not robust_fit.weekly(cells, self.dispersion, is_proportion, _SIGNIFICANT):
                observed, fewer = self._leave_out(observed, is_proportion, 0.0 if wild else _MARGIN)
                self.unusable = self.unusable or wild or fewer
            if self.k < self.required_events:
                return False
        self.cells = b""
        self.rate = self.k / self.x
        self.dispersion = min(max(self.dispersion, observed), 1000.0)
        bound = log(2 / (1 - self.confidence))
        self.low, self.high = interval(self.k, self.x, is_proportion, self.dispersion, bound)
        self.ready = True
        return True

    def _leave_out(self, observed: float, is_proportion: bool, margin: float) -> tuple[float, bool]:
        """Forgets the periods that one rate cannot explain. Returns the variance/mean of the others, and whether there
        were any."""
        cells = robust_fit.unpacked(self.cells)
        kept = robust_fit.explained(cells, self.dispersion, is_proportion, margin)
        if len(kept) == len(cells):
            return observed, False
        self.cells, self.periods = robust_fit.packed(kept), len(kept) * self.span
        self.k, self.x = summed([k for k, _ in kept]), summed([x for _, x in kept])
        observed, rate = robust_fit.dispersion_of(kept, is_proportion), self.k / self.x
        variance = rate * (1 - rate) if is_proportion else rate
        self.squares = rate * self.k + observed * variance * (self.periods - 1)  # of periods, where cells hold several
        return observed, True


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
