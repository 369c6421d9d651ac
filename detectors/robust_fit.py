"""Which of the first periods one rate cannot explain: a robust fit.

Start: the shorth, the middle of the densest half of the periods on the variance-stabilising scale (Andrews et al. 1972,
Robust Estimates of Location: it withstands up to half of the periods). Then periods further than `_FAR` standard
deviations from the rate of the others are left out, until nothing changes. The deviations are those of the assumed
variance/mean.

Periods that vary more than assumed throughout would lose their tails this way, and a chart would alarm too often. So
the two descriptions are compared by their likelihood (normal on that scale): one rate with as large a variance as is
seen, or one rate with the assumed variance and other periods above and below it, whose share, rate and variance are
free (each group pays for its parameters, Schwarz 1978, Annals of Statistics 6: 461-464). Neighbours may be left out
together as a run (an outbreak), which pays for its two ends instead of the membership of each, and has to describe them
better than a wave does (a day of hours). Periods are left out where a second description wins only, and none where a
weekday pattern explains the variation (`weekly`).
"""

from __future__ import annotations

import struct
from math import asin, cos, inf, log, pi, sin, sqrt
from typing import TypeAlias

from detectors.mixture import summed

Cell: TypeAlias = tuple[float, float]
"""Events and exposure of one period, or of several neighbours."""

MOST_CELLS = 40  # periods stored one by one; beyond, neighbours are merged
_PAIR = struct.Struct("<ff")
_FAR = 3.0
_ROUNDS = 10
_RUN_PRICE = 3.0  # in units of ln(periods): rate, variance and two ends, half a unit each, and the search over ends
_SINGLE_PRICE = 1.25  # a higher one finds fewer bad days; a lower one leaves clean periods out (1.2 % at most now)
_WAVE_PRICE = 2.0  # size, phase and length, half a unit each, and the search over lengths
_MARGINAL = 1e-9
_WEEK = 7
_ALIKE = 0.35  # correlation of periods a week apart from which on they share a pattern


def added(cells: bytes, span: int, periods: int, k: float, x: float) -> tuple[bytes, int]:
    """Returns the cells and the periods per cell after one more period; `periods` were added before. Bounded: 320
    bytes."""
    if cells and periods % span:
        last_k, last_x = _PAIR.unpack(cells[-_PAIR.size :])
        return cells[: -_PAIR.size] + _PAIR.pack(last_k + k, last_x + x), span
    cells += _PAIR.pack(k, x)
    if len(cells) < MOST_CELLS * _PAIR.size:
        return cells, span
    pairs = unpacked(cells)
    return packed([(a[0] + b[0], a[1] + b[1]) for a, b in zip(pairs[::2], pairs[1::2], strict=True)]), 2 * span


def packed(pairs: list[Cell]) -> bytes:
    """Returns cells as bytes (32-bit floats)."""
    return b"".join([_PAIR.pack(*pair) for pair in pairs])


def unpacked(cells: bytes) -> list[Cell]:
    """Returns the cells that `packed` made."""
    return list(_PAIR.iter_unpack(cells))


def pearson(k: float, x: float, squares: float, periods: int, is_proportion: bool) -> float:
    """Returns the estimate of variance/mean (Pearson's chi-square over its degrees of freedom); 0 where there is none.

    `squares`: sum of k^2/x over the periods.
    """
    rate = k / x
    if periods > 1 and rate > 0 and not (is_proportion and rate >= 1):
        variance = rate * (1 - rate) if is_proportion else rate
        return (squares - rate * k) / variance / (periods - 1)
    return 0.0


def exceeds(estimate: float, periods: int, dispersion: float, quantile: float) -> bool:
    """Whether an estimate of variance/mean from so many periods is above `dispersion` by chance with a probability
    below that of a standard normal number above `quantile`."""
    degrees = periods - 1
    if degrees < 1:
        return False
    part = 2 / (9 * degrees)  # Wilson and Hilferty (1931), PNAS 17: 684-688: the chi-square quantile
    return estimate > dispersion * (1 - part + quantile * sqrt(part)) ** 3


