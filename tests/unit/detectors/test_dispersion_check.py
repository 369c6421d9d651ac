"""The granted dispersion is checked: what exceeds it is found, changes and cycles are not; evidence allows for it."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from detectors import build
from detectors.base import Count, Design, Proportion
from detectors.checked_limit import CheckedLimitEProcess
from detectors.dispersion_check import _CLIP, _SLOPE, _STEP, MULTIPLES, DispersionCheck, _table
from detectors.e_process import LimitEProcess
from detectors.likelihood import count_line
from detectors.repeat import repeated

CLUSTERED = (0, 12, 1, 9, 0, 14, 2, 11, 0, 10) * 12
DAILY = 365.25


def weights(mean: float, dispersion: float) -> np.ndarray:
    """Probabilities of 0, 1, ... up to where nothing is left."""
    p, found = math.exp(-mean) if dispersion == 1 else dispersion ** (-mean / (dispersion - 1)), []
    for k in range(int(mean + 60 * math.sqrt(dispersion * mean) + 100)):
        found.append(p)
        turn = (dispersion - 1) / dispersion
        p *= mean / (k + 1) if dispersion == 1 else turn * (mean / (dispersion - 1) + k) / (k + 1)
    return np.array(found)


def draw(rng: np.random.Generator, level: np.ndarray, dispersion: float) -> list[float]:
    if dispersion > 1:
        level = rng.gamma(level / (dispersion - 1), dispersion - 1)
    return [float(k) for k in rng.poisson(level)]


def reported(level: np.ndarray, granted: float, true: float, runs: int) -> float:
    """The share of streams whose dispersion is found above the granted one."""
    rng, hits = np.random.default_rng(7), 0
    for _ in range(runs):
        check = DispersionCheck.of(periods_per_year=DAILY)
        for t, k in enumerate(draw(rng, level, true)):
            check.update(k, 1.0, t, granted)
        hits += check.exceeded
    return hits / runs


def checked(limit: float = 5.0, **params: object) -> CheckedLimitEProcess:
    design = Design(limit=limit, alpha=0.01, periods_per_year=DAILY, late_window=6)
    detector = build("limit_e_process", design, {"check_dispersion": True, **params})
    assert isinstance(detector, CheckedLimitEProcess)
    return detector


@pytest.mark.parametrize("granted", [1.0, 2.0, 7.0])
@pytest.mark.parametrize("mean", [0.03, 0.2, 0.77, 1.0, 4.9, 23.0, 61.0])
def test_the_e_value_of_a_period_has_an_expectation_of_at_most_1(granted: float, mean: float) -> None:
    """With the mean known, for counts of the granted dispersion and for Poisson counts; the rest is interpolation."""
    table = _table(granted)
    log_e = table[min(int(math.sqrt(mean / granted) / _STEP), len(table) - 1)]
    for true in (1.0, granted):
        p = weights(mean, true)
        v = 4 * (np.sqrt(np.arange(len(p)) + 0.375) - math.sqrt(mean + 0.375)) ** 2 / granted
        assert (p * np.exp(_SLOPE * np.minimum(v, _CLIP) - log_e)).sum() <= 1.003


@pytest.mark.parametrize("granted", [1.0, 2.0])
def test_four_times_the_granted_dispersion_is_found_within_a_hundred_periods(granted: float) -> None:
    assert reported(np.full(100, 5.0), granted, 4 * granted, 30) >= 0.9


WEEK = np.where(np.arange(365) % 7 < 5, 7 / 6, 7 / 12)
OUTBREAK = np.where(np.arange(365) // 7 == 20, 5.0, 1.0)
STEP = np.where(np.arange(365) < 180, 1.0, 2.0)


@pytest.mark.parametrize(
    "shape", [WEEK, OUTBREAK, STEP, np.linspace(0.67, 1.33, 365)], ids=["weekly cycle", "outbreak", "step", "ramp"]
)
def test_a_rate_that_changes_is_not_dispersion(shape: np.ndarray) -> None:
    """A cycle of 2:1, a week of five times the rate, a doubled rate and a slow ramp are reported in none of 20 years
    each, at a small and a large mean."""
    assert reported(5.0 * shape, 1.0, 1.0, 20) == 0
    assert reported(20.0 * shape, 2.0, 2.0, 20) == 0


def test_one_period_is_never_enough() -> None:
    """However large it is."""
    check = DispersionCheck.of(periods_per_year=DAILY)
    for t, k in enumerate([5.0, 4.0, 6.0, 5.0] * 5 + [1e12]):
        check.update(k, 1.0, t, 1.0)
    assert not check.exceeded
    assert check.evidence < 4


@pytest.mark.parametrize("ratio", [1.25, 2.0, 5.0])
@pytest.mark.parametrize("multiple", MULTIPLES)
def test_an_e_value_for_more_dispersion_is_one_for_less(ratio: float, multiple: float) -> None:
    """At the limit, the expectation is at most 1 for every variance/mean up to the one of the line."""
    slope, cost = count_line(ratio, 4.0, 2.0 * multiple)
    for true in (1.0, 1.5, 2.0, 2.0 * multiple):
        p = weights(4.0, true)
        assert (p * np.exp(slope * np.arange(len(p)) + cost)).sum() <= 1 + 1e-6


def test_the_multiple_follows_the_past_and_not_the_period_it_is_used_for() -> None:
    """A score uses what the periods before it have shown; `check_dispersion` counts from the next one on."""
    detector = checked()
    for t, k in enumerate(CLUSTERED):
        before = detector.spread
        detector.update(Count(float(k), 1.0, t))
        assert detector.spread == before
        detector.check_dispersion(Count(float(k), 1.0, t))
    assert detector.check.exceeded
    assert MULTIPLES[detector.spread] == 4.0


def test_scores_are_those_without_a_check_while_the_data_are_within_the_grant() -> None:
    plain, other = build("limit_e_process", Design(limit=5.0, alpha=0.01, periods_per_year=DAILY)), checked()
    for t, k in enumerate(draw(np.random.default_rng(1), np.full(200, 5.0), 1.0)):
        observation = Count(k, 1.0, t)
        assert plain.update(observation) == other.update(observation)
        other.check_dispersion(observation)


@pytest.mark.parametrize(("prior", "first"), [(1, 1.0), (2, 2.0), (3, 2 * 2**0.5), (4, 4.0)])
def test_the_prior_is_what_is_assumed_at_first_and_not_for_long(prior: int, first: float) -> None:
    detector = checked(dispersion_prior=prior)
    assert MULTIPLES[detector.spread] == first
    for t, k in enumerate(draw(np.random.default_rng(2), np.full(120, 5.0), 1.0)):
        detector.check_dispersion(Count(k, 1.0, t))
    assert MULTIPLES[detector.spread] == 1.0


def test_late_events_are_added_with_the_multiple_of_their_period() -> None:
    """The result is that of the same multiples with all events in time."""
    late, in_time = checked(), checked()
    for t, spread in enumerate((0, 2, 2, 4, 1)):
        for detector in (late, in_time):
            detector._set_spread(spread)
        late.update(Count(6.0, 1.0, t))
        in_time.update(Count(15.0 if t == 1 else 6.0, 1.0, t))
    assert late.raise_late(3, 9.0) is not None
    assert late.sums == in_time.sums
    assert len(late.spreads) <= late.late_window


def test_an_amended_grant_restarts_what_rested_on_a_refuted_one() -> None:
    """Evidence under a variance/mean that was found exceeded is dropped; under one that was not, it stays."""
    refuted, kept = checked(), checked()
    for t, k in enumerate(CLUSTERED):
        refuted.update(Count(float(k), 1.0, t))
        refuted.check_dispersion(Count(float(k), 1.0, t))
    for detector in (refuted, kept):
        detector.update(Count(30.0, 1.0, 200))
        detector.amend(Design(limit=5.0, alpha=0.01, variance_mean=4.0))
        assert not detector.check.exceeded
    assert list(refuted.sums) == [0.0] * 5
    assert min(kept.sums) > 0


def test_a_snapshot_has_all_of_it() -> None:
    """A restored detector goes on with the same numbers; its fields stand in snapshots in this order."""
    detector = checked(dispersion_prior=3)
    for t, k in enumerate(CLUSTERED[:40]):
        detector.update(Count(float(k), 1.0, t))
        detector.check_dispersion(Count(float(k), 1.0, t))
    raw = msgspec.msgpack.encode(detector)
    again = msgspec.msgpack.decode(raw, type=CheckedLimitEProcess)
    assert len(msgspec.msgpack.decode(raw)) == 19
    assert again.__struct_fields__[-3:] == ("check", "spread", "spreads")
    for each in (detector, again):
        each.check_dispersion(Count(9.0, 1.0, 40))
    assert detector.update(Count(9.0, 1.0, 41)) == again.update(Count(9.0, 1.0, 41))


def test_many_periods_without_events_are_skipped_with_the_same_result() -> None:
    """Once nothing is left in the level, they change nothing in the check; before that nothing is skipped."""
    one, many = checked(), checked()
    for detector in (one, many):
        for t in range(30):
            detector.update(Count(float(t % 3), 1.0, t))
            detector.check_dispersion(Count(float(t % 3), 1.0, t))
    assert repeated(many, Count(0.0, 1.0, 30), 100) is None
    for detector in (one, many):
        for t in range(30, 900):
            detector.update(Count(0.0, 1.0, t))
            detector.check_dispersion(Count(0.0, 1.0, t))
        while detector.check.rest:
            detector.check_dispersion(Count(0.0, 1.0, 900))
    moved = repeated(many, Count(0.0, 1.0, 900), 100)
    for t in range(900, 1000):
        one.update(Count(0.0, 1.0, t))
        one.check_dispersion(Count(0.0, 1.0, t))
    assert moved is not None
    assert msgspec.msgpack.encode(moved) == msgspec.msgpack.encode(one)


def test_the_rarer_outcome_of_a_proportion_is_checked() -> None:
    """Groups of eight that agree are found, at a limit above and below one half."""
    rng = np.random.default_rng(3)
    for limit, share in ((0.2, 0.1), (0.95, 0.9)):
        even, grouped = checked(limit), checked(limit)
        for t in range(150):
            even.check_dispersion(Proportion(float(rng.binomial(80, share)), 80.0, t))
            grouped.check_dispersion(Proportion(8.0 * float(rng.binomial(10, share)), 80.0, t))
        assert not even.check.exceeded
        assert grouped.check.exceeded


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"check_dispersion": "yes"}, "check_dispersion"),
        ({"check_dispersion": True, "dispersion_prior": 5}, "dispersion_prior"),
        ({"check_dispersion": True, "dispersion_prior": 1.5}, "dispersion_prior"),
        ({"dispersion_prior": 2}, "check_dispersion"),
    ],
)
def test_a_wrong_parameter_is_named(params: dict[str, object], names: str) -> None:
    with pytest.raises(ValueError, match=names):
        build("limit_e_process", Design(limit=5.0, alpha=0.01), params)


def test_periods_longer_than_a_week_have_no_check() -> None:
    """A yearly cycle would be taken for dispersion."""
    design = Design(limit=5.0, alpha=0.01, periods_per_year=12)
    with pytest.raises(ValueError, match="periods of a week or less"):
        build("limit_e_process", design, {"check_dispersion": True})


@pytest.mark.parametrize("mean", [1.0, 5.0])
def test_the_hours_of_a_day_are_a_cycle_of_shorter_periods(mean: float) -> None:
    """Five times the rate from 8 to 18 is reported in none of five quarters of hourly periods."""
    rng, day = np.random.default_rng(4), np.arange(24)
    level = mean * np.where((day >= 8) & (day < 18), 5.0, 1.0) / 2.67
    for _ in range(5):
        check = DispersionCheck.of(periods_per_year=8766)
        for t, k in enumerate(draw(rng, np.tile(level, 90), 1.0)):
            check.update(k, 1.0, t, 1.0)
        assert not check.exceeded


def test_without_the_parameter_there_is_no_check() -> None:
    """Charters that do not ask for one keep their states and decisions."""
    assert type(build("limit_e_process", Design(limit=5.0, alpha=0.01))) is LimitEProcess
