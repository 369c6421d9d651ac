"""The exact conditional test of a rising rate: published values, and its error rate also where counts are not
Poisson."""

from __future__ import annotations

from math import comb, exp
from random import Random

import pytest

from detectors.trend import rise
from tests.strength import examples


def tail(k: int, n: int, p: float) -> float:
    """P(K >= k) of n trials, summed."""
    return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


@pytest.mark.parametrize(
    ("k", "m", "k0", "m0"), [(9, 100.0, 3, 100.0), (0, 10.0, 5, 10.0), (7, 50.0, 20, 400.0), (3, 1.0, 0, 9.0)]
)
def test_the_p_value_is_the_binomial_tail(k: int, m: float, k0: int, m0: float) -> None:
    """Computed by another formula: the sum of probabilities."""
    assert rise(k, m, k0, m0).p_value == pytest.approx(tail(k, k + k0, m / (m + m0)), rel=1e-9)


def test_an_exact_value() -> None:
    """10 events against 2 at equal exposure: at least 10 of 12 tosses of a fair coin, 79 of 4,096."""
    assert rise(10, 1.0, 2, 1.0).p_value == pytest.approx(79 / 4096, rel=1e-12)


def test_more_events_never_lower_the_evidence() -> None:
    """The p-value falls in k and rises in k0; a window without exposure is no evidence."""
    values = [rise(k, 80.0, 12, 300.0).p_value for k in range(30)]
    assert values == sorted(values, reverse=True)
    baselines = [rise(10, 80.0, k0, 300.0).p_value for k0 in range(40)]
    assert baselines == sorted(baselines)
    assert rise(5, 0.0, 3, 10.0).p_value == 1.0
    assert rise(5, 2.0, 0, 10.0).ratio is None


def test_what_is_no_count_is_refused() -> None:
    """Negative counts, no baseline exposure, infinities."""
    for numbers in ((-1, 1, 1, 1), (1, -1, 1, 1), (1, 1, 1, 0), (float("inf"), 1, 1, 1), (1, 1, float("nan"), 1)):
        with pytest.raises(ValueError, match="no trend"):
            rise(*numbers)


def poisson(rng: Random, mean: float) -> int:
    k, product, least = 0, rng.random(), exp(-mean)
    while product > least:
        k, product = k + 1, product * rng.random()
    return k


@pytest.mark.parametrize(
    ("dispersion", "assumed"), [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (1.0, 2.0)], ids=["poisson", "2", "3", "cautious"]
)
def test_a_rate_that_does_not_rise_is_reported_no_more_often_than_declared(dispersion: float, assumed: float) -> None:
    """Gamma-mixed Poisson counts with the assumed variance/mean: at most the declared share of windows, within the
    error of the simulation (four standard deviations)."""
    rng, runs, significance = Random(f"{dispersion}/{assumed}"), examples(1500, 15_000), 0.05
    reported = 0
    for _ in range(runs):
        mean, baseline = rng.choice((4.0, 10.0, 30.0)), 60.0
        found = []
        for one in (mean, baseline):
            shape = one / (dispersion - 1) if dispersion > 1 else 0.0
            found.append(poisson(rng, rng.gammavariate(shape, dispersion - 1) if shape else one))
        reported += rise(found[0], mean, found[1], baseline, assumed).p_value <= significance
    assert reported / runs <= significance + 4 * (significance / runs) ** 0.5


def test_ignored_dispersion_breaks_the_guarantee() -> None:
    """Where counts vary three times as much as is assumed, more windows are reported than declared: the charter has to
    state variance_mean."""
    rng, runs = Random(7), examples(800, 8000)
    reported = sum(
        rise(poisson(rng, rng.gammavariate(5.0, 2.0)), 10.0, poisson(rng, rng.gammavariate(30.0, 2.0)), 60.0).p_value
        <= 0.05
        for _ in range(runs)
    )
    assert reported / runs > 0.08


def test_a_doubled_rate_is_found() -> None:
    """With 60 events in the baseline and 30 expected in the window, in nine of ten windows at 5 %."""
    rng, runs = Random(8), examples(400, 4000)
    found = sum(rise(poisson(rng, 60.0), 30.0, poisson(rng, 60.0), 60.0).p_value <= 0.05 for _ in range(runs))
    assert found / runs > 0.9
