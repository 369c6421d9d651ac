"""A baseline rate estimated from the first periods, with a confidence interval.

A baseline estimated from few events is uncertain, and a chart that treats the point estimate as the true rate has a
much shorter run length than it declares. Detectors therefore compare with `low` and `high`, a confidence interval
from Chernoff's bound: it misses the true rate with probability at most 1 - confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt

import msgspec
from msgspec import structs

from detectors import robust_fit
from detectors.base import within
from detectors.likelihood import count_line, proportion_line
from detectors.mixture import summed

_RATIO = 1e12  # largest rate ratio considered as an alternative; larger ones could only narrow the interval
_SURE = 1 - 1e-12
_CELL = robust_fit.CELL_BYTES
_ENOUGH = 4  # times the required periods, after which the estimate is no longer revised
_HOPELESS = 16  # times the wanted periods, after which too few events end the revision
_SIGNIFICANT = 3.5  # standard normal quantile from which on the dispersion exceeds the assumed one
_TRACE = 1e-15  # smaller exposures and event counts are treated as 0


class Baseline(msgspec.Struct, kw_only=True, array_like=True):
    """Estimates a rate from `required_periods` periods with exposure that hold at least `required_events` events.

    Robust: periods that the assumed variance/mean cannot explain are left out of the estimate (`robust_fit.py`), so an
    outbreak or a bad day among the first periods does not hide a later change. `dispersion` is the assumed
    variance/mean or the one estimated from the other periods (Pearson's chi-square over its degrees of freedom), if
    that is larger.
    Guarantees hold only up to the assumed one; `unusable` says that all periods together vary significantly more.

    Continuing (`revise`): later blocks of periods without a sign of a change are added until four times the required
    periods are learnt, and a block within the assumed dispersion replaces an unusable estimate. Each estimate has the
    confidence level by itself. With `required_events` the number of periods depends on the data, and the level is
    approximate.
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
    settled: bool = True  # whether later periods are ignored; so in snapshots without this field
    unusable: bool = False
    reported: bool = False  # for the caller: whether `unusable` was reported
    cells: bytes = b""  # the periods while learning (`robust_fit.py`)
    span: int = 1  # periods per cell
    assumed: float = 0.0  # 0: `dispersion` before anything is learnt
    fresh: tuple[int, float, float, float] = (0, 0.0, 0.0, 0.0)  # of the next block: periods, events, exposure, squares

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
            assumed=dispersion,
            settled=False,
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
            assumed=assumed_dispersion,
            settled=False,
            reported=self.reported,
        )

    def learn(self, k: float, x: float, is_proportion: bool) -> bool:
        """Adds one period and returns whether the baseline is ready. Periods without exposure are ignored."""
        if self.ready or x < _TRACE:
            return self.ready
        self.cells, self.span = robust_fit.added(self.cells, self.span, self.periods, k, x)
        self.periods += 1
        self.k += k
        self.x += x
        self.squares += k / x * k
        if self.periods < self.required_periods or self.k < self.required_events:
            return False
        self.assumed = self.assumed or self.dispersion
        self.unusable = self.exceeds(self._pearson(is_proportion), self.periods)
        self._leave_out(robust_fit.explained(self.cells, self.assumed, is_proportion))
        self.cells = b""
        self._estimate(is_proportion)
        self.ready = True
        return True

    def revise(self, k: float, x: float, is_proportion: bool, calm: bool) -> bool:
        """Adds a period after learning; `calm`: whether the chart shows no sign of a change. Returns whether the
        estimate changed."""
        if self.settled or x < _TRACE:
            return False
        n, events, exposure, squares = self.fresh
        n, events, exposure, squares = self.fresh = (n + 1, events + k, exposure + x, squares + k / x * k)
        wanted = self.required_periods if self.unusable else max(self.periods, self.required_periods)
        if n < wanted or events < self.required_events:
            self.settled = n >= _HOPELESS * wanted  # so few events that waiting for more costs more than it brings
            return False
        self.fresh = (0, 0.0, 0.0, 0.0)
        block = structs.replace(
            self, periods=n, k=events, x=exposure, squares=squares, dispersion=self.assumed, cells=b"", fresh=self.fresh
        )
        wild = self.exceeds(block._pearson(is_proportion), n)
        if not calm or (wild and not self.unusable):
            return False
        block._estimate(is_proportion)
        if block.rate > self.high or (not self.unusable and block.rate < self.low):
            return False  # a change, which must not be learnt as normal
        if self.unusable and not wild:
            self.periods, self.k, self.x, self.squares, self.unusable = n, events, exposure, squares, False
        else:
            self.periods, self.k, self.x = self.periods + n, self.k + events, self.x + exposure
            self.squares += squares
        self._estimate(is_proportion)
        self.settled = not self.unusable and self.periods >= _ENOUGH * self.required_periods
        return True

    def exceeds(self, dispersion: float, periods: int) -> bool:
        """Whether an estimate from so many periods is significantly above the assumed variance/mean (1 in 4,000)."""
        degrees = periods - 1
        if degrees < 1:
            return False
        part = 2 / (9 * degrees)  # Wilson and Hilferty (1931), PNAS 17: 684-688: the chi-square quantile
        return dispersion > self.assumed * (1 - part + _SIGNIFICANT * sqrt(part)) ** 3

    def _pearson(self, is_proportion: bool) -> float:
        """Returns the estimate of variance/mean; 0 where there is none."""
        rate = self.k / self.x
        if self.periods > 1 and rate > 0 and not (is_proportion and rate >= 1):
            variance = rate * (1 - rate) if is_proportion else rate
            return (self.squares - rate * self.k) / variance / (self.periods - 1)
        return 0.0

    def _estimate(self, is_proportion: bool) -> None:
        self.rate = self.k / self.x
        self.dispersion = min(max(self.assumed, self._pearson(is_proportion)), 1000.0)
        bound = log(2 / (1 - self.confidence))
        self.low, self.high = interval(self.k, self.x, is_proportion, self.dispersion, bound)

    def _leave_out(self, kept: list[tuple[float, float]]) -> None:
        """Forgets all periods but these; nothing changes if these are all."""
        if len(kept) * _CELL < len(self.cells):
            self.periods = max(len(kept) * self.span, 1)
            self.k, self.x = summed([k for k, _ in kept]), summed([x for _, x in kept])
            self.squares = summed([k / x * k for k, x in kept])


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
