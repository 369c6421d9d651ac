"""Variance/mean of recorded counts or proportions, with an interval, from the variation within short blocks of periods.

A block is five consecutive periods with exposure. Given a block's total, the split over its periods depends on the
dispersion and not on the rate, so a rate that drifts slowly against five periods is not taken for dispersion. A cycle
within a block (a weekday) is: it adds to the variance around any constant rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf, sqrt

import msgspec

from detectors.intervals import proportion_interval, rate_interval

BLOCK = 5  # periods
FEWEST = 5  # blocks, below which there is no estimate
HIGHEST = 1000.0  # largest variance/mean of a charter
_Z = 1.959963984540054  # 95 %, two-sided


class Period(msgspec.Struct, frozen=True):
    """Events and exposure (or successes and trials) of one period."""

    k: float
    m: float


class DispersionEstimate(msgspec.Struct, frozen=True):
    """Variance/mean with the limits of a 95 % interval; `high` is infinite where the counts do not bound it."""

    value: float
    low: float
    high: float
    blocks: int


class _Block(msgspec.Struct, frozen=True):
    total: float  # events; for proportions the smaller of events and non-events
    mean: float  # of that number
    square: float  # Pearson's chi-square given the total
    freedom: int


def dispersion(periods: Iterable[Period], is_proportion: bool) -> DispersionEstimate | None:
    """Returns the estimate, or `None` for fewer than `FEWEST` blocks with at least two events.

    Counts: given the total N of a block with mean M, negative binomial counts of variance/mean v are
    Dirichlet-multinomial (Mosimann, 1962, Biometrika 49: 65-82), and the expectation of Pearson's chi-square over its
    degrees of freedom is (N (v - 1) + M) / (v - 1 + M). The estimate solves the sum of these equations over the blocks,
    M from the overall rate. Proportions: v inflates the binomial variance; the same equation is an approximation. The
    interval inverts the score test; its variance is the larger of the model's and the observed one.

    >>> poisson = [Period(k, 1.0) for k in (4, 6, 5, 3, 7, 4, 5, 8, 2, 6)] * 20
    >>> clustered = [Period(k, 1.0) for k in (0, 12, 1, 9, 0, 14, 2, 11, 0, 10)] * 20
    >>> [round(found.value, 1) for p in (poisson, clustered) if (found := dispersion(p, False))]
    [0.8, 7.5]
    """
    blocks = _blocks([p for p in periods if p.m > 0], is_proportion)
    if len(blocks) < FEWEST:
        return None

    def excess(v: float) -> tuple[float, float]:
        """The sum of the equations at v, and its standard error."""
        expected = [b.freedom * _expected(b, v) for b in blocks]
        terms = [b.square - e for b, e in zip(blocks, expected, strict=True)]
        mean = sum(terms) / len(terms)
        observed = sum((t - mean) ** 2 for t in terms) * len(terms) / (len(terms) - 1)
        model = sum(2 * e * e / b.freedom for b, e in zip(blocks, expected, strict=True))
        return sum(terms), sqrt(max(observed, model))

    def score(v: float, z: float) -> float:
        total, error = excess(v)
        return total - z * error

    return DispersionEstimate(
        _root(lambda v: score(v, 0.0)), _root(lambda v: score(v, _Z)), _root(lambda v: score(v, -_Z)), len(blocks)
    )


def rate_bounds(periods: Sequence[Period], is_proportion: bool, variance_mean: float) -> tuple[float, float]:
    """Returns 95 % limits of the mean rate (or proportion) under this variance/mean: those of 1/variance_mean as many
    events. (0, 0) without exposure."""
    k, m = sum(p.k for p in periods), sum(p.m for p in periods)
    if m <= 0:
        return 0.0, 0.0
    if is_proportion:
        return proportion_interval(k / variance_mean, m / variance_mean)
    low, high = rate_interval(k / variance_mean)
    return low * variance_mean / m, high * variance_mean / m


def _blocks(periods: Sequence[Period], is_proportion: bool) -> list[_Block]:
    made = []
    overall = sum(p.k for p in periods) / sum(p.m for p in periods) if periods else 0.0
    for at in range(0, len(periods) - BLOCK + 1, BLOCK):
        block = periods[at : at + BLOCK]
        k, m = sum(p.k for p in block), sum(p.m for p in block)
        least = min(k, m - k) if is_proportion else k
        if least < 2:
            continue  # one event says nothing about dispersion
        rate = k / m
        square = sum((p.k - rate * p.m) ** 2 / (rate * p.m) for p in block)
        if is_proportion:
            square *= (m - 1) / m / (1 - rate)
        usual = min(overall, 1 - overall) if is_proportion else overall
        made.append(_Block(least, usual * m, square, BLOCK - 1))
    return made


def _expected(block: _Block, v: float) -> float:
    """Of chi-square over its degrees of freedom; below v = 1 (less than Poisson) v itself."""
    return v if v < 1 else (block.total * (v - 1) + block.mean) / (v - 1 + block.mean)


def _root(falling: Callable[[float], float]) -> float:
    """The variance/mean at which a falling function crosses 0; infinite if it does not below ten times `HIGHEST`."""
    low, high = 0.0, 1.0
    while falling(high) > 0:
        low, high = high, 2 * high
        if high > 10 * HIGHEST:
            return inf
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return high