def explained(cells: list[Cell], dispersion: float, is_proportion: bool, margin: float = 0.0) -> list[Cell]:
    """Returns the cells that one rate explains with a variance/mean of `dispersion`: more than half, or all where no
    majority with an event agrees or where all vary alike. `margin` >= 0: what leaving out has to gain in log
    likelihood.

    >>> cells = [(k, 1.0) for k in (5.0, 4.0, 30.0, 6.0, 5.0, 28.0, 3.0, 7.0, 4.0, 6.0)]
    >>> [k for k, x in explained(cells, 1.0, False)]
    [5.0, 4.0, 6.0, 5.0, 3.0, 7.0, 4.0, 6.0]
    """
    cells = [cell for cell in cells if cell[1] > 0]
    centre = _centre(cells, dispersion, is_proportion) if len(cells) > 2 else None
    if centre is None:
        return cells
    unit = 2 / sqrt(dispersion)
    far = [_distance(k, x, centre, is_proportion) * unit for k, x in cells]
    sides = [[z > _FAR for z in far], [z < -_FAR for z in far], [abs(z) > _FAR for z in far]]
    costs = [(_cost_without(far, side), i) for i, side in enumerate(sides)]
    least, left = min(costs)
    run, first, last = _cheapest_run(far)
    if run < least and run < _smooth_cost(far):
        least, left = run, len(sides)
        sides.append([first <= i < last for i in range(len(far))])
    kept = [cell for cell, out in zip(cells, sides[left], strict=True) if not out]
    if least + margin >= _cost(far) or not any(k for k, _ in kept):
        return cells
    return kept


def weekly(cells: list[Cell], dispersion: float, is_proportion: bool, quantile: float) -> bool:
    """Whether the cells repeat every seven, and around that pattern vary no more than a variance/mean of `dispersion`
    allows (at a normal `quantile`). Of daily periods this is a weekday pattern; two weeks are needed.

    >>> week = [10.0, 11.0, 9.0, 10.0, 12.0, 4.0, 5.0]
    >>> weekly([(k, 1.0) for k in week * 3], 1.0, False, 3.5)
    True
    """
    k, x = summed([k for k, _ in cells]), summed([x for _, x in cells])
    if len(cells) < 2 * _WEEK or k <= 0 or any(x <= 0 for _, x in cells):
        return False
    unit, centre = 2 / sqrt(dispersion), _scaled(k / x, is_proportion)
    far = [_distance(k, x, centre, is_proportion) * unit for k, x in cells]
    mean = summed(far) / len(far)
    far = [z - mean for z in far]
    variance = summed([z * z for z in far]) / len(far)
    products = [a * b for a, b in zip(far, far[_WEEK:], strict=False)]
    if summed(products) / len(products) < _ALIKE * variance:
        return False
    within = 0.0
    for day in range(_WEEK):
        same = far[day::_WEEK]
        centre = summed(same) / len(same)
        within += summed([(z - centre) ** 2 for z in same])
    degrees = len(far) - _WEEK
    return not exceeds(within / degrees, degrees + 1, 1.0, quantile)


def _cost_without(far: list[float], left: list[bool]) -> float:
    """Returns the negative log likelihood, up to a constant, where the periods `left` out form a group on each side."""
    kept = [z for z, out in zip(far, left, strict=True) if not out]
    cost = _cost(kept, most=1.4) - len(kept) * log(len(kept) / len(far))
    for sign in (1, -1):
        group = [z for z, out in zip(far, left, strict=True) if out and z * sign > 0]
        if group:
            parameters = min(len(group), 2)  # rate and variance
            cost += _cost(group) + parameters * log(len(far)) / 2 - len(group) * log(len(group) / len(far))
    return cost


def _smooth_cost(far: list[float]) -> float:
    """Returns the cost, as `_cost_without`, where the periods follow one wave (a day of hours, a slow rise) of free
    phase, size and length: the best of four lengths from all periods to four times as many."""
    n, best = len(far), inf
    mean = summed(far) / n
    for length in (n, 1.2 * n, 2 * n, 4 * n):
        left = [z - mean for z in far]
        basis: list[list[float]] = []
        for wave in (cos, sin):
            shape = [wave(2 * pi * t / length) for t in range(n)]
            for other in ([1.0] * n, *basis):  # Gram-Schmidt
                share = _dot(shape, other) / _dot(other, other)
                shape = [a - share * b for a, b in zip(shape, other, strict=True)]
            if (norm := _dot(shape, shape)) > _MARGINAL:
                basis.append(shape)
                size = _dot(left, shape) / norm
                left = [z - size * a for z, a in zip(left, shape, strict=True)]
        best = min(best, _cost(left))
    return best + _WAVE_PRICE * log(n)


