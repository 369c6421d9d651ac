"""Power of the limit e-process, computed: with which probability an excess is found by the end of each period.

The state of `LimitEProcess` is one sum per rate ratio. The distribution of that state over all streams without an alarm
is carried from period to period as a Markov chain (Brook and Evans 1972, An approach to the probability distribution of
CUSUM run length, Biometrika 59: 539-549): every state meets every possible count, what reaches the threshold is
absorbed, and states that are alike are merged. Two states are alike if they agree in the logarithm of their total
(narrow cells while there are few) and in the mean slope of their sums, weighted by size, which says how fast they react
to the next event. Merged sums are averaged, so that merging changes no expectation.

Long series use periods of growing length, so that a year of hours takes as many steps as a year of days. Within such a
block the statistic is compared with the threshold where its last event is expected, not only at the end of the block.

Computed are closed periods with complete data: provisional evidence of open periods, and hard rules, can only halt
earlier. `tests/bench/detbench/g19_power.py` compares with simulation.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, exp, log, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from detectors.arl_pmf import beta_binomial_pmf, binomial_pmf, negative_binomial_pmf, poisson_pmf
from detectors.base import positive
from detectors.e_process import LimitEProcess
from detectors.mixture import unstarted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]

_COUNTS = 64  # of different counts per step; neighbours are averaged where more are possible
_LARGE = 5_000.0  # events of a step from which on they are counted in bundles
_NEGLIGIBLE = 1e-10  # probability of a state below which it is dropped: counted as not found
_SETTLED = 1e-4  # probability of no alarm at which the rest of the series is taken as found
_LARGEST = 1e200  # of a sum: far above every threshold, and its products stay finite
_STEEPEST = 100.0  # logarithm of the e-value of one step, as far as it is followed


class Planned(NamedTuple):
    """What one stream is planned to see: `exposure` units (trials of a proportion) in each of `periods` periods, with
    `rate` events per unit (or the true share) from the first period on. All are above 0."""

    exposure: float
    periods: int
    rate: float
    is_proportion: bool = False


class Resolution(NamedTuple):
    """`cells`: width of the cells of the logarithm and number of those of the slope, from fine to coarse; the next one
    is used once there are more than `states`. `single`: steps of one period each at the start. `octave`: steps until
    the length of the blocks doubles."""

    cells: tuple[tuple[float, int], ...] = ((0.02, 32), (0.05, 16), (0.1, 8))
    states: int = 1_000
    single: int = 128
    octave: int = 64


FINE = Resolution()
COARSE = Resolution(((0.2, 5),), 0, 32, 24)  # a quarter of the cost, within some two percentage points


class Curve(NamedTuple):
    """Probability that the alarm came by the end of period `ends[i]` (counted from 1): `found[i]`, never decreasing."""

    ends: tuple[int, ...]
    found: tuple[float, ...]

    def by(self, period: int) -> float:
        """Returns the probability of an alarm by the end of `period`; the last known one after the end."""
        return max((found for end, found in zip(self.ends, self.found, strict=True) if end <= period), default=0.0)

    def when(self, probability: float) -> int | None:
        """Returns the first period by whose end the alarm has come with `probability`; `None` if it never has."""
        return next((end for end, found in zip(self.ends, self.found, strict=True) if found >= probability), None)


def power(detector: LimitEProcess, planned: Planned, resolution: Resolution = FINE) -> Curve:
    """Returns with which probability a fresh `detector` has alarmed by when, if everything goes as `planned`.

    Counts are Poisson, negative binomial, binomial or beta-binomial with the variance/mean that the detector assumes.
    A rate within the limit is allowed and gives the probability of a false alarm. For direction `below` the rate is
    below the limit. Raises ValueError naming the number that is not above 0, or a proportion of 1 or more.

    >>> from detectors.base import Design
    >>> detector = LimitEProcess.design(Design(limit=2.0, alpha=0.01))
    >>> curve = power(detector, Planned(exposure=1.0, periods=12, rate=4.0))
    >>> round(curve.by(12), 2), curve.when(0.5)
    (0.8, 8)
    """
    positive(exposure=planned.exposure, periods=planned.periods, rate=planned.rate)
    if planned.is_proportion and planned.rate >= 1:
        raise ValueError(f"rate: {planned.rate!r} is no proportion below 1")
    chain = _Chain(detector, planned, resolution)
    ends: list[int] = []
    found: list[float] = []
    if chain.possible:
        for first, length in _blocks(planned, resolution):
            chain.step(first, length)
            ends.append(first + length)
            found.append(min(1.0, chain.found))
            if chain.alive < _SETTLED:
                break
    return Curve(tuple(ends), tuple(found))


def smallest_exposure(
    detector: LimitEProcess, planned: Planned, probability: float, largest: float = 1e4
) -> float | None:
    """Returns about the exposure per period (within 10 %) with which the alarm comes within the planned periods with
    `probability`, searched between the planned one and `largest` times as much; `None` if that is too little."""

    def enough(exposure: float) -> bool:
        return power(detector, planned._replace(exposure=exposure), COARSE).by(planned.periods) >= probability

    low = high = planned.exposure
    while not enough(high):
        low, high = high, high * 2
        if high > largest * planned.exposure:
            return None
    while high > 1.1 * low:
        middle = sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _blocks(planned: Planned, resolution: Resolution) -> Iterator[tuple[int, int]]:
    """Periods before each step, and how many of them it takes: one at the start, then twice as many each octave."""
    length = ceil(1 / planned.exposure) if planned.is_proportion and planned.exposure < 1 else 1
    done, steps = 0, 0
    while done < planned.periods:
        if steps >= resolution.single and (steps - resolution.single) % resolution.octave == 0:
            length *= 2
        taken = min(length, planned.periods - done)
        yield done, taken
        done, steps = done + taken, steps + 1


class _Chain:
    """The distribution of the detector's sums over all streams without an alarm, and how many have had one."""

    def __init__(self, detector: LimitEProcess, planned: Planned, resolution: Resolution) -> None:
        import numpy as np

        line = detector._compute_parameters(planned.is_proportion)[-1]
        self.possible = bool(line)
        self.planned, self.resolution, self.dispersion = planned, resolution, detector.dispersion
        self.slopes, self.costs = np.array(line[::2])[:, None], np.array(line[1::2])[:, None]
        self.level, self.above, self.limit = exp(detector.threshold), detector.above, detector.rate
        # The fewest events that can reach the threshold at all: up to it, minimum_events asks for nothing more.
        steepest = max(line[::2], default=0.0)
        free = not self.above or steepest <= 0 or detector.minimum_events * steepest <= detector.threshold
        self.least_events = 0 if free else detector.minimum_events
        self.least_expected = 0.0 if self.above else float(detector.minimum_events)
        self.found, self.alive, self.coarseness = 0.0, 1.0, 0
        self.p: Floats = np.ones(1)
        self.sums: Floats = np.zeros((len(self.slopes), 1))
        self.seen: Floats = np.zeros(1)
        self._length, self._made = 1, self._counts(1) if self.possible else None

    def step(self, first: int, length: int) -> None:
        """Advances over `length` periods, of which `first` came before."""
        import numpy as np

        if length != self._length:
            self._length, self._made = length, self._counts(length)
        assert self._made is not None
        k, pmf, factors, back = self._made
        weight = (unstarted(first) - unstarted(first + length)) / len(self.slopes)
        rest = unstarted(first + length)
        made = np.minimum((self.sums + weight)[:, :, None] * factors[:, None, :], _LARGEST)
        p = self.p[:, None] * pmf
        seen = np.minimum(self.seen[:, None] + k, self.least_events)
        total = made.sum(axis=0)
        highest = total if back is None else (made * back[:, None, :]).sum(axis=0)
        hit = (highest + rest >= self.level) & (seen >= self.least_events)
        if self.limit * self.planned.exposure * (first + length) < self.least_expected:
            hit[:] = False
        self.found += float(p[hit].sum())
        kept = ~hit & (p > _NEGLIGIBLE)
        self._merge(p[kept], made[:, kept], total[kept], seen[kept], log(rest) - 5)
        self.alive = float(self.p.sum())

    def _merge(self, p: Floats, made: Floats, total: Floats, seen: Floats, lowest: float) -> None:
        """Merges states that are alike; below `lowest` the onsets to come outweigh what is there."""
        import numpy as np

        width, slopes = self.resolution.cells[self.coarseness]
        if not len(p):
            self.p, self.sums, self.seen = p, made, seen
            return
        level = np.maximum((np.log(np.maximum(total, 1e-300)) - lowest) / width, 0).astype(np.int64)
        low, high = float(self.slopes.min()), float(self.slopes.max())
        share = ((self.slopes * made).sum(axis=0) / np.maximum(total, 1e-300) - low) / max(high - low, 1e-12)
        steep = np.minimum(np.maximum(share * slopes, 0).astype(np.int64), slopes - 1)
        key = (level * slopes + steep) * (self.least_events + 1) + np.rint(seen).astype(np.int64)
        _, cell = np.unique(key, return_inverse=True)
        self.p = np.bincount(cell, p)
        self.sums = np.array([np.bincount(cell, p * row) for row in made]) / self.p
        self.seen = np.rint(np.bincount(cell, p * seen) / self.p)
        if len(self.p) > self.resolution.states and self.coarseness + 1 < len(self.resolution.cells):
            self.coarseness += 1

    def _counts(self, length: int) -> tuple[Floats, Floats, Floats, Floats | None]:
        """Counts of a block and their probabilities; the e-values of each count; and, for a block of several periods,
        what to multiply them with for the moment of its last event."""
        import numpy as np

        k, pmf = self._distribution(length)
        kept = pmf > _NEGLIGIBLE
        k, pmf = k[kept], pmf[kept]
        if len(k) > _COUNTS:
            group = np.arange(len(k)) // -(-len(k) // _COUNTS)
            mass = np.bincount(group, pmf)
            k, pmf = np.bincount(group, pmf * k) / mass, mass
        x = self.planned.exposure * length
        factors = np.exp(np.clip(self.slopes * k + self.costs * x, -_STEEPEST, _STEEPEST))
        if length == 1 or not self.above:
            return k, pmf, factors, None
        # Periods after the one of the last event, of k events spread over the block, alone or in clusters.
        clusters = np.maximum(k / self._cluster(), 1.0)[None, :]
        after = ((np.arange(1, length) / length)[:, None] ** clusters).sum(axis=0)
        remaining = np.where(k > 0, after * self.planned.exposure, 0.0)
        return k, pmf, factors, np.exp(np.clip(-self.costs * remaining, -_STEEPEST, _STEEPEST))

    def _cluster(self) -> float:
        """Mean number of events that happen together: a negative binomial count is a Poisson number of clusters whose
        sizes have the logarithmic distribution."""
        v = self.dispersion
        return 1.0 if v == 1 or self.planned.is_proportion else (v - 1) / log(v)

    def _distribution(self, length: int) -> tuple[Floats, Floats]:
        """Counts of a block and their probabilities. Large counts are bundles of `variance_mean` events each, which
        keeps mean and variance; very large ones are normal."""
        import numpy as np

        exposure, rate, v = self.planned.exposure * length, self.planned.rate, self.dispersion
        mean, bundle = exposure * rate, 1.0
        if mean > _LARGE * v:
            spread = sqrt(mean * v * (1 - rate if self.planned.is_proportion else 1.0))
            z = np.linspace(-7, 7, _COUNTS)
            weights = np.exp(-z * z / 2)
            return np.maximum(mean + spread * z, 0.0), weights / weights.sum()
        if mean > _LARGE:
            exposure, mean, bundle, v = exposure / v, mean / v, v, 1.0
        size = int(mean + 9 * v * sqrt(mean + v) + 12 * v + 3)
        if not self.planned.is_proportion:
            pmf = poisson_pmf(mean, size) if v == 1 else negative_binomial_pmf(mean, v, size)
        else:
            trials = max(1, round(exposure))
            v = min(v, 1 + 0.999 * (trials - 1))  # where the charter assumes more than so few trials can have
            pmf = binomial_pmf(trials, rate, size) if v == 1 else beta_binomial_pmf(trials, rate, v, size)
        return np.arange(len(pmf)) * bundle, np.array(pmf)
