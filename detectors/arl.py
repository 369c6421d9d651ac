"""Average run length (ARL) of CUSUM charts of counts, computed exactly instead of taken from tables.

The chart C' = max(0, C + k - reference) takes values on a lattice if the reference is a multiple of 1/`unit`, so its
run length is that of a Markov chain (Brook and Evans 1972, Biometrika 59: 539-549). Small chains are solved by
elimination in plain Python (`run_length`: bit-equal on every machine, so that a threshold computed during monitoring
is reproducible); large ones by iterating the distribution of surviving charts until its hazard is constant
(`survivors`; numpy, imported on first use).

`poisson_cusum` and `bernoulli_cusum` return the ARL of a chart; `threshold_for` solves for the threshold. Charts of
normal numbers are in `arl_normal.py`; `gaussian_cusum` and `gaussian_ewma` can be imported from here as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, inf, isfinite, lcm, log, log1p, sqrt

from detectors.arl_chain import Falling, one_down, run_length, survivors
from detectors.arl_normal import gaussian_cusum, gaussian_ewma
from detectors.arl_pmf import beta_binomial_pmf, binomial_pmf, negative_binomial_pmf, poisson_pmf
from detectors.base import positive

__all__ = [
    "bernoulli_cusum",
    "bernoulli_lattice",
    "beta_binomial_pmf",
    "binomial_pmf",
    "gaussian_cusum",
    "gaussian_ewma",
    "negative_binomial_pmf",
    "poisson_cusum",
    "poisson_pmf",
    "run_length",
    "survivors",
    "threshold_for",
]

_QUICK = 400_000  # steps of elimination above which `survivors` is faster
_MANY = 1_000_000  # trials above which logarithms of factorials lose too many digits
_ALIKE = 5_000  # trials above which a beta-binomial proportion is approximated by one of this many trials
_STEPS_DOWN = 40  # cells per reference on a coarse lattice
_LARGEST = 400_000  # cells of the largest lattice that is solved
_LONGEST = 3_000_000  # the same where one pass solves it


def poisson_cusum(mean: float, k: float, h: float, head_start: float = 0, strict: bool = False) -> float:
    """Returns the ARL of C = max(0, C + count - k) for Poisson counts of `mean` >= 0, alarm at C >= h (`strict`: C >
    h).

    `k` > 0, `h` > 0 and 0 <= `head_start` < h in events. `k` is rounded to the nearest fraction with a denominator up
    to 2,000 (below 1/2,000: to the nearest 1/n). Infinite if the chart cannot rise. Raises ValueError naming the
    parameter. Lucas (1985), Technometrics 27: 129-144.

    >>> round(poisson_cusum(0.25, 0.25, 10), 2), round(poisson_cusum(0.25, 0.25, 10, head_start=5), 2)
    (438.12, 333.12)
    """
    positive(k=k, h=h)
    if not mean >= 0 or not isfinite(mean):
        raise ValueError(f"mean: {mean!r} must be a finite number of at least 0")
    if not 0 <= head_start < h:
        raise ValueError(f"head_start: {head_start!r} must be at least 0 and below h; half of h is usual")
    if mean == 0:
        return inf
    if k < 1 / 2_000:
        return _tiny(mean, k, h, head_start, strict)
    unit, down, threshold, start = _cells(k, h, head_start, strict)
    return _chain(
        poisson_pmf(mean, max((threshold + down) // unit + 2, _until(mean, 1.0))), unit, down, threshold, start
    )


def bernoulli_cusum(p: float, p0: float, p1: float, h: float) -> float:
    """Returns the ARL of B = max(0, B + x - 1/m), alarm at B >= h, for x = 1 with probability `p`; tuned to p0 -> p1.

    m is the integer nearest to ln(p1 (1-p0) / (p0 (1-p1))) / ln((1-p0) / (1-p1)), so that the chart takes values on a
    lattice (it is then optimal for a p1 very near the given one). Raises ValueError naming the parameter. Reynolds and
    Stoumbos (1999), Journal of Quality Technology 31: 87-108.

    >>> round(bernoulli_cusum(0.01, 0.01, 0.02, 3), 1)
    2300.7
    """
    if not 0 < p0 < p1 < 1:
        raise ValueError(
            f"p0, p1: {p0!r}, {p1!r} are not 0 < p0 < p1 < 1; give the proportion in control and the one to detect"
        )
    if not 0 <= p <= 1:
        raise ValueError(f"p: {p!r} is not a probability from 0 to 1")
    positive(h=h)
    m = bernoulli_lattice(p0, p1)
    if h * m > _LONGEST:
        raise ValueError(f"p0, h: {h * m:.3g} cells are more than {_LONGEST:,}; take a larger p0 or a lower h")
    return one_down([1 - p, p], m, ceil(h * m - 1e-9))


def _tiny(mean: float, k: float, h: float, head_start: float, strict: bool) -> float:
    """Returns `poisson_cusum` for k < 1/2,000, on a lattice with cells of `k` events."""
    unit = round(1 / k)
    if h * unit > _LONGEST:
        raise ValueError(f"k, h: {h * unit:.3g} cells are more than {_LONGEST:,}; take longer periods or a lower h")
    threshold = floor(h * unit + 1e-9) + 1 if strict else ceil(h * unit - 1e-9)
    pmf = poisson_pmf(mean, max(ceil(threshold / unit) + 2, _until(mean, 1.0)))
    return one_down(pmf, unit, threshold, min(round(head_start * unit), threshold - 1))


def bernoulli_lattice(p0: float, p1: float) -> int:
    """Returns the m of `bernoulli_cusum`: a success moves the chart up by (m - 1)/m, a failure down by 1/m."""
    down = log1p(-p0) - log1p(-p1)
    return max(2, round((log(p1 / p0) + down) / down))


@lru_cache(maxsize=4096)
def threshold_for(
    mean: float, trials: int, reference: float, arl0: float, most: float, variance_mean: float = 1.0
) -> tuple[float, float] | None:
    """Returns the smallest threshold (events) whose exact run length is at least `arl0`, and the reference on the
    lattice.

    `mean` events a period: Poisson (`trials` 0), binomial out of `trials`, or with `variance_mean` above 1 negative
    binomial and beta-binomial. A `reference` below the mean makes the chart look down: C = max(0, C + reference - k).
    Thresholds up to eight times `most` are tried, `most` first. Returns `None` if the chain is too large to solve (very
    small or large means) or cannot rise.
    """
    up = reference > mean
    found = _lattice(reference, most, trials) if reference > 1e-9 else None
    if trials == 1:
        variance_mean = 1.0  # a single trial has no other
    if (trials and 1 < trials <= variance_mean) or (0 < trials <= reference) or trials > _MANY:
        return None
    if up and trials and variance_mean > 1 and reference > 1e-9 and (found is None or trials > 1_000):
        return _coarse_threshold(mean, trials, reference, arl0, most, variance_mean)
    if found is None:
        return None
    unit, down = found
    if (down > mean * unit) is not up or not down:
        return None  # the lattice is so coarse that the chart would drift the wrong way
    high = ceil(most * unit)

    def pmf(cells: int) -> list[float]:
        if trials and variance_mean == 1:
            return binomial_pmf(trials, mean / trials, cells)
        if trials:
            return beta_binomial_pmf(trials, mean / trials, variance_mean, cells)
        return poisson_pmf(mean, cells) if variance_mean == 1 else negative_binomial_pmf(mean, variance_mean, cells)

    def rising(threshold: int) -> float:
        return run_length(pmf((threshold + down) // unit + 2), unit, down, threshold)

    length = rising if up else Falling(pmf(trials + 1 if trials else _until(mean, variance_mean)), unit, down).length
    largest = 8 * high
    while length(high) < arl0:
        if high >= largest or high * high * down > 1_000_000:
            return None
        high = min(2 * high, largest)
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        if length(middle) >= arl0:
            high = middle
        else:
            low = middle
    return high / unit, down / unit


def _coarse_threshold(
    mean: float, trials: int, reference: float, arl0: float, most: float, variance_mean: float
) -> tuple[float, float] | None:
    """Returns `threshold_for` of beta-binomial periods of many trials: successes are grouped into cells of several.

    Each count is split between its two neighbouring cells so that the mean is unchanged. That only increases the
    variance, so the threshold is slightly too high rather than too low.
    """
    if trials > _ALIKE:  # above, the distribution of the proportion hardly depends on the number of trials
        scale = trials / _ALIKE
        if variance_mean / scale <= 1:
            return None
        found = _coarse_threshold(mean / scale, _ALIKE, reference / scale, arl0, most / scale, variance_mean / scale)
        return found and (found[0] * scale, found[1] * scale)
    down = _STEPS_DOWN
    cell = reference / down
    if mean / cell > down - 1:
        return None  # the change is too small for cells of this size
    if trials / cell > 20_000:
        return None  # the chain would be too large
    pmf = [0.0] * (ceil(trials / cell) + 2)
    for k, p in enumerate(beta_binomial_pmf(trials, mean / trials, variance_mean, trials + 1)):
        lower, part = divmod(k / cell, 1.0)
        pmf[int(lower)] += p * (1 - part)
        pmf[int(lower) + 1] += p * part
    low, high = 0, min(max(ceil(most / cell), 2), 400)
    while run_length(pmf, 1, down, high) < arl0:
        if high > 400:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if run_length(pmf, 1, down, middle) >= arl0 else (middle, high)
    return high * cell, reference


def _until(mean: float, variance_mean: float) -> int:
    """Returns a count beyond which the probability is negligible."""
    return ceil(mean + 12 * sqrt(mean * variance_mean) + 30 * variance_mean)


def _lattice(reference: float, most: float, trials: int) -> tuple[int, int] | None:
    """Returns the finest lattice on which the chain is quick to solve: cells per event, and the reference in cells."""
    for fineness, steps in ((16, 200_000), (8, 200_000), (4, 200_000), (2, 200_000), (1, 500_000)):
        if reference >= 1:
            unit, down = fineness, round(reference * fineness)
        else:
            unit, down = round(fineness / reference), fineness
        cells = most * unit
        if cells * min(cells, unit * trials if trials else cells) * down <= steps:
            return unit, down
    return None


def _chain(pmf: Sequence[float], unit: int, reference: int, threshold: int, start: int) -> float:
    solve = run_length if threshold * threshold * reference <= _QUICK else survivors
    return solve(pmf, unit, reference, threshold, start)


def _cells(k: float, h: float, head_start: float, strict: bool) -> tuple[int, int, int, int]:
    """Returns the cells per event, and reference, threshold and start in cells."""
    step = Fraction(k).limit_denominator(2_000)
    if step <= 0:
        raise ValueError(f"k: {k!r} is below 1/2000 of an event; give a longer period")
    unit = lcm(step.denominator, Fraction(head_start).limit_denominator(2_000).denominator)
    if unit > 4_000:
        unit = step.denominator * ceil(1_000 / step.denominator)
    threshold = floor(h * unit + 1e-9) + 1 if strict else ceil(h * unit - 1e-9)
    if threshold > _LARGEST:
        raise ValueError(f"h: {h!r} makes a chain of {threshold} cells; round k to fewer decimals")
    return unit, int(step * unit), threshold, min(round(head_start * unit), threshold - 1)
