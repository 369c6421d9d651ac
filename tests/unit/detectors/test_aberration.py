"""The aberration detector: exact tails, few weeks of history, and its declared rate of alarms."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from detectors import build
from detectors.base import Count, Design, Detector, Proportion, Score

WEEKS = Design(periods_per_year=365.25 / 7)


def run(detector: Detector, counts: list[int]) -> list[Score | None]:
    return [detector.update(Count(float(k), 1.0)) for k in counts]


def test_the_statistic_is_the_tail_of_a_negative_binomial() -> None:
    """Computed directly for a history of five weeks: mean (20 + .25) / 5, Poisson dispersion, uncertainty of the
    mean; two windows share the probability."""
    score = run(build("aberration", WEEKS), [4, 4, 4, 4, 4, 12])[-1]
    keep = 1 - 1 / 156
    events, weeks = (sum(c * keep**i for i in range(5)) for c in (4.0, 1.0))
    mean = (events + 0.25) / weeks
    p = 1 / (1 + mean / (events + 0.25))
    size, below, term = mean * p / (1 - p), 0.0, p ** (mean * p / (1 - p))
    for k in range(12):
        below += term
        term *= (size + k) / (k + 1) * (1 - p)
    assert score is not None
    assert exp(-score.statistic) == pytest.approx(2 * (1 - below), rel=1e-9)
    assert score.threshold == log(50)


def test_an_outbreak_in_the_seventh_week_is_found() -> None:
    """No two years of weeks are learnt first."""
    scores = run(build("aberration", WEEKS), [0, 3, 1, 0, 5, 1, 6, 15])
    assert [s is not None and s.alarm for s in scores] == [False] * 7 + [True]


def test_three_unusual_weeks_are_added() -> None:
    """Each week alone is usual, their sum is not."""
    quiet = [1, 0, 2, 1, 1, 0, 1, 2, 0, 1] * 5
    scores = run(build("aberration", WEEKS), [*quiet, 3, 3, 4])
    assert [s is not None and s.alarm for s in scores[-3:]] == [False, False, True]


@pytest.mark.parametrize("v", [1, 3])
@pytest.mark.parametrize("mean", [0.05, 0.5, 5.0, 50.0])
def test_alarms_stay_within_the_declared_rate(mean: float, v: int) -> None:
    """Fewer than one alarm in 50 weeks (with three standard errors), also where the dispersion is not granted."""
    rng, found, weeks = np.random.default_rng(7), 0, 0
    for _ in range(25):
        counts = rng.poisson(mean, 200) if v == 1 else rng.negative_binomial(mean / (v - 1), 1 / v, 200)
        scores = [s for s in run(build("aberration", WEEKS), [int(k) for k in counts]) if s is not None]
        found += sum(s.alarm for s in scores)
        weeks += len(scores)
    assert found <= weeks / 50 + 3 * (weeks / 50) ** 0.5


def test_direction_below_watches_the_lower_tail() -> None:
    down = build("aberration", Design(periods_per_year=52.18, direction="below"))
    scores = run(down, [20, 21, 19, 20, 18, 22, 20, 60, 2])
    assert [s.alarm for s in scores if s is not None] == [False, False, False, True]


def test_shares_and_large_counts_have_finite_scores() -> None:
    """The normal approximation takes over smoothly where sums would take too long."""
    share = build("aberration", WEEKS)
    last = [share.update(Proportion(float(k), 100.0)) for k in (5, 4, 6, 5, 5, 5, 30)][-1]
    large = run(build("aberration", WEEKS), [10**6] * 10 + [2 * 10**6])[-1]
    assert last is not None
    assert last.alarm
    assert large is not None
    assert large.alarm
