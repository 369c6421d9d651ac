"""A score in words: the rate ratio with its confidence interval, and the sentence that decisions carry.

Computed when a decision is written, not per observation. The interval is for one period: exact for Poisson counts
(Garwood 1936, Biometrika 28: 437-442) and binomial proportions (Clopper and Pearson 1934, Biometrika 26: 404-413),
widened by the assumed variance/mean (events and exposure divided by it, an approximation). It is not corrected for
repeated looks: valid at all times is the comparison of the statistic with its threshold, for detectors that guarantee
it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erfc, exp, lgamma, log, log1p, sqrt

import msgspec

from detectors.base import LARGEST, Count, Gap, Gauge, Observation, Score, within

_MANY = 1e6  # events above which the normal approximation agrees to five digits and the exact limits take too long


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A score in words. `ratio` is observed over expected, `low` and `high` its confidence interval (`None` without a
    likelihood or if nothing was expected); `method` names the interval and its exactness."""

    sentence: str
    observed: float
    expected: float
    statistic: float
    threshold: float
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    method: str = ""


def explain(
    observation: Observation, score: Score, name: str = "", *, variance_mean: float = 1.0, confidence: float = 0.95
) -> Explanation:
    """Returns a score of the registered detector `name` in words; `observation` is its input.

    Raises ValueError for a confidence outside [0.5, 0.999999] or a `variance_mean` below 1.

    >>> from textwrap import fill
    >>> from detectors.base import Count
    >>> score = Score(statistic=3.89, threshold=4.61, expected=2.0, observed=9.0, alpha=0.01)
    >>> print(fill(explain(Count(9.0, 1.0), score, "limit_e_process").sentence, 100))
    9 events against a limit of 2 (ratio 4.5, 95 % confidence interval of this period 2.06 to 8.54). The
    evidence against the limit (e-value) is 48.9 and the threshold is 100: threshold not reached.
    """
    within("confidence", confidence, low=0.5, high=0.999999)
    within("variance_mean", variance_mean, low=1, high=1000)
    ratio = low = high = None
    method = ""
    if isinstance(observation, Gap):
        seen = f"no event for {_number(observation.seconds)} s in which {_number(observation.expected)} were expected"
    elif isinstance(observation, Gauge):
        seen = f"a value of {_number(score.observed)} {_against(name, _number(score.expected))}"
    else:
        v = variance_mean
        if isinstance(observation, Count):
            what = f"{_number(score.observed)} events {_against(name, _number(score.expected))}"
            bottom, (low, high) = score.expected, rate_interval(min(observation.k, LARGEST) / v, confidence)
            low, high = (low * v, high * v)
            method = "Garwood, exact for Poisson"
        else:
            of = f"{_number(observation.k)} of {_number(observation.n)} ({_percent(score.observed)})"
            what = f"{of} {_against(name, _percent(score.expected))}"
            bottom, (low, high) = score.expected, proportion_interval(observation.k / v, observation.n / v, confidence)
            method = "Clopper and Pearson, exact for a binomial"
        if v > 1:
            method = f"{method.split(',')[0]}, widened for variance/mean {v:g} (approximate)"
        if bottom > 1e-250:
            ratio, low, high = score.observed / bottom, low / bottom, high / bottom
            seen = (
                f"{what} (ratio {_number(ratio)}, {confidence * 100:g} % confidence interval of this period "
                f"{_number(low)} to {_number(high)})"
            )
        else:
            low = high = None
            seen = what
    words = _EVIDENCE.get(name, _plain)(score)
    end = "threshold reached" if score.alarm else "threshold not reached"
    return Explanation(
        sentence=f"{seen[0].upper()}{seen[1:]}. {words}: {end}.",
        observed=score.observed,
        expected=score.expected,
        statistic=score.statistic,
        threshold=score.threshold,
        ratio=ratio,
        low=low,
        high=high,
        confidence=confidence,
        method=method,
    )


def rate_interval(k: float, confidence: float = 0.95) -> tuple[float, float]:
    """Returns Garwood's limits of a Poisson mean after `k` >= 0 events; each side errs with at most (1 - confidence)/2.

    >>> [round(x, 4) for x in rate_interval(3.0)]
    [0.6187, 8.7673]
    """
    tail = (1 - confidence) / 2
    if k > _MANY:
        half = _quantile(tail) * sqrt(k)
        return k - half, k + half
    low = _solve(lambda x: gamma_p(k, x), tail, 0.0, k) if k > 0 else 0.0
    top = k + 1.0
    while gamma_p(k + 1, top) < 1 - tail:
        top = 2 * top + 1
    return low, _solve(lambda x: gamma_p(k + 1, x), 1 - tail, 0.0, top)


