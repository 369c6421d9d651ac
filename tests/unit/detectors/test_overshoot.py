"""The calibrated threshold: renewal theory against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors import build
from detectors.base import Count, Design, Proportion
from detectors.overshoot import calibrated_threshold, undershoot


@pytest.mark.parametrize("mean", [0.5, 5.0])
def test_the_calibrated_threshold_has_the_declared_run_length(mean: float) -> None:
    """4,000 unchanged Poisson streams, 4 ratios, ARL0 500: within 6 %; the proved threshold runs half as long again."""
    ratios, arl0, runs = (1.25, 1.5, 2.0, 3.0), 500.0, 4_000
    threshold = calibrated_threshold(ratios, mean, arl0)
    chance, total = np.random.default_rng(11), 0
    slopes, costs = np.log(ratios)[:, None], -(np.array(ratios)[:, None] - 1) * mean
    sums = np.zeros((4, runs))
    while sums.shape[1]:
        total += sums.shape[1]
        sums = (sums + 1) * np.exp(slopes * chance.poisson(mean, sums.shape[1]) + costs)
        sums = sums[:, sums.mean(axis=0) < threshold]
    assert total / runs == pytest.approx(arl0, rel=0.06)
    assert threshold < arl0 / 1.2


@pytest.mark.parametrize("ratio", [2.0, 0.5])
def test_the_mean_of_exp_minus_overshoot_simulated(ratio: float) -> None:
    """zeta against 20,000 walks under the changed rate that cross 12."""
    chance, walks = np.random.default_rng(12), np.zeros(20_000)
    left, found = np.arange(20_000), np.zeros(20_000)
    while left.size:
        walks[left] += chance.poisson(2.0 * ratio, left.size) * math.log(ratio) - (ratio - 1) * 2.0
        over = walks[left] > 12
        found[left[over]] = walks[left[over]] - 12
        left = left[~over]
    assert undershoot(ratio, 2.0) == pytest.approx(float(np.exp(-found).mean()), rel=0.02)


def test_a_long_series_is_summed_to_its_end() -> None:
    """A mean of .02 and ratio 1.05: two hundred thousand terms; the result is between one half and one."""
    assert 0.5 < undershoot(1.05, 0.02) < 1


def test_only_poisson_counts_of_a_known_baseline_get_the_lower_threshold() -> None:
    """Proportions keep the proved threshold; a learnt baseline or assumed overdispersion is refused."""
    made = build("e_detector", Design(), {"baseline": 0.3, "arl0": 1000, "calibrate_for": 5})
    shares, counts = made.update(Proportion(k=1.0, n=5.0)), None
    assert shares is not None
    assert shares.threshold == pytest.approx(math.log(1000))
    made = build("e_detector", Design(), {"baseline": 5.0, "arl0": 1000, "calibrate_for": 5, "side": "up"})
    counts = made.update(Count(k=1.0, m=1.0))
    assert counts is not None
    assert counts.threshold == pytest.approx(math.log(calibrated_threshold((1.25, 1.5, 2.0, 3.0), 5.0, 1000)))
    for design, params in ((Design(), {}), (Design(variance_mean=2.0), {"baseline": 5.0})):
        with pytest.raises(ValueError, match=r"^calibrate_for: "):
            build("e_detector", design, {"calibrate_for": 5, **params})
