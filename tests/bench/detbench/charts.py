"""The e-detector over thousands of simulated Poisson streams at once, in numpy, with the detector's own parameters.

Every run first checks on a separate stream that the arrays equal the detector.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.base import Count
from detectors.e_detector import EDetector
from tests.bench.detbench.simulators import Floats, Rng

LARGEST = 400  # counts are clipped here, far above every mean used


class Chart:
    """The parameters of an initialised `EDetector`, and the sums of many streams."""

    def __init__(self, detector: EDetector, mean: float) -> None:
        detector.update(Count(mean, 1.0))  # initialises it
        slopes, costs = np.array(detector.coefficients[::2]), np.array(detector.coefficients[1::2])
        with np.errstate(over="ignore"):
            self.factors = np.exp(slopes[:, None] * np.arange(LARGEST) + costs[:, None])
        self.weights = np.array(detector.weights)[:, None]
        self.threshold = math.exp(detector.threshold)

    def start(self, runs: int) -> Floats:
        """Returns the sums before the first period."""
        return np.zeros((len(self.factors), runs))

    def run(self, rng: Rng, sums: Floats, mean: float, periods: int) -> tuple[Floats, Floats]:
        """Returns run lengths (periods + 1 without an alarm), and the sums of the streams without an alarm."""
        left = np.arange(sums.shape[1])
        lengths = np.full(sums.shape[1], periods + 1.0)
        for t in range(1, periods + 1):
            if not left.size:
                break
            k = np.minimum(rng.poisson(mean, left.size), LARGEST - 1)
            sums = (sums + self.weights) * self.factors[:, k]
            alarmed = sums.sum(axis=0) >= self.threshold
            if alarmed.any():
                lengths[left[alarmed]] = t
                left, sums = left[~alarmed], sums[:, ~alarmed]
        return lengths, sums


def delays(detector: EDetector, rng: Rng, mean: float, ratio: float, runs: int, run_in: int) -> Floats:
    """Returns periods from the change to the alarm, for streams without an alarm in the `run_in` periods before it."""
    chart = Chart(detector, mean)
    _, sums = chart.run(rng, chart.start(runs), mean, run_in)
    lengths, _ = chart.run(rng, sums, mean * ratio, 100_000)
    return lengths


def run_lengths(detector: EDetector, rng: Rng, mean: float, runs: int) -> Floats:
    """Returns periods to the alarm of unchanged streams."""
    chart = Chart(detector, mean)
    return chart.run(rng, chart.start(runs), mean, 10_000_000)[0]


def agree(detector: EDetector, rng: Rng, mean: float) -> None:
    """Raises AssertionError unless the arrays and the detector agree on 300 periods."""
    chart = Chart(detector, mean)
    sums = chart.start(1)
    detector.sums, detector.logs = [0.0] * len(detector.ratios), False
    for k in rng.poisson(mean, 300):
        sums = (sums + chart.weights) * chart.factors[:, [k]]
        score = detector.update(Count(float(k), 1.0))
        assert score is not None
        assert math.isclose(score.statistic, math.log(sums.sum()), rel_tol=1e-9, abs_tol=1e-9)
        if score.alarm:
            return
