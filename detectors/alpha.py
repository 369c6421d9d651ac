"""Alpha spending: how a pilot's error budget is divided among its streams and their restarts.

P(ever halting a pilot that keeps its limits) <= alpha follows from a union bound: the allocations of all streams and
all restarts sum to at most alpha. A stream is allocated weight / segments, and its restart j = 1, 2, ... the fraction
6 / (pi^2 j^2) of that; these fractions sum to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log, pi
from typing import NamedTuple

from detectors.base import within


class AlphaShare(NamedTuple):
    """One stream's allocation: `alpha` of its current restart, the `threshold` that follows (the e-value 1/alpha), and
    `spent`, the sum over all restarts up to this one."""

    stream: str
    alpha: float
    threshold: float
    spent: float


def restart_share(restart: int) -> float:
    """Returns the fraction of a stream's alpha that restart j = 1, 2, ... may spend: 6 / (pi^2 j^2)."""
    if restart < 1:
        raise ValueError("restart: counts from 1")
    return 6 / (pi * pi * restart * restart)


def account(
    alpha: float, weights: Mapping[str, float], segments: Mapping[str, int] | None = None, restart: int = 1
) -> list[AlphaShare]:
    """Returns the allocation of every stream at a restart.

    `weights` maps indicators to their fractions of alpha (each at least 0, their sum at most 1), `segments` to their
    numbers of segments. Raises ValueError for weights that would spend more than alpha.

    >>> print(report(account(0.01, {"incidents": 0.7, "false_positives": 0.3}, {"false_positives": 3}), 0.01))
    stream               alpha      threshold  ln(thr.)  spent so far
    incidents            0.004255       235.0      5.46  0.004255
    false_positives/1    0.0006079     1644.9      7.41  0.0006079
    false_positives/2    0.0006079     1644.9      7.41  0.0006079
    false_positives/3    0.0006079     1644.9      7.41  0.0006079
    all                                                  0.006079 of 0.01
    """
    within("alpha", alpha, low=1e-12, high=0.5)
    if any(not w >= 0 for w in weights.values()) or sum(weights.values()) > 1 + 1e-12:
        raise ValueError(f"weights: {dict(weights)!r} must be at least 0 and sum to at most 1")
    out = []
    for name, weight in weights.items():
        parts = max(1, (segments or {}).get(name, 1))
        whole = alpha * weight / parts
        now, spent = whole * restart_share(restart), whole * sum(restart_share(j) for j in range(1, restart + 1))
        names = [name] if parts == 1 else [f"{name}/{i + 1}" for i in range(parts)]
        out += [AlphaShare(stream, now, 1 / now, spent) for stream in names if weight]
    return out


def report(shares: list[AlphaShare], alpha: float) -> str:
    """Returns the allocations as a table, with their total."""
    wide = max([19, *(len(s.stream) for s in shares)]) + 2  # segment names have any length
    lines = [f"{'stream':<{wide}}{'alpha':<11}{'threshold':>9}{'ln(thr.)':>10}  spent so far"]
    lines += [
        f"{s.stream:<{wide}}{s.alpha:<12.4g}{s.threshold:>8.1f}{log(s.threshold):>10.2f}  {s.spent:.4g}" for s in shares
    ]
    lines.append(f"{'all':<{wide + 32}}{sum(s.spent for s in shares):.4g} of {alpha:g}")
    return "\n".join(lines)
