"""Fall detector: a rate that drops, or events of one class that stop, against a baseline of the last half year."""

from __future__ import annotations

from math import exp, log, log1p, sqrt
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from detectors.base import Change, Count, Design, Observation, Proportion, Score, events_of, within
from detectors.mixture import summed

_WEEKS_PER_YEAR = 365.25 / 7
_TRACE = 1e-15  # smaller exposures are treated as 0
_CLIP = 4.0  # standard deviations above the mean beyond which a count is clipped before it is learnt
_PRIOR_PERIODS = 20.0  # weight of the assumed dispersion, in periods
_STEP = log(1.1)  # the dispersion in use moves in steps of 10 %, because its lines are computed anew for each
_MOST = 1e280  # bound on the sums, so that they stay finite
_RATIOS = (0.0, 0.2, 0.5)  # of the baseline: silence, and two partial falls


class FallSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of `fall` in a charter.

    `false_per_year`: false alarms a year. `baseline_weeks`: how long the baseline remembers (time constant of its
    exponential window), and longer where it would hold fewer than `baseline_events` events. The first score follows a
    quarter of these events.
    """

    false_per_year: float = 0.1
    baseline_weeks: float = 26.0
    baseline_events: float = 40.0


class Fall(msgspec.Struct, kw_only=True, array_like=True, dict=True):
    """M_t = mean over ratios r of e_t(r) (M_(t-1)(r) + 1), e_t(r) the predictive likelihood ratio of a rate r times the
    baseline; alarm at M_t >= periods a year / `false_per_year`. The ratios 0, 0.2 and 0.5 cover silence and partial
    falls.

    Shiryaev-Roberts: Pollak (1985), Annals of Statistics 13: 206-227. The rate has a gamma posterior from an
    exponential window of `baseline_weeks`, so a baseline of few events gives little evidence, and no run-in of half a
    year is needed. Overdispersed counts: the larger of the assumed variance/mean and the one learnt (Pearson) widens
    the posterior and flattens the likelihood ratios (negative binomials of equal shape). Proportions are treated as
    counts over their trials, which is conservative. Counts far above the baseline are clipped before they are learnt.

    Exposure without events is evidence; a period without exposure is not, so a service that is stopped causes no
    alarm. Feed complete periods only: an exposure that was replaced by an upper bound looks like a fall. After an alarm
    the baseline is learnt again, so a lasting fall alarms once.

    >>> detector = Fall.design(Design(periods_per_year=365.25))
    >>> counts = [5, 4, 6, 5, 7, 3, 5, 6, 4, 5] * 4 + [0, 0, 0, 0, 0]
    >>> [score and score.alarm for score in [detector.update(Count(k=k, m=1.0)) for k in counts][-5:]]
    [False, True, None, None, None]
    """

    settings: ClassVar[type] = FallSettings
    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "At most about false_per_year false alarms a year while the rate changes slowly; up to 1.4 times as many where "
        "the variance/mean is twice the assumed one; simulated, not proved."
    )

    threshold: float  # ln of the bound on M
    assumed_dispersion: float
    memory: float  # periods
    least_events: float  # that the window holds before anything is forgotten
    events: float = 0.0  # in the window
    exposure: float = 0.0
    periods: float = 0.0
    squares: float = 0.0  # squared errors over their Poisson variance
    sums: list[float] = []  # one per ratio; empty until the baseline is ready

    if TYPE_CHECKING:
        step: int | None = None  # derived: the dispersion in use, in steps of 10 % above the assumed one
        lines: tuple[tuple[float, float], ...] = ()  # derived: slope and cost of each ratio at that dispersion

    def __post_init__(self) -> None:
        """Clears the derived values. Also runs when a snapshot is decoded."""
        self.step, self.lines = None, ()

    @classmethod
    def design(cls, design: Design, **params: Any) -> Self:
        """Builds the detector from the charter's settings; `params` are the fields of `FallSettings`.

        Raises ValueError naming the parameter.
        """
        s = FallSettings(**params)
        year = within("periods_per_year", design.periods_per_year, low=0.1, high=1e9)
        bound = year / within("false_per_year", s.false_per_year, low=1e-9, high=1e6)
        weeks = within("baseline_weeks", s.baseline_weeks, low=1, high=1e4)
        return cls(
            threshold=log(max(bound, 2.0)),
            assumed_dispersion=within("variance_mean", design.variance_mean, low=1, high=1000),
            memory=max(weeks * year / _WEEKS_PER_YEAR, 6.0),
            least_events=within("baseline_events", s.baseline_events, low=4, high=1e9),
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` while the baseline is being learnt, and without exposure."""
        k, x = events_of(observation)
        if x < _TRACE:
            return None
        dispersion = self._dispersion()
        ready = bool(self.sums) or self.events >= self.least_events / 4
        rate = self.events / self.exposure if self.exposure else 0.0
        statistic, made = 0.0, []
        if ready:
            known = self.events / dispersion + k / dispersion
            grown = known * log1p(x / self.exposure) if self.exposure else 0.0
            for a, (slope, cost) in zip(self.sums or (0.0,) * len(_RATIOS), self.lines, strict=True):
                e = slope * k + cost * grown if k else cost * grown
                made.append(min((a + 1 / len(_RATIOS)) * exp(min(max(e, -600.0), 600.0)), _MOST))
            statistic = log(max(summed(made), 1e-300))
        self._learn(k, x, rate, dispersion)
        if not ready:
            return None
        self.sums = made
        change: Change | None = None
        if statistic >= self.threshold:
            change = "fall"
            self.sums, self.events, self.exposure, self.periods, self.squares = [], 0.0, 0.0, 0.0, 0.0
        if type(observation) is Proportion:
            return Score(statistic, self.threshold, rate, k / x, None, change)
        return Score(statistic, self.threshold, rate * x, k, None, change)

    def _learn(self, k: float, x: float, rate: float, dispersion: float) -> None:
        mean = rate * x
        if self.periods >= 3 and mean > 0:
            most = mean + _CLIP * sqrt(dispersion * mean) + 1
            k = min(k, most)
            self.squares += (k - mean) / mean * (k - mean) / (1 + x / self.exposure)
        keep = 1 - 1 / self.memory if self.events > self.least_events else 1.0
        self.events = self.events * keep + k
        self.exposure = self.exposure * keep + x
        self.squares *= keep
        self.periods = self.periods * keep + 1

    def _dispersion(self) -> float:
        """Returns the variance/mean in use: the larger of the assumed and the learnt one, in steps of 10 %."""
        v, n = self.assumed_dispersion, self.periods
        seen = (_PRIOR_PERIODS * v + self.squares) / (_PRIOR_PERIODS + max(n - 3, 0.0))
        step = round(log(min(seen, 1000.0) / v) / _STEP) if seen > v else 0
        used = v * exp(step * _STEP) if step else v
        if step != self.step:
            self.step, self.lines = step, tuple(_line(r, used) for r in _RATIOS)
        return used


def _line(ratio: float, v: float) -> tuple[float, float]:
    """Returns (slope, cost): ln e = slope x events + cost x effective expected events (expected events / v).

    The likelihood ratio of two negative binomials of equal shape (`likelihood.count_line`), with `ratio` 0 included:
    then any event ends the run.
    """
    excess = v - 1
    if excess < 1e-9:
        return (log(ratio) if ratio else -600.0), 1 - ratio
    turn = -log1p((ratio - 1) * excess / v)
    return (log(ratio) + turn if ratio else -600.0), v * turn / excess
