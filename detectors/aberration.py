"""Aberration detector for weekly and other slow series: the last period, and the last three, against all before."""

from __future__ import annotations

from math import erfc, log, sqrt
from typing import ClassVar, Self

import msgspec

from detectors.base import Count, Design, Observation, Proportion, Score, events_of, within
from detectors.intervals import beta_i
from detectors.mixture import summed

_WEEKS_PER_YEAR = 365.25 / 7
_TRACE = 1e-15  # smaller exposures are treated as 0
_PRIOR_EVENTS = 0.25  # added to the events learnt, so that a history without events has a rate above 0
_WINDOWS = (1, 3)  # periods
_MANY = 1e5  # events from which on the normal approximation is used
_LEAST = 1e-300


class Aberration(msgspec.Struct, kw_only=True, array_like=True):
    """Alarm if the events of the last period, or of the last three, have a probability of at most 1 / (2 `arl0`) of
    being reached, given the periods before.

    The windows are those of EARS C1 and C3 (Hutwagner et al. 2003, Journal of Urban Health 80: i89-i96); the limit is
    the quantile of a negative binomial (Noufaily et al. 2013, Statistics in Medicine 32: 1206-1222), whose variance
    contains the dispersion of the past periods (Pearson) and the uncertainty of their mean. So the first score follows
    `baseline_periods` periods, not two years of weeks; past periods fade with a time constant of `baseline_weeks`.

    Only changes in the direction of harm alarm, `below` from the lower tail. It does not restart: it alarms in each
    period that is unusual. Extreme periods enter the history, so a second outbreak must be larger than a first one.
    Cycles count as dispersion.

    >>> detector = Aberration.design(Design(periods_per_year=52.18))
    >>> [score and score.alarm for score in (detector.update(Count(k=k, m=1.0)) for k in (1, 0, 2, 1, 0, 1, 7))]
    [None, None, None, None, None, False, True]
    """

    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "At most about one alarm in arl0 periods while the rate is unchanged, Poisson or negative binomial; simulated, "
        "not proved."
    )

    arl0: float
    above: bool
    assumed_dispersion: float
    memory: float  # periods
    required_periods: int
    seen: int = 0
    periods: float = 0.0  # of the history, faded
    events: float = 0.0
    exposure: float = 0.0
    squares: float = 0.0  # sum of k^2/x
    recent: list[float] = []  # events and exposure of the last two periods that were scored, oldest first

    @classmethod
    def design(
        cls,
        design: Design,
        *,
        arl0: float = 50.0,
        baseline_weeks: float = 156.0,
        baseline_periods: int = 5,
    ) -> Self:
        """Builds the detector from the charter's settings. Raises ValueError naming the parameter.

        `arl0`: periods to a false alarm (>= 2). `baseline_weeks`: time constant of the history. `baseline_periods`:
        periods with exposure before the first score (>= 3).
        """
        year = within("periods_per_year", design.periods_per_year, low=0.1, high=1e9)
        weeks = within("baseline_weeks", baseline_weeks, low=1, high=1e4)
        return cls(
            arl0=within("arl0", arl0, low=2, high=1e9),
            above=design.sign > 0,
            assumed_dispersion=within("variance_mean", design.variance_mean, low=1, high=1000),
            memory=max(weeks * year / _WEEKS_PER_YEAR, 6.0),
            required_periods=int(within("baseline_periods", baseline_periods, low=3, high=1e6)),
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` before `baseline_periods` periods, and without exposure."""
        k, x = events_of(observation)
        if x < _TRACE:
            return None
        score = None
        if self.seen >= self.required_periods:
            recent = self.recent = [*self.recent, k, x][-2 * max(_WINDOWS) :]
            rate = (self.events + _PRIOR_EVENTS) / self.exposure
            dispersion = self._dispersion(rate)
            tail = 1.0
            for window in _WINDOWS:
                if len(recent) >= 2 * window:
                    last = recent[-2 * window :]
                    tail = min(
                        tail, len(_WINDOWS) * self._tail(summed(last[::2]), rate * summed(last[1::2]), dispersion)
                    )
            statistic = -log(min(max(tail, _LEAST), 1.0))
            proportion = type(observation) is Proportion
            score = Score(statistic, log(self.arl0), rate if proportion else rate * x, k / x if proportion else k)
        self._learn(k, x)
        return score

    def _learn(self, k: float, x: float) -> None:
        keep = 1 - 1 / self.memory
        self.seen += self.seen < self.required_periods
        self.periods = self.periods * keep + 1
        self.events = self.events * keep + k
        self.exposure = self.exposure * keep + x
        self.squares = min(self.squares * keep + k / x * k, 1e300)

    def _dispersion(self, rate: float) -> float:
        """Returns the variance/mean of the history (Pearson), at least the assumed one."""
        spread = max(self.squares - self.events / self.exposure * self.events, 0.0)
        return min(max(self.assumed_dispersion, spread / rate / max(self.periods - 1, 1.0)), 1e6)

    def _tail(self, k: float, mean: float, dispersion: float) -> float:
        """Returns the probability of `k` events or more (direction `below`: or fewer)."""
        mean = min(max(mean, _LEAST), 1e30)
        if (k > mean) is not self.above:
            return 1.0
        variance = mean * dispersion * (1 + mean / (self.events + _PRIOR_EVENTS))
        if max(k, mean) > _MANY:
            return erfc((abs(k - mean) - 0.5) / sqrt(2 * variance)) / 2
        p = mean / variance  # of a failure
        size = mean * p / max(1 - p, 1e-9)
        return beta_i(k, size, 1 - p) if self.above else 1 - beta_i(k + 1, size, 1 - p)
