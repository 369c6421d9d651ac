"""A proportion of thousands of trials with correlated outcomes: the CUSUM's declared run length is near the true
one."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.base import Design, Proportion
from detectors.cusum import Cusum


@pytest.mark.parametrize(("trials", "share", "rho"), [(2_000, 0.1, 0.05), (50_000, 0.02, 0.01)])
def test_the_threshold_of_many_dependent_trials(trials: int, share: float, rho: float) -> None:
    """2,000 simulated charts, beta-binomial: true ARL0 between 0.95 and 1.15 of the 200 periods declared."""
    odds = 2 * share / (1 - 2 * share) / (share / (1 - share))
    design = Design(limit=share, variance_mean=1 + (trials - 1) * rho)
    made = Cusum.design(design, arl0=200, ratio=odds)
    for _ in range(20):
        made.update(Proportion(round(trials * share), trials))
    assert made.calibrated
    chance, chart, alive, total = np.random.default_rng(10), np.zeros(2_000), np.full(2_000, True), 0
    size = 1 / rho - 1
    while alive.any():
        total += int(alive.sum())
        k = chance.binomial(trials, chance.beta(share * size, (1 - share) * size, chart.size))
        chart = np.maximum(0, chart + made.slope * k + made.cost * trials)
        alive &= chart < made.threshold
    assert 0.95 < total / 2_000 / 200 < 1.15