def _dot(a: list[float], b: list[float]) -> float:
    return summed([x * y for x, y in zip(a, b, strict=True)])


def _cheapest_run(far: list[float]) -> tuple[float, int, int]:
    """Returns (cost, first, end) of the run of neighbours, less than half of all, that is best left out as a group
    whose rate and variance are free: as `_cost_without`, with the price of two ends in place of that of a mixture."""
    n = len(far)
    sums, squares = [0.0], [0.0]
    for z in far:
        sums.append(sums[-1] + z)
        squares.append(squares[-1] + z * z)

    def cost(count: int, total: float, square: float, most: float) -> float:
        spread = max(square - total * total / count, 0.0)
        variance = min(max(spread / count, 1.0), most)
        return (count * log(variance) + spread / variance) / 2

    best = (inf, 0, 0)
    for first in range(n):
        for end in range(first + 1, min(n, first + (n - 1) // 2) + 1):
            count, total, square = end - first, sums[end] - sums[first], squares[end] - squares[first]
            if abs(total) <= _FAR * sqrt(count):
                continue
            rest = cost(n - count, sums[n] - total, squares[n] - square, 1.4)
            price = (_RUN_PRICE if count > 1 else _SINGLE_PRICE) * log(n)
            best = min(best, (rest + cost(count, total, square, inf) + price, first, end))
    return best


def _cost(values: list[float], most: float = inf) -> float:
    """Returns the negative log likelihood, up to a constant, of normal numbers with a variance from 1 to `most`."""
    mean = summed(values) / len(values)
    squares = summed([(v - mean) ** 2 for v in values])
    variance = min(max(squares / len(values), 1.0), most)
    return (len(values) * log(variance) + squares / variance) / 2


def dispersion_of(cells: list[Cell], is_proportion: bool) -> float:
    """Returns the estimate of variance/mean from these cells."""
    squares = summed([k / x * k for k, x in cells])
    return pearson(summed([k for k, _ in cells]), summed([x for _, x in cells]), squares, len(cells), is_proportion)


def _centre(cells: list[Cell], dispersion: float, is_proportion: bool) -> float | None:
    """Returns the scaled rate of the majority; `None` if there is no majority."""
    scaled = sorted(_scaled(k / x, is_proportion) for k, x in cells)
    half = len(scaled) // 2 + 1
    start = min(range(len(scaled) - half + 1), key=lambda i: scaled[i + half - 1] - scaled[i])
    centre = summed(scaled[start : start + half]) / half
    far = _FAR * sqrt(dispersion) / 2
    for _ in range(_ROUNDS):
        near = [(k, x) for k, x in cells if abs(_distance(k, x, centre, is_proportion)) <= far]
        if len(near) < half:
            return None
        before, centre = centre, _scaled(summed([k for k, _ in near]) / summed([x for _, x in near]), is_proportion)
        if centre == before:
            break
    return centre


def _distance(k: float, x: float, centre: float, is_proportion: bool) -> float:
    """Returns how far a cell is from the scaled rate `centre`; the standard deviation is sqrt(dispersion) / 2.

    Anscombe (1948), Biometrika 35: 246-254, whose constants keep few events from looking far below the rate.
    """
    if is_proportion:
        return sqrt(x + 0.5) * (asin(sqrt(min((k + 0.375) / (x + 0.75), 1.0))) - centre)
    return sqrt(k + 0.375) - sqrt(centre * centre * x + 0.125)


def _scaled(rate: float, is_proportion: bool) -> float:
    """Returns the rate on a scale where its standard deviation is about sqrt(dispersion / exposure) / 2."""
    return asin(sqrt(min(rate, 1.0))) if is_proportion else sqrt(rate)
