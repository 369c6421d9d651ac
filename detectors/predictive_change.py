"""Change detector over forecasts with learnt cycles, trend and dispersion: Shiryaev-Roberts on predictive
likelihoods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt
from typing import Any, ClassVar, Self

import msgspec

from detectors.base import LARGEST, Count, Design, Observation, Proportion, Score, ratios_of, within
from detectors.overshoot import siegmund_nu
from detectors.predictive import (
    MIN_EXPOSURE,
    BetaBinomial,
    NegativeBinomial,
    Predictor,
    SeasonalProportion,
    SeasonalRate,
)

_SMOOTH = 1e7  # a shape or precision from which on the forecast is treated as Poisson or binomial
_SURE = log(1e4)  # added to the threshold of a change in the other direction, because relearning costs power
_HINT = 2e4  # below exp(1 + _SURE), the smallest such threshold
_PRIOR = 0.3  # fraction of exp(threshold): a sum of this size makes a change as likely as none, for learning
_HARDLY = 0.05  # expected events from which on a period has full weight
_MOST = 1e200  # bound on the growth of a sum in one period, so that it stays finite
_WINDOW = 100  # time constant of the learnt dispersion, in periods
_UNCERTAINTY_FACTOR = 1.3  # multiple of the loss from uncertain dispersion that is added to the threshold


_ENCODED_NAMES = {
    "threshold": "bar",
    "assumed_dispersion": "granted",
    "required_periods": "wanted",
    "required_events": "events",
}  # names of fields in snapshots, which must not change


class SeasonalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of `seasonal` in a charter.

    `arl0`: periods to a false alarm (>= 2). `ratios`: rate ratios (> 1, inverted for direction `below`) to detect.
    `shifts`: (> 0, in standard deviations of the forecast; repeated ones have more weight) replace `ratios` for
    outbreaks, whose size depends on the noise and not on the level. `relearn`: whether the level is learnt again
    after an alarm; false where the excess is temporary. `cycles`: lengths in periods; by default a day and a week of
    hours, a week of days, or a year of weeks or months, each as soon as it is covered twice. `harmonics` of each cycle
    (1 to 6; a week of hours has at least 3). `trend`: prior standard deviation of the relative change per year.
    `drift`: standard deviation of the level's random walk over a year. `baseline_periods`, `baseline_events`: learnt
    before the first score; by default 26 weeks, at least 12 and at most 100 periods.
    """

    arl0: float = 1000.0
    ratios: tuple[float, ...] = (1.5, 2.0, 3.0)
    shifts: tuple[float, ...] = ()
    relearn: bool = True
    cycles: tuple[float, ...] | None = None
    harmonics: int = 1
    trend: float = 0.0
    drift: float = 0.1
    baseline_periods: int | None = None
    baseline_events: float = 0.0

    def required_periods(self, periods_per_year: float) -> int:
        """Returns the periods learnt before the first score. Raises ValueError naming the parameter."""
        if self.baseline_periods is None:
            return min(100, max(12, round(periods_per_year / 2)))
        return int(within("baseline_periods", self.baseline_periods, low=1, high=1e6))

    def predictor(self, periods_per_year: float) -> Predictor:
        """Returns the linear predictor before any data. Raises ValueError naming the parameter."""
        year = within("periods_per_year", periods_per_year, low=0.1, high=1e9)
        count = int(within("harmonics", self.harmonics, low=1, high=6))
        if self.cycles is None:  # half a cycle cannot be distinguished from a change of level
            lengths = tuple(length for length in _usual(year) if self.required_periods(year) >= 2 * length)
            fine = max(count, 3) if year > 300 else count  # weekends have edges
            later = tuple((length, fine) for length in _usual(year) if length not in lengths)
        else:
            lengths, later = tuple(within("cycles", c, low=2, high=1e6) for c in self.cycles), ()
        if len(lengths) > 4:
            raise ValueError(f"cycles: {len(lengths)} are too many; write at most 4")
        return Predictor(
            cycles=tuple((length, count) for length in lengths),
            later=later,
            trend=within("trend", self.trend, low=0, high=10),
            drift=within("drift", self.drift, low=0, high=10),
            periods_per_year=year,
        )


