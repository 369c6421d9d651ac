"""Silence with business hours: the integral over any gap, and the false alarm rate."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors import build
from detectors.base import Design, Gap
from detectors.hours import HOUR, WEEK, HourOfWeek

OFFICE = HourOfWeek.of([60.0 if 8 <= h % 24 < 18 and h < 120 else 0.5 for h in range(168)])
MONDAY = 345_600.0


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (9 * HOUR, 9.5 * HOUR, 30.0),
        (7.5 * HOUR, 8.5 * HOUR, 30.25),
        (0.0, WEEK, 5 * 10 * 60 + 118 * 0.5),
        (17 * HOUR, 17 * HOUR + 3 * WEEK, 3 * (3000 + 59.0)),
        (166 * HOUR, 176.5 * HOUR, 5.0 + 30.0),
        (-1.5 * HOUR, 0.5 * HOUR, 1.0),
        (5.0, 5.0, 0.0),
    ],
)
def test_expected_events_are_the_integral(begin: float, end: float, expected: float) -> None:
    """Within an hour, across hours, over whole weeks, over the week's end and before its first Monday."""
    assert OFFICE.expected(MONDAY + begin, MONDAY + end) == pytest.approx(expected, abs=1e-6)


def test_the_timer_is_where_the_integral_reaches_the_threshold() -> None:
    """`when` inverts `expected`, from any moment, through hours without events."""
    shut = HourOfWeek.of([6.0 if h % 24 == 3 else 0.0 for h in range(168)])
    for profile in (OFFICE, shut):
        for last in (MONDAY + 1.0, MONDAY + 20.2 * HOUR, MONDAY + 500 * HOUR, 1.7e9):
            for wanted in (0.25, 7.3, 4000.0):
                moment = profile.when(last, wanted)
                assert profile.expected(last, moment) == pytest.approx(wanted, abs=1e-6)


def test_a_quiet_night_is_no_silence_and_a_quiet_morning_is() -> None:
    """Sixteen silent hours over a Friday night do not alarm; half an hour on Monday does."""
    detector = build("silence", Design(limit=OFFICE.rate), {"false_per_year": 1.0})
    night = detector.update(OFFICE.gap(MONDAY + 118.5 * HOUR, MONDAY + 134.5 * HOUR))
    morning = detector.update(OFFICE.gap(MONDAY + 9 * HOUR, MONDAY + 9.5 * HOUR))
    assert night is not None
    assert morning is not None
    assert (night.alarm, morning.alarm) == (False, True)


def test_clustered_streams_keep_their_false_rate_where_the_charter_grants_them() -> None:
    """Logarithmic clusters with variance/mean 3: about the declared number of gaps exceed the threshold."""
    chance, v, years = np.random.default_rng(31), 3.0, 400
    p = (v - 1) / v
    rate_of_clusters = 2_000 * math.log(v) / (v - 1)
    gaps = chance.exponential(1 / rate_of_clusters, int(years * rate_of_clusters)) * 2_000  # in events expected
    assert -p / (1 - p) / math.log(1 - p) == pytest.approx(2_000 / rate_of_clusters)
    limit = 2_000 / 31_557_600
    for assumed_dispersion, low, high in ((v, 0.7, 1.3), (1.0, 10.0, math.inf)):
        detector = build("silence", Design(limit=limit, variance_mean=assumed_dispersion), {"false_per_year": 1.0})
        threshold = detector.update(Gap(1.0, 1.0)).threshold  # type: ignore[union-attr]
        assert low < float((gaps >= threshold).sum()) / years < high


def test_an_invalid_profile_is_refused() -> None:
    """Too few hours, a negative rate, no events at all."""
    for rates in ([1.0] * 24, [-1.0] * 168, [0.0] * 168):
        with pytest.raises(ValueError, match=r"^per_hour: "):
            HourOfWeek.of(rates)


@pytest.mark.parametrize("weeks", [1, 4, 50])
def test_a_learnt_profile_is_nearer_the_truth_than_raw_proportions_and_than_a_flat_rate(weeks: int) -> None:
    """Business hours in five days of seven: with few weeks shrinkage loses less than raw cells, with many weeks less
    than one flat rate.
    """
    chance = np.random.default_rng(8)
    truth = np.array([4.0 if 8 <= h % 24 < 18 and h < 120 else 0.4 for h in range(168)])
    worse = 0.0
    for _ in range(30):
        k = chance.poisson(truth * weeks).astype(float)
        rates = 3600 * np.array(HourOfWeek.from_counts(k.tolist(), [float(weeks)] * 168).rates)
        error = ((rates - truth) ** 2).sum()
        raw, flat = ((k / weeks - truth) ** 2).sum(), ((k.mean() / weeks - truth) ** 2).sum()
        worse += error / min(raw, flat) / 30
        assert (rates > 0).all()
    assert worse < 1.0


def test_equal_cells_are_learnt_as_one_rate() -> None:
    """A stream without cycles: after two weeks of one event an hour the cells differ by less than a fifth of their
    raw variation."""
    k = np.random.default_rng(9).poisson(2.0, 168).astype(float)
    rates = 3600 * np.array(HourOfWeek.from_counts(k.tolist(), [2.0] * 168).rates)
    assert rates.mean() == pytest.approx(k.mean() / 2, rel=0.02)
    assert rates.std() < 0.2 * (k / 2).std()


@pytest.mark.parametrize(
    ("events", "hours"), [([1.0] * 167, [1.0] * 168), ([0.0] * 168, [1.0] * 168), ([-1.0] * 168, [1.0] * 168)]
)
def test_a_profile_cannot_be_learnt_from_invalid_counts(events: list[float], hours: list[float]) -> None:
    """Too few cells, no events, a negative count: refused by name."""
    with pytest.raises(ValueError, match=r"^events"):
        HourOfWeek.from_counts(events, hours)
