"""Overshoot correction of the Shiryaev-Roberts threshold by renewal theory, for Poisson counts.

The bound ARL0 >= A ignores the overshoot: at an alarm the sum exceeds A. As A grows, ARL0 / A tends to 1/zeta, where
zeta is the mean of exp(-overshoot) of the log likelihood ratio's random walk, and for a mixture with weights w_i to 1
/ sum(w_i zeta_i) (Pollak 1987, Annals of Statistics 15: 749-779; zeta by Spitzer's identity, Woodroofe 1982). This is
an asymptotic result, not a theorem at a finite A; `tests/bench/detbench` measures the error.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erf, exp, floor, lgamma, log, pi, sqrt

_EACH = 2_000  # terms of Spitzer's series summed one by one; the rest is integrated over ln n


def calibrated_threshold(
    ratios: Sequence[float], mean: float, arl0: float, weights: Sequence[float] | None = None
) -> float:
    """Returns the threshold A (not its logarithm) whose ARL0 is about `arl0` periods.

    For Poisson counts of `mean` > 0 and a mixture over rate `ratios` with `weights` (equal if `None`; summing to 1).

    >>> round(calibrated_threshold((1.25, 1.5, 2.0, 3.0), 5.0, 1000.0))
    420
    """
    shares = [1 / len(ratios)] * len(ratios) if weights is None else weights
    return arl0 * sum(w * undershoot(r, mean) for w, r in zip(shares, ratios, strict=True))


def siegmund_nu(x: float) -> float:
    """Returns nu(x), about the mean of exp(-overshoot) of a normal random walk with steps of sd `x` >= 0.

    Siegmund (1985), Sequential Analysis, chapter 4: nu(x) = (2/x) (Phi(x/2) - 1/2) / ((x/2) Phi(x/2) + phi(x/2)).

    >>> round(siegmund_nu(1.0), 4)
    0.5488
    """
    if x < 1e-6:
        return 1.0
    x = min(x, 1e6)
    below, density = 0.5 * (1 + erf(x / 2 / sqrt(2))), exp(-x * x / 8) / sqrt(2 * pi)
    return 2 / x * (below - 0.5) / (x / 2 * below + density)


def undershoot(ratio: float, mean: float) -> float:
    """Returns zeta = exp(-sum over n of (P0(S_n > 0) + P1(S_n <= 0)) / n) / I, with I the Kullback-Leibler
    information of a period; 0 < zeta < 1."""
    slope = log(ratio)
    level = (ratio - 1) / slope * mean  # events per period at which the step of the walk is 0
    information = ratio * mean * slope - (ratio - 1) * mean

    def wrong(n: int) -> float:
        """Returns P0(the walk is above 0 after n steps) + P1(it is not)."""
        edge = level * n
        if ratio > 1:
            return _above(edge, n * mean) + 1 - _above(edge, n * mean * ratio)
        return 1 - _above(edge, n * mean) + _above(edge, n * mean * ratio)

    total, n = 0.0, 1
    while n <= _EACH:
        term = wrong(n)
        total += term / n
        if term < 1e-9:
            break
        n += 1
    else:
        step, before = 1.02, wrong(_EACH)
        total -= before / _EACH / 2
        while before > 1e-9:
            later = round(n * step)
            term = wrong(later)
            total += (before + term) / 2 * log(later / n)
            n, before = later, term
    return exp(-total) / information


def _above(edge: float, mean: float) -> float:
    """Returns P(K > edge) of a Poisson count, summed over the tail with fewer terms."""
    first = floor(edge) + 1
    if first > mean:
        return _run(first, 1, mean)
    return 1 - _run(first - 1, -1, mean)


def _run(k: int, way: int, mean: float) -> float:
    """Returns the sum of P(k), P(k + way), ... until it no longer changes."""
    if k < 0 or abs(k - mean) > 40 * sqrt(mean) + 200:
        return 0.0
    p = exp(k * log(mean) - mean - lgamma(k + 1))
    total = 0.0
    while p > 1e-17 * total and k >= 0:
        total += p
        p *= mean / (k + 1) if way > 0 else k / mean
        k += way
    return total
