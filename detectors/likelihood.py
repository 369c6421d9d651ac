"""Log e-values of one period, each a straight line in the events and the exposure: `slope x k + cost x m`.

An e-value is a number that no pilot which keeps its limit can make large: its expectation is at most 1, so the chance that
it reaches 1/alpha is at most alpha. Each line below belongs to one alternative, a rate (or odds) `ratio` times the limit.

Why a line. With theta > 0 and G the probability generating function of the count under the limit, `theta^k / G(theta)`
has expectation exactly 1. `theta^k` is convex in k, so the expectation stays at or below 1 for every distribution that is
*less* spread out, and it is monotone in k, so it stays there for every *lower* rate too (higher, if `ratio < 1`). That is
the whole composite null. It also rises in k and falls in m (for `ratio > 1`), which is what allows evidence from a period
that is still open and from events that come late.
"""

from __future__ import annotations

from math import log, log1p
from typing import TypeAlias

SlopeAndCost: TypeAlias = tuple[float, float]


def count_line(ratio: float, rate: float, variance_mean: float = 1.0) -> SlopeAndCost:
    """Counts over exposure: `ratio` times `rate` (events per unit) against `rate`, for a granted variance/mean.

    Poisson (variance/mean 1): the likelihood ratio, `k ln(ratio) - (ratio - 1) rate m`. Above 1: the likelihood ratio of
    two negative binomials of equal shape, the shape being the one that has this variance/mean at the limit
    (`rate m / (variance_mean - 1)`); then theta = ratio v / (1 + ratio (v - 1)) and G(theta) = (1 - (v-1)(theta-1))^-shape.
    The more familiar ratio of two negative binomials of equal variance/mean is not used: it is concave in k when little is
    expected, so a pilot *less* dispersed than granted could exceed alpha, and it rises in m.

    >>> count_line(2.0, 3.0)
    (0.6931471805599453, -3.0)
    """
    excess = variance_mean - 1
    if excess == 0:
        return log(ratio), -(ratio - 1) * rate
    turn = -log1p((ratio - 1) * excess / variance_mean)
    return log(ratio) + turn, rate * turn / excess


def proportion_line(ratio: float, proportion: float, variance_mean: float = 1.0) -> SlopeAndCost:
    """`k` of `n` trials: odds `ratio` times those of `proportion` against `proportion` (0 < share < 1).

    Odds, not the share itself, so that every ratio names a share below 1; for small shares they are the same. A granted
    variance/mean v divides the line by v. That is exact for trials in groups of at most v, whatever the dependence within
    a group: for X = ratio^(hits in a group / v), E X is largest when the group is all or nothing, and then Jensen's
    inequality gives (1 - p + ratio p)^(size / v).

    >>> proportion_line(2.0, 0.5)
    (0.6931471805599453, -0.4054651081081644)
    """
    return log(ratio) / variance_mean, -log1p((ratio - 1) * proportion) / variance_mean
