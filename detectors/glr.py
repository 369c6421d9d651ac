"""Has the rate risen, by whatever factor and since whenever? The generalised likelihood ratio over all recent onsets."""

from __future__ import annotations

from math import erf, exp, log, pi, sqrt
from typing import ClassVar, Self, TypeAlias

import msgspec

from detectors.base import LARGEST, Count, Design, Observation, Score, within
from detectors.baseline import Baseline

Onset: TypeAlias = tuple[float, float, int]
"""Expected and observed events, and periods, up to a moment at which the change may have begun."""

_VERTICES = 48


class Glr(msgspec.Struct, kw_only=True, array_like=True):
    """max over onsets in the window of k ln(k/e) - (k - e), for k events where e were expected since the onset; for watch.

    No size of change is chosen beforehand (delays: README). Exact and cheap
    by convexity: only corners of the lower convex hull of (expected, observed) can be the best onset, and those before a
    stretch below the expected rate never again (Romano, Eckley, Fearnhead, Rigaill 2023, Fast online changepoint
    detection via functional pruning, JMLR 24; Ward et al. 2024 for Poisson). A few are left, whatever the window.

    Against the charter's limit, else against the upper (`below`: lower) end of a learnt baseline, relearnt after an alarm. A
    granted variance/mean v divides the statistic. The bar is Siegmund and Venkatraman's (1995, Annals of Statistics 23:
    255-271) for normal numbers.

    >>> detector = Glr.design(Design(limit=5.0), arl0=1000)
    >>> [detector.update(Count(k=k, m=1.0)).alarm for k in (5, 4, 11, 14, 5)]
    [False, False, False, True, False]
    """

    observes: ClassVar[tuple[type, ...]] = (Count,)
    claims: ClassVar[str] = (
        "Expected periods to a false alarm are arl0 or more (1.2 to 3.4 times, measured for means .05 to 50) for Poisson counts "
        "of constant exposure at the limit or within the learnt baseline: an approximation, no theorem."
    )

    bar: float
    limit: float | None
    above: bool
    window: int
    spread: float
    baseline: Baseline
    now: int = 0
    expected: float = 0.0
    observed: float = 0.0
    onsets: list[Onset] = []

    @classmethod
    def design(
        cls,
        design: Design,
        *,
        arl0: float = 1000.0,
        window: int = 1000,
        baseline_periods: int = 20,
        baseline_events: float = 0.0,
        confidence: float = 0.95,
    ) -> Self:
        """From the charter. `arl0` in periods; onsets are looked for up to `window` periods back."""
        granted = within("variance_mean", design.variance_mean, low=1, high=1000)
        return cls(
            bar=bar_for_run_length(within("arl0", arl0, low=20, high=1e12)),
            limit=None if design.limit is None else design.allowed(),
            above=design.sign > 0,
            window=int(within("window", window, low=1, high=1e6)),
            spread=granted,
            baseline=Baseline(
                wanted=int(within("baseline_periods", baseline_periods, low=1, high=1e6)),
                events=within("baseline_events", baseline_events, low=0),
                confidence=within("confidence", confidence, low=0.01, high=0.999999),
                spread=granted,
            ),
        )

    def update(self, observation: Observation) -> Score | None:
        """One closed period; `None` while a baseline is being learnt."""
        if type(observation) is not Count:
            raise TypeError(f"{type(observation).__name__} has no events over exposure")
        k, m = observation.k, observation.m
        if k > LARGEST or m > LARGEST:
            k, m = min(k, LARGEST), min(m, LARGEST)
        rate = self.limit
        if rate is None:
            baseline = self.baseline
            if not baseline.learnt:
                baseline.learn(k, m, False)
                return None
            rate = baseline.high if self.above else baseline.low
        e = rate * m
        if not self.onsets and (k <= e if self.above else k >= e):  # the usual period: nothing can have begun
            return Score(0.0, self.bar, e, k)
        statistic = self._highest(k, e)
        if statistic >= self.bar:
            self.onsets, self.expected, self.observed = [], 0.0, 0.0
            if self.limit is None:
                self.baseline = self.baseline.again(self.spread)
        return Score(statistic, self.bar, e, k)

    def _highest(self, k: float, e: float) -> float:
        """Move on by one period; the largest evidence over the onsets left."""
        spread = self.spread if self.limit is not None else self.baseline.spread
        sign = 1.0 if self.above else -1.0
        corners, x, y, now = self.onsets, self.expected, self.observed, self.now + 1
        # the moment before this period may be an onset: add it to the hull, whose slopes rise (fall for `below`)
        while len(corners) > 1:
            x1, y1, _ = corners[-1]
            x0, y0, _ = corners[-2]
            if sign * ((y1 - y0) * (x - x1) - (y - y1) * (x1 - x0)) < 0:
                break
            corners.pop()
        corners.append((x, y, now))
        x, y = x + e, y + k
        self.now, self.expected, self.observed = now, x, y
        # no change begins where what follows is no more than expected
        drop = 0
        while drop + 1 < len(corners) and sign * (corners[drop + 1][1] - corners[drop][1] - corners[drop + 1][0] + corners[drop][0]) <= 0:  # fmt: skip
            drop += 1
        while drop < len(corners) and (now - corners[drop][2] >= self.window or len(corners) - drop > _VERTICES):
            drop += 1
        if drop:
            del corners[:drop]
        best = 0.0
        for x0, y0, _ in corners:
            events, normal = y - y0, x - x0
            if sign * (events - normal) > 0:
                value = normal - events
                if events > 0:
                    value += events * (log(events) - log(normal if normal > 1e-300 else 1e-300))
                if value > best:
                    best = value
        if len(corners) == 1 and sign * (y - corners[0][1] - x + corners[0][0]) <= 0:
            corners.clear()
            self.expected = self.observed = 0.0
        return best / spread


def bar_for_run_length(arl0: float) -> float:
    """The bar c whose `run_length` is `arl0` periods."""
    low, high = 0.1, 60.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if run_length(middle) >= arl0 else (middle, high)
    return high


def run_length(bar: float) -> float:
    """ARL0 of the one-sided chart for normal numbers: 2 sqrt(2 pi) e^(b b / 2) / (b x integral of x nu(x)^2), b = sqrt(2 bar)."""
    b = sqrt(2 * bar)
    n, top = 400, 12.0  # nu falls like exp(-.583 x)
    step = top / n
    total = sum((i + 0.5) * step * _nu((i + 0.5) * step) ** 2 for i in range(n)) * step
    return 2 * sqrt(2 * pi) * exp(b * b / 2) / (b * total)


def _nu(x: float) -> float:
    phi = exp(-x * x / 8) / sqrt(2 * pi)
    cdf = (1 + erf(x / 2 / sqrt(2))) / 2
    return (2 / x) * (cdf - 0.5) / ((x / 2) * cdf + phi)
