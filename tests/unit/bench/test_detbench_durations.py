"""Durations with open cases: which ones are late, and a curve that is unbiased under censoring."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from random import Random

import msgspec
import pytest

from detectors import build
from detectors.base import Design

sys.path.insert(0, str(Path(__file__).parents[3]))  # the bench is not a package of the product

from tests.bench.detbench.durations import Ages, Survival, usual_edges


def test_every_case_is_counted_once_however_it_goes_on() -> None:
    """In time if it ends early; late when it reaches the age, and not counted again when it ends later."""
    ages = Ages.limit(10.0)
    ages.closed(9.9)
    ages.reached()
    ages.closed(25.0)
    assert ages.take(at=3) == msgspec.convert({"k": 1.0, "n": 2.0, "at": 3}, type(ages.take()))
    assert ages.take().n == 0.0


def test_cases_that_never_end_are_found() -> None:
    """A service that stops closing a third of its cases exceeds its limit, although closed cases look unchanged."""
    rng, ages = Random(2), Ages.limit(30.0)
    detector = build("limit_e_process", Design(limit=0.15, alpha=0.01))
    alarms = []
    for day in range(40):
        for _ in range(20):
            if rng.random() < (0.1 if day < 20 else 0.4):
                ages.reached()
            else:
                ages.closed(rng.uniform(0, 30))
        score = detector.update(ages.take(at=day))
        assert score is not None
        if score.alarm:
            alarms.append(day)
    assert alarms
    assert 20 <= alarms[0] < 26


@pytest.mark.parametrize("censor", [math.inf, 1.0, 0.5])
def test_open_cases_do_not_bend_the_curve(censor: float) -> None:
    """Exponential durations of mean 1, some censored: fraction beyond an age, and the median, within the error."""
    rng = Random(7)
    survival = Survival.grid([0.1 * i for i in range(1, 21)])
    for _ in range(4000):
        duration = rng.expovariate(1.0)
        seen = rng.expovariate(1 / censor) if censor < math.inf else math.inf
        survival.add(min(duration, seen), ended=duration <= seen)
    for age in (0.3, 0.75, 1.5):
        share, error = survival.beyond(age), survival.error(age)
        assert share is not None
        assert error is not None
        assert 0 < error < 0.06
        assert abs(share - math.exp(-age)) < 4 * error
    assert survival.quantile(0.5) == pytest.approx(math.log(2), rel=0.1)


def test_the_stated_error_is_the_dispersion_of_repeated_curves() -> None:
    """Over 200 repetitions the standard deviation of the share agrees with the mean stated error."""
    rng, shares, errors = Random(9), [], []
    for _ in range(200):
        survival = Survival.grid([0.25, 0.5, 1.0, 2.0])
        for _ in range(100):
            duration, seen = rng.expovariate(1.0), rng.expovariate(0.5)
            survival.add(min(duration, seen), ended=duration <= seen)
        share, error = survival.beyond(1.0), survival.error(1.0)
        assert share is not None
        assert error is not None
        shares.append(share)
        errors.append(error)
    mean = sum(shares) / 200
    deviation = math.sqrt(sum((s - mean) ** 2 for s in shares) / 199)
    assert deviation == pytest.approx(sum(errors) / 200, rel=0.2)


def test_ages_without_observations_have_no_estimate() -> None:
    """`None` beyond the longest observation, and without cases."""
    survival = Survival.grid([1.0, 2.0])
    assert survival.beyond(0.5) is None
    assert survival.quantile(0.5) is None
    survival.add(0.5, ended=True)
    assert survival.beyond(1.5) is None
    assert survival.error(1.5) is None
    survival.add(0.7, ended=False)
    assert survival.quantile(0.99) is None


def test_memory_forgets() -> None:
    """With a memory of 100 cases, a thousand quick cases outweigh a thousand slow ones before them."""
    survival = Survival.grid(usual_edges(100.0), memory=100)
    for age in (50.0, 2.0):
        for _ in range(1000):
            survival.add(age, ended=True)
    median = survival.quantile(0.5)
    assert median is not None
    assert median < 5
    assert len(msgspec.msgpack.encode(survival)) < 600


@pytest.mark.parametrize("edges", [[], [2.0, 1.0], [0.0], [float("nan")], list(range(1, 80))])
def test_wrong_edges_are_named(edges: list[float]) -> None:
    """ValueError that starts with the parameter's name."""
    with pytest.raises(ValueError, match=r"^edges: "):
        Survival.grid(edges)


def test_a_number_that_is_none_is_refused() -> None:
    """NaN never enters the sums."""
    with pytest.raises(ValueError, match=r"^age: "):
        Survival.grid([1.0]).add(float("nan"), ended=True)
