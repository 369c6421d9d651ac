"""Generalised likelihood ratio (GLR) chart of counts: a rise (or fall) of unknown size and unknown onset."""

from __future__ import annotations

import functools
from math import exp, log, pi, sqrt
from typing import ClassVar, Self, TypeAlias

import msgspec

from detectors.base import LARGEST, Count, Design, Observation, Score, within
from detectors.baseline import Baseline
from detectors.overshoot import siegmund_nu

Onset: TypeAlias = tuple[float, float, int]
"""Cumulative expected events, observed events and periods at a possible onset of the change."""

_VERTICES = 48  # onsets kept at most


class Glr(msgspec.Struct, kw_only=True, array_like=True):
    """max over onsets in the window of k ln(k/e) - (k - e), for k events where e were expected since the onset.

    No size of change has to be chosen (delays: README). The maximum is exact and cheap by convexity: only vertices of
    the lower convex hull of (expected, observed) can be the best onset, and vertices followed by no excess can be
    discarded (Romano, Eckley, Fearnhead, Rigaill 2023, Fast online changepoint detection via functional pruning, JMLR
    24; Ward et al. 2024 for Poisson). Few vertices remain, whatever the window.

    Compares with the charter's limit, otherwise with the upper (direction `below`: lower) end of a learnt baseline,
    which is learnt again after an alarm. An assumed variance/mean v divides the statistic. The threshold is Siegmund
    and Venkatraman's (1995, Annals of Statistics 23: 255-271) for normal numbers.

    >>> detector = Glr.design(Design(limit=5.0), arl0=1000)
    >>> [detector.update(Count(k=k, m=1.0)).alarm for k in (5, 4, 11, 14, 5)]
    [False, False, False, True, False]
    """

    observes: ClassVar[tuple[type, ...]] = (Count,)
    claims: ClassVar[str] = (
        "Expected periods to a false alarm are arl0 or more (1.2 to 3.4 times, measured for means .05 to 50) for "
        "Poisson counts of constant exposure at the limit or within the learnt baseline: an approximation, no theorem."
    )

    threshold: float
    limit: float | None
    above: bool
    window: int
    dispersion: float
    baseline: Baseline
    here: Onset = (0.0, 0.0, 1)
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
        """Builds the chart from the charter's settings. Raises ValueError naming the parameter.

        `arl0` in periods; onsets up to `window` periods back are considered.
        """
        assumed_dispersion = within("variance_mean", design.variance_mean, low=1, high=1000)
        return cls(
            threshold=threshold_for_run_length(within("arl0", arl0, low=20, high=1e12)),
            limit=None if design.limit is None else design.allowed(),
            above=design.sign > 0,
            window=int(within("window", window, low=1, high=1e6)),
            dispersion=assumed_dispersion,
            baseline=Baseline.to_learn(baseline_periods, baseline_events, confidence, assumed_dispersion),
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` while the baseline is being learnt."""
        if type(observation) is not Count:
            raise TypeError(f"{type(observation).__name__}: expected a Count")
        k, m = observation.k, observation.m
        if k > 1e18 or m > 1e18:  # LARGEST, inlined: this is the hot path
            k, m = min(k, LARGEST), min(m, LARGEST)
        rate, above = self.limit, self.above
        if rate is None:
            baseline = self.baseline
            if not baseline.ready:
                baseline.learn(k, m, False)
                return None
            rate = baseline.high if above else baseline.low
        e = rate * m
        corners = self.onsets
        if not corners and (k <= e if above else k >= e):  # the usual period: no onset can have positive evidence
            return Score(0.0, self.threshold, e, k)
        here = self.here
        x, y, now = here
        # The end of the previous period is a candidate onset: add it to the hull, whose slopes rise (`below`: fall).
        n = len(corners)
        while n > 1:
            x1, y1, _ = corners[n - 1]
            x0, y0, _ = corners[n - 2]
            turn = (y1 - y0) * (x - x1) - (y - y1) * (x1 - x0)
            if turn < 0 if above else turn > 0:
                break
            n -= 1
            del corners[n]
        corners.append(here)
        x += e
        y += k
        self.here = (x, y, now + 1)
        if n:
            x0, y0, oldest = corners[0]
            x1, y1, _ = corners[1]
            rise = y1 - y0 - x1 + x0
            if (rise <= 0 if above else rise >= 0) or now - oldest >= self.window or n >= _VERTICES:
                self._drop(now)
        best = _highest(corners, x, y) if above else _deepest(corners, x, y)
        if len(corners) == 1:
            x0, y0, _ = corners[0]
            rise = y - y0 - x + x0
            if rise <= 0 if above else rise >= 0:
                corners.clear()
                self.here = (0.0, 0.0, now + 1)
        threshold = self.threshold
        statistic = best / (self.dispersion if self.limit is not None else self.baseline.dispersion)
        if statistic >= threshold:
            self.onsets, self.here = [], (0.0, 0.0, now + 1)
            if self.limit is None:
                self.baseline = self.baseline.restarted(self.dispersion)
        return Score(statistic, threshold, e, k)

    def _drop(self, now: int) -> None:
        """Removes onsets followed by no excess, onsets before the window, and the oldest beyond `_VERTICES`."""
        corners, drop, sign = self.onsets, 0, 1.0 if self.above else -1.0
        while drop + 1 < len(corners):
            (x0, y0, _), (x1, y1, _) = corners[drop], corners[drop + 1]
            if sign * (y1 - y0 - x1 + x0) > 0:
                break
            drop += 1
        while drop < len(corners) and (now - corners[drop][2] >= self.window or len(corners) - drop > _VERTICES):
            drop += 1
        del corners[:drop]


def _highest(corners: list[Onset], x: float, y: float) -> float:
    """Returns the largest evidence for a rise over the remaining onsets.

    d^2/(2m) bounds the evidence of d events more than the m expected from above and needs no logarithm; most onsets are
    skipped by it (`slack` covers the rounding of both).
    """
    best, limit, slack = 0.0, 0.0, (x + y) * 4e-12
    for x0, y0, _ in corners:
        events, normal = y - y0, x - x0
        more = events - normal
        if more > 0 and more * more >= limit * normal:
            value = normal - events
            if events > 0:
                value += events * (log(events) - log(normal if normal > 1e-300 else 1e-300))
            if value > best:
                best = value
                limit = best + best - slack
    return best


def _deepest(corners: list[Onset], x: float, y: float) -> float:
    """Returns the largest evidence for a fall over the remaining onsets."""
    best = 0.0
    for x0, y0, _ in corners:
        events, normal = y - y0, x - x0
        if normal > events:
            value = normal - events
            if events > 0:
                value += events * (log(events) - log(normal if normal > 1e-300 else 1e-300))
            if value > best:
                best = value
    return best


@functools.lru_cache(maxsize=256)
def threshold_for_run_length(arl0: float) -> float:
    """Returns the threshold c whose `run_length` is `arl0` periods."""
    low, high = 0.1, 60.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if run_length(middle) >= arl0 else (middle, high)
    return high


def run_length(threshold: float) -> float:
    """Returns ARL0 of the one-sided chart for normal numbers: 2 sqrt(2 pi) e^(b b / 2) / (b x integral of x nu(x)^2),
    b = sqrt(2 threshold)."""
    b = sqrt(2 * threshold)
    return 2 * sqrt(2 * pi) * exp(b * b / 2) / (b * _overshoot_integral())


@functools.cache
def _overshoot_integral() -> float:
    """The integral of x nu(x)^2 over the positive numbers."""
    n, top = 400, 12.0  # nu falls like exp(-.583 x)
    step = top / n
    return sum((i + 0.5) * step * siegmund_nu((i + 0.5) * step) ** 2 for i in range(n)) * step
