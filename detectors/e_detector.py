"""Has the rate changed, up or down? A Shiryaev-Roberts e-detector against a known or learnt baseline."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import msgspec

from detectors.base import Count, Design, Observation, Proportion, Score, events_of, ratios_of, within
from detectors.baseline import Baseline
from detectors.likelihood import Line, count_line, share_line
from detectors.mixture import NOTHING, advance, log_mean


class EDetector(msgspec.Struct, kw_only=True):
    """M_t = mean over ratios of e_t(r) (M_(t-1)(r) + 1), alarm at M_t >= A: then ARL0 >= A, not only for long runs.

    Shin, Ramdas, Rinaldo (2024): M_t minus t is a supermartingale while nothing changes, so the expected time to the alarm is
    at least A. What is certain: the bound for every rate between `low` and `high` of the baseline, for spreads up to the
    granted variance/mean. With a learnt baseline the true rate lies there with probability `confidence` over what was
    learnt from. What is not: cycles and trends inside the baseline are not modelled, and a spread above the granted one
    is estimated. A rise is measured from `high` and a fall from `low`, so a young baseline sees large changes only.

    After an alarm the detector starts again, and learns its baseline again unless that was given.

    >>> detector = EDetector.design(Design(), baseline=5.0, arl0=1000)
    >>> [detector.update(Count(k=k, m=1.0)).alarm for k in (5, 4, 11, 12, 14)]
    [False, False, False, False, True]
    """

    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "Expected periods to a false alarm >= arl0 for every unchanged rate within the baseline's limits, for Poisson, "
        "negative binomial or binomial periods within the granted variance/mean."
    )

    bar: float
    ratios: tuple[float, ...]
    baseline: Baseline
    relearn: bool
    granted: float
    lines: list[Line] = []
    logs: list[float] = []

    @classmethod
    def design(
        cls,
        design: Design,
        *,
        arl0: float | None = None,
        ratios: tuple[float, ...] = (1.25, 1.5, 2.0, 3.0),
        baseline: float | None = None,
        baseline_periods: int = 20,
        baseline_events: float = 0.0,
        confidence: float = 0.95,
    ) -> Self:
        """From the charter. `arl0` in periods (default: ten years of them); `ratios` (> 1) are watched up and down;
        `baseline` is a known rate per unit of exposure (or a share), else `baseline_periods` are learnt from."""
        if arl0 is None:
            arl0 = 10 * design.periods_per_year
        granted = within("variance_mean", design.variance_mean, low=1, high=1000)
        if baseline is None:
            learning = Baseline(
                wanted=int(within("baseline_periods", baseline_periods, low=1, high=1e6)),
                events=within("baseline_events", baseline_events, low=0),
                confidence=within("confidence", confidence, low=0.01, high=0.999999),
                spread=granted,
            )
        else:
            known = within("baseline", baseline, low=1e-15, high=1e15)
            learning = Baseline.known(known, within("uncertainty", design.uncertainty, low=0, high=10), granted)
        up = ratios_of(ratios)
        return cls(
            bar=math.log(within("arl0", arl0, low=2)),
            ratios=(*up, *(1 / r for r in up)),
            baseline=learning,
            relearn=baseline is None,
            granted=granted,
        )

    def update(self, observation: Observation) -> Score | None:
        """One closed period; `None` while the baseline is being learnt."""
        share = isinstance(observation, Proportion)
        k, x = events_of(observation)
        if not self.baseline.learnt:
            self.baseline.learn(k, x, share)
            return None
        if not self.lines:
            self._open(share)
        self.logs = advance(self.logs, self.lines, k, x, 0.0)
        statistic, rate = log_mean(self.logs), self.baseline.rate
        if statistic >= self.bar:
            self.lines = []
            if self.relearn:
                self.baseline = self.baseline.again(self.granted)
        if share:
            return Score(statistic, self.bar, rate, k / x if x else 0.0)
        return Score(statistic, self.bar, rate * x, k)

    def _open(self, share: bool) -> None:
        line = share_line if share else count_line
        low, high = self.baseline.low, self.baseline.high
        if share:
            low, high = min(low, 1.0), min(high, 1.0)
        self.lines = [line(r, high if r > 1 else low, self.baseline.spread) for r in self.ratios]
        self.logs = [NOTHING] * len(self.ratios)
