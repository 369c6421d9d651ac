"""How far does a Shiryaev-Roberts sum jump past its bar? What that is worth, by renewal theory, for Poisson counts.

The theorem ARL0 >= A wastes the overshoot: an alarm comes with a sum beyond A. As A grows, ARL0 / A tends to 1/zeta, zeta the mean of
exp(-overshoot) of the log likelihood ratio's walk, and for a mixture with weights w_i to 1 / sum(w_i zeta_i) (Pollak 1987,
Annals of Statistics 15: 749-779; zeta from Woodroofe 1982 by Spitzer's identity). No theorem at any finite A: `detbench`
measures how near it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, floor, lgamma, log, sqrt

_EACH = 2_000  # terms of Spitzer's series summed one by one; beyond, as an integral over ln n


def calibrated_threshold(
    ratios: Sequence[float], mean: float, arl0: float, weights: Sequence[float] | None = None
) -> float:
    """The bar A whose ARL0 is about `arl0` periods, for Poisson counts of `mean` > 0 and a mixture over rate `ratios`.

    >>> round(calibrated_threshold((1.25, 1.5, 2.0, 3.0), 5.0, 1000.0))
    420
    """
    shares = [1 / len(ratios)] * len(ratios) if weights is None else weights
    return arl0 * sum(w * undershoot(r, mean) for w, r in zip(shares, ratios, strict=True))


def undershoot(ratio: float, mean: float) -> float:
    """zeta = exp(-sum over n of (P0(S_n > 0) + P1(S_n <= 0)) / n) / I, I the information of a period; 0 < zeta < 1."""
    slope = log(ratio)
    level = (ratio - 1) / slope * mean  # events a period at which the walk stands still
    information = ratio * mean * slope - (ratio - 1) * mean

    def wrong(n: int) -> float:
        """P0 that the walk has risen after n steps, plus P1 that it has not."""
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
    """P(K > edge) of a Poisson count, summed from the side that needs fewer terms."""
    first = floor(edge) + 1
    if first > mean:
        return _run(first, 1, mean)
    return 1 - _run(first - 1, -1, mean)


def _run(k: int, way: int, mean: float) -> float:
    """Sum of P(k), P(k + way), ... while it changes."""
    if k < 0 or abs(k - mean) > 40 * sqrt(mean) + 200:
        return 0.0
    p = exp(k * log(mean) - mean - lgamma(k + 1))
    total = 0.0
    while p > 1e-17 * total and k >= 0:
        total += p
        p *= mean / (k + 1) if way > 0 else k / mean
        k += way
    return total
