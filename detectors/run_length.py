"""How long does a CUSUM run before it alarms? The exact answer for whole-number counts, by the chain of its states.

Brook and Evans (1972), An approach to the probability distribution of cusum run length, Biometrika 59: 539-549. The chart
C' = max(0, C + k - reference) lives on a lattice when the reference is a multiple of 1/`unit`; here states are counted in
such cells. A step moves down by at most `reference` cells, so the linear system is eliminated from the top in one sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, exp, inf, lgamma, log, log1p


def poisson_pmf(mean: float, length: int) -> list[float]:
    """P(0), ..., P(length - 1) of a Poisson count with `mean` > 0."""
    return [exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(length)]


def binomial_pmf(trials: int, share: float, length: int) -> list[float]:
    """P(0), ..., P(length - 1) of `trials` draws that hit with probability 0 < `share` < 1."""
    top = min(length, trials + 1)
    head = lgamma(trials + 1)
    return [
        exp(head - lgamma(k + 1) - lgamma(trials - k + 1) + k * log(share) + (trials - k) * log1p(-share))
        for k in range(top)
    ]


def run_length(pmf: Sequence[float], unit: int, reference: int, bar: int, start: int = 0) -> float:
    """Mean number of observations until C >= `bar`, from C = `start`; `reference`, `bar`, `start` in cells of 1/`unit` events.

    `pmf[k]` is P(k events); what it leaves out is taken to alarm at once. Infinite for a chart that cannot rise. For "alarm at C > h" pass one cell more.

    >>> pmf = poisson_pmf(0.25, 60)
    >>> round(run_length(pmf, unit=4, reference=1, bar=40), 2)
    438.12
    """
    constants, below = [0.0] * bar, [[0.0]] * bar
    for state in range(bar - 1, -1, -1):
        row, constant = [0.0] * bar, 1.0
        for k, p in enumerate(pmf):
            target = max(0, state + unit * k - reference)
            if target >= bar:
                break
            row[target] += p
        for upper in range(bar - 1, state, -1):
            weight = row[upper]
            if weight:
                constant += weight * constants[upper]
                lowest = max(0, upper - reference)
                for i, share in enumerate(below[upper], lowest):
                    row[i] += weight * share
        stay = 1 - row[state]
        if stay <= 0:
            return inf
        constants[state] = constant / stay
        below[state] = [row[i] / stay for i in range(max(0, state - reference), state)]
    lengths: list[float] = []
    for state in range(start + 1):
        lowest = max(0, state - reference)
        lengths.append(constants[state] + sum(s * lengths[i] for i, s in enumerate(below[state], lowest)))
    return lengths[start]


@lru_cache(maxsize=4096)
def bar_for(mean: float, trials: int, reference: float, arl0: float, most: float) -> tuple[float, float] | None:
    """Smallest bar (events) whose exact run length is at least `arl0`, and the reference rounded up to the lattice.

    `mean` events a period, Poisson (`trials` 0) or out of `trials`; `most` is a bar known to suffice. `None` where the chain
    would be too large to be worth solving (tiny or huge means) or could not rise; the caller then keeps `most`.
    """
    found = _lattice(reference, most)
    if found is None or 0 < trials <= reference:
        return None
    unit, down = found
    high = ceil(most * unit)
    length = (high + down) // unit + 2
    pmf = binomial_pmf(trials, mean / trials, length) if trials else poisson_pmf(mean, length)
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        if run_length(pmf, unit, down, middle) >= arl0:
            high = middle
        else:
            low = middle
    return high / unit, down / unit


def _lattice(reference: float, most: float) -> tuple[int, int] | None:
    """The finest lattice on which the chain is still quick to solve: cells per event, and the reference in cells."""
    for fineness, steps in ((16, 200_000), (8, 200_000), (4, 200_000), (2, 200_000), (1, 500_000)):
        if reference >= 1:
            unit, down = fineness, ceil(reference * fineness - 1e-9)
        else:
            unit, down = int(fineness / reference), fineness
        if (most * unit) ** 2 * down <= steps:
            return unit, down
    return None
