"""A reference chart with full knowledge: a CUSUM of the exact negative binomial likelihood ratio.

It knows the level, the cycle, the variance/mean and the size of the change. Its threshold is set by simulation so
that its run length is the declared one.
"""

from __future__ import annotations

from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from tests.bench.detbench import simulators
from tests.bench.detbench.simulators import Floats, Rng

_log_gamma = np.frompyfunc(lgamma, 1, 1)


def log_pmf(k: Floats, mean: Floats, dispersion: float) -> Floats:
    """Returns ln P(k) of a Poisson (dispersion 1) or negative binomial count with variance/mean `dispersion`."""
    head: Floats = -np.asarray(_log_gamma(k + 1), float)
    if dispersion == 1:
        return head + k * np.log(mean) - mean
    shape = mean / (dispersion - 1)
    ways: Floats = np.asarray(_log_gamma(k + shape), float) - np.asarray(_log_gamma(shape), float)
    return head + ways - shape * log(dispersion) + k * log((dispersion - 1) / dispersion)


class Oracle:
    """A CUSUM for a change to `ratio` x the rate, over a daily cycle; many streams at once, each with its own phase."""

    def __init__(
        self, rng: Rng, mean: float, dispersion: float, cycle: float, ratio: float, arl0: float, runs: int
    ) -> None:
        self.rng, self.dispersion, self.ratio = rng, dispersion, ratio
        self.day = mean * simulators.profile(simulators.DAY, cycle=cycle, week=None)
        self.top = int(mean * (1 + cycle) * ratio * 4 + 60 * dispersion + 20)
        k = np.arange(self.top, dtype=float)[None, :]
        self.table = log_pmf(k, ratio * self.day[:, None], dispersion) - log_pmf(k, self.day[:, None], dispersion)
        low, high = 0.0, log(arl0)
        for _ in range(11):
            self.threshold = (low + high) / 2
            if self._arl0(arl0, runs) < arl0:
                low = self.threshold
            else:
                high = self.threshold

    def _step(self, chart: Floats, at: NDArray[np.int64], ratio: float) -> Floats:
        k = simulators.counts(self.rng, ratio * self.day[at % simulators.DAY], self.dispersion).astype(int)
        out: Floats = np.maximum(0.0, chart + self.table[at % simulators.DAY, np.minimum(k, self.top - 1)])
        return out

    def _arl0(self, arl0: float, runs: int) -> float:
        at = self.rng.integers(0, simulators.DAY, runs)
        chart, alarms, periods = np.zeros(runs), 0, int(2 * arl0)
        for t in range(periods):
            chart = self._step(chart, at + t, 1.0)
            hit = chart >= self.threshold
            alarms += int(hit.sum())
            chart[hit] = 0.0
        return runs * periods / max(alarms, 1)

    def delays(self, runs: int, run_in: int) -> Floats:
        """Periods from the change to the alarm, after `run_in` periods without an alarm (0: zero-state)."""
        at = self.rng.integers(0, simulators.DAY, runs)
        chart, good = np.zeros(runs), np.ones(runs, bool)
        for _ in range(run_in):
            chart, at = self._step(chart, at, 1.0), at + 1
            good &= chart < self.threshold
        chart, at = chart[good], at[good]
        found, live, t = np.zeros(len(chart)), np.ones(len(chart), bool), 0
        while live.any():
            t += 1
            chart, at = self._step(chart, at, self.ratio), at + 1
            hit = live & (chart >= self.threshold)
            found[hit] = t
            live &= ~hit
        return found
