"""The robust fit against known answers: tables of chi-square, simulated clean and bad periods."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.baseline import Baseline
from detectors.robust_fit import added, exceeds, explained, pearson, unpacked, weekly


@pytest.mark.parametrize(("degrees", "upper"), [(5, 20.515), (19, 43.820), (60, 99.607)])
def test_the_dispersion_is_rejected_at_the_quantile_of_chi_square(degrees: int, upper: float) -> None:
    """The upper .001 points of published tables, within 2 %."""
    assert not exceeds(0.98 * upper / degrees, degrees + 1, 1.0, 3.0902)
    assert exceeds(1.02 * upper / degrees, degrees + 1, 1.0, 3.0902)


def test_the_dispersion_is_pearsons_chi_square_over_its_degrees_of_freedom() -> None:
    """Counts 2, 4, 6 at equal exposure: (4 + 0 + 4) / 4 / 2."""
    assert pearson(12.0, 3.0, 4.0 + 16.0 + 36.0, 3, False) == pytest.approx(1.0)


@pytest.mark.parametrize("dispersion", [1.0, 2.0])
def test_of_clean_periods_hardly_any_is_left_out(dispersion: float) -> None:
    rng, left = np.random.default_rng(2), 0
    for _ in range(300):
        rate = 5.0 if dispersion == 1 else rng.gamma(5 / (dispersion - 1), dispersion - 1, 20)
        cells = [(float(k), 1.0) for k in rng.poisson(rate, 20)]
        left += len(explained(cells, dispersion, False, 2.0)) < 20
    assert left <= 3


@pytest.mark.parametrize(("mean", "least"), [(2.0, 0.55), (5.0, 0.97)])
def test_a_week_of_outbreak_is_left_out_as_a_run(mean: float, least: float) -> None:
    """Seven neighbours of twenty at five times the rate: rarely one by one at mean 2, but they stand together."""
    rng, hits = np.random.default_rng(4), 0
    for _ in range(200):
        first = int(rng.integers(0, 14))
        level = np.where((np.arange(20) >= first) & (np.arange(20) < first + 7), 5 * mean, mean)
        kept = explained([(float(k), 1.0) for k in rng.poisson(level)], 1.0, False)
        hits += sum(k for k, _ in kept) / len(kept) < 1.6 * mean
    assert hits >= 200 * least


@pytest.mark.parametrize("mean", [5.0, 20.0])
def test_a_daily_wave_is_no_outbreak(mean: float) -> None:
    """Twenty hours of a day with peaks at four times the troughs: the night is no run that is to be left out, as a
    chart would then alarm every night."""
    rng, left = np.random.default_rng(8), 0
    for _ in range(100):
        level = mean * (1 + 0.6 * np.cos(2 * np.pi * (np.arange(20) + rng.integers(0, 24)) / 24))
        baseline = Baseline.to_learn(20, 0, 0.95, 1.0)
        for k in rng.poisson(level):
            baseline.learn(float(k), 1.0, False)
        left += baseline.periods < 20
    assert left <= 5


def weeks(rng: np.random.Generator, mean: float, days: int = 20) -> np.ndarray:
    """Daily counts; weekends have half the rate, from a random day of the week on."""
    return rng.poisson(np.where((np.arange(days) + rng.integers(0, 7)) % 7 >= 5, 0.5, 1.0) * mean)


@pytest.mark.parametrize("mean", [20.0, 100.0])
def test_a_weekday_pattern_is_no_bad_learning_period(mean: float) -> None:
    """Weekends at half the rate: all periods are kept, and the baseline is usable, in nine of ten streams at
    least. With a bad day or week in it, it is not."""
    rng, unusable, kept = np.random.default_rng(6), 0, 0
    for _ in range(100):
        baseline = Baseline.to_learn(20, 0, 0.95, 1.0)
        for k in weeks(rng, mean):
            baseline.learn(float(k), 1.0, False)
        unusable += baseline.unusable
        kept += baseline.periods == 20
    assert unusable <= 10
    assert kept >= 90
    for bad in (slice(8, 9), slice(5, 12)):
        found = 0
        for _ in range(50):
            counts = weeks(rng, mean)
            counts[bad] *= 5
            baseline = Baseline.to_learn(20, 0, 0.95, 1.0)
            for k in counts:
                baseline.learn(float(k), 1.0, False)
            found += baseline.unusable
        assert found >= 45


def test_a_pattern_needs_two_weeks_and_no_more_variation_than_assumed() -> None:
    """Thirteen days hold no week twice; the same days with far more noise are no pattern alone."""
    week = [20.0, 21.0, 19.0, 20.0, 22.0, 8.0, 9.0]
    assert weekly([(k, 1.0) for k in week * 2], 1.0, False, 3.5)
    assert not weekly([(k, 1.0) for k in (week * 2)[:13]], 1.0, False, 3.5)
    noisy = [k + (15.0 if t % 3 == 0 else 0.0) for t, k in enumerate(week * 3)]
    assert not weekly([(k, 1.0) for k in noisy], 1.0, False, 3.5)
    assert weekly([(k, 100.0) for k in week * 3], 1.0, True, 3.5)


def test_bad_proportions_are_left_out() -> None:
    """20 % instead of 4 % of 100 trials in 6 of 20 periods."""
    rng = np.random.default_rng(2)
    cells = [(float(rng.binomial(100, 0.2 if t < 6 else 0.04)), 100.0) for t in range(20)]
    kept = explained(cells, 1.0, True)
    assert len(kept) >= 13
    assert max(k for k, _ in kept) < 12


def test_merged_cells_hold_all_events_and_all_exposure() -> None:
    cells, span = b"", 1
    for t in range(333):
        cells, span = added(cells, span, t, float(t % 5), 2.0)
    assert sum(k for k, _ in unpacked(cells)) == sum(t % 5 for t in range(333))
    assert sum(x for _, x in unpacked(cells)) == 666
