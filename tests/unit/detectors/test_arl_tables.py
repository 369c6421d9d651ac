"""Run lengths of published tables: every listed cell, and cells of no table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.arl import bernoulli_cusum, poisson_cusum, poisson_pmf, run_length, survivors
from detectors.arl_normal import ewma_limit, gaussian_cusum, gaussian_ewma


@pytest.mark.parametrize(
    ("lam", "limit", "mu", "arl"),
    [
        *[(0.5, 3.071, mu, a) for mu, a in ((0, 499.9), (0.25, 254.8), (0.5, 88.8), (1, 17.48), (2, 3.63), (3, 1.93))],
        *[(0.03, 2.437, mu, a) for mu, a in ((0, 499.9), (0.25, 76.7), (0.5, 29.3), (1, 12.60), (2, 5.99), (3, 4.03))],
    ],
)
def test_ewma_of_lucas_and_saccucci(lam: float, limit: float, mu: float, arl: float) -> None:
    """Lucas and Saccucci (1990): two-sided, from 0."""
    assert gaussian_ewma(mu, lam, limit) == pytest.approx(arl, rel=0.003)


def test_an_ewma_without_memory_is_a_shewhart_chart() -> None:
    """lam = 1: the run length is 1 / P(|x| >= L), 370.4 for three sigma."""
    assert gaussian_ewma(0, 1.0, 3.0) == pytest.approx(1 / math.erfc(3 / math.sqrt(2)), rel=1e-9)


@pytest.mark.parametrize("arl0", [100.0, 5_000.0])
def test_the_limit_of_an_ewma_gives_its_run_length_back(arl0: float) -> None:
    """`ewma_limit` inverts `gaussian_ewma`."""
    assert gaussian_ewma(0, 0.15, ewma_limit(0.15, arl0)) == pytest.approx(arl0, rel=1e-4)


@pytest.mark.parametrize(
    ("mu", "arl"),
    [(0, 167.7), (0.25, 74.2), (0.5, 26.6), (0.75, 13.3), (1, 8.38), (1.5, 4.75), (2, 3.34), (3, 2.19)],
)
def test_two_sided_cusum(mu: float, arl: float) -> None:
    """k = .5, h = 4."""
    assert gaussian_cusum(mu, 0.5, 4) == pytest.approx(arl, rel=0.003)


@pytest.mark.parametrize(("k", "h", "arl"), [(0.5, 5, 930.9), (0.5, 4, 335.4), (0.25, 8, 736.8), (1.0, 2.5, 715.8)])
def test_one_sided_cusum(k: float, h: float, arl: float) -> None:
    """In-control values from a simulation (fixed seed, below) and the literature."""
    assert gaussian_cusum(0, k, h, sided=1) == pytest.approx(arl, rel=0.003)


def test_a_cusum_of_normal_numbers_simulated() -> None:
    """The integral equation against 20,000 simulated charts, in a cell of no table."""
    chance, c, alive = np.random.default_rng(1), np.zeros(20_000), np.full(20_000, True)
    total = 0
    while alive.any():
        total += int(alive.sum())
        c = np.maximum(0, c + chance.normal(0.3, 1, c.size) - 0.4)
        alive &= c < 3.3
    assert gaussian_cusum(0.3, 0.4, 3.3, sided=1) == pytest.approx(total / 20_000, rel=0.025)


@pytest.mark.parametrize(("head_start", "strict", "arl"), [(0, False, 438.12), (5, False, 333.12), (0, True, 459.29)])
def test_poisson_cusum_of_lucas(head_start: float, strict: bool, arl: float) -> None:
    """Lucas (1985): mean .25, k .25, h 10; alarm at C >= h, or beyond it."""
    assert poisson_cusum(0.25, 0.25, 10, head_start, strict) == pytest.approx(arl, abs=0.01)


@pytest.mark.parametrize(
    ("h", "ratio", "arl"),
    [
        *[(12, r, a) for r, a in ((1, 1054), (1.2, 55.2), (1.5, 9.89), (2, 3.92), (3, 1.99))],
        *[(28, r, a) for r, a in ((1, 1_057_898), (1.2, 426), (1.5, 22.69), (2, 8.19), (3, 3.77))],
    ],
)
def test_poisson_cusum_of_mean_five(h: float, ratio: float, arl: float) -> None:
    """k 6.25: two thresholds, and the delays beyond the mean in range."""
    assert poisson_cusum(5 * ratio, 6.25, h) == pytest.approx(arl, rel=0.0015)


@pytest.mark.parametrize(("ratio", "arl"), [(1, 2300.7), (1.5, 717.5), (2, 373.4), (3, 180.8)])
def test_bernoulli_cusum(ratio: float, arl: float) -> None:
    """p0 .01, p1 .02 (m = 69), h = 3: observations."""
    assert bernoulli_cusum(0.01 * ratio, 0.01, 0.02, 3) == pytest.approx(arl, abs=0.06)


@pytest.mark.parametrize(
    ("mean", "unit", "down", "threshold"), [(5, 4, 25, 48), (0.25, 4, 1, 40), (1.3, 10, 19, 55), (8, 2, 15, 30)]
)
def test_elimination_and_iteration_of_survivors_agree(mean: float, unit: int, down: int, threshold: int) -> None:
    """Two solvers give the same number, above and below the drift of the chart."""
    pmf = poisson_pmf(mean, (threshold + down) // unit + 2)
    assert survivors(pmf, unit, down, threshold) == pytest.approx(run_length(pmf, unit, down, threshold), rel=1e-7)


@pytest.mark.parametrize(("k", "h", "head_start"), [(6.213, 12.05, 0), (6.213, 12.05, 6), (5 / math.log(2), 9, 4.5)])
def test_a_reference_off_every_coarse_lattice(k: float, h: float, head_start: float) -> None:
    """The chain of thousands of cells against 20,000 simulated charts."""
    chance, c, alive, total = np.random.default_rng(2), np.full(20_000, float(head_start)), np.full(20_000, True), 0
    while alive.any():
        total += int(alive.sum())
        c = np.maximum(0, c + chance.poisson(6.5, c.size) - k)
        alive &= c < h
    assert poisson_cusum(6.5, k, h, head_start) == pytest.approx(total / 20_000, rel=0.03)


def test_a_chart_that_cannot_alarm_has_an_infinite_run_length() -> None:
    """No events, or a proportion of 0."""
    assert poisson_cusum(0, 1, 5) == math.inf
    assert bernoulli_cusum(0, 0.1, 0.2, 3) == math.inf


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: poisson_cusum(5, 0, 5), "k"),
        (lambda: poisson_cusum(math.nan, 6, 5), "mean"),
        (lambda: poisson_cusum(5, 6, 5, head_start=5), "head_start"),
        (lambda: poisson_cusum(5, 6, -1), "h"),
        (lambda: bernoulli_cusum(0.1, 0.2, 0.1, 3), "p0"),
        (lambda: bernoulli_cusum(1.1, 0.1, 0.2, 3), "p"),
        (lambda: gaussian_cusum(0, 0.5, 4, sided=3), "sided"),
        (lambda: gaussian_ewma(0, 0, 3), "lam"),
        (lambda: gaussian_ewma(0, 0.1, 0), "L"),
    ],
)
def test_invalid_parameters_are_refused_by_name(call, name: str) -> None:  # type: ignore[no-untyped-def]
    """ValueError that starts with the parameter."""
    with pytest.raises(ValueError, match=f"^{name}"):
        call()
