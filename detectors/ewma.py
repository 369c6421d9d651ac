"""EWMA chart of standardised values with a declared run length; level `watch` only."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import ClassVar, Self

import msgspec

from detectors.arl_normal import ewma_limit
from detectors.base import LARGEST, Count, Design, Gauge, Observation, Proportion, Score, within
from detectors.baseline import Baseline

_MAX_Z = 1e6  # standardised values are clipped here


class Ewma(msgspec.Struct, kw_only=True, array_like=True):
    """Z = weight z + (1 - weight) Z of z = (observed - expected) / sd; alarm at |Z| >= L sqrt(weight / (2 - weight)).

    Roberts (1959), Control chart tests based on geometric moving averages, Technometrics 1: 239-250. L from the run
    length for normal numbers (Lucas and Saccucci 1990; `arl_normal.py`). Small weights detect small lasting shifts and
    average out the skewness of counts (Borror, Champ, Rigdon 1998: Poisson). The chart restarts at 0 after an alarm.

    Counts and proportions with a limit are charted on the harmful side only; without a limit, on both sides of a learnt
    baseline: a rise against its upper end and a fall against its lower end. A gauge is standardised by the mean and
    standard deviation of its first periods and charted on both sides; until it has varied there is no score. What was
    learnt is learnt again after an alarm.

    >>> detector = Ewma.design(Design(limit=5.0))
    >>> [detector.update(Count(k=k, m=1.0)).alarm for k in (5, 4, 11, 12, 13)]
    [False, False, False, False, True]
    """

    observes: ClassVar[tuple[type, ...]] = (Count, Proportion, Gauge)
    claims: ClassVar[str] = (
        "Expected periods to a false alarm are about arl0 for normal numbers, and for counts and proportions so large "
        "that their weighted mean is nearly normal; fewer for skewed ones (measured: README). A heuristic for gauges "
        "whose baseline is learnt."
    )

    weight: float
    threshold: float
    limit: float | None
    sign: int
    dispersion: float
    baseline: Baseline
    up: float = 0.0
    down: float = 0.0
    periods: int = 0  # of a gauge, with its mean and its sum of squared deviations
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def design(
        cls,
        design: Design,
        *,
        arl0: float = 1000.0,
        weight: float = 0.1,
        baseline_periods: int = 20,
        baseline_events: float = 0.0,
        confidence: float = 0.95,
    ) -> Self:
        """Builds the chart from the charter's settings. Raises ValueError naming the parameter.

        `arl0` in periods (20 to 1e6); `weight` (0.01 to 1) of the newest period.
        """
        assumed_dispersion = within("variance_mean", design.variance_mean, low=1, high=1000)
        share = within("weight", weight, low=0.01, high=1)
        return cls(
            weight=share,
            threshold=_control_limit(share, within("arl0", arl0, low=20, high=1e6)) * sqrt(share / (2 - share)),
            limit=None if design.limit is None else design.allowed(),
            sign=design.sign,
            dispersion=assumed_dispersion,
            baseline=Baseline.to_learn(baseline_periods, baseline_events, confidence, assumed_dispersion, fewest=2),
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` while the baseline is being learnt, and without exposure."""
        if type(observation) is Gauge:
            return self._gauge(observation.value)
        if type(observation) is Count:
            k, x, share = observation.k, observation.m, False
        elif type(observation) is Proportion:
            k, x, share = observation.k, observation.n, True
        else:
            raise TypeError(
                f"{type(observation).__name__} cannot be standardised; expected a Count, a Proportion or a Gauge"
            )
        if k > LARGEST or x > LARGEST:
            k, x = min(k, LARGEST), min(x, LARGEST)
        rate, baseline = self.limit, self.baseline
        if rate is None:
            if not baseline.ready:
                baseline.learn(k, x, share)
                return None
            up, down = self._z(k, x, baseline.high, share), self._z(k, x, baseline.low, share)
            if up is None and down is None:
                return None
            up, down, rate = up or 0.0, -(down or 0.0), baseline.rate
        else:
            one = self._z(k, x, rate, share)
            if one is None:
                return None
            up, down = (one, -_MAX_Z) if self.sign > 0 else (-_MAX_Z, -one)
        score = self._chart(up, down, rate if share else rate * x, k / x if share else k)
        if score.alarm and self.limit is None:
            self.baseline = baseline.restarted(self.dispersion)
        elif self.limit is None and not baseline.settled:
            baseline.revise(k, x, share, score.statistic < self.threshold / 2)
        return score

    def _z(self, k: float, x: float, rate: float, share: bool) -> float | None:
        dispersion = self.dispersion if self.limit is not None else self.baseline.dispersion
        variance = rate * x * dispersion * (1 - rate if share else 1.0)
        if not variance > 1e-300:
            return None
        return max(-_MAX_Z, min(_MAX_Z, (k - rate * x) / sqrt(variance)))

    def _chart(self, up: float, down: float, expected: float, observed: float) -> Score:
        w = self.weight
        self.up += w * (up - self.up)
        self.down += w * (down - self.down)
        statistic = max(self.up, self.down)
        if statistic >= self.threshold:
            self.up = self.down = 0.0
        return Score(statistic, self.threshold, expected, observed)

    def _gauge(self, value: float) -> Score | None:
        value = max(-LARGEST, min(LARGEST, value))
        if not self.baseline.ready:
            self.periods += 1
            step = value - self.mean
            self.mean += step / self.periods
            self.squares += step * (value - self.mean)
            enough = (
                self.periods >= self.baseline.required_periods
                and self.squares > 1e-18 * self.mean * self.mean * self.periods
            )
            self.baseline.ready = enough and self.squares > 0
            return None
        sd = sqrt(self.squares / (self.periods - 1))
        margin = 2 * sd / sqrt(self.periods)  # two standard errors of the learnt mean
        up = max(-_MAX_Z, min(_MAX_Z, (value - self.mean - margin) / sd)) if sd > 0 else 0.0
        down = max(-_MAX_Z, min(_MAX_Z, (self.mean - margin - value) / sd)) if sd > 0 else 0.0
        score = self._chart(up, down, self.mean, value)
        if score.alarm:
            self.baseline = self.baseline.restarted(self.dispersion)
            self.periods, self.mean, self.squares = 0, 0.0, 0.0
        return score


@lru_cache(maxsize=256)
def _control_limit(weight: float, arl0: float) -> float:
    return ewma_limit(weight, arl0)
