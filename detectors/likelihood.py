"""Log e-values of one period, linear in the events and the exposure: `slope x k + cost x m`.

An e-value has expectation at most 1 under the null hypothesis (the pilot keeps its limit), so the probability that it
reaches 1/alpha is at most alpha (Markov's inequality). Each line belongs to one alternative: a rate (or odds) of
`ratio` times the limit.

Why it is linear: with theta > 0 and G the probability generating function of the count at the limit, `theta^k /
G(theta)` has expectation exactly 1. `theta^k` is convex in k, so the expectation is at most 1 for every distribution
with less dispersion. It is monotone in k, so the expectation is at most 1 for every lower rate (higher, if `ratio <
1`). Together these cover the composite null hypothesis. For `ratio > 1` the e-value increases in k and decreases in
m, which permits scores of open periods and of late events.
"""

from __future__ import annotations

from math import log, log1p
from typing import TypeAlias

SlopeAndCost: TypeAlias = tuple[float, float]


def count_line(ratio: float, rate: float, variance_mean: float = 1.0) -> SlopeAndCost:
    """Returns (slope, cost) for counts over exposure: `ratio` times `rate` (events per unit) against `rate`.

    Poisson (`variance_mean` 1): the likelihood ratio `k ln(ratio) - (ratio - 1) rate m`. Above 1: the likelihood
    ratio of two negative binomials of equal shape `rate m / (variance_mean - 1)`, which has this variance/mean at the
    limit; then theta = ratio v / (1 + ratio (v - 1)) and G(theta) = (1 - (v-1)(theta-1))^-shape. The ratio of two
    negative binomials of equal variance/mean is not used: for small means it is concave in k, so a pilot with less
    dispersion than assumed could exceed alpha, and it increases in m.

    >>> count_line(2.0, 3.0)
    (0.6931471805599453, -3.0)
    """
    excess = variance_mean - 1
    if excess == 0:
        return log(ratio), -(ratio - 1) * rate
    turn = -log1p((ratio - 1) * excess / variance_mean)
    return log(ratio) + turn, rate * turn / excess


def proportion_line(ratio: float, proportion: float, variance_mean: float = 1.0) -> SlopeAndCost:
    """Returns (slope, cost) for `k` of `n` trials: odds `ratio` times those of `proportion` (0 < proportion < 1).

    The ratio is of odds, so that every ratio corresponds to a proportion below 1; for small proportions odds and
    proportion agree. An assumed variance/mean v divides the line by v. This is exact for trials in groups of at most v
    with any dependence within a group: for X = ratio^(successes in a group / v), E X is largest when all trials of the
    group agree, and then Jensen's inequality gives (1 - p + ratio p)^(size / v).

    >>> proportion_line(2.0, 0.5)
    (0.6931471805599453, -0.4054651081081644)
    """
    return log(ratio) / variance_mean, -log1p((ratio - 1) * proportion) / variance_mean
