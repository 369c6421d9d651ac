"""A quick look for a doubled rate: CUSUM of counts and shares with a declared run length, for watch only."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import msgspec

from detectors.arl import bar_for
from detectors.base import LARGEST, Count, Design, Observation, Proportion, Score, within
from detectors.baseline import Baseline
from detectors.likelihood import count_line, share_line


class Cusum(msgspec.Struct, kw_only=True, array_like=True):
    """C = max(0, C + ln likelihood ratio), alarm at C >= bar, then from 0 again. Lucas (1985), Technometrics 27: 129-144.

    Poisson counts, or negative binomial ones where the charter grants a variance/mean; Bernoulli trials (one a period), binomial
    or beta-binomial shares. The bar starts at ln(arl0), which suffices for any exposures (the chart never exceeds the
    Shiryaev-Roberts sum). Once the usual exposure is known, it becomes the smallest value whose exact run length is `arl0`
    (`arl.py`), where that is cheap to compute; for beta-binomial shares that may be higher than ln(arl0), which only covers
    trials that hit in small groups. The run length is exact while exposure stays the same, and near it otherwise.

    Against the charter's limit where there is one, else against the upper (for `below`: lower) end of a learnt baseline. A
    chart against a learnt baseline learns again after an alarm, so a new level does not alarm for ever.

    >>> detector = Cusum.design(Design(limit=5.0), arl0=1000)
    >>> [detector.update(Count(k=k, m=1.0)).alarm for k in (5, 4, 16, 15, 5)]
    [False, False, False, True, False]
    """

    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "Expected periods to a false alarm are arl0 (at least arl0 before the usual exposure is known) for Poisson, negative "
        "binomial, binomial or beta-binomial periods of constant exposure at the limit or within the learnt baseline."
    )

    arl0: float
    ratio: float
    limit: float | None
    granted: float
    baseline: Baseline
    slope: float = 0.0
    cost: float = 0.0
    bar: float = 0.0
    tight: bool = False
    value: float = 0.0

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
        """From the charter. `arl0` in periods, `ratio` (> 1, inverted for `below`) is the change it is quickest for."""
        granted = within("variance_mean", design.variance_mean, low=1, high=1000)
        return cls(
            arl0=within("arl0", arl0, low=2, high=1e9),
            ratio=within("ratio", ratio, low=1.001, high=1000) ** design.sign,
            limit=None if design.limit is None else design.allowed(),
            granted=granted,
            baseline=Baseline(
                wanted=int(within("baseline_periods", baseline_periods, low=1, high=1e6)),
                events=within("baseline_events", baseline_events, low=0),
                confidence=within("confidence", confidence, low=0.01, high=0.999999),
                spread=granted,
            ),
        )

    def update(self, observation: Observation) -> Score | None:
        """One closed period; `None` while a baseline is being learnt."""
        if type(observation) is Count:  # not `events_of`: this is what a period of a stream costs
            k, x, share = observation.k, observation.m, False
        elif type(observation) is Proportion:
            k, x, share = observation.k, observation.n, True
        else:
            raise TypeError(f"{type(observation).__name__} has no events over exposure")
        if k > LARGEST or x > LARGEST:
            k, x = min(k, LARGEST), min(x, LARGEST)
        rate = self.limit
        if rate is None:
            rate = self._learnt()
        if rate is None:
            self.baseline.learn(k, x, share)
            return None
        if share and rate >= 1:
            return None
        if not self.bar:
            self._aim(rate, share)
        if not self.tight and self.baseline.learn(k, x, share):
            self._tighten(rate, share)
        statistic = self.value + self.slope * k + self.cost * x
        if statistic < 0:
            statistic = 0.0
        bar = self.bar
        self.value = statistic
        if statistic >= bar:
            self.value = 0.0
            if self.limit is None:
                self.baseline, self.bar, self.tight = self.baseline.again(self.granted), 0.0, False
        if share:
            return Score(statistic, bar, rate, k / x if x else 0.0)
        return Score(statistic, bar, rate * x, k)

    def _learnt(self) -> float | None:
        if not self.baseline.learnt:
            return None
        return self.baseline.high if self.ratio > 1 else self.baseline.low

    def _aim(self, rate: float, share: bool) -> None:
        spread = self.baseline.spread if self.limit is None else self.granted
        self.slope, self.cost = (share_line if share else count_line)(self.ratio, rate, spread)
        self.bar = math.log(self.arl0)

    def _tighten(self, rate: float, share: bool) -> None:
        self.tight = True
        usual = self.baseline.x / self.baseline.periods
        spread = self.baseline.spread if self.limit is None else self.granted
        if usual < 1e-9 or (share and usual < 1):
            return
        trials = round(usual) if share else 0
        mean = rate * (trials or usual)
        reference = -self.cost / self.slope * usual
        found = bar_for(mean, trials, reference, self.arl0, self.bar / abs(self.slope), spread)
        if found:
            bar, reference = found
            self.cost = -self.slope * reference / usual
            self.bar = abs(self.slope) * bar * (1 - 1e-12)
