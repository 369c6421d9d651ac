"""How long does a chart of counts run before it alarms? Exact run lengths of CUSUM charts, computed and not looked up.

The chart C' = max(0, C + k - reference) lives on a lattice when the reference is a multiple of 1/`unit`, and its run length is
that of a Markov chain (Brook and Evans 1972, Biometrika 59: 539-549). Small chains are eliminated from the top in plain Python
(`run_length`: the same bits on every machine, so a bar found while watching can be found again); large ones follow the
survivors until their hazard stands still (`survivors`; numpy, loaded on first use).

The functions that carry a chart's name answer "what is its ARL"; `threshold_for` turns the question round. Charts of normal numbers
are in `arl_normal.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import ceil, exp, floor, inf, isfinite, lcm, lgamma, log, log1p, sqrt
from operator import mul
from typing import TypeAlias

_QUICK = 400_000  # steps of elimination beyond which following the survivors is quicker
_MANY = 1_000_000  # trials beyond which logarithms of factorials lose too many digits
_ALIKE = 5_000  # trials beyond which a beta-binomial share is taken for one of so many
_STEPS_DOWN = 40  # cells that the reference is worth on a coarse lattice
_LARGEST = 400_000  # cells of a lattice that is still solved
_LONGEST = 3_000_000  # the same where one pass solves it


def poisson_cusum(mean: float, k: float, h: float, head_start: float = 0, strict: bool = False) -> float:
    """ARL of C = max(0, C + count - k) for Poisson counts of `mean` >= 0, alarm at C >= h (`strict`: C > h).

    `k` > 0, `h` > 0 and 0 <= `head_start` < h in events. A `k` that is no fraction with a denominator up to 2,000 (below
    1/2,000: no 1/n) is replaced by the nearest one. Infinite where the chart cannot rise. Lucas (1985), Technometrics 27: 129-144.

    >>> round(poisson_cusum(0.25, 0.25, 10), 2), round(poisson_cusum(0.25, 0.25, 10, head_start=5), 2)
    (438.12, 333.12)
    """
    positive(k=k, h=h)
    if not mean >= 0 or not isfinite(mean):
        raise ValueError(f"mean: {mean!r} is not an expected number of events; write a finite number from 0")
    if not 0 <= head_start < h:
        raise ValueError(f"head_start: {head_start!r} is not from 0 to below h; half of h is usual")
    if mean == 0:
        return inf
    if k < 1 / 2_000:
        return _tiny(mean, k, h, head_start, strict)
    unit, down, threshold, start = _cells(k, h, head_start, strict)
    return _chain(
        poisson_pmf(mean, max((threshold + down) // unit + 2, _until(mean, 1.0))), unit, down, threshold, start
    )


def bernoulli_cusum(p: float, p0: float, p1: float, h: float) -> float:
    """Observations until B = max(0, B + x - 1/m) >= h, for x = 1 with probability `p`; quickest for p0 -> p1 > p0.

    m is the whole number nearest to ln(p1 (1-p0) / (p0 (1-p1))) / ln((1-p0) / (1-p1)), so that the chart lives on a
    lattice (it is then optimal for a p1 very near the one asked for). Reynolds and Stoumbos (1999), J. Quality Technology 31: 87-108.

    >>> round(bernoulli_cusum(0.01, 0.01, 0.02, 3), 1)
    2300.7
    """
    if not 0 < p0 < p1 < 1:
        raise ValueError(
            f"p0, p1: {p0!r}, {p1!r} are not 0 < p0 < p1 < 1; name the share in range and the share to find"
        )
    if not 0 <= p <= 1:
        raise ValueError(f"p: {p!r} is not a share from 0 to 1")
    positive(h=h)
    m = bernoulli_lattice(p0, p1)
    if h * m > _LONGEST:
        raise ValueError(f"p0, h: {h * m:.3g} cells are more than {_LONGEST:,}; take a larger p0 or a lower h")
    return _one_down([1 - p, p], m, ceil(h * m - 1e-9))


def _tiny(mean: float, k: float, h: float, head_start: float, strict: bool) -> float:
    """`poisson_cusum` on a lattice of cells of `k` events."""
    unit = round(1 / k)
    if h * unit > _LONGEST:
        raise ValueError(f"k, h: {h * unit:.3g} cells are more than {_LONGEST:,}; take longer periods or a lower h")
    threshold = floor(h * unit + 1e-9) + 1 if strict else ceil(h * unit - 1e-9)
    pmf = poisson_pmf(mean, max(ceil(threshold / unit) + 2, _until(mean, 1.0)))
    return _one_down(pmf, unit, threshold, min(round(head_start * unit), threshold - 1))


Map: TypeAlias = tuple[float, float, float]
"""v -> a + b v, and 1 - b."""
_SAME: Map = (0.0, 1.0, 0.0)


class _Window:
    """The product of the last `size` maps that came in, the oldest outermost: a queue of two stacks, so that nothing is undone."""

    def __init__(self, size: int) -> None:
        self.size, self.inside = size, 0
        self.back, self.new, self.old = _SAME, list[Map](), list[Map]()

    def add(self, made: Map) -> None:
        self.new.append(made)
        self.back = _of(self.back, made)
        self.inside += 1
        if self.inside > self.size:
            self.inside -= 1
            if not self.old:
                product = _SAME
                for one in reversed(self.new):
                    product = _of(one, product)
                    self.old.append(product)
                self.new, self.back = [], _SAME
            self.old.pop()

    def product(self) -> Map:
        return _of(self.old[-1], self.back) if self.old else self.back


def _of(outer: Map, inner: Map) -> Map:
    return outer[0] + outer[1] * inner[0], outer[1] * inner[1], outer[2] + outer[1] * inner[2]


def _one_down(pmf: Sequence[float], unit: int, threshold: int, start: int = 0) -> float:
    """`run_length` of a chart whose reference is one cell, in one pass over the cells.

    From the top down each state is solved as L(i) = a + b L(i - 1). Where k events lead, L(i + k unit - 1) is that many maps
    of L(i), a sliding product. 1 - b is carried along and nothing is subtracted, so that long run lengths keep their digits.
    """
    tails = _tails(pmf)
    jumps = [(k, _Window(k * unit - 1)) for k in range(1, len(pmf)) if k * unit - 1 < threshold and pmf[k] > 0]
    kept: list[Map] = []
    for state in range(threshold - 1, -1, -1):
        first = -(-(threshold - state + 1) // unit)  # so many events alarm at once
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


def _tails(pmf: Sequence[float]) -> list[float]:
    """P(at least k) for k = 0, 1, ..., len(pmf), summed from the small end; what `pmf` leaves out lies beyond it."""
    rest = 1 - sum(pmf)
    made = [rest if rest > 1e-13 else 0.0]  # less is rounding
    for p in reversed(pmf):
        made.append(made[-1] + p)
    made.reverse()
    return made


def bernoulli_lattice(p0: float, p1: float) -> int:
    """The m of `bernoulli_cusum`: a hit moves the chart up by (m - 1)/m, a miss down by 1/m."""
    down = log1p(-p0) - log1p(-p1)
    return max(2, round((log(p1 / p0) + down) / down))


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


def negative_binomial_pmf(mean: float, variance_mean: float, length: int) -> list[float]:
    """P(0), ..., P(length - 1) of counts with `mean` > 0 and a variance/mean above 1."""
    shape, p = mean / (variance_mean - 1), (variance_mean - 1) / variance_mean
    head = -lgamma(shape) - shape * log(variance_mean)
    return [exp(head + lgamma(k + shape) - lgamma(k + 1) + k * log(p)) for k in range(length)]


def beta_binomial_pmf(trials: int, share: float, variance_mean: float, length: int) -> list[float]:
    """P(0), ..., P(length - 1) of `trials` hits whose share varies from period to period (Beta): the variance is
    `variance_mean` times the binomial one, above 1 and below `trials`; the correlation of trials is (v - 1)/(trials - 1)."""
    size = (trials - 1) / (variance_mean - 1) - 1
    a, b = share * size, (1 - share) * size
    head = lgamma(trials + 1) + lgamma(size) - lgamma(a) - lgamma(b) - lgamma(size + trials)
    return [
        exp(head - lgamma(k + 1) - lgamma(trials - k + 1) + lgamma(k + a) + lgamma(trials - k + b))
        for k in range(min(length, trials + 1))
    ]


def run_length(pmf: Sequence[float], unit: int, reference: int, threshold: int, start: int = 0) -> float:
    """Mean number of observations until C >= `threshold`, from C = `start`; `reference`, `threshold`, `start` in cells of 1/`unit` events.

    `pmf[k]` is P(k events); what it leaves out is taken to alarm at once. Infinite for a chart that cannot rise. For "alarm at C > h" pass one cell more.

    >>> pmf = poisson_pmf(0.25, 60)
    >>> round(run_length(pmf, unit=4, reference=1, threshold=40), 2)
    438.12
    """
    constants, below, lost, tails = [0.0] * threshold, [[0.0]] * threshold, [0.0] * threshold, _tails(pmf)
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
                for i, share in enumerate(below[upper], lowest):
                    row[i] += weight * share
        lowest = max(0, state - reference)
        leave = sum(row[lowest:state]) + gone  # 1 - row[state], without losing digits where it is tiny
        if leave <= 0:
            return inf
        constants[state], lost[state] = constant / leave, gone / leave
        below[state] = [p / leave for p in row[lowest:state]]
    lengths: list[float] = []
    for state in range(start + 1):
        lowest = max(0, state - reference)
        lengths.append(constants[state] + sum(s * lengths[i] for i, s in enumerate(below[state], lowest)))
    return lengths[start]


@lru_cache(maxsize=4096)
def threshold_for(
    mean: float, trials: int, reference: float, arl0: float, most: float, variance_mean: float = 1.0
) -> tuple[float, float] | None:
    """Smallest bar (events) whose exact run length is at least `arl0`, and the reference rounded to the lattice.

    `mean` events a period: Poisson (`trials` 0), out of `trials`, or with `variance_mean` above 1 negative binomial and
    beta-binomial. A `reference` below the mean makes the chart look down: C = max(0, C + reference - k). `most` is a bar
    tried first; where it does not suffice, up to eight times as much. `None` where the chain would be too large to be
    worth solving (tiny or huge means) or could not rise.
    """
    up = reference > mean
    found = _lattice(reference, most, trials) if reference > 1e-9 else None
    if trials == 1:
        variance_mean = 1.0  # a single trial has no other
    if (trials and 1 < trials <= variance_mean) or (0 < trials <= reference) or trials > _MANY:
        return None
    if up and trials and variance_mean > 1 and reference > 1e-9 and (found is None or trials > 1_000):
        return _coarse_threshold(mean, trials, reference, arl0, most, variance_mean)
    if found is None:
        return None
    unit, down = found
    if (down > mean * unit) is not up or not down:
        return None  # so coarse that the chart would drift the wrong way
    high = ceil(most * unit)

    def pmf(cells: int) -> list[float]:
        if trials:
            share = mean / trials
            return binomial_pmf(trials, share, cells) if variance_mean == 1 else beta_binomial_pmf(trials, share, variance_mean, cells)  # fmt: skip
        return poisson_pmf(mean, cells) if variance_mean == 1 else negative_binomial_pmf(mean, variance_mean, cells)

    def rising(threshold: int) -> float:
        return run_length(pmf((threshold + down) // unit + 2), unit, down, threshold)

    length = rising if up else _Falling(pmf(trials + 1 if trials else _until(mean, variance_mean)), unit, down).length
    largest = 8 * high
    while length(high) < arl0:
        if high >= largest or high * high * down > 1_000_000:
            return None
        high = min(2 * high, largest)
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        if length(middle) >= arl0:
            high = middle
        else:
            low = middle
    return high / unit, down / unit


def _coarse_threshold(
    mean: float, trials: int, reference: float, arl0: float, most: float, variance_mean: float
) -> tuple[float, float] | None:
    """`threshold_for` for beta-binomial periods of many trials: hits are put into cells of several, each split between its two
    neighbours so that the mean stays. That only widens the spread, so the bar is a little too high rather than too low."""
    if trials > _ALIKE:  # beyond, the share hardly knows how many trials it came from
        scale = trials / _ALIKE
        if variance_mean / scale <= 1:
            return None
        found = _coarse_threshold(mean / scale, _ALIKE, reference / scale, arl0, most / scale, variance_mean / scale)
        return found and (found[0] * scale, found[1] * scale)
    down = _STEPS_DOWN
    cell = reference / down
    if mean / cell > down - 1:
        return None  # a change so small that the cells would blur it
    if trials / cell > 20_000:
        return None  # a reference so far below the trials that the chain would be too large to be worth solving
    pmf = [0.0] * (ceil(trials / cell) + 2)
    for k, p in enumerate(beta_binomial_pmf(trials, mean / trials, variance_mean, trials + 1)):
        lower, part = divmod(k / cell, 1.0)
        pmf[int(lower)] += p * (1 - part)
        pmf[int(lower) + 1] += p * part
    low, high = 0, min(max(ceil(most / cell), 2), 400)
    while run_length(pmf, 1, down, high) < arl0:
        if high > 400:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if run_length(pmf, 1, down, middle) >= arl0 else (middle, high)
    return high * cell, reference


def _until(mean: float, variance_mean: float) -> int:
    """Counts beyond which nothing is left to speak of."""
    return ceil(mean + 12 * sqrt(mean * variance_mean) + 30 * variance_mean)


class _Falling:
    """`run_length` of the chart C = max(0, C + reference - k): a step up is small, a step down may be large.

    Eliminated from below: each state in terms of those above, of which a step reaches at most `reference`. The elimination is the
    same for every bar, so it is made once and extended when a higher bar is asked for.
    """

    def __init__(self, pmf: Sequence[float], unit: int, reference: int) -> None:
        self._moves = [(reference - unit * k, p) for k, p in enumerate(pmf)]
        self._rest = max(0.0, 1 - sum(pmf))
        self._reference = reference
        self._constants: list[float] = []
        self._above: list[list[float]] = []  # per state: weights of the next `reference` states
        self._stuck = False  # the next state cannot be left

    def length(self, threshold: int) -> float:
        """The mean number of observations until C >= `threshold` (cells), from C = 0."""
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
                for i, share in enumerate(above[lower], lower + 1):
                    row[i] += weight * share
        stay = 1 - row[state]
        if stay <= 1e-300:
            self._stuck = True
            return
        constants.append(constant / stay)
        above.append([weight / stay for weight in row[state + 1 :]])


def _lattice(reference: float, most: float, trials: int) -> tuple[int, int] | None:
    """The finest lattice on which the chain is still quick to solve: cells per event, and the reference in cells."""
    for fineness, steps in ((16, 200_000), (8, 200_000), (4, 200_000), (2, 200_000), (1, 500_000)):
        if reference >= 1:
            unit, down = fineness, round(reference * fineness)
        else:
            unit, down = round(fineness / reference), fineness
        cells = most * unit
        if cells * min(cells, unit * trials if trials else cells) * down <= steps:
            return unit, down
    return None


def survivors(pmf: Sequence[float], unit: int, reference: int, threshold: int, start: int = 0) -> float:
    """What `run_length` says, for chains too large to eliminate: the survivors are followed from step to step.

    Their hazard settles geometrically fast, whatever the run length; the rest is then a geometric series.

    >>> round(survivors(poisson_pmf(0.25, 60), unit=4, reference=1, threshold=40), 2)
    438.12
    """
    import numpy as np

    steps = [(k * unit - reference, p) for k, p in enumerate(pmf) if k * unit - reference < threshold and p > 0]
    tails = np.array(_tails(pmf))
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


def _chain(pmf: Sequence[float], unit: int, reference: int, threshold: int, start: int) -> float:
    solve = run_length if threshold * threshold * reference <= _QUICK else survivors
    return solve(pmf, unit, reference, threshold, start)


def _cells(k: float, h: float, head_start: float, strict: bool) -> tuple[int, int, int, int]:
    """Cells per event, and reference, bar and start in cells."""
    step = Fraction(k).limit_denominator(2_000)
    if step <= 0:
        raise ValueError(f"k: {k!r} is below 1/2000 of an event; give a longer period")
    unit = lcm(step.denominator, Fraction(head_start).limit_denominator(2_000).denominator)
    if unit > 4_000:
        unit = step.denominator * ceil(1_000 / step.denominator)
    threshold = floor(h * unit + 1e-9) + 1 if strict else ceil(h * unit - 1e-9)
    if threshold > _LARGEST:
        raise ValueError(f"h: {h!r} makes a chain of {threshold} cells; round k to fewer decimals")
    return unit, int(step * unit), threshold, min(round(head_start * unit), threshold - 1)


def positive(**named: float) -> None:
    """Raise ValueError naming the first that is not a finite number above 0."""
    for name, value in named.items():
        if not (isfinite(value) and value > 0):
            raise ValueError(f"{name}: {value!r} is not a finite number above 0")


def finite(**named: float) -> None:
    """Raise ValueError naming the first that is not finite."""
    for name, value in named.items():
        if not isfinite(value):
            raise ValueError(f"{name}: {value!r} is not a finite number")
