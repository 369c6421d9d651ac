"""Random-effects estimate over several pilots: what is common to them, and how much they differ.

DerSimonian and Laird (1986), Meta-analysis in clinical trials, Controlled Clinical Trials 7: 177-188, for the variance
between pilots; Higgins and Thompson (2002), Quantifying heterogeneity in a meta-analysis, Statistics in Medicine 21:
1539-1558, for I^2; Hartung and Knapp (2001), A refined method for the meta-analysis of controlled clinical trials with
binary outcome, Statistics in Medicine 20: 3875-3889, for the interval; Higgins, Thompson, Spiegelhalter (2009), A
re-evaluation of random-effects meta-analysis, Journal of the Royal Statistical Society A 172: 137-159, for the
prediction interval of one more pilot.

Valid at one look that was fixed beforehand, and where pilots differ as a normal distribution does: it compares, and no
decision rests on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, sqrt

from msgspec import Struct

from detectors.intervals import beta_i


class Pooled(Struct, frozen=True):
    """On the scale of the effects: the `estimate` with its standard error (`error`) and interval (`low` to `high`), the
    variance `between` pilots, Cochran's `q` with the share of it (`i2`, 0 to 1) that chance does not explain, and where
    one more pilot would be (`next_low` to `next_high`; `None` with fewer than three)."""

    estimate: float
    error: float
    low: float
    high: float
    between: float
    q: float
    i2: float
    next_low: float | None
    next_high: float | None


def pooled(effects: Sequence[float], variances: Sequence[float], confidence: float = 0.95) -> Pooled:
    """The pooled estimate of two or more effects with their variances (> 0). Raises ValueError for fewer.

    >>> found = pooled([0.1, 0.3, 0.5], [0.01, 0.02, 0.03])
    >>> round(found.estimate, 4), round(found.between, 4), round(found.i2, 4)
    (0.2674, 0.0217, 0.5417)
    """
    count = len(effects)
    if count < 2 or len(variances) != count or min(variances) <= 0:
        raise ValueError("a pooled estimate needs two or more effects, each with a variance above 0")
    fixed = [1 / v for v in variances]
    total = sum(fixed)
    common = sum(w * y for w, y in zip(fixed, effects, strict=True)) / total
    q = sum(w * (y - common) ** 2 for w, y in zip(fixed, effects, strict=True))
    between = max(0.0, (q - (count - 1)) / (total - sum(w * w for w in fixed) / total))
    weights = [1 / (v + between) for v in variances]
    summed = sum(weights)
    estimate = sum(w * y for w, y in zip(weights, effects, strict=True)) / summed
    error = sqrt(1 / summed)
    spread = sum(w * (y - estimate) ** 2 for w, y in zip(weights, effects, strict=True)) / (count - 1)
    half = (
        student_t(1 - (1 - confidence) / 2, count - 1) * error * sqrt(max(spread, 1.0))
    )  # never narrower than without
    following = None
    if count > 2:
        following = student_t(1 - (1 - confidence) / 2, count - 2) * sqrt(between + error**2)
    return Pooled(
        estimate=estimate,
        error=error,
        low=estimate - half,
        high=estimate + half,
        between=between,
        q=q,
        i2=max(0.0, 1 - (count - 1) / q) if q > 0 else 0.0,
        next_low=None if following is None else estimate - following,
        next_high=None if following is None else estimate + following,
    )


def log_rate(k: float, m: float, variance_mean: float = 1.0) -> tuple[float, float]:
    """Logarithm of the rate of `k` events over exposure `m` > 0, and its variance; half an event is added to none."""
    k = k or 0.5
    return log(k / m), variance_mean / k


def log_odds(k: float, n: float, variance_mean: float = 1.0) -> tuple[float, float]:
    """Log odds of `k` of `n` > 0 trials, and its variance; half a trial is added on both sides where one is empty."""
    if not 0 < k < n:
        k, n = k + 0.5, n + 1.0
    return log(k / (n - k)), variance_mean * (1 / k + 1 / (n - k))


def student_t(probability: float, degrees: int) -> float:
    """The quantile of Student's distribution, for a probability of 0.5 to below 1.

    >>> round(student_t(0.975, 12), 4), round(student_t(0.975, 1), 3)
    (2.1788, 12.706)
    """
    tail, low, high = 2 * (1 - probability), 0.0, 1.0
    while _beyond(high, degrees) > tail and high < inf:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _beyond(middle, degrees) > tail else (low, middle)
    return high


def _beyond(t: float, degrees: int) -> float:
    """P(|T| > t)."""
    return beta_i(degrees / 2, 0.5, degrees / (degrees + t * t))
