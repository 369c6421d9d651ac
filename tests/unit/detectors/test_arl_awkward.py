"""Run lengths of difficult charts: rare events, references off the lattice, very high thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from detectors.arl import bernoulli_cusum, bernoulli_lattice, poisson_cusum, poisson_pmf, run_length, survivors
from detectors.arl_normal import gaussian_cusum, gaussian_ewma


def solved(pmf: list[float], unit: int, down: int, threshold: int, start: int = 0) -> float:
    """Returns the run length from the full transition matrix, by a library's solver."""
    matrix = np.zeros((threshold, threshold))
    for state in range(threshold):
        for k, p in enumerate(pmf):
            target = max(0, state + k * unit - down)
            if target < threshold:
                matrix[state, target] += p
    return float(np.linalg.solve(np.eye(threshold) - matrix, np.ones(threshold))[start])


@pytest.mark.parametrize(
    ("mean", "k", "h", "head_start", "strict"),
    [
        (5.0, 6.25, 12.5, 6.1, False),
        (5.0, 6.25, 12.5, 6.1, True),
        (5.0, 12.0, 3.0, 0.0, False),
        (20.0, 6.0, 9.5, 0.0, False),
        (0.02, 0.03, 2.0, 1.5, True),
        (1.0, 1.0, 7.3, 0.0, False),
        (3.0, 0.4, 0.3, 0.0, True),
    ],
)
def test_poisson_cusum_against_a_dense_solution(
    mean: float, k: float, h: float, head_start: float, strict: bool
) -> None:
    """Means far above and below the reference, thresholds off the lattice, head starts: equal to the full matrix."""
    unit = 100
    threshold = math.floor(h * unit + 1e-9) + 1 if strict else math.ceil(h * unit - 1e-9)
    expected = solved(poisson_pmf(mean, 200), unit, round(k * unit), threshold, round(head_start * unit))
    assert poisson_cusum(mean, k, h, head_start, strict) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("mean", "ratio"), [(1e-3, 1.0), (1e-3, 2.0), (2e-4, 1.0)])
def test_very_rare_events_depend_on_expected_events_only(mean: float, ratio: float) -> None:
    """Below 1/2,000 of an event a period, the run length in expected events equals that of other rare streams."""
    k = 1.4427
    rare = poisson_cusum(mean * ratio / 10, mean * k / 10, 3) * mean / 10
    common = poisson_cusum(mean * ratio, mean * k, 3) * mean
    assert rare == pytest.approx(common, rel=2e-3)


@pytest.mark.parametrize(
    ("p", "p0", "p1", "h"),
    [
        (0.01, 0.01, 0.02, 3.0),
        (0.01, 0.01, 0.02, 3.3),
        (0.01, 0.01, 0.02, 0.2),
        (0.4, 0.4, 0.6, 4.0),
        (0.3, 0.01, 0.9, 3.0),
        (0.05, 0.004, 0.005, 2.0),
        (1.0, 0.01, 0.02, 3.0),
    ],
)
def test_bernoulli_cusum_against_a_dense_solution(p: float, p0: float, p1: float, h: float) -> None:
    """Lattices of 2 to 200 cells an event, proportions far from the designed ones, thresholds below one event."""
    m = bernoulli_lattice(p0, p1)
    expected = solved([1 - p, p], m, 1, math.ceil(h * m - 1e-9))
    assert bernoulli_cusum(p, p0, p1, h) == pytest.approx(expected, rel=1e-8)


def test_a_proportion_near_nothing_is_solved_in_one_pass() -> None:
    """p0 = 1e-5 (m = 69,315): run lengths in expected successes are those of p0 = 1e-4 and 1e-3."""
    lengths = [bernoulli_cusum(p, p, 2 * p, 3) * p for p in (1e-5, 1e-4, 1e-3)]
    assert lengths[0] == pytest.approx(lengths[1], rel=2e-3)
    assert lengths[1] == pytest.approx(lengths[2], rel=5e-3)


