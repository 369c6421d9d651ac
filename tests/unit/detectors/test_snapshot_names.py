"""Names and order of fields in snapshots: attributes may be renamed, encoded names and orders may not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors import DETECTORS, build
from detectors.base import Count, Design, Gauge
from detectors.predictive import SeasonalProportion, SeasonalRate

LENGTHS = {
    "limit_e_process": 16,
    "e_detector": 10,
    "cusum": 10,
    "glr": 8,
    "ewma": 11,
    "fall": 9,
    "aberration": 11,
    "disparity": 14,
}
NAMES = {
    "seasonal": "arl0 ratios shifts relearn above wanted events granted predictor model at begun bar sums fewest",
    "maxsprt": "bar alpha rate horizon minimum_events events expected",
    "silence": "rate false_per_year cluster bar",
    "gauge_limit": "sign limit",
    "river_drift": "delta warm_up block numbers",
    "shape": "bar cooldown level cycle past tails row quiet exponent residual spread",
}


def encoded(value: Any) -> Any:
    """What a snapshot holds, without types."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_a_snapshot_keeps_its_field_names(name: str) -> None:
    """A detector encoded as a map has the listed keys; one encoded as an array has the listed length."""
    detector = encoded(build(name, Design(limit=2.0, alpha=0.01)))
    if name in LENGTHS:
        assert isinstance(detector, list)
        assert len(detector) == LENGTHS[name]
    else:
        assert list(detector) == NAMES[name].split()


def test_the_seasonal_models_keep_their_tags() -> None:
    """Renaming a class must not rename it in snapshots that already exist."""
    rate, proportion = encoded(SeasonalRate()), encoded(SeasonalProportion())
    assert rate.pop("type") == "SeasonalRate"
    assert proportion.pop("type") == "SeasonalShare"
    names = "predictor granted exposure_error doubt periods events squares doubtful window"
    assert list(rate) == names.split()
    assert list(proportion) == ["predictor", "granted", "doubt", "periods", "events", "excess", "trials", "window"]


def test_the_views_of_shape_keep_their_field_names() -> None:
    """The parts of `shape` are maps inside its own."""
    detector = build("shape", Design(periods_per_year=8766.0))
    detector.update(Gauge(value=1.0))
    state = encoded(detector)
    assert list(state["level"]) == ["fast", "slow", "seen", "near", "far"]
    assert list(state["cycle"]) == ["season", "gain", "start", "profile", "most"]
    assert list(state["past"]) == ["stride", "window", "keep", "neighbours", "points", "total", "count", "distance"]
    tail = ["block", "keep", "maxima", "largest", "count", "level", "excess", "floor", "reach"]
    assert list(state["tails"][0]) == tail
    assert list(state["spread"]) == ["season", "seen", "phases"]


def test_a_snapshot_from_before_a_rename_is_read() -> None:
    """The encoded names of a `maxsprt` are enough to restore it."""
    detector = build("maxsprt", Design(limit=2.0, alpha=0.05), {"horizon": 20})
    old = {"bar": 3.5, "alpha": 0.05, "rate": 2.0, "horizon": 20.0, "minimum_events": 1, "events": 4.0, "expected": 2.0}
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=type(detector))
    score = restored.update(Count(k=9.0, m=1.0))
    assert score is not None
    assert score.threshold == 3.5
    assert score.alarm