def proportion_interval(k: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Returns Clopper and Pearson's limits of a proportion after `k` successes of `n` trials; (0, 1) for no trials.

    >>> [round(x, 6) for x in proportion_interval(3.0, 100.0)]
    [0.00623, 0.085176]
    """
    tail = (1 - confidence) / 2
    if n <= 0:
        return 0.0, 1.0
    k, n = min(k, LARGEST), min(n, LARGEST)
    if n > 1000 * _MANY and min(k, n - k) <= _MANY:  # numerically Poisson
        low, high = rate_interval(min(k, n - k), confidence)
        return (low / n, high / n) if k <= n - k else (1 - high / n, 1 - low / n)
    if k > _MANY and n - k > _MANY:
        half = _quantile(tail) * sqrt(k / n * (1 - k / n) / n)
        return k / n - half, k / n + half
    low = _solve(lambda p: beta_i(k, n - k + 1, p), tail, 0.0, 1.0) if k > 0 else 0.0
    high = _solve(lambda p: beta_i(k + 1, n - k, p), 1 - tail, 0.0, 1.0) if k < n else 1.0
    return low, high


def _quantile(tail: float) -> float:
    return _solve(lambda z: -erfc(z / sqrt(2)) / 2, -tail, 0.0, 40.0)


def gamma_p(a: float, x: float) -> float:
    """Returns P(K >= a) of a Poisson count with mean `x` (integer a > 0): the regularised lower incomplete gamma
    function."""
    if x <= 0:
        return 0.0
    head = exp(a * log(x) - x - lgamma(a + 1))
    if x < a + 1:
        term = total = 1.0
        n = a
        while term > 1e-17 * total:
            n += 1
            term *= x / n
            total += term
        return min(1.0, head * total)
    b = x + 1 - a  # Lentz's continued fraction for the upper part
    c, d = 1e300, 1 / b
    h = d
    for i in range(1, 100_000):
        step = -i * (i - a)
        b += 2
        d = 1 / _off_zero(step * d + b)
        c = _off_zero(b + step / c)
        h *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return 1 - head * a * h


def beta_i(a: float, b: float, x: float) -> float:
    """Returns P(K >= a) of a + b - 1 trials with proportion `x`: the regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_i(b, a, 1 - x)
    head = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    h = d
    for m in range(1, 100_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _off_zero(1 + step * d)
            c = _off_zero(1 + step / c)
            h *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return head * h


def _against(name: str, expected: str) -> str:
    return f"against a limit of {expected}" if name in _LIMITS else f"against {expected} expected"


def _limit(score: Score) -> str:
    return (
        f"The evidence against the limit (e-value) is {_power(score.statistic)} "
        f"and the threshold is {_power(score.threshold)}"
    )


def _change(score: Score) -> str:
    threshold = _power(score.threshold)
    return (
        f"The evidence of a change is {_power(score.statistic)} and the threshold is {threshold}, "
        f"which stands for at least {threshold} periods between false alarms on average"
    )


def _sprt(score: Score) -> str:
    text = (
        f"The log likelihood ratio of all events so far is {_number(score.statistic)} "
        f"and the threshold is {_number(score.threshold)}"
    )
    if score.alpha is None:
        return text
    return f"{text}, which a pilot within its limit ever reaches with a probability of at most {score.alpha * 100:g} %"


def _silent(score: Score) -> str:
    return f"The threshold is {_number(score.threshold)} expected events"


def _plain(score: Score) -> str:
    return f"The statistic is {_number(score.statistic)} and the threshold is {_number(score.threshold)}"


_LIMITS = ("limit_e_process", "maxsprt", "gauge_limit")
"""Detectors whose `expected` is always the charter's limit."""

_EVIDENCE: dict[str, Callable[[Score], str]] = {
    "limit_e_process": _limit,
    "e_detector": _change,
    "maxsprt": _sprt,
    "silence": _silent,
}


def _number(x: float) -> str:
    return f"{x:,.0f}" if abs(x) >= 1000 or x == round(x) else f"{x:.3g}"


def _percent(x: float) -> str:
    return f"{100 * x:.3g} %"


def _power(x: float) -> str:
    """Returns exp(x) as text with three digits."""
    return "more than 10^12" if x > 27.6 else "less than 0.01" if x < -4.6 else _number(float(f"{exp(x):.3g}"))


def _off_zero(x: float) -> float:
    return x if abs(x) > 1e-300 else 1e-300


def _solve(rising: Callable[[float], float], target: float, low: float, high: float) -> float:
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if rising(middle) >= target else (middle, high)
    return (low + high) / 2
