"""CUSUM chart of counts and proportions against a fixed rate ratio, with a declared run length; level `watch` only."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import msgspec

from detectors.arl import threshold_for
from detectors.base import LARGEST, Count, Design, Observation, Proportion, Score, within
from detectors.baseline import Baseline
from detectors.likelihood import count_line, proportion_line


class Cusum(msgspec.Struct, kw_only=True, array_like=True):
    """C = max(0, C + ln likelihood ratio); alarm at C >= threshold, then C restarts at 0.

    Lucas (1985), Counted data CUSUM's, Technometrics 27: 129-144.

    Models: Poisson counts, or negative binomial ones if the charter assumes a variance/mean above 1; Bernoulli (one
    trial per period), binomial or beta-binomial proportions. The threshold starts at ln(arl0), which guarantees the
    run length for any exposures, because the chart never exceeds the Shiryaev-Roberts sum. Once the usual exposure is
    known, the threshold is calibrated to the smallest value whose exact run length is `arl0` (`arl.py`), where that
    is cheap to compute. For beta-binomial proportions it may then exceed ln(arl0), which covers small groups of
    dependent trials only. The run length is exact for constant exposure and approximate otherwise.

    Compares with the charter's limit if there is one, otherwise with the upper (direction `below`: lower) end of a
    learnt baseline. The baseline is learnt again after an alarm, so a lasting change alarms once.

    >>> detector = Cusum.design(Design(limit=5.0), arl0=1000)
    >>> [detector.update(Count(k=k, m=1.0)).alarm for k in (5, 4, 16, 15, 5)]
    [False, False, False, True, False]
    """

    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "Expected periods to a false alarm are arl0 (at least arl0 before the usual exposure is known) for Poisson, "
        "negative binomial, binomial or beta-binomial periods of constant exposure at the limit or within the learnt "
        "baseline."
    )

    arl0: float
    ratio: float
    limit: float | None
    assumed_dispersion: float
    baseline: Baseline
    slope: float = 0.0
    cost: float = 0.0
    threshold: float = 0.0  # 0 until slope, cost and threshold are initialised (a threshold is above 0)
    calibrated: bool = False  # whether the threshold is the exact one for the usual exposure
    value: float = 0.0  # C

    @classmethod
    def design(
        cls,
        design: Design,
        *,
        arl0: float = 1000.0,
        ratio: float = 2.0,
        baseline_periods: int = 20,
        baseline_events: float = 0.0,
        confidence: float = 0.95,
    ) -> Self:
        """Builds the chart from the charter's settings. Raises ValueError naming the parameter.

        `arl0` in periods; `ratio` (> 1, inverted for direction `below`) is the rate ratio with the shortest delay.
        """
        assumed_dispersion = within("variance_mean", design.variance_mean, low=1, high=1000)
        return cls(
            arl0=within("arl0", arl0, low=2, high=1e9),
            ratio=within("ratio", ratio, low=1.001, high=1000) ** design.sign,
            limit=None if design.limit is None else design.allowed(),
            assumed_dispersion=assumed_dispersion,
            baseline=Baseline.to_learn(baseline_periods, baseline_events, confidence, assumed_dispersion),
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` while the baseline is being learnt."""
        if type(observation) is Count:  # inlined `events_of`: this is the hot path
            k, x, is_proportion = observation.k, observation.m, False
        elif type(observation) is Proportion:
            k, x, is_proportion = observation.k, observation.n, True
        else:
            raise TypeError(f"{type(observation).__name__}: expected a Count or a Proportion")
        if k > LARGEST or x > LARGEST:
            k, x = min(k, LARGEST), min(x, LARGEST)
        rate = self.limit
        if rate is None:
            rate = self._baseline_rate()
        if rate is None:
            self.baseline.learn(k, x, is_proportion)
            return None
        if is_proportion and rate >= 1:
            return None
        if not self.threshold:
            self._initialise(rate, is_proportion)
        if not self.calibrated and self.baseline.learn(k, x, is_proportion):
            self._calibrate(rate, is_proportion)
        statistic = self.value + self.slope * k + self.cost * x
        if statistic < 0:
            statistic = 0.0
        threshold = self.threshold
        self.value = statistic
        if statistic >= threshold:
            self.value = 0.0
            if self.limit is None:
                self.baseline, self.threshold, self.calibrated = (
                    self.baseline.restarted(self.assumed_dispersion),
                    0.0,
                    False,
                )
        elif self.limit is None and not self.baseline.settled:
            calm = statistic < threshold / 2
            if self.baseline.revise(k, x, is_proportion, calm):
                self.threshold, self.calibrated = 0.0, False
        if is_proportion:
            return Score(statistic, threshold, rate, k / x if x else 0.0)
        return Score(statistic, threshold, rate * x, k)

    def _baseline_rate(self) -> float | None:
        if not self.baseline.ready:
            return None
        return self.baseline.high if self.ratio > 1 else self.baseline.low

    def _initialise(self, rate: float, is_proportion: bool) -> None:
        dispersion = self.baseline.dispersion if self.limit is None else self.assumed_dispersion
        self.slope, self.cost = (proportion_line if is_proportion else count_line)(self.ratio, rate, dispersion)
        self.threshold = math.log(self.arl0)

    def _calibrate(self, rate: float, is_proportion: bool) -> None:
        self.calibrated = True
        usual = self.baseline.x / self.baseline.periods
        dispersion = self.baseline.dispersion if self.limit is None else self.assumed_dispersion
        if usual < 1e-9 or (is_proportion and usual < 1):
            return
        trials = round(usual) if is_proportion else 0
        mean = rate * (trials or usual)
        reference = -self.cost / self.slope * usual
        found = threshold_for(mean, trials, reference, self.arl0, self.threshold / abs(self.slope), dispersion)
        if found:
            threshold, reference = found
            self.cost = -self.slope * reference / usual
            self.threshold = abs(self.slope) * threshold * (1 - 1e-12)
