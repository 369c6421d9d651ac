"""Average run length (ARL) of CUSUM and EWMA charts of normal numbers with variance 1, computed exactly.

Page's integral equation for CUSUM, and Crowder's (1987, Technometrics 29: 401-407) for EWMA, on Gauss-Legendre nodes.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, cos, erfc, exp, inf, pi, sqrt

from detectors.base import finite, positive


def gaussian_cusum(mu: float, k: float, h: float, sided: int = 2) -> float:
    """Returns the ARL from 0 of C = max(0, C + x - k), alarm at C >= h, for x normal with mean `mu`; k and h in sd.

    `sided` 2 adds the mirrored chart, by 1/ARL = 1/ARL+ + 1/ARL- (Kemp 1961); 1 does not. Raises ValueError naming the
    parameter. Page (1954), Continuous inspection schemes, Biometrika 41: 100-115.

    >>> round(gaussian_cusum(0, 0.5, 4), 1), round(gaussian_cusum(1, 0.5, 4), 2)
    (167.7, 8.38)
    """
    positive(h=h)
    finite(mu=mu, k=k)
    if h > 150:
        raise ValueError(f"h: {h!r} sd would take too long to solve; give one up to 150")
    if sided not in (1, 2):
        raise ValueError(f"sided: {sided!r} is not 1 or 2")
    up = _one_sided(mu, k, h)
    if sided == 1:
        return up
    hazard = 1 / up + 1 / _one_sided(-mu, k, h)
    return 1 / hazard if hazard else inf


def gaussian_ewma(mu: float, lam: float, L: float) -> float:  # noqa: N803  the name of the literature
    """Returns the ARL from 0 of Z = lam x + (1 - lam) Z, alarm at |Z| >= L sqrt(lam / (2 - lam)), x normal with mean
    `mu`.

    0 < `lam` <= 1. Raises ValueError naming the parameter. Tables: Lucas and Saccucci (1990), Technometrics 32: 1-12.

    >>> round(gaussian_ewma(0, 0.5, 3.071), 1), round(gaussian_ewma(1, 0.5, 3.071), 2)
    (499.9, 17.48)
    """
    if not 0 < lam <= 1:
        raise ValueError(f"lam: {lam!r} is not above 0 and at most 1; 0.1 is usual")
    positive(L=L)
    finite(mu=mu)
    half = L * sqrt(lam / (2 - lam))
    if half > 200 * lam:
        raise ValueError(f"lam, L: {lam!r}, {L!r} would take too long to solve; take a larger lam or a smaller L")
    nodes, weights = _gauss_legendre(24 + ceil(5 * half / lam), -half, half)
    rows, lost = [], []
    for u in (0.0, *nodes):
        kept = (1 - lam) * u
        density = [_density((y - kept) / lam - mu) * w / lam for y, w in zip(nodes, weights, strict=True)]
        rows.append([0.0, *density])
        lost.append(_above((half - kept) / lam - mu) + _above((half + kept) / lam + mu))
    return _absorbed(rows, lost)


def ewma_limit(lam: float, arl0: float) -> float:
    """Returns the L at which `gaussian_ewma(0, lam, L)` is `arl0`, to 1e-6.

    >>> round(ewma_limit(0.5, 500), 3)
    3.071
    """
    low, high = 0.05, 1.0
    while gaussian_ewma(0, lam, high) < arl0:
        low, high = high, high + 1
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if gaussian_ewma(0, lam, middle) >= arl0 else (middle, high)
    return high


def _above(x: float) -> float:
    """Returns P(a standard normal number is above `x`)."""
    return 0.5 * erfc(x / sqrt(2))


def _density(x: float) -> float:
    return exp(-x * x / 2) / sqrt(2 * pi) if abs(x) < 38 else 0.0


def _one_sided(mu: float, k: float, h: float) -> float:
    """Solves Page's integral equation: L(z) = 1 + L(0) Phi(k - mu - z) + integral of L(x) phi(x + k - mu - z) over
    0..h."""
    nodes, weights = _gauss_legendre(24 + ceil(2.5 * h), 0.0, h)
    rows, lost = [], []
    for z in (0.0, *nodes):
        rows.append([_above(z + mu - k), *(_density(x + k - mu - z) * w for x, w in zip(nodes, weights, strict=True))])
        lost.append(_above(h + k - mu - z))
    return _absorbed(rows, lost)


@lru_cache(maxsize=64)
def _nodes(n: int) -> tuple[tuple[float, float], ...]:
    """Returns nodes and weights of Gauss-Legendre quadrature on -1..1, by Newton's method."""
    made = []
    for i in range(n):
        x = cos(pi * (i + 0.75) / (n + 0.5))
        slope = 1.0
        for _ in range(100):
            before, value = 1.0, x
            for j in range(2, n + 1):
                before, value = value, ((2 * j - 1) * x * value - (j - 1) * before) / j
            slope = n * (x * value - before) / (x * x - 1)
            move = value / slope
            x -= move
            if abs(move) < 1e-15:
                break
        made.append((x, 2 / ((1 - x * x) * slope * slope)))
    return tuple(made)


def _gauss_legendre(n: int, low: float, high: float) -> tuple[list[float], list[float]]:
    half = (high - low) / 2
    return [low + half * (1 + x) for x, _ in _nodes(n)], [half * w for _, w in _nodes(n)]


def _absorbed(rows: list[list[float]], lost: list[float]) -> float:
    """Returns the mean number of steps from state 0 until absorption; `rows` (transitions) are changed in place.

    States are eliminated from the last. The probability of leaving a state is summed, never computed as 1 minus that
    of staying, so run lengths of 1e30 keep their digits (Grassmann, Taksar, Heyman 1985, Operations Research 33:
    1107-1116).
    """
    times = [1.0] * len(rows)
    for last in range(len(rows) - 1, 0, -1):
        top = rows[last][:last]
        leave = sum(top) + lost[last]
        if leave <= 0:
            return inf
        for i in range(last):
            factor = rows[i][last] / leave
            if factor:
                rows[i][:last] = [a + factor * b for a, b in zip(rows[i], top)]  # noqa: B905  the remaining columns have been eliminated
                lost[i] += factor * lost[last]
                times[i] += factor * times[last]
    return times[0] / lost[0] if lost[0] > 0 else inf
