"""Farrington's flexible method, the reference of the bench: fits season and trend, and weights past outbreaks down."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))  # the bench is not a package of the product

from tests.bench.detbench.farrington import LEFT_OUT, YEAR, expected

WEEKS = 5 * YEAR + LEFT_OUT + 3


def series(seed: int, dispersion: float = 1.0, trend: float = 0.0, runs: int = 60) -> tuple[np.ndarray, float]:
    """Counts of mean 20 in the next week, with a season, and that mean."""
    rng = np.random.default_rng(seed)
    t = np.arange(WEEKS + 1) - WEEKS
    mean = 20 * np.exp(0.4 * (np.cos(2 * math.pi * t / YEAR) - 1) + trend * t / YEAR)
    level = np.broadcast_to(mean, (runs, WEEKS + 1))
    if dispersion > 1:
        level = rng.gamma(level / (dispersion - 1), dispersion - 1)
    return rng.poisson(level[:, :-1]).astype(float), float(mean[-1])


@pytest.mark.parametrize("trend", [0.0, 0.1, -0.1])
def test_the_coming_week_is_forecast(trend: float) -> None:
    """Season and trend of the past give the mean of the week that follows, on average within a few percent."""
    history, truth = series(1, trend=trend)
    assert expected(history).mean.mean() == pytest.approx(truth, rel=0.06)


def test_the_dispersion_is_learnt_and_never_below_poisson() -> None:
    """Variance/mean 3 is estimated (the weights lower it a little); Poisson counts give at least 1."""
    wide, _ = series(2, dispersion=3.0)
    plain, _ = series(3)
    assert expected(wide).dispersion.mean() == pytest.approx(2.8, abs=0.3)
    assert expected(plain).dispersion.min() >= 1.0


def test_a_past_outbreak_hardly_moves_the_forecast() -> None:
    """Three weeks at five times the rate two years ago change this week's forecast by less than a plain mean would."""
    history, _ = series(4)
    ill = history.copy()
    at = WEEKS - 2 * YEAR
    ill[:, at - 1 : at + 2] *= 5
    calm, shaken = expected(history).mean, expected(ill).mean
    assert np.median(shaken / calm) < 1.12


def test_what_came_last_is_left_out() -> None:
    """The half year before this week does not enter, so an outbreak cannot raise its own bound."""
    history, _ = series(5)
    ill = history.copy()
    ill[:, -LEFT_OUT:] += 500
    assert expected(ill).mean == pytest.approx(expected(history).mean)


def test_empty_series_stay_finite() -> None:
    """All-zero and constant series give small finite forecasts."""
    found = expected(np.stack([np.zeros(WEEKS), np.full(WEEKS, 4.0)]))
    assert np.isfinite(found.mean).all()
    assert found.mean[0] < 0.1
    assert found.mean[1] == pytest.approx(4.0, rel=0.02)


def test_too_short_a_history_is_refused() -> None:
    """A history below three years raises ValueError."""
    with pytest.raises(ValueError, match=r"^history: "):
        expected(np.ones((2, 60)))
