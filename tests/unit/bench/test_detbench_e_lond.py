"""e-LOND and the mean of e-values: alpha spent, and the fraction of false findings below alpha."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))  # the bench is not a package of the product

from tests.bench.detbench.e_lond import ELond, average


def test_the_threshold_follows_the_definition() -> None:
    """1 / (alpha g(t) (discoveries + 1)) with g(t) = 1/(t (t+1))."""
    lond = ELond(0.05)
    seen = [(lond.threshold(), lond.test(e)) for e in (39.9, 200.0, 119.9, 1e9)]
    assert seen == [
        (40.0, False),
        (pytest.approx(120.0), True),
        (pytest.approx(120.0), False),
        (pytest.approx(200.0), True),
    ]


def test_the_proportions_of_alpha_sum_to_no_more_than_alpha() -> None:
    """Without a discovery the tests spend alpha in total."""
    lond, spent = ELond(0.1), 0.0
    for _ in range(10_000):
        spent += 1 / lond.threshold()
        lond.test(0.0)
    assert spent == pytest.approx(0.1, rel=1e-3)
    assert spent < 0.1


def test_the_proportion_of_false_findings_stays_below_alpha_under_dependence() -> None:
    """200 streams, a tenth of them changed, common noise: mean fraction of false findings <= alpha."""
    chance, shares, power = np.random.default_rng(5), [], 0
    for _ in range(400):
        lond, false, found = ELond(0.1), 0, 0
        common = chance.normal()
        for i in range(200):
            real = i % 10 == 0
            z = math.sqrt(0.5) * common + math.sqrt(0.5) * chance.normal() + (5.0 if real else 0.0)
            if lond.test(math.exp(3.0 * z - 4.5)):
                found, false = found + 1, false + (not real)
        shares.append(false / max(found, 1))
        power += found - false
    assert np.mean(shares) <= 0.1
    assert power > 400


@pytest.mark.parametrize("e", [math.nan, -1.0])
def test_what_is_no_e_value_is_refused(e: float) -> None:
    """NaN and negative numbers raise ValueError."""
    with pytest.raises(ValueError, match=r"^e: "):
        ELond(0.1).test(e)


def test_alpha_is_a_share() -> None:
    """An alpha of one or more raises ValueError."""
    with pytest.raises(ValueError, match=r"^alpha: "):
        ELond(1.0)


def test_the_mean_of_e_values_keeps_its_weights() -> None:
    """Weights are normalised; none, or negative ones, are refused."""
    assert average([10.0, 2.0], [3.0, 1.0]) == 8.0
    assert average([math.inf, 0.0], [0.5, 0.5]) == math.inf
    for values, weights in (([], None), ([1.0], [0.0]), ([1.0, 2.0], [1.0]), ([1.0], [-1.0]), ([math.nan], None)):
        with pytest.raises(ValueError, match=r"^(weights|values): "):
            average(values, weights)