def test_a_bernoulli_cusum_simulated() -> None:
    """5,000 charts, a proportion three times the one in control, in a cell of no table."""
    m, chance, total = bernoulli_lattice(0.03, 0.05), np.random.default_rng(6), 0
    chart, alive = np.zeros(5_000), np.full(5_000, True)
    while alive.any():
        total += int(alive.sum())
        chart = np.maximum(0, chart + m * (chance.random(5_000) < 0.09) - 1)
        alive &= chart < math.ceil(2.6 * m - 1e-9)
    assert bernoulli_cusum(0.09, 0.03, 0.05, 2.6) == pytest.approx(total / 5_000, rel=0.03)


def test_very_long_run_lengths_keep_their_digits() -> None:
    """ln ARL0 grows evenly with the threshold: rounding errors of 1e-16 do not act as alarms."""
    charts: list[tuple[Callable[[float], float], list[float]]] = [
        (lambda h: poisson_cusum(5, 6.25, h), [40, 60, 80, 100]),
        (lambda h: bernoulli_cusum(0.01, 0.01, 0.02, h), [20, 30, 40, 50]),
        (lambda h: gaussian_cusum(0, 1, h), [10, 15, 20, 25]),
    ]
    for arl, thresholds in charts:
        a, b, c, d = (math.log(arl(h)) for h in thresholds)
        assert d > 40
        assert b - a == pytest.approx(c - b, rel=1e-5)
        assert c - b == pytest.approx(d - c, rel=1e-5)
    pmf = poisson_pmf(5, 200)
    assert survivors(pmf, 4, 25, 320) == pytest.approx(run_length(pmf, 4, 25, 320), rel=1e-6)


@pytest.mark.parametrize(("mu", "k", "h"), [(50.0, 0.5, 4.0), (0.0, 0.0, 5.0), (0.0, -0.5, 5.0), (0.2, 0.5, 0.1)])
def test_difficult_normal_cusums_agree_with_simulation(mu: float, k: float, h: float) -> None:
    """Reference 0, a reference below the mean, an immediate alarm: 20,000 simulated charts, one-sided."""
    chance, c, alive, total = np.random.default_rng(7), np.zeros(20_000), np.full(20_000, True), 0
    while alive.any():
        total += int(alive.sum())
        c = np.maximum(0, c + chance.normal(mu, 1, c.size) - k)
        alive &= c < h
    assert gaussian_cusum(mu, k, h, sided=1) == pytest.approx(total / 20_000, rel=0.03)


def test_a_slow_ewma_with_a_very_long_run_length() -> None:
    """lambda .1, L 9: one side is exceeded at most as often as by independent numbers, and far less than by L 6."""
    tail = math.erfc(9 / math.sqrt(2))
    assert gaussian_ewma(0, 1.0, 9.0) == pytest.approx(1 / tail, rel=1e-9)
    assert gaussian_ewma(0, 0.1, 9.0) > gaussian_ewma(0, 1.0, 9.0) > 1e18
    assert gaussian_ewma(30, 0.1, 9.0) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: gaussian_cusum(math.nan, 0.5, 4), "mu"),
        (lambda: gaussian_cusum(0, math.inf, 4), "k"),
        (lambda: gaussian_cusum(0, 0.5, 1e4), "h"),
        (lambda: gaussian_ewma(math.inf, 0.1, 3), "mu"),
        (lambda: gaussian_ewma(0, 1e-6, 3), "lam, L"),
        (lambda: bernoulli_cusum(1e-9, 1e-9, 2e-9, 3), "p0, h"),
        (lambda: poisson_cusum(1e-9, 1.4e-9, 3), "k, h"),
        (lambda: poisson_cusum(5, 6.25, 1e7), "h"),
    ],
)
def test_a_computation_that_is_too_long_is_refused_by_name(call: Callable[[], float], name: str) -> None:
    """ValueError that starts with the parameter, without a long computation."""
    with pytest.raises(ValueError, match=f"^{name}: "):
        call()
