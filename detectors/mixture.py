"""Products of e-values started at every period at once: the recursion that e-processes and e-detectors share.

For one alternative with period e-values e_1, e_2, ... let A_t = sum over onsets j <= t of w_j e_j ... e_t. Then
A_t = e_t (A_(t-1) + w_t): one number remembers all onsets. With weights that sum to 1 (`onset`), A_t plus the weight
not yet started (`unstarted`) is an e-process; with all weights 1 it is the Shiryaev-Roberts e-detector. A mean over
alternatives is again one. Everything is in natural logarithms, so nothing overflows.

Shin, Ramdas, Rinaldo (2024), E-detectors: a nonparametric framework for sequential change detection.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p

from detectors.likelihood import Line

NOTHING = -1e300
"""Logarithm of an empty sum: finite, so that a snapshot holds finite numbers only."""


def log_sum(a: float, b: float) -> float:
    """ln(exp(a) + exp(b)) of finite numbers, without overflow."""
    return a + log1p(exp(b - a)) if a > b else b + log1p(exp(a - b))


def onset(period: int) -> float:
    """Log weight of a change at `period` >= 1: w_j = 1/(j (j + 1)), which sum to 1."""
    return -log(period * (period + 1))


def unstarted(period: int) -> float:
    """Log weight of all onsets after `period` >= 0: 1/(period + 1)."""
    return -log1p(period)


def advance(logs: Sequence[float], lines: Sequence[Line], k: float, x: float, log_weight: float) -> list[float]:
    """ln A_t per alternative from ln A_(t-1), for `k` events over exposure (or trials) `x`."""
    w = log_weight
    return [
        slope * k + cost * x + (a + log1p(exp(w - a)) if a > w else w + log1p(exp(a - w)))  # log_sum, without its call
        for a, (slope, cost) in zip(logs, lines)  # noqa: B905  one line per log since `design`, and this is per event
    ]


def log_mean(logs: Sequence[float]) -> float:
    """ln of the mean of exp(logs)."""
    top = max(logs)
    return top + log(sum([exp(a - top) for a in logs]) / len(logs))


def log_value(logs: Sequence[float], period: int) -> float:
    """ln of the e-process after `period` periods: the mean over alternatives plus the weight not yet started."""
    return log_sum(log_mean(logs), unstarted(period))
