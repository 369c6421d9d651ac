"""The granted dispersion is checked: what exceeds it is found, a step of the rate is not, and halts wait for it."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import arl, build
from detectors.base import Count, Design
from detectors.dispersion_check import DispersionCheck
from detectors.e_process import LimitEProcess


def counts(rng: np.random.Generator, mean: float, dispersion: float, size: int) -> list[float]:
    if dispersion == 1:
        return [float(k) for k in rng.poisson(mean, size)]
    return [float(k) for k in rng.poisson(rng.gamma(mean / (dispersion - 1), dispersion - 1, size))]


def found(mean: float, granted: float, true: float, runs: int, after: int = 0, ratio: float = 1.0) -> float:
    """The share of streams of 100 periods whose dispersion is found exceeded."""
    rng, hits = np.random.default_rng(5), 0
    for _ in range(runs):
        check = DispersionCheck()
        for t, k in enumerate(counts(rng, mean, true, 100)):
            more = counts(rng, mean * (ratio - 1), true, 1)[0] if after and t >= after else 0.0
            check.update(k + more, 1.0, granted, False)
        hits += check.exceeded
    return hits / runs


@pytest.mark.parametrize(("granted", "true"), [(1.0, 4.0), (2.0, 8.0)])
def test_four_times_the_granted_dispersion_is_found_within_a_hundred_periods(granted: float, true: float) -> None:
    """Nearly always: the share in simulation is above .99."""
    assert found(5.0, granted, true, 40) >= 0.9


def test_dispersion_within_the_grant_is_not_reported() -> None:
    """Nothing is found in streams that keep what is granted."""
    assert found(5.0, 2.0, 1.0, 60) == 0
    assert found(5.0, 1.0, 1.0, 60) <= 0.05


def test_a_step_of_the_rate_is_not_dispersion() -> None:
    """A tripled rate is a change, and no sign that the charter grants too little."""
    assert found(5.0, 1.0, 1.0, 40, after=40, ratio=3.0) <= 0.1


def checked(**params: object) -> LimitEProcess:
    detector = build("limit_e_process", Design(limit=5.0, alpha=0.01, check_dispersion=True), params)
    assert isinstance(detector, LimitEProcess)
    return detector


def test_an_exceeded_dispersion_caps_the_alarm_until_the_grant_is_amended() -> None:
    """The statistic stays just below its threshold; another `variance_mean` starts the check anew."""
    detector = checked()
    assert detector.check is not None
    detector.check.exceeded = True
    score = detector.update(Count(60.0, 1.0))
    assert score is not None
    assert not score.alarm
    assert score.statistic > score.threshold / 2
    late = detector.raise_late(0, 9.0)
    peeked = detector.peek((Count(90.0, 1.0),))
    assert late is None or not late.alarm
    assert peeked is not None
    assert not peeked.alarm
    detector.amend(Design(limit=5.0, alpha=0.01, variance_mean=4.0))
    score = detector.update(Count(60.0, 1.0))
    assert score is not None
    assert score.alarm


def test_a_withheld_alarm_needs_evidence_that_holds_for_more_dispersion() -> None:
    """At first a count that fits four times the dispersion does not alarm; a far larger one does, and so does the same
    count after periods that rule out twice the dispersion."""
    plain, withheld, large, proven = checked(), checked(withhold=True), checked(withhold=True), checked(withhold=True)
    for k in (4.0, 6.0, 5.0):
        for detector in (plain, withheld, large):
            detector.update(Count(k, 1.0))
    for t in range(80):
        proven.update(Count(float(4 + t % 3), 1.0))
    alarms = [
        d.update(Count(k, 1.0)).alarm for d, k in ((plain, 22.0), (withheld, 22.0), (large, 80.0), (proven, 30.0))
    ]  # type: ignore[union-attr]
    assert alarms == [True, False, True, True]


def test_names_that_arl_promises_are_importable() -> None:
    """The charts of normal numbers can be imported from `detectors.arl` as well."""
    assert {"gaussian_cusum", "gaussian_ewma"} <= set(arl.__all__)
    assert all(callable(getattr(arl, name)) for name in arl.__all__)
