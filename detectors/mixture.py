"""The recursion over change onsets that e-processes and e-detectors share.

For one alternative with period e-values e_1, e_2, ... let A_t = sum over onsets j <= t of w_j e_j ... e_t. Then
A_t = e_t (A_(t-1) + w_t), so one number per alternative represents all onsets. With weights that sum to 1 (`onset`),
A_t plus the weight of later onsets (`unstarted`) is an e-process; with all weights 1 it is the Shiryaev-Roberts
e-detector. A weighted sum over alternatives (weights summing to 1, included in w) has the same property.

The sums are kept as plain numbers, because logarithms cost ten times as much. Underflow to 0 loses less than the last
digit of w. Before they overflow (`HUGE`), the sums are continued as logarithms until they are small again.

Shin, Ramdas, Rinaldo (2024), E-detectors: a nonparametric framework for sequential change detection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log, log1p
from typing import TypeAlias

from detectors.likelihood import SlopeAndCost

NOTHING = -1e300
"""Logarithm of an empty sum: finite, so that a snapshot holds finite numbers only."""

HUGE = 1e280
"""Sums above this value are kept as logarithms."""

_LOG_HUGE = log(HUGE)

Coefficients: TypeAlias = tuple[float, ...]
"""Slope and cost of each alternative in turn, in one flat tuple: unpacking pairs would cost as much as the
arithmetic."""

Sums: TypeAlias = tuple[list[float], bool, float]
"""The sum A of each alternative, whether these are logarithms, and their total (0 if they are)."""


def flattened(coefficients: Iterable[SlopeAndCost]) -> Coefficients:
    """Returns (slope, cost) pairs as one tuple, the format of `advance`."""
    return tuple(number for line in coefficients for number in line)


def onset(period: int) -> float:
    """Returns the weight of a change at `period` >= 1: w_j = 1/(j (j + 1)). The weights sum to 1."""
    return 1.0 / (period * (period + 1))


def unstarted(period: int) -> float:
    """Returns the weight of all onsets after `period` >= 0: 1/(period + 1)."""
    return 1.0 / (period + 1)


def advance(a: Sequence[float], logs: bool, coefficients: Coefficients, k: float, x: float, w: Sequence[float]) -> Sums:
    """Returns A_t per alternative from A_(t-1), for `k` events over exposure (or trials) `x`; `w` are the weights.

    The step is unrolled for the usual numbers of alternatives, which halves its cost, and inlined in the detectors'
    `update`, which saves the call. All versions perform the same operations in the same order, so results are
    bit-equal.
    """
    if not logs:
        try:
            if len(a) == 5:
                a0, a1, a2, a3, a4 = a
                w0, w1, w2, w3, w4 = w
                s0, c0, s1, c1, s2, c2, s3, c3, s4, c4 = coefficients
                made = [
                    (a0 + w0) * exp(s0 * k + c0 * x),
                    (a1 + w1) * exp(s1 * k + c1 * x),
                    (a2 + w2) * exp(s2 * k + c2 * x),
                    (a3 + w3) * exp(s3 * k + c3 * x),
                    (a4 + w4) * exp(s4 * k + c4 * x),
                ]
                total = made[0] + made[1] + made[2] + made[3] + made[4]
            elif len(a) == 4:
                a0, a1, a2, a3 = a
                w0, w1, w2, w3 = w
                s0, c0, s1, c1, s2, c2, s3, c3 = coefficients
                made = [
                    (a0 + w0) * exp(s0 * k + c0 * x),
                    (a1 + w1) * exp(s1 * k + c1 * x),
                    (a2 + w2) * exp(s2 * k + c2 * x),
                    (a3 + w3) * exp(s3 * k + c3 * x),
                ]
                total = made[0] + made[1] + made[2] + made[3]
            else:
                made = [
                    (v + u) * exp(s * k + c * x)
                    for v, u, s, c in zip(a, w, coefficients[::2], coefficients[1::2], strict=True)
                ]
                total = summed(made)
        except OverflowError:
            pass
        else:
            if total < HUGE:
                return made, False, total
        a = [log(v) if v > 0 else NOTHING for v in a]
    made = [
        s * k + c * x + _log_sum(v, log(u))
        for v, u, s, c in zip(a, w, coefficients[::2], coefficients[1::2], strict=True)
    ]
    if max(made) < _LOG_HUGE - 3:
        made = [exp(v) for v in made]
        return made, False, summed(made)
    return made, True, 0.0


def summed(a: Sequence[float]) -> float:
    """Returns the sum from first to last. The built-in `sum` compensates rounding from Python 3.12 on."""
    total = 0.0
    for v in a:
        total += v
    return total


def log_value(a: Sequence[float], logs: bool, rest: float) -> float:
    """Returns ln of the sum of A over alternatives plus `rest` >= 0; `NOTHING` if that is 0."""
    if logs:
        top = max(a)  # so large that `rest` is below its last digit
        return top + log(sum([exp(v - top) for v in a]))
    total = summed(a) + rest
    return log(total) if total > 0 else NOTHING


def _log_sum(a: float, b: float) -> float:
    return a + log1p(exp(b - a)) if a > b else b + log1p(exp(a - b))
