"""MaxSPRT: critical values to 1e-5, power, time to signal, and the detector built on them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors import build
from detectors.base import Count, Design
from detectors.maxsprt import critical_value, llr, power


@pytest.mark.parametrize(
    ("upper", "alpha", "events", "value"),
    [
        *[(t, 0.05, 1, v) for t, v in ((1, 2.853937), (2, 3.046977), (5, 3.297183), (10, 3.467952))],
        *[(t, 0.05, 1, v) for t, v in ((20, 3.628123), (50, 3.819903), (100, 3.952321))],
        *[(t, 0.05, 4, v) for t, v in ((5, 2.623668), (10, 2.921561), (20, 3.176370), (50, 3.455521), (100, 3.636508))],
        *[(t, 0.01, 1, v) for t, v in ((1, 4.670428), (10, 5.260513))],
    ],
)
def test_critical_values(upper: float, alpha: float, events: int, value: float) -> None:
    """Kulldorff et al. (2011) and Kulldorff and Silva (2015)."""
    assert critical_value(upper, alpha, events) == pytest.approx(value, abs=1e-5)


def test_power_and_time_to_signal() -> None:
    """T = 10, rate ratio 2: .6850634 and 4.130985; at the expected rate the power is alpha."""
    found = power(critical_value(10), 10, 2.0)
    assert found.power == pytest.approx(0.6850634, abs=1e-6)
    assert found.time == pytest.approx(4.130985, abs=1e-5)
    assert power(critical_value(7.5, 0.02, 3), 7.5, 1.0, 3).power == pytest.approx(0.02, abs=1e-9)


def test_power_and_time_against_a_simulation_event_by_event() -> None:
    """10,000 streams at twice the rate, T = 6, scored after every event, in a cell of no table."""
    chance, cv, hits, times = np.random.default_rng(3), critical_value(6, 0.03, 2), 0, 0.0
    for gaps in chance.exponential(0.5, (10_000, 60)):
        now = 0.0
        for c, gap in enumerate(gaps, 1):
            now += gap
            if now >= 6:
                break
            if c >= 2 and llr(c, now) >= cv:
                hits, times = hits + 1, times + now
                break
    found = power(cv, 6, 2.0, 2)
    assert hits / 10_000 == pytest.approx(found.power, abs=4 * math.sqrt(0.25 / 10_000))
    assert times / hits == pytest.approx(found.time, rel=0.04)


def test_too_many_minimum_events_are_refused() -> None:
    """Fifty events where one is expected are rarer than alpha: no threshold spends alpha."""
    with pytest.raises(ValueError, match=r"^min_events: "):
        critical_value(1, 0.05, 50)


@pytest.mark.parametrize(
    ("upper", "alpha", "least"), [(0.06, 0.05, 1), (35.5, 1e-6, 1), (14.2, 0.2, 10), (120, 0.01, 7), (300, 0.05, 2)]
)
def test_the_critical_value_spends_alpha_at_awkward_settings(upper: float, alpha: float, least: int) -> None:
    """Barely possible, very small alpha, many minimum events, long horizon: alpha is spent at the value, and less
    just above."""
    found = critical_value(upper, alpha, least)
    assert power(found, upper, 1.0, least).power == pytest.approx(alpha, rel=1e-7)
    assert power(found + 1e-3, upper, 1.0, least).power < alpha


@pytest.mark.parametrize("least", [0, 2.5, -1])
def test_minimum_events_are_a_whole_number(least: float) -> None:
    """A fraction of an event is refused by name."""
    with pytest.raises(ValueError, match=r"^min_events: "):
        critical_value(10, 0.05, least)  # type: ignore[arg-type]


def test_pilots_within_their_limit_stay_below_alpha_until_the_horizon() -> None:
    """2,000 pilots at their limit, scored each period until 20 events were expected: at most alpha alarm."""
    chance, alarmed = np.random.default_rng(4), 0
    for pilot in chance.poisson(1.0, (2_000, 25)):
        detector = build("maxsprt", Design(limit=1.0, alpha=0.05), {"horizon": 20})
        scores = [detector.update(Count(k=float(k), m=1.0)) for k in pilot]
        assert scores[19] is not None
        assert scores[20:] == [None] * 5
        alarmed += any(s.alarm for s in scores if s)
    assert 0.01 < alarmed / 2_000 <= 0.05


def test_no_signal_before_the_minimum_events() -> None:
    """Three events at once are no signal if four are required."""
    detector = build("maxsprt", Design(limit=0.01, alpha=0.05, minimum_events=4), {"horizon": 10})
    scores = [detector.update(Count(k=k, m=1.0)) for k in (3.0, 1.0)]
    assert [s.alarm for s in scores if s] == [False, True]
