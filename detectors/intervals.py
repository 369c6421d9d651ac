"""Exact confidence limits of a Poisson mean and of a binomial proportion, and the distribution functions they invert.

Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28: 437-442. Clopper and Pearson (1934), The
use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika 26: 404-413.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erfc, exp, lgamma, log, log1p, sqrt

from detectors.base import LARGEST

_MANY = 1e6  # events above which the normal approximation agrees to five digits and the exact limits take too long


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


def _off_zero(x: float) -> float:
    return x if abs(x) > 1e-300 else 1e-300


def _solve(rising: Callable[[float], float], target: float, low: float, high: float) -> float:
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if rising(middle) >= target else (middle, high)
    return (low + high) / 2
