"""The GLR chart (maximum over all onsets) and the EWMA chart, with their run lengths."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors import build
from detectors.base import Count, Design, Gauge, Observation
from tests.strength import examples

RUNS = examples(100, 300)


@pytest.mark.parametrize(("direction", "mean"), [("above", 5.4), ("below", 4.6), ("above", 5.0)])
def test_the_glr_is_the_maximum_over_every_onset(direction: str, mean: float) -> None:
    """The remaining vertices give the maximum over all onsets, at each of 300 periods of changing exposure."""
    chance = np.random.default_rng(41)
    detector = build("glr", Design(limit=5.0, direction=direction), {"arl0": 1e12})  # type: ignore[arg-type]
    seen: list[tuple[float, float]] = []
    for _ in range(300):
        m = float(chance.uniform(0.2, 2.0))
        seen.append((float(chance.poisson(mean * m)), 5.0 * m))
        score = detector.update(Count(k=seen[-1][0], m=m))
        best = k = e = 0.0
        for events, expected in reversed(seen):
            k, e = k + events, e + expected
            if (k > e) if direction == "above" else (k < e):
                best = max(best, e - k + (k * math.log(k / e) if k else 0.0))
        assert score is not None
        assert score.statistic == pytest.approx(best, abs=1e-9)
    assert len(detector.onsets) < 12  # type: ignore[attr-defined]


def test_the_window_of_the_glr_forgets() -> None:
    """A slow excess is detected with a long window and not with a short one."""
    stream = [Count(k=6.0, m=1.0)] * 400
    found = [
        any(d.update(o).alarm for o in stream)  # type: ignore[union-attr]
        for d in (build("glr", Design(limit=5.0), {"window": w}) for w in (1000, 10))
    ]
    assert found == [True, False]


def lengths(
    name: str, design: Design, params: dict[str, object], mean: float, runs: int, dispersion: float = 1.0
) -> np.ndarray:  # type: ignore[type-arg]
    """Run lengths on an unchanged stream."""
    chance, out = np.random.default_rng(42), []
    for _ in range(runs):
        detector, t, alarm = build(name, design, params), 0, False
        while not alarm:
            ks = (
                chance.poisson(mean, 100)
                if dispersion == 1
                else chance.negative_binomial(mean / (dispersion - 1), 1 / dispersion, 100)
            )
            for k in ks:
                t += 1
                if detector.update(Count(k=float(k), m=1.0)).alarm:  # type: ignore[union-attr]
                    alarm = True
                    break
        out.append(t)
    return np.array(out)


@pytest.mark.parametrize("mean", [0.5, 5.0, 50.0])
def test_the_glr_run_length_is_at_least_the_declared_one(mean: float) -> None:
    """ARL0 200 declared: measured 1.2 to 1.8 times that."""
    found = lengths("glr", Design(limit=mean), {"arl0": 200}, mean, RUNS)
    assert 200 - 3 * found.std() / math.sqrt(RUNS) <= found.mean() <= 600


def test_the_ewma_run_length_is_about_the_declared_one() -> None:
    """Counts of mean 50 with ARL0 200, one-sided: between the two-sided value and twice it."""
    found = lengths("ewma", Design(limit=50.0), {"arl0": 200}, 50.0, RUNS)
    assert 200 - 3 * found.std() / math.sqrt(RUNS) <= found.mean() <= 480


@pytest.mark.parametrize(("name", "periods"), [("glr", 8), ("ewma", 12)])
def test_a_doubled_rate_is_found_and_learnt(name: str, periods: int) -> None:
    """Against a learnt baseline: detected soon, then the new level is learnt."""
    wave = (3, 6, 4, 7, 5, 9, 2, 6, 5, 3)
    stream = [Count(k=float(wave[i % 10] * (1 if i < 200 else 2.4)), m=1.0) for i in range(1200)]
    detector = build(name, Design(), {"baseline_periods": 60})
    found = [i for i, o in enumerate(stream) if (s := detector.update(o)) is not None and s.alarm]
    assert found
    assert 200 <= found[0] < 200 + periods
    assert found[-1] < 300


def test_the_ewma_of_a_gauge_returns_no_score_of_a_constant_and_finds_a_drift() -> None:
    """A constant has no standard deviation; a lasting shift is detected on either side, none before."""
    constant = build("ewma", Design())
    assert [constant.update(Gauge(value=7.0)) for _ in range(500)] == [None] * 500
    for shift in (1.5, -1.5):
        chance = np.random.default_rng(43)
        stream: list[Observation] = [Gauge(value=float(chance.normal(shift * (i >= 300), 1))) for i in range(400)]
        detector = build("ewma", Design(), {"baseline_periods": 100})
        found = [i for i, o in enumerate(stream) if (s := detector.update(o)) is not None and s.alarm]
        assert found
        assert 300 <= found[0] < 340


def test_the_ewma_watches_the_harmful_side_of_a_limit_only() -> None:
    """Far below an upper limit is no alarm; far below a lower one is."""
    for direction, alarm in (("above", False), ("below", True)):
        detector = build("ewma", Design(limit=50.0, direction=direction))  # type: ignore[arg-type]
        assert any(detector.update(Count(k=20.0, m=1.0)).alarm for _ in range(30)) is alarm  # type: ignore[union-attr]


def test_a_two_sided_limit_finds_too_few_and_too_many() -> None:
    """A stated rate of 10 per period: 4 and 20 are detected, 10 is not, and open periods have no score."""
    for k, found in ((4.0, True), (20.0, True), (10.0, False)):
        detector = build("limit_e_process", Design(limit=10.0, alpha=0.01, late_window=3), {"two_sided": True})
        assert any(detector.update(Count(k=k, m=1.0)).alarm for _ in range(40)) is found  # type: ignore[union-attr]
        assert detector.peek((Count(k=50.0, m=1.0),)) is None  # type: ignore[attr-defined]
        assert detector.raise_late(0, 1.0) is None  # type: ignore[attr-defined]


def test_two_sided_pilots_at_their_rate_stay_within_alpha() -> None:
    """1,000 pilots with a margin of 20 % on both sides, at either end of it: at most alpha ever alarm."""
    chance = np.random.default_rng(44)
    for mean in (12.0, 10.0 / 1.2):
        alarmed = 0
        for pilot in chance.poisson(mean, (1_000, 60)):
            detector = build("limit_e_process", Design(limit=10.0, alpha=0.05, uncertainty=0.2), {"two_sided": True})
            alarmed += any(detector.update(Count(k=float(k), m=1.0)).alarm for k in pilot)  # type: ignore[union-attr]
        assert alarmed / 1_000 <= 0.05
