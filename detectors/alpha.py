"""Who may spend how much of alpha, and how much may all runs up to now spend? The split of a pilot's error budget, to
print and to check.

P(ever halting a pilot that keeps its limits) <= alpha holds because the shares of all streams and all restarts sum to
at most alpha (a union bound): a stream gets weight / segments, restart j of it 6 / (pi^2 j^2) of that, and the restarts
sum to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log, pi
from typing import NamedTuple

from detectors.base import within


class AlphaShare(NamedTuple):
    """One stream's share: what its current restart may spend (and so its bar, the e-value 1/alpha), and what all its
    restarts up to now may have spent."""

    stream: str
    alpha: float
    threshold: float
    spent: float


def restart_share(restart: int) -> float:
    """The part of a stream's alpha that restart j = 1, 2, ... may spend: 6 / (pi^2 j^2)."""
    if restart < 1:
        raise ValueError("restart: counts from 1")
    return 6 / (pi * pi * restart * restart)


def account(
    alpha: float, weights: Mapping[str, float], segments: Mapping[str, int] | None = None, restart: int = 1
) -> list[AlphaShare]:
    """The shares of every stream at a restart; `weights` (each from 0, summing to at most 1) name the indicators.

    Raises ValueError for weights that would spend more than alpha.

    >>> print(report(account(0.01, {"incidents": 0.7, "false_positives": 0.3}, {"false_positives": 3}), 0.01))
    stream               alpha        bar (e)  bar (ln)  may spend so far
    incidents            0.004255       235.0      5.46  0.004255
    false_positives/1    0.0006079     1644.9      7.41  0.0006079
    false_positives/2    0.0006079     1644.9      7.41  0.0006079
    false_positives/3    0.0006079     1644.9      7.41  0.0006079
    all                                                  0.006079 of 0.01
    """
    within("alpha", alpha, low=1e-12, high=0.5)
    if any(not w >= 0 for w in weights.values()) or sum(weights.values()) > 1 + 1e-12:
        raise ValueError(f"weights: {dict(weights)!r} are not shares from 0 that sum to at most 1")
    out = []
    for name, weight in weights.items():
        parts = max(1, (segments or {}).get(name, 1))
        whole = alpha * weight / parts
        now, spent = whole * restart_share(restart), whole * sum(restart_share(j) for j in range(1, restart + 1))
        names = [name] if parts == 1 else [f"{name}/{i + 1}" for i in range(parts)]
        out += [AlphaShare(stream, now, 1 / now, spent) for stream in names if weight]
    return out


def report(shares: list[AlphaShare], alpha: float) -> str:
    """A table of shares, and what they may spend together."""
    wide = max([19, *(len(s.stream) for s in shares)]) + 2  # segments make names of any length
    lines = [f"{'stream':<{wide}}{'alpha':<12}{'threshold (e)':>8}{'threshold (ln)':>10}  may spend so far"]
    lines += [
        f"{s.stream:<{wide}}{s.alpha:<12.4g}{s.threshold:>8.1f}{log(s.threshold):>10.2f}  {s.spent:.4g}" for s in shares
    ]
    lines.append(f"{'all':<{wide + 32}}{sum(s.spent for s in shares):.4g} of {alpha:g}")
    return "\n".join(lines)
