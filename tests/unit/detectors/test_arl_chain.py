"""Run lengths of CUSUM charts against exact values, most of them published in 1985."""

from __future__ import annotations

import math

import pytest

from detectors.arl import binomial_pmf, poisson_pmf, run_length, threshold_for


@pytest.mark.parametrize(
    ("start", "threshold", "expected"),
    [(0, 40, 438.12), (20, 40, 333.12), (0, 41, 459.29)],
    ids=["alarm at C >= 10", "head start of 5", "alarm at C > 10"],
)
def test_poisson_cusum_of_lucas(start: int, threshold: int, expected: float) -> None:
    """Lucas (1985): reference .25, threshold 10, mean .25."""
    assert run_length(poisson_pmf(0.25, 80), 4, 1, threshold, start) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("threshold", "ratio", "expected"),
    [
        *[(12, 1, 1054), (12, 1.2, 55.2), (12, 1.5, 9.89), (12, 2, 3.92), (12, 3, 1.99)],
        *[(28, 1, 1_057_898), (28, 1.2, 426), (28, 1.5, 22.69), (28, 2, 8.19), (28, 3, 3.77)],
    ],
)
def test_poisson_cusum_of_mean_five(threshold: int, ratio: float, expected: float) -> None:
    """Mean 5, reference 6.25: both thresholds give the declared run length at the limit and the delays beyond it."""
    found = run_length(poisson_pmf(5 * ratio, 120), 4, 25, threshold * 4)
    assert found == pytest.approx(expected, rel=0.0015)


@pytest.mark.parametrize(("ratio", "expected"), [(1, 2300.7), (1.5, 717.5), (2, 373.4), (3, 180.8)])
def test_bernoulli_cusum(ratio: float, expected: float) -> None:
    """Share .01 against .02 (m = 69), threshold 3: observations to the alarm."""
    assert run_length(binomial_pmf(1, 0.01 * ratio, 2), 69, 1, 207) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(
    ("mean", "reference", "arl0"), [(0.1, 0.144, 1000), (1, 1.443, 500), (5, 7.2, 1000), (40, 57.7, 2000)]
)
def test_the_chosen_threshold_is_the_smallest_that_keeps_the_run_length(
    mean: float, reference: float, arl0: float
) -> None:
    """`threshold_for` meets the run length, and one cell less would not."""
    found = threshold_for(mean, 0, reference, arl0, 40.0)
    assert found is not None
    threshold, rounded = found
    unit = next(
        u
        for u in range(1, 500)
        if abs(rounded * u - round(rounded * u)) < 1e-9 and abs(threshold * u - round(threshold * u)) < 1e-9
    )
    assert rounded == pytest.approx(reference, rel=0.1)
    pmf = poisson_pmf(mean, 400)
    down, cells = round(rounded * unit), round(threshold * unit)
    assert run_length(pmf, unit, down, cells) >= arl0
    assert cells == 1 or run_length(pmf, unit, down, cells - 1) < arl0


def test_a_chain_too_large_is_not_solved() -> None:
    """A mean of one in a million would need millions of cells: `None` instead of a long computation."""
    assert threshold_for(1e-6, 0, 1.44e-6, 1000, 10.0) is None


def test_a_chart_that_cannot_rise_has_an_infinite_run_length_and_no_threshold() -> None:
    """One trial a period and a reference of one: the chart cannot rise."""
    assert run_length(binomial_pmf(1, 0.5, 2), 1, 1, 3) == math.inf
    assert threshold_for(0.5, 1, 1.0, 1000, 10.0) is None
