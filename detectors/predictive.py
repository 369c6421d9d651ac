"""Forecasts of counts and proportions with their uncertainty: a dynamic generalised linear model.

Level, daily and weekly harmonics and trend form one linear predictor with a Gaussian posterior: the log of a rate, or
the log odds of a proportion. Each period the predictor's mean and variance are matched by a gamma (beta) distribution
of the rate (proportion), updated by the conjugate rule, and the update is passed back to the coefficients by linear
Bayes. One period costs a few dozen multiplications. The forecast is a negative binomial (beta-binomial) whose
variance contains chance, estimated dispersion, and parameter uncertainty.

West, Harrison, Migon (1985), Dynamic generalized linear models and Bayesian forecasting, JASA 80: 73-83.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import cos, exp, log, pi, sin, sqrt
from typing import Protocol, TypeAlias

import msgspec

Cycle: TypeAlias = tuple[float, int]
"""Length in periods, and number of harmonics."""

MIN_EXPOSURE = 1e-15  # smaller exposures are treated as 0
_MAX_ETA = 80.0  # bound on the absolute value of log rates and log odds
_MAX_VARIANCE = 4.0  # bound on the variance of the level
_CLIP = 4.0  # forecast standard deviations beyond which a count is clipped before it is learnt
_UNSURE_VARIANCE = 0.25  # predictor variance from which on counts are learnt unclipped
_MAX_SHAPE = 1e12  # a shape or precision that is numerically Poisson or binomial
_ENCODED_NAMES = {"assumed_dispersion": "granted", "prior_weight": "doubt", "kurtosis_sum": "doubtful"}
"""Names of fields in snapshots, which must not change; neither must the tags of the two models."""


class NegativeBinomial(msgspec.Struct, frozen=True, gc=False):
    """A forecast count: `mean > 0`, variance `mean + mean^2 / shape`, `shape > 0`."""

    mean: float
    shape: float

    @property
    def expected(self) -> float:
        """Expected events."""
        return self.mean

    @property
    def variance(self) -> float:
        """Variance of the count."""
        return self.mean + self.mean / self.shape * self.mean


class BetaBinomial(msgspec.Struct, frozen=True, gc=False):
    """A forecast number of successes in `n` trials with proportion `0 < p < 1`, distributed as
    Beta(p x precision, (1 - p) x precision)."""

    n: float
    p: float
    precision: float

    @property
    def expected(self) -> float:
        """Expected successes."""
        return self.n * self.p

    @property
    def variance(self) -> float:
        """Variance of the number of successes."""
        return self.n * self.p * (1 - self.p) * (1 + max(self.n - 1, 0.0) / (self.precision + 1))


class Predictive(Protocol):
    """A forecaster of counts. `at` is the index of the period on its grid, `m` its exposure."""

    def predict(self, m: float, at: int) -> NegativeBinomial | None:
        """Returns the forecast for exposure `m` in period `at`; `None` before the first `learn`, and without
        exposure."""

    def learn(self, k: float, m: float, at: int) -> None:
        """Updates the model with `k` events over exposure `m` in period `at`."""


class Predictor(msgspec.Struct, kw_only=True):
    """Coefficients (level, trend, harmonics) and their covariance, on the log (or log odds) scale.

    `cycles`: the cycles modelled; harmonic j of each has prior standard deviation `wave`/j. `trend`: prior standard
    deviation of the change per year (0 = no trend). `drift`: standard deviation of the level's random walk over a year.
    """

    cycles: tuple[Cycle, ...] = ()
    wave: float = 0.3
    trend: float = 0.0
    drift: float = 0.1
    periods_per_year: float = 8766.0
    first: int = 0
    last: int = 0
    coefficients: list[float] = []
    covariance: list[list[float]] = []
    later: tuple[Cycle, ...] = ()  # cycles that are modelled as soon as they are covered twice

    def start_from(self, at: int, eta: float, variance: float) -> None:
        """Initialises from the first period: predictor `eta` with that variance at `at`; harmonics and trend at their
        prior."""
        self.first = self.last = at
        x = self.features(at)
        prior = [0.0]
        if self.trend:
            prior.append(self.trend**2)
        for _, harmonics in self.cycles:
            for j in range(1, harmonics + 1):
                prior += [(self.wave / j) ** 2] * 2
        self.coefficients = [eta] + [0.0] * (len(x) - 1)
        self.covariance = [[v if i == j else 0.0 for j in range(len(x))] for i, v in enumerate(prior)]
        # The level is eta minus the harmonics, so its covariance with them is their variance with opposite sign.
        for i in range(1, len(x)):
            self.covariance[0][i] = self.covariance[i][0] = -x[i] * prior[i]
        self.covariance[0][0] = variance + sum(f * f * v for f, v in zip(x[1:], prior[1:], strict=True))

    def add_cycle(self) -> None:
        """Begins to model the first of the cycles in `later`, its harmonics at their prior."""
        (length, harmonics), *rest = self.later
        self.cycles, self.later = (*self.cycles, (length, harmonics)), tuple(rest)
        before = len(self.coefficients)
        self.coefficients = [*self.coefficients, *[0.0] * (2 * harmonics)]
        self.covariance = [[*row, *[0.0] * (2 * harmonics)] for row in self.covariance]
        for j in range(2 * harmonics):
            self.covariance.append([0.0] * len(self.coefficients))
            self.covariance[-1][before + j] = (self.wave / (j // 2 + 1)) ** 2

    def features(self, at: int) -> list[float]:
        """Returns 1, years since the first period (if there is a trend), and the harmonics at period `at`."""
        x = [1.0]
        if self.trend:
            x.append((at - self.first) / self.periods_per_year)
        for length, harmonics in self.cycles:
            x += _waves(at % length, length, harmonics)
        return x

    def moments(self, at: int) -> tuple[list[float], float, float]:
        """Returns covariance x features, and the mean and variance of the predictor at period `at`."""
        x = self.features(at)
        if len(x) == 3:  # one harmonic, the usual case, unrolled: same operations in the same order
            _, f, g = x
            (a, b, c), (d, e, h), (i, j, k) = self.covariance
            level, up, down = self.coefficients
            gain = [a + b * f + c * g, d + e * f + h * g, i + j * f + k * g]
            eta = level + up * f + down * g
            variance = gain[0] + gain[1] * f + gain[2] * g
        else:
            gain = [sum([c * f for c, f in zip(row, x)]) for row in self.covariance]  # noqa: B905  per update
            eta = sum([c * f for c, f in zip(self.coefficients, x)])  # noqa: B905
            variance = sum([g * f for g, f in zip(gain, x)])  # noqa: B905
        drift_variance = self._drift_variance(at)
        gain[0] += drift_variance
        variance += drift_variance
        if not -_MAX_ETA <= eta <= _MAX_ETA:
            eta = min(max(eta, -_MAX_ETA), _MAX_ETA)
        return gain, eta, variance if variance > 1e-12 else 1e-12

    def apply(self, at: int, gain: Sequence[float], variance: float, by: float, left: float) -> None:
        """Updates the coefficients: the predictor at `at` moves by `by`, and its variance becomes `left` (was
        `variance`)."""
        self.covariance[0][0] += self._drift_variance(at)
        if at > self.last:
            self.last = at
        step = by / variance
        shrink = (1 - left / variance) / variance
        coefficients, covariance = self.coefficients, self.covariance
        for i, g in enumerate(gain):
            moved = coefficients[i] + g * step
            coefficients[i] = moved if -_MAX_ETA <= moved <= _MAX_ETA else min(max(moved, -_MAX_ETA), _MAX_ETA)
            if shrink:
                pull = g * shrink
                if len(gain) == 3:
                    a, b, c = covariance[i]
                    d, e, f = gain
                    covariance[i] = [a - pull * d, b - pull * e, c - pull * f]
                else:
                    covariance[i] = [c - pull * h for c, h in zip(covariance[i], gain)]  # noqa: B905

    def inflate_variance(self, variance: float = 1.0) -> None:
        """Adds `variance` to the level, which may have changed, and the prior variance to the harmonics, at most up to
        twice that: a cycle may have appeared. The trend is kept."""
        if not self.covariance:
            return
        self.covariance[0][0] = min(self.covariance[0][0] + variance, _MAX_VARIANCE)
        i = 2 if self.trend else 1
        for _, harmonics in self.cycles:
            for j in range(2 * harmonics):
                prior = (self.wave / (j // 2 + 1)) ** 2
                self.covariance[i][i] = min(self.covariance[i][i] + prior, max(self.covariance[i][i], 2 * prior))
                i += 1

    def _drift_variance(self, at: int) -> float:
        """Returns the variance that the level gained since the last period."""
        since = at - self.last
        if since <= 0 or not self.drift or self.covariance[0][0] >= _MAX_VARIANCE:
            return 0.0
        return min(self.drift**2 * since / self.periods_per_year, _MAX_VARIANCE)


class SeasonalRate(msgspec.Struct, kw_only=True, tag="SeasonalRate", rename=_ENCODED_NAMES):
    """Forecasts counts over exposure: negative binomial, with learnt level, harmonics, trend and variance/mean.

    `assumed_dispersion` is the smallest variance/mean used (1 = Poisson). The learnt one is the mean of squared
    forecast errors over their Poisson variance (Pearson), shrunk towards `assumed_dispersion` with the weight of
    `prior_weight` periods; after `window` periods it is a mean with exponential weights, which follows a drift.
    `exposure_error` is the relative standard deviation of one period's exposure (an error common to all periods is part
    of the rate). Counts beyond four forecast standard deviations are clipped there before they are learnt, unless the
    level is being relearnt.

    >>> rate = SeasonalRate()
    >>> for hour in range(50):
    ...     rate.learn(5.0, 1.0, hour)
    >>> forecast = rate.predict(2.0, 50)
    >>> round(forecast.mean, 1), round(forecast.variance, 1)
    (10.0, 10.4)
    """

    predictor: Predictor = msgspec.field(default_factory=Predictor)
    assumed_dispersion: float = 1.0
    exposure_error: float = 0.0
    prior_weight: float = 3.0
    periods: int = 0  # periods learnt
    events: float = 0.0
    squares: float = 0.0  # sum of squared errors over the Poisson variance
    kurtosis_sum: float = 0.0  # sum of the relative variances of these squares
    window: int = 0  # time constant of the dispersion in periods; 0: all have equal weight (older snapshots)

    def predict(self, m: float, at: int) -> NegativeBinomial | None:
        """See `Predictive`."""
        if not self.periods or m < MIN_EXPOSURE:
            return None
        _, eta, variance = self.predictor.moments(at)
        return self._forecast(m, eta, variance)

    def learn(self, k: float, m: float, at: int) -> None:
        """See `Predictive`."""
        self.observe(k, m, at)

    def observe(self, k: float, m: float, at: int, rate_ratio_estimate: float = 1.0) -> NegativeBinomial | None:
        """Returns the forecast of `predict`, then performs `learn`, at a lower cost than both calls.

        The count learnt is `k` / `rate_ratio_estimate`, where the rate may already be that multiple of the forecast.
        """
        if m < MIN_EXPOSURE:
            return None
        if not self.periods:
            self.periods, self.events = 1, k
            alpha = k / self.assumed_dispersion + 0.5  # Jeffreys
            self.predictor.start_from(at, log(alpha / (m / self.assumed_dispersion)), 1 / alpha)
            return None
        gain, eta, variance = self.predictor.moments(at)
        # `_forecast` inlined, because rate and dispersion are used below
        rate, dispersion, error = exp(eta), self.dispersion(), self.exposure_error
        mean = m * rate
        if mean < 1e-300:
            mean = 1e-300
        excess = (dispersion - 1) / mean + variance + error**2
        shape = 1 / (excess if excess > 1 / _MAX_SHAPE else 1 / _MAX_SHAPE)
        forecast = NegativeBinomial(mean, shape if shape < _MAX_SHAPE else _MAX_SHAPE)
        k /= rate_ratio_estimate
        if variance < _UNSURE_VARIANCE:
            most = mean + _CLIP * sqrt(forecast.variance) + 1
            if k > most:
                k = most
        blur = error**2
        miss = k - mean
        if mean > 1e-6:
            ignorance = 1 + mean * (variance + blur) / dispersion
            kept = 1 - 1 / self.window if self.periods > self.window > 0 else 1.0
            squares = self.squares * kept + miss / mean * miss / ignorance
            self.squares = squares if squares < 1e12 else 1e12
            kurtosis = 6 * (dispersion - 1) / mean + 1 / (
                dispersion * mean
            )  # capped, because it matters little for few events
            self.kurtosis_sum = self.kurtosis_sum * kept * kept + 2 + (kurtosis if kurtosis < 3.0 else 3.0)
            self.periods += 1
        self.events += k
        weight = dispersion * (1 + mean * blur / dispersion)
        alpha = 1 / variance
        alpha_after, beta_after = alpha + k / weight, alpha / rate + m / weight
        self.predictor.apply(at, gain, variance, log(alpha_after / beta_after) - eta, 1 / alpha_after)
        return forecast

    def dispersion(self) -> float:
        """Returns the variance/mean in use: the larger of the assumed and the learnt one, from 1 to 1000."""
        assumed_dispersion, prior_weight = self.assumed_dispersion, self.prior_weight
        n = self.periods - 1
        if n > self.window > 0:
            n = self.window
        seen = (prior_weight * assumed_dispersion + self.squares) / (prior_weight + n)
        if seen < assumed_dispersion:
            seen = assumed_dispersion
        if seen < 1.0:
            seen = 1.0
        return seen if seen < 1000.0 else 1000.0

    def dispersion_uncertainty(self) -> float:
        """Returns the squared relative error of the learnt variance/mean, from the kurtosis of the counts; 1 if
        unknown."""
        n = _within_window(self.periods - 1, self.window) + self.prior_weight
        return min(self.kurtosis_sum / n / n, 1.0) if self.periods > 1 else 1.0

    def inflate_variance(self) -> None:
        """Relearns level and harmonics after an accepted change; trend and dispersion are kept."""
        self.predictor.inflate_variance()

    def _forecast(self, m: float, eta: float, variance: float) -> NegativeBinomial:
        mean = max(m * exp(eta), 1e-300)
        excess = (self.dispersion() - 1) / mean + variance + self.exposure_error**2
        return NegativeBinomial(mean, min(1 / max(excess, 1 / _MAX_SHAPE), _MAX_SHAPE))


class SeasonalProportion(msgspec.Struct, kw_only=True, tag="SeasonalShare", rename=_ENCODED_NAMES):
    """Forecasts successes out of trials: beta-binomial, with learnt level, harmonics, trend and correlation of trials.

    `assumed_dispersion` is the smallest variance/mean used (1 = binomial); it and `prior_weight` as in
    `SeasonalRate`. The correlation rho of trials in one period (variance n p (1-p) (1 + (n-1) rho)) is learnt, so
    that periods of different size are consistent.

    >>> model = SeasonalProportion()
    >>> for hour in range(50):
    ...     model.learn(5.0, 50.0, hour)
    >>> forecast = model.predict(200.0, 50)
    >>> round(forecast.p, 2), round(forecast.variance, 1)
    (0.1, 19.5)
    """

    predictor: Predictor = msgspec.field(default_factory=Predictor)
    assumed_dispersion: float = 1.0
    prior_weight: float = 3.0
    periods: int = 0
    events: float = 0.0
    excess: float = 0.0  # sum of squared errors over the binomial variance, less 1
    trials: float = 0.0  # sum of n - 1
    window: int = 0  # as in `SeasonalRate`

    def predict(self, n: float, at: int) -> BetaBinomial | None:
        """Returns the forecast for `n` trials in period `at`; `None` before the first `learn`, and without trials."""
        if not self.periods or n < MIN_EXPOSURE:
            return None
        _, eta, variance = self.predictor.moments(at)
        return self._forecast(n, eta, variance)

    def learn(self, k: float, n: float, at: int) -> None:
        """Updates the model with `k` successes of `n` trials in period `at`."""
        self.observe(k, n, at)

    def observe(self, k: float, n: float, at: int, rate_ratio_estimate: float = 1.0) -> BetaBinomial | None:
        """Like `SeasonalRate.observe`; `rate_ratio_estimate` is a ratio of odds."""
        if n < MIN_EXPOSURE:
            return None
        k = min(k, n)
        if not self.periods:
            self.periods, self.events = 1, k
            a, b = k / self.assumed_dispersion + 0.5, (n - k) / self.assumed_dispersion + 0.5
            self.predictor.start_from(at, log(a / b), 1 / a + 1 / b)
            return None
        gain, eta, variance = self.predictor.moments(at)
        forecast = self._forecast(n, eta, variance)
        p, q = forecast.p, 1 - forecast.p
        if rate_ratio_estimate != 1:
            k = min(k * (1 + p * (rate_ratio_estimate - 1)) / rate_ratio_estimate, n)
        deviation = sqrt(forecast.variance)
        if variance < _UNSURE_VARIANCE:
            k = min(max(k, n * p - _CLIP * deviation - 1), n * p + _CLIP * deviation + 1)
            k = min(max(k, 0.0), n)
        weight = 1 + max(n - 1, 0.0) * self.rho(n)
        error = k - n * p
        binomial = n * p * q
        if binomial > 1e-6:
            ignorance = 1 + binomial * variance / weight
            kept = 1 - 1 / self.window if self.periods > self.window > 0 else 1.0
            self.excess = min(max(self.excess * kept + error / binomial * error / ignorance - 1, -1e12), 1e12)
            self.trials = min(self.trials * kept + max(n - 1, 0.0), 1e30)
            self.periods += 1
        self.events += k
        a, b = _beta(eta, variance)
        a_after, b_after = a + k / weight, b + (n - k) / weight
        self.predictor.apply(at, gain, variance, log(a_after / b_after) - eta, 1 / a_after + 1 / b_after)
        return forecast

    def rho(self, n: float) -> float:
        """Returns the correlation of two trials of a period of `n`: the larger of the assumed and the learnt one, at
        most .9."""
        assumed_dispersion = (self.assumed_dispersion - 1) / (n - 1) if n > 1 else 0.0
        usual = self.trials / max(_within_window(self.periods - 1, self.window), 1)
        learnt = self.excess / (self.trials + self.prior_weight * usual) if self.trials > 0 else 0.0
        return min(max(assumed_dispersion, learnt, 0.0), 0.9)

    def dispersion_uncertainty(self) -> float:
        """Returns the squared relative error of the learnt variance/mean, as for normal errors; 1 if unknown."""
        n = self.periods - 1 + self.prior_weight
        if n > 2 * self.window > 0:  # of a mean with exponential weights
            n = 2 * self.window
        return min(2 / n, 1.0)

    def inflate_variance(self) -> None:
        """Relearns level and harmonics after an accepted change; trend and correlation are kept."""
        self.predictor.inflate_variance()

    def _forecast(self, n: float, eta: float, variance: float) -> BetaBinomial:
        a, b = _beta(eta, variance)
        p = min(max(a / (a + b), 1e-15), 1 - 1e-15)
        rho = min(self.rho(n) + 1 / (a + b + 1), 0.99)
        return BetaBinomial(n, p, min(1 / max(rho, 1 / _MAX_SHAPE) - 1, _MAX_SHAPE))


def _within_window(periods: int, window: int) -> int:
    return window if periods > window > 0 else periods


@lru_cache(maxsize=4096)
def _waves(place: float, length: float, harmonics: int) -> tuple[float, ...]:
    """Returns cosine and sine of each harmonic at `place` in a cycle. Cached, because the places recur."""
    turn = 2 * pi * place / length
    return tuple(wave(j * turn) for j in range(1, harmonics + 1) for wave in (cos, sin))


def _beta(eta: float, variance: float) -> tuple[float, float]:
    """Returns (a, b) of the beta distribution whose log odds have this mean and (to first order) this variance."""
    up = exp(min(max(eta, -_MAX_ETA), _MAX_ETA))
    return (1 + up) / variance, (1 + 1 / up) / variance
