"""Which of the first periods the assumed dispersion cannot explain: a robust fit of one rate.

Start: the shorth, the middle of the densest half of the periods on the variance-stabilising scale (Andrews et al. 1972,
Robust Estimates of Location: it withstands up to half of the periods). Then periods further than `_FAR` standard
deviations from the rate of the others are left out, until nothing changes. The deviations are those of the *assumed*
variance/mean, so periods within the charter's grant are hardly ever left out.
"""

from __future__ import annotations

import struct
from math import asin, sqrt

from detectors.mixture import summed

MOST_CELLS = 40  # periods stored one by one; beyond, neighbours are merged
_PAIR = struct.Struct("<ff")
CELL_BYTES = _PAIR.size
_FAR = 3.0
_ROUNDS = 10


def added(cells: bytes, span: int, periods: int, k: float, x: float) -> tuple[bytes, int]:
    """Returns the cells and the periods per cell after one more period; `periods` were added before. Bounded: 320
    bytes."""
    if periods % span:
        last_k, last_x = _PAIR.unpack(cells[-_PAIR.size :])
        return cells[: -_PAIR.size] + _PAIR.pack(last_k + k, last_x + x), span
    cells += _PAIR.pack(k, x)
    if len(cells) < MOST_CELLS * _PAIR.size:
        return cells, span
    pairs = list(_PAIR.iter_unpack(cells))
    merged = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(pairs[::2], pairs[1::2], strict=True)]
    return b"".join([_PAIR.pack(*pair) for pair in merged]), 2 * span


def explained(cells: bytes, dispersion: float, is_proportion: bool) -> list[tuple[float, float]]:
    """Returns (events, exposure) of the cells that a variance/mean of `dispersion` can explain: more than half, or all
    where no majority agrees.

    >>> cells, span = b"", 1
    >>> for i, k in enumerate([5, 4, 30, 6, 5, 28, 3, 7]):
    ...     cells, span = added(cells, span, i, k, 1.0)
    >>> [k for k, x in explained(cells, 1.0, False)]
    [5.0, 4.0, 6.0, 5.0, 3.0, 7.0]
    """
    pairs = [pair for pair in _PAIR.iter_unpack(cells) if pair[1] > 0]
    if len(pairs) < 3:
        return pairs
    scaled = sorted(_scaled(k / x, is_proportion) for k, x in pairs)
    half = len(scaled) // 2 + 1
    start = min(range(len(scaled) - half + 1), key=lambda i: scaled[i + half - 1] - scaled[i])
    centre = summed(scaled[start : start + half]) / half
    far = _FAR * sqrt(dispersion) / 2
    kept: list[tuple[float, float]] = []
    for _ in range(_ROUNDS):
        near = [(k, x) for k, x in pairs if abs(_scaled(k / x, is_proportion) - centre) * sqrt(x) <= far]
        if len(near) < half:
            return pairs
        if near == kept:
            break
        kept = near
        centre = _scaled(summed([k for k, _ in kept]) / summed([x for _, x in kept]), is_proportion)
    return kept


def _scaled(rate: float, is_proportion: bool) -> float:
    """Returns the rate on a scale where its standard deviation is sqrt(dispersion / exposure) / 2."""
    return asin(sqrt(min(rate, 1.0))) if is_proportion else sqrt(rate)
