"""Probability mass functions of counts: Poisson, binomial, negative binomial, beta-binomial."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log, log1p


def poisson_pmf(mean: float, length: int) -> list[float]:
    """Returns P(0), ..., P(length - 1) of a Poisson count with `mean` > 0."""
    return [exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(length)]


def binomial_pmf(trials: int, proportion: float, length: int) -> list[float]:
    """Returns P(0), ..., P(length - 1) of the successes of `trials` trials with proportion 0 < `proportion` < 1."""
    top = min(length, trials + 1)
    head = lgamma(trials + 1)
    return [
        exp(head - lgamma(k + 1) - lgamma(trials - k + 1) + k * log(proportion) + (trials - k) * log1p(-proportion))
        for k in range(top)
    ]


def negative_binomial_pmf(mean: float, variance_mean: float, length: int) -> list[float]:
    """Returns P(0), ..., P(length - 1) of a negative binomial count with `mean` > 0 and variance/mean above 1."""
    shape, p = mean / (variance_mean - 1), (variance_mean - 1) / variance_mean
    head = -lgamma(shape) - shape * log(variance_mean)
    return [exp(head + lgamma(k + shape) - lgamma(k + 1) + k * log(p)) for k in range(length)]


def beta_binomial_pmf(trials: int, proportion: float, variance_mean: float, length: int) -> list[float]:
    """Returns P(0), ..., P(length - 1) of the successes of `trials` trials whose proportion varies by period (Beta).

    The variance is `variance_mean` times the binomial one, above 1 and below `trials`; the correlation of trials is
    (v - 1)/(trials - 1).
    """
    size = (trials - 1) / (variance_mean - 1) - 1
    a, b = proportion * size, (1 - proportion) * size
    head = lgamma(trials + 1) + lgamma(size) - lgamma(a) - lgamma(b) - lgamma(size + trials)
    return [
        exp(head - lgamma(k + 1) - lgamma(trials - k + 1) + lgamma(k + a) + lgamma(trials - k + b))
        for k in range(min(length, trials + 1))
    ]


def tail_probabilities(pmf: Sequence[float]) -> list[float]:
    """Returns P(at least k) for k = 0, 1, ..., len(pmf), summed from the small end; mass not in `pmf` lies beyond
    it."""
    rest = 1 - sum(pmf)
    made = [rest if rest > 1e-13 else 0.0]  # smaller values are rounding errors
    for p in reversed(pmf):
        made.append(made[-1] + p)
    made.reverse()
    return made
