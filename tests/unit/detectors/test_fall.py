"""The fall detector: what it finds, how soon, and what it must not mistake for a fall."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import build
from detectors.base import Count, Design, Detector, Observation, Proportion

DAYS = Design(periods_per_year=365.25)


def watch(**design: float) -> Detector:
    return build("fall", Design(periods_per_year=365.25, **design))


def alarms(detector: Detector, counts: list[Observation]) -> list[int]:
    return [i for i, c in enumerate(counts) if (score := detector.update(c)) is not None and score.alarm]


def poisson(mean: float, periods: int, seed: int) -> list[Observation]:
    return [Count(float(k), 1.0) for k in np.random.default_rng(seed).poisson(mean, periods)]


def dead(periods: int) -> list[Observation]:
    return [Count(0.0, 1.0)] * periods


@pytest.mark.parametrize(("mean", "within"), [(5.0, 4), (1.0, 15), (0.2, 60)])
def test_a_channel_that_dies_is_found_soon(mean: float, within: int) -> None:
    """After half a year, silence is found within `within` days in the median of 21 streams."""
    delays = sorted((alarms(watch(), poisson(mean, 182, seed) + dead(400)) or [999])[-1] - 181 for seed in range(21))
    assert 0 < delays[10] <= within


def test_a_dead_channel_alarms_once() -> None:
    """A lasting fall is one alarm: the baseline is learnt again, and needs events for that."""
    assert len(alarms(watch(), poisson(5.0, 182, 1) + dead(1000))) == 1


def test_the_alarm_says_that_it_is_a_fall() -> None:
    detector = watch()
    scores = [detector.update(c) for c in poisson(5.0, 100, 2) + dead(5)]
    assert [s.change for s in scores if s is not None and s.alarm] == ["fall"]


def test_a_service_that_is_stopped_is_no_fall() -> None:
    """Periods without exposure are no evidence and change nothing."""
    detector = watch()
    for c in poisson(5.0, 100, 3):
        detector.update(c)
    assert [detector.update(Count(0.0, 0.0)) for _ in range(400)] == [None] * 400
    score = detector.update(Count(5.0, 1.0))
    assert score is not None
    assert not score.alarm


def test_a_rise_and_its_end_are_no_fall_against_an_old_baseline() -> None:
    """Three days at five times the rate, among the first twenty or later: the way back does not alarm."""
    for burst in (5, 150):
        counts = poisson(5.0, 400, 4)
        counts[burst : burst + 3] = [Count(25.0, 1.0)] * 3
        assert alarms(watch(), counts) == []


@pytest.mark.parametrize("granted", [1.0, 2.0])
def test_false_alarms_stay_within_the_declared_number_at_twice_the_granted_dispersion(granted: float) -> None:
    """At most .1 a year over 100 stream-years (with three standard errors), also with clustered events."""
    rng, found = np.random.default_rng(5), 0
    for _ in range(20):
        v = 2 * granted
        counts: list[Observation] = [Count(float(k), 1.0) for k in rng.negative_binomial(5 / (v - 1), 1 / v, 5 * 365)]
        found += len(alarms(watch(variance_mean=granted), counts))
    assert found <= 10 + 3 * 10**0.5


def test_a_share_that_drops_is_found() -> None:
    """Flags that stop: 5 of 100 a day, then none."""
    rng = np.random.default_rng(6)
    flags: list[Observation] = [Proportion(float(k), 100.0) for k in rng.binomial(100, 0.05, 182)]
    assert alarms(watch(), [*flags, *[Proportion(0.0, 100.0)] * 10])[-1] <= 181 + 4


def test_the_baseline_waits_for_a_stated_count_not_for_half_a_year() -> None:
    """A busy channel is watched from the third day on, a rare one once ten events were seen."""
    busy, rare = watch(), watch()
    assert [busy.update(Count(5.0, 1.0)) is None for _ in range(3)] == [True, True, False]
    first = next(i for i in range(400) if rare.update(Count(float(i % 10 == 0), 1.0)) is not None)
    assert first == 91


@pytest.mark.parametrize("wrong", ["false_per_year", "baseline_weeks", "baseline_events"])
def test_a_wrong_parameter_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match=f"^{wrong}: "):
        build("fall", DAYS, {wrong: -1})