class SeasonalChange(msgspec.Struct, kw_only=True, rename=_ENCODED_NAMES):
    """M_t = mean over ratios of e_t(r) (M_(t-1)(r) + w_t), e_t a likelihood ratio against the forecast; alarm at A.

    Shiryaev-Roberts: Pollak (1985), Annals of Statistics 13: 206-227. Forecast: `predictive.py`.

    The forecast learns level, cycles, trend and dispersion continuously, and its variance includes parameter
    uncertainty. If it were exact, a threshold of ln(arl0) would give an ARL0 of at least `arl0`. The threshold is
    lowered by the mean overshoot (Siegmund's correction, exact in the limit of small steps; computed again when the
    expected events halve) and raised while the dispersion is uncertain. The run length is therefore approximate.
    Simulated with a daily cycle of 30 %, variance/mean up to 3 and 100 periods learnt: at most 11 % alarm within a
    tenth of `arl0`. What cycles, exposure and dispersion that change do to it is in README.md (`detbench --only g20`).

    A period with hardly any expected event has a small weight (w_t = expected / .05, at most 1); otherwise M_t would
    grow to the threshold without events, and the first event after a year would alarm. This only lengthens the run.

    Only changes in the direction of harm alarm. After an alarm the level is learnt again, and the harmonics may move
    (trend and dispersion are kept); the same, without an alarm, after a clear change in the other direction. So a
    lasting change alarms once.

    The phase of the cycles is the observation's `at`, or the number of the period if it has none.

    >>> detector = SeasonalChange.design(Design(), baseline_periods=48)
    >>> scores = [detector.update(Count(k=k, m=1.0)) for k in [6, 5, 4, 3, 2, 3, 4, 5] * 20 + [12, 14, 13, 15]]
    >>> [score.alarm for score in scores[-4:]]
    [False, True, False, False]
    """

    settings: ClassVar[type] = SeasonalSettings
    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "About arl0 periods to a false alarm while the rate follows its learnt cycles and trend; simulated, not proved."
    )

    arl0: float
    ratios: tuple[float, ...]
    shifts: tuple[float, ...]
    relearn: bool
    above: bool
    required_periods: int
    required_events: float
    assumed_dispersion: float
    predictor: Predictor | None  # its initial settings; passed to the model with the first period
    model: SeasonalRate | SeasonalProportion | None = None
    at: int = -1  # index of the last period; the first period without an index has number 0
    begun: bool = False
    threshold: float = 0.0  # before the addition for uncertain dispersion; not used until `begun`
    sums: list[float] = []  # Shiryaev-Roberts, one per ratio, then one per inverse ratio
    fewest: float = 0.0  # expected events for which the threshold was computed

    @classmethod
    def design(cls, design: Design, **params: Any) -> Self:
        """Builds the detector from the charter's settings; `params` are the fields of `SeasonalSettings`.

        Raises ValueError naming the parameter.
        """
        s = SeasonalSettings(**params)
        required = s.required_periods(design.periods_per_year)
        return cls(
            arl0=within("arl0", s.arl0, low=2, high=1e9),
            ratios=tuple(r**design.sign for r in ratios_of(s.ratios)),
            shifts=tuple(within("shifts", c, low=0.01, high=100) for c in s.shifts),
            relearn=s.relearn,
            above=design.sign > 0,
            required_periods=required,
            required_events=within("baseline_events", s.baseline_events, low=0),
            assumed_dispersion=within("variance_mean", design.variance_mean, low=1, high=1000),
            predictor=s.predictor(design.periods_per_year),
            sums=[0.0] * (2 * len(s.shifts or s.ratios)),
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` while the baseline is being learnt, and without exposure."""
        if type(observation) is Count:  # inlined `events_of`: this is the hot path
            k, x, is_proportion = observation.k, observation.m, False
        elif type(observation) is Proportion:
            k, x, is_proportion = observation.k, observation.n, True
        else:
            raise TypeError(f"{type(observation).__name__}: expected a Count or a Proportion")
        if k > LARGEST or x > LARGEST:
            k, x = min(k, LARGEST), min(x, LARGEST)
        at, given = self.at + 1, observation.at
        if given is not None and given > at:
            at = given
        self.at = at
        model = self.model
        if model is None:
            kind = SeasonalProportion if is_proportion else SeasonalRate
            model = self.model = kind(
                predictor=self.predictor or Predictor(),
                assumed_dispersion=self.assumed_dispersion,
                window=_WINDOW,
            )
            self.predictor = None
        ready = model.periods >= self.required_periods and model.events >= self.required_events
        later = model.predictor.later
        if later and model.periods >= 2 * later[0][0]:
            model.predictor.add_cycle()
        forecast = model.observe(k, x, at, self._rate_ratio_estimate() if self.begun else 1.0)
        if forecast is None or not ready:
            return None
        ratios = self.alternatives(forecast) if self.shifts else self.ratios
        expected, count = forecast.expected, len(ratios)
        if not self.begun:
            self.begun, self.threshold, self.fewest = True, threshold_of(self.arl0, ratios, forecast), expected
        elif expected < self.fewest / 2:  # smaller steps overshoot less
            self.threshold = max(self.threshold, threshold_of(self.arl0, ratios, forecast))
            self.fewest = expected
        weight = 1.0 if expected >= _HARDLY else expected / _HARDLY
        logs = evidence([*ratios, *[1 / r for r in ratios]], k, forecast)
        self.sums = sums = [
            (exp(e) if e < 500 else _MOST) * (weight + a)
            for a, e in zip(self.sums, logs)  # noqa: B905  per update
        ]
        statistic, threshold = (
            _log_mean(sums[:count]),
            self.threshold + _UNCERTAINTY_FACTOR * model.dispersion_uncertainty() * _squared(self.arl0) / 2,
        )
        below = sums[count:]  # a threshold is at least 1, so most need no logarithm
        fallen = sum(below) >= _HINT * count and _log_mean(below) >= threshold + _SURE
        if statistic >= threshold or fallen:
            self.sums = [0.0] * len(sums)
            if self.relearn or fallen:
                self.begun = False
                model.inflate_variance()
        if isinstance(forecast, BetaBinomial):
            return Score(statistic, threshold, forecast.p, k / x)
        return Score(statistic, threshold, forecast.mean, k)

    def _rate_ratio_estimate(self) -> float:
        """Returns the posterior mean of the rate ratio so far (1 for `shifts`); counts are divided by it before
        learning.

        Otherwise the forecast would learn a change as normal before the chart detects it.
        """
        if self.shifts:
            return 1.0
        rate_ratio_estimate, total = 0.0, len(self.ratios) * _PRIOR * exp(self.threshold)
        for a, r in zip(self.sums, self.ratios):  # noqa: B905  the first half: changes in the direction of harm
            rate_ratio_estimate += a * (r - 1)
            total += a
        return 1 + rate_ratio_estimate / total

    def alternatives(self, forecast: NegativeBinomial | BetaBinomial) -> Sequence[float]:
        """Returns the rate (odds) ratios of the alternatives for a period with this forecast."""
        if not self.shifts:
            return self.ratios
        is_proportion = forecast.p if isinstance(forecast, BetaBinomial) else 0.0
        step = sqrt(forecast.variance) / forecast.expected
        found = [1 + c * step for c in self.shifts]
        if is_proportion:  # from proportions to odds; a proportion is moved at most half-way to 1
            moved = [min(r * is_proportion, (1 + is_proportion) / 2) for r in found]
            found = [p * (1 - is_proportion) / ((1 - p) * is_proportion) for p in moved]
        return [min(r, 1e6) if self.above else 1 / min(r, 1e6) for r in found]


def evidence(ratios: Sequence[float], k: float, forecast: NegativeBinomial | BetaBinomial) -> list[float]:
    """Returns ln likelihood ratios of `k` events: each ratio times the forecast rate (odds) against the forecast, with
    equal variance/mean (precision)."""
    if isinstance(forecast, NegativeBinomial):
        mean, s = forecast.mean, max(forecast.shape, 1e-290)
        if s > _SMOOTH * (1 + mean):
            return [k * log(r) - (r - 1) * mean for r in ratios]
        null, unit = lgamma(k + s) - lgamma(s), s * log1p(mean / s)
        return [lgamma(k + r * s) - lgamma(r * s) - null - (r - 1) * unit for r in ratios]
    n, p, s = forecast.n, forecast.p, forecast.precision
    if s > _SMOOTH:
        return [k * log(r) - n * log1p((r - 1) * p) for r in ratios]
    null = _hits(k, n, p * s, (1 - p) * s)
    found: list[float] = []
    for r in ratios:
        above = p * r / (1 + p * (r - 1))
        found.append(_hits(k, n, above * s, max(1 - above, 1e-15) * s) - null)
    return found


def threshold_of(arl0: float, ratios: Sequence[float], forecast: NegativeBinomial | BetaBinomial) -> float:
    """Returns ln(arl0) less the mean overshoot; exp(-overshoot) is about nu(sd of a step), Siegmund (1985)."""
    mean = forecast.expected
    most = math.inf if isinstance(forecast, NegativeBinomial) else forecast.n
    deviation = sqrt(forecast.variance)
    low, high = max(mean - deviation, 0.0), min(mean + deviation, most)
    rises = zip(evidence(ratios, low, forecast), evidence(ratios, high, forecast), strict=True)
    steps = [abs(b - a) / max(high - low, MIN_EXPOSURE) * deviation for a, b in rises]
    return max(log(arl0) + log(sum(siegmund_nu(step) for step in steps) / len(steps)), 1.0)


@lru_cache(maxsize=64)
def _squared(arl0: float) -> float:
    return log(arl0) ** 2


def _log_mean(sums: list[float]) -> float:
    return log(max(sum(sums) / len(sums), 1e-300))


def _hits(k: float, n: float, a: float, b: float) -> float:
    return lgamma(k + a) - lgamma(a) + lgamma(max(n - k, 0.0) + b) - lgamma(b)


def _usual(periods_per_year: float) -> tuple[float, ...]:
    """Returns the default cycles: a day and a week for periods below a day, a week for days, a year for longer ones."""
    if periods_per_year > 730:
        return (periods_per_year / 365.25, periods_per_year * 7 / 365.25)
    if periods_per_year > 300:
        return (7.0,)
    return (periods_per_year,) if periods_per_year > 4 else ()
