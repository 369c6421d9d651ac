"""Fast paths give bit-equal results to the slow paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import build
from detectors.base import Count, Design, Proportion
from detectors.e_detector import EDetector
from detectors.e_process import LimitEProcess
from detectors.glr import _highest

Pairs = list[tuple[float, float]]
numbers = st.one_of(st.integers(0, 30).map(float), st.floats(0, 1e6), st.sampled_from([0.0, 5e-324, 1e18, 1e308]))
periods = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(periods, st.booleans(), st.sampled_from([0, 3]), st.sampled_from(["above", "below"]))
def test_a_limit_e_process_without_the_fast_path_gives_equal_scores(
    stream: Pairs, share: bool, window: int, direction: str
) -> None:
    """Counts and shares, both directions, with and without a late window, sums that overflow into logarithms."""
    design = Design(limit=0.2, alpha=0.01, late_window=window, minimum_events=4, direction=direction)  # type: ignore[arg-type]
    quick, plain = (build("limit_e_process", design) for _ in range(2))
    assert isinstance(plain, LimitEProcess)
    for k, x in stream:
        plain.unpacked = (None,)
        observation = Proportion(min(k, x), x) if share else Count(k, x)
        assert quick.update(observation) == plain.update(observation)


@settings(max_examples=150, deadline=None)
@given(periods, st.booleans(), st.sampled_from([None, 0.2]))
def test_an_e_detector_without_the_fast_path_gives_equal_scores(
    stream: Pairs, share: bool, baseline: float | None
) -> None:
    """Known and learnt baselines, over alarms and restarts."""
    quick, plain = (EDetector.design(Design(), arl0=50, baseline=baseline, baseline_periods=4) for _ in range(2))
    for k, x in stream:
        plain.unpacked = ()
        observation = Proportion(min(k, x), x) if share else Count(k, x)
        assert quick.update(observation) == plain.update(observation)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12), numbers, numbers)
def test_no_onset_is_passed_over_that_could_be_the_best(onsets: Pairs, x: float, y: float) -> None:
    """`glr` skips onsets by a bound without logarithms: the result equals the maximum over all onsets."""
    corners = [(a, b, i) for i, (a, b) in enumerate(sorted(onsets)) if a <= x and b <= y]
    best = 0.0
    for a, b, _ in corners:
        events, normal = y - b, x - a
        if events > normal:
            found = normal - events
            if events > 0:
                found += events * (math.log(events) - math.log(normal if normal > 1e-300 else 1e-300))
            best = max(best, found)
    assert _highest(corners, x, y) == best


@pytest.mark.parametrize("name", ["e_detector", "limit_e_process"])
def test_an_ordinary_stream_takes_the_fast_path(name: str) -> None:
    """The fast path is active after the second period, so that benchmarks measure it."""
    detector = build(name, Design(limit=5.0, alpha=0.01))
    scores = [detector.update(Count(float(k), 1.0)) for k in np.random.default_rng(11).poisson(5, 60)]
    assert scores[-1] is not None
    assert len(detector.unpacked) > 10  # type: ignore[attr-defined]
