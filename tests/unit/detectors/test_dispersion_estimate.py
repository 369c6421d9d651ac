"""Variance/mean from recorded periods: exact where a calculation exists, by simulation where the model is wrong."""

from __future__ import annotations

from itertools import product
from math import exp, lgamma

import numpy as np
import pytest

from detectors.dispersion_estimate import BLOCK, FEWEST, Period, _Block, _expected, dispersion, rate_bounds
from tests.strength import examples


def counts(rng: np.random.Generator, mean: np.ndarray, variance_mean: float) -> np.ndarray:
    """Negative binomial (Poisson for 1) counts."""
    if variance_mean == 1:
        return rng.poisson(mean)
    return rng.poisson(rng.gamma(mean / (variance_mean - 1), variance_mean - 1))


@pytest.mark.parametrize(("total", "variance_mean", "mean"), [(2, 2.0, 2.0), (4, 3.0, 7.0), (6, 1.5, 3.0)])
def test_the_expected_chi_square_of_a_block_is_that_of_the_dirichlet_multinomial(
    total: int, variance_mean: float, mean: float
) -> None:
    """Summed over every split of the total, with unequal exposure."""
    shares = (0.1, 0.15, 0.2, 0.25, 0.3)
    shape = mean / (variance_mean - 1)
    expected = 0.0
    for split in product(range(total + 1), repeat=BLOCK):
        if sum(split) == total:
            chance = lgamma(total + 1) + lgamma(shape) - lgamma(total + shape)
            for k, share in zip(split, shares, strict=True):
                chance += lgamma(k + shape * share) - lgamma(shape * share) - lgamma(k + 1)
            square = sum((k - total * p) ** 2 / (total * p) for k, p in zip(split, shares, strict=True))
            expected += exp(chance) * square
    block = _Block(total=total, mean=mean, square=0.0, freedom=BLOCK - 1)
    assert expected / (BLOCK - 1) == pytest.approx(_expected(block, variance_mean))


@pytest.mark.parametrize("variance_mean", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("mean", [2.0, 20.0])
def test_the_interval_covers_the_true_dispersion(mean: float, variance_mean: float) -> None:
    """Each side misses in 2.5 % or fewer; at most 6 % are allowed here, with the error of the simulation."""
    rng = np.random.default_rng(7)
    runs, low, high, values = examples(120, 1000, fast=120), 0, 0, []
    for _ in range(runs):
        exposure = rng.uniform(0.5, 1.5, 150)
        found = dispersion(map(Period, counts(rng, mean * exposure, variance_mean).tolist(), exposure.tolist()), False)
        assert found is not None
        low, high = low + (found.low > variance_mean), high + (found.high < variance_mean)
        values.append(found.value)
    assert max(low, high) <= 0.06 * runs
    assert float(np.median(values)) == pytest.approx(variance_mean, rel=0.1)


def test_a_rate_that_drifts_over_a_year_is_not_dispersion() -> None:
    """A rate that triples: the plain variance/mean says above 3, the estimate covers 1."""
    rng = np.random.default_rng(3)
    mean = np.linspace(10, 30, 365)
    k = rng.poisson(mean)
    found = dispersion([Period(float(n), 1.0) for n in k], False)
    assert found is not None
    assert k.var() / k.mean() > 2.5
    assert found.low < 1 < found.high < 1.4


def test_the_inflation_of_a_beta_binomial_is_estimated() -> None:
    """Variance three times the binomial one at a proportion of a tenth."""
    rng = np.random.default_rng(5)
    size, share, inflation = 400, 0.1, 3.0
    strength = (size - 1) / (inflation - 1) - 1
    p = rng.beta(share * strength, (1 - share) * strength, 400)
    found = dispersion([Period(float(k), size) for k in rng.binomial(size, p)], True)
    assert found is not None
    assert found.low < inflation < found.high
    assert found.low > 2


def test_too_little_gives_no_estimate() -> None:
    """Blocks with one event, and periods without exposure, say nothing; nor do fewer than the stated blocks."""
    assert dispersion([], False) is None
    assert dispersion([Period(1.0 if n % BLOCK == 0 else 0.0, 1.0) for n in range(500)], False) is None
    enough = [Period(3.0, 1.0), Period(1.0, 1.0)] * (BLOCK * FEWEST // 2 + 1)
    assert dispersion(enough[: BLOCK * FEWEST - 1], False) is None
    idle = [period for found in enough for period in (found, Period(0.0, 0.0))]
    assert dispersion(idle, False) == dispersion(enough, False) is not None


def test_an_unbounded_dispersion_is_not_bounded() -> None:
    """All events of each block in one period: no variance/mean is too high for that."""
    found = dispersion([Period(3.0 if n % BLOCK == 0 else 0.0, 1.0) for n in range(50)], False)
    assert found is not None
    assert found.high == float("inf")


def test_rate_limits_widen_with_the_dispersion() -> None:
    """Four times the variance/mean has the exact limits of a quarter of the events."""
    plain = rate_bounds([Period(25.0, 10.0)], False, 1.0)
    assert rate_bounds([Period(60.0, 24.0), Period(40.0, 16.0)], False, 4.0) == pytest.approx(plain)
    low, high = rate_bounds([Period(40.0, 400.0)], True, 4.0)
    assert low < rate_bounds([Period(40.0, 400.0)], True, 1.0)[0] < 0.1 < high
    assert rate_bounds([], False, 1.0) == (0.0, 0.0)
