"""After a change, the way back to the level before it is told from a new change."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from detectors import build
from detectors.base import Change, Count, Design, Detector
from detectors.e_detector import EDetector


def changes(detector: Detector, levels: list[tuple[float, int]], seed: int) -> list[Change | None]:
    """Directions of the alarms over stretches of Poisson counts (mean, periods)."""
    rng = np.random.default_rng(seed)
    counts = [float(k) for mean, periods in levels for k in rng.poisson(mean, periods)]
    scores = [detector.update(Count(k, 1.0)) for k in counts]
    return [s.change for s in scores if s is not None and s.alarm]


def watch() -> Detector:
    return build("e_detector", Design(periods_per_year=365.25))


@pytest.mark.parametrize("seed", range(5))
def test_the_way_back_after_a_rise_is_a_return(seed: int) -> None:
    assert changes(watch(), [(5, 120), (15, 80), (5, 150)], seed) == ["rise", "return"]


@pytest.mark.parametrize("seed", range(5))
def test_the_way_back_after_a_fall_is_a_return(seed: int) -> None:
    assert changes(watch(), [(20, 120), (5, 80), (20, 150)], seed) == ["fall", "return"]


@pytest.mark.parametrize("seed", range(5))
def test_a_channel_that_dies_after_a_rise_is_a_fall(seed: int) -> None:
    """The way down may first look like a return; once the old level is passed, it is a fall."""
    assert changes(watch(), [(5, 120), (15, 80), (0, 60)], seed)[-1] == "fall"


def test_a_second_rise_after_a_return_is_a_rise() -> None:
    """The remembered level is forgotten once a learnt baseline agrees with it."""
    assert changes(watch(), [(5, 120), (15, 80), (5, 150), (15, 80)], 1) == ["rise", "return", "rise"]


def test_a_ramp_down_after_a_ramp_up_is_no_new_change() -> None:
    up = [(5 + i / 6, 1) for i in range(60)]
    found = changes(watch(), [(5, 120), *up, (15, 100), *up[::-1], (5, 150)], 2)
    assert found[0] == "rise"
    assert "return" in found
    assert "fall" not in found


def test_a_snapshot_from_before_this_memory_is_still_read() -> None:
    """The field was appended, with a default."""
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(watch()))[:9]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=EDetector).before == []
