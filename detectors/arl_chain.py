"""Exact run lengths of lattice CUSUM charts as absorption times of Markov chains.

Brook and Evans (1972), An approach to the probability distribution of CUSUM run length, Biometrika 59: 539-549. Four
solvers for the same quantity: `run_length` (elimination, plain Python, bit-equal on every machine), `survivors` (for
large chains; numpy), `one_down` (one pass, for a reference of one cell) and `Falling` (charts that look down).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from operator import mul
from typing import TypeAlias

from detectors.arl_pmf import tail_probabilities

Map: TypeAlias = tuple[float, float, float]
"""The map v -> a + b v as (a, b, 1 - b)."""
_IDENTITY: Map = (0.0, 1.0, 0.0)


def run_length(pmf: Sequence[float], unit: int, reference: int, threshold: int, start: int = 0) -> float:
    """Returns the mean number of observations until C >= `threshold`, from C = `start`.

    `reference`, `threshold` and `start` are in cells of 1/`unit` events. `pmf[k]` is P(k events); mass that it leaves
    out alarms immediately. Infinite for a chart that cannot rise. For "alarm at C > h" pass one cell more.

    >>> from detectors.arl_pmf import poisson_pmf
    >>> pmf = poisson_pmf(0.25, 60)
    >>> round(run_length(pmf, unit=4, reference=1, threshold=40), 2)
    438.12
    """
    constants, below, lost, tails = [0.0] * threshold, [[0.0]] * threshold, [0.0] * threshold, tail_probabilities(pmf)
    for state in range(threshold - 1, -1, -1):
        first = -(-(threshold - state + reference) // unit)
        gone = tails[first] if first < len(tails) else tails[-1]
        top = min(threshold - 1, max(state, state + unit * (len(pmf) - 1) - reference))
        row, constant = [0.0] * (top + 1), 1.0
        for k, p in enumerate(pmf):
            target = max(0, state + unit * k - reference)
            if target > top:
                break
            row[target] += p
        for upper in range(top, state, -1):
            weight = row[upper]
            if weight:
                constant += weight * constants[upper]
                gone += weight * lost[upper]
                lowest = max(0, upper - reference)
                for i, part in enumerate(below[upper], lowest):
                    row[i] += weight * part
        lowest = max(0, state - reference)
        leave = sum(row[lowest:state]) + gone  # 1 - row[state], without cancellation where it is tiny
        if leave <= 0:
            return inf
        constants[state], lost[state] = constant / leave, gone / leave
        below[state] = [p / leave for p in row[lowest:state]]
    lengths: list[float] = []
    for state in range(start + 1):
        lowest = max(0, state - reference)
        lengths.append(constants[state] + sum(s * lengths[i] for i, s in enumerate(below[state], lowest)))
    return lengths[start]


def survivors(pmf: Sequence[float], unit: int, reference: int, threshold: int, start: int = 0) -> float:
    """Returns `run_length` for chains too large to eliminate, by iterating the distribution of charts without an alarm.

    Its hazard converges geometrically, whatever the run length; the rest is then a geometric series. Raises
    ValueError if it has not converged after two million steps.

    >>> from detectors.arl_pmf import poisson_pmf
    >>> round(survivors(poisson_pmf(0.25, 60), unit=4, reference=1, threshold=40), 2)
    438.12
    """
    import numpy as np

    steps = [(k * unit - reference, p) for k, p in enumerate(pmf) if k * unit - reference < threshold and p > 0]
    tails = np.array(tail_probabilities(pmf))
    alarm = tails[
        np.minimum(-(-(threshold - np.arange(threshold) + reference) // unit), len(pmf))
    ]  # P(alarm at the next step)
    if not alarm.any():
        return inf
    here = np.zeros(threshold)
    here[start] = 1.0
    total, alive, hazard = 0.0, 1.0, -1.0
    for step in range(2_000_000):
        total += alive
        if step % 64 == 0:
            was, hazard = hazard, float(alarm @ here) / alive
            if hazard and abs(hazard - was) <= 1e-9 * hazard:
                return total + alive * (1 - hazard) / hazard
        there = np.zeros(threshold)
        for shift, p in steps:
            if shift >= 0:
                there[shift:] += p * here[: threshold - shift]
            else:
                there[0] += p * here[: 1 - shift].sum()
                if 1 - shift < threshold:
                    there[1 : threshold + shift] += p * here[1 - shift :]
        here, alive = there, float(there.sum())
        if alive < 1e-15:
            return total
    raise ValueError("h: the chart needs more than two million steps to settle; take a lower h")


def one_down(pmf: Sequence[float], unit: int, threshold: int, start: int = 0) -> float:
    """Returns `run_length` of a chart whose reference is one cell, in one pass over the cells.

    From the top down each state is solved as L(i) = a + b L(i - 1). After k events the chart is in state i + k unit -
    1, whose L is a composition of as many maps of L(i): a sliding product. 1 - b is carried along and nothing is
    subtracted, so that long run lengths keep their digits.
    """
    tails = tail_probabilities(pmf)
    jumps = [(k, _Window(k * unit - 1)) for k in range(1, len(pmf)) if k * unit - 1 < threshold and pmf[k] > 0]
    kept: list[Map] = []
    for state in range(threshold - 1, -1, -1):
        first = -(-(threshold - state + 1) // unit)  # this many events alarm immediately
        lost = tails[first] if first < len(tails) else 0.0
        constant = 1.0
        for k, window in jumps:
            if k >= first:
                break
            a, _, z = window.product()
            constant += pmf[k] * a
            lost += pmf[k] * z
        down = pmf[0] if state else 0.0
        if lost + down <= 0:
            return inf
        made = (constant / (lost + down), down / (lost + down), lost / (lost + down))
        if state <= start:
            kept.append(made)
        for _, window in jumps:
            window.add(made)
    length = 0.0
    for a, b, _ in reversed(kept):
        length = a + b * length
    return length


class _Window:
    """Composition of the last `size` maps, the oldest outermost: a queue of two stacks, so that no map has to be
    inverted."""

    def __init__(self, size: int) -> None:
        self.size, self.inside = size, 0
        self.back, self.new, self.old = _IDENTITY, list[Map](), list[Map]()

    def add(self, made: Map) -> None:
        self.new.append(made)
        self.back = _composed(self.back, made)
        self.inside += 1
        if self.inside > self.size:
            self.inside -= 1
            if not self.old:
                product = _IDENTITY
                for one in reversed(self.new):
                    product = _composed(one, product)
                    self.old.append(product)
                self.new, self.back = [], _IDENTITY
            self.old.pop()

    def product(self) -> Map:
        return _composed(self.old[-1], self.back) if self.old else self.back


def _composed(outer: Map, inner: Map) -> Map:
    return outer[0] + outer[1] * inner[0], outer[1] * inner[1], outer[2] + outer[1] * inner[2]


class Falling:
    """`run_length` of the chart C = max(0, C + reference - k), whose upward steps are small and downward steps large.

    Eliminated from below: each state in terms of the states above, of which a step reaches at most `reference`. The
    elimination does not depend on the threshold, so it is made once and extended for higher thresholds.
    """

    def __init__(self, pmf: Sequence[float], unit: int, reference: int) -> None:
        self._moves = [(reference - unit * k, p) for k, p in enumerate(pmf)]
        self._rest = max(0.0, 1 - sum(pmf))
        self._reference = reference
        self._constants: list[float] = []
        self._above: list[list[float]] = []  # per state: weights of the next `reference` states
        self._stuck = False  # whether the next state cannot be left

    def length(self, threshold: int) -> float:
        """Returns the mean number of observations until C >= `threshold` (cells), from C = 0."""
        while len(self._constants) < threshold and not self._stuck:
            self._eliminate()
        if len(self._constants) < threshold:
            return inf
        lengths = [0.0] * threshold
        for state in range(threshold - 1, -1, -1):
            lengths[state] = self._constants[state] + sum(map(mul, self._above[state], lengths[state + 1 :]))
        return lengths[0]

    def _eliminate(self) -> None:
        constants, above, state = self._constants, self._above, len(self._constants)
        row = [0.0] * (state + self._reference + 1)
        constant = 1.0
        for move, p in self._moves:
            row[max(0, state + move)] += p
        row[0] += self._rest
        for lower in range(state):
            weight = row[lower]
            if weight:
                constant += weight * constants[lower]
                for i, part in enumerate(above[lower], lower + 1):
                    row[i] += weight * part
        stay = 1 - row[state]
        if stay <= 1e-300:
            self._stuck = True
            return
        constants.append(constant / stay)
        above.append([weight / stay for weight in row[state + 1 :]])
