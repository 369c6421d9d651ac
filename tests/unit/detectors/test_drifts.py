"""`seasonal` keeps near its run length when a cycle appears, exposure shrinks or dispersion drifts."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from detectors.base import Count, Design, Proportion
from detectors.predictive import SeasonalProportion, SeasonalRate
from detectors.predictive_change import SeasonalChange
from tests.bench.detbench.g20_drifts import Cell, cells, false_alarms

CELLS = {cell.name: cell for group in cells().values() for cell in group}


@pytest.mark.parametrize(
    ("name", "at_most"),
    [
        ("hours, mean 2, weekends from period 1000", 2.0),  # 4.4 without the weekly cycle
        ("mean 20, exposure to 10 times, shape constant", 3.0),  # 7.6 with one dispersion for all time
        ("mean 20, variance/mean 1 to 3 over 1000 periods", 2.0),  # 3.4
    ],
)
def test_drifts_cost_at_most_this_many_times_the_declared_false_alarms(name: str, at_most: float) -> None:
    """Alarms of ten in-control streams of 4,000 periods under a drift, over those that the run length declares."""
    cell: Cell = CELLS[name]
    assert false_alarms(np.random.default_rng(3), cell, 10).value <= at_most


def test_a_week_of_hours_is_modelled_as_soon_as_it_is_covered_twice() -> None:
    """The day from the beginning, the week after 336 periods; named cycles from the beginning, and no others."""
    detector = SeasonalChange.design(Design())
    named = SeasonalChange.design(Design(), cycles=(24.0,))
    for hour in range(336):
        assert detector.model is None or detector.model.predictor.cycles == ((24.0, 1),)
        detector.update(Count(5.0, 1.0, hour))
        named.update(Count(5.0, 1.0, hour))
    detector.update(Count(5.0, 1.0, 336))
    named.update(Count(5.0, 1.0, 336))
    assert detector.model is not None
    assert detector.model.predictor.cycles == ((24.0, 1), (168.0, 3))
    assert named.model is not None
    assert named.model.predictor.cycles == ((24.0, 1),)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(detector), type=SeasonalChange) == detector


@pytest.mark.parametrize("kind", [SeasonalRate, SeasonalProportion])
def test_the_learnt_dispersion_follows_a_drift(kind: type[SeasonalRate] | type[SeasonalProportion]) -> None:
    """After 300 periods of more dispersion than in 2,000 before, the forecast variance is the new one within a third;
    without a window it is not."""
    rng = np.random.default_rng(5)
    models = [kind(window=100), kind()]
    variance = [0.0, 0.0]
    for t in range(2_300):
        shape = 10.0 if t >= 2_000 else 1e6
        level = rng.gamma(shape, 1 / shape)
        k = float(rng.poisson(20 * level)) if kind is SeasonalRate else float(rng.binomial(200, min(0.1 * level, 1)))
        for i, model in enumerate(models):
            forecast = model.observe(k, 1.0 if kind is SeasonalRate else 200.0, t)
            variance[i] = forecast.variance if forecast is not None else 0.0
    now = 20 + 400 / 10 if kind is SeasonalRate else 18 + 400 / 10
    assert variance[0] == pytest.approx(now, rel=0.34)
    assert variance[1] < 0.66 * now


def test_the_threshold_rises_when_the_expected_events_halve() -> None:
    """Large steps overshoot the threshold by more than small ones, so a threshold set for many events is too low for
    few."""
    detector = SeasonalChange.design(Design(), cycles=(24.0,))
    for hour in range(120):
        detector.update(Count(50.0, 1.0, hour))
    before = detector.threshold
    for hour in range(120, 140):
        detector.update(Count(1.0, 0.02, hour))
    assert detector.threshold > before + 0.2


def test_a_snapshot_without_a_window_weighs_all_periods_alike() -> None:
    """Models of older snapshots go on as they were."""
    model = msgspec.msgpack.decode(msgspec.msgpack.encode({"type": "SeasonalRate"}), type=SeasonalRate)
    assert model.window == 0
    assert not SeasonalChange.design(Design(), cycles=(24.0,)).predictor.later  # type: ignore[union-attr]
    observed = SeasonalChange.design(Design())
    observed.update(Proportion(1.0, 10.0, 0))
    assert observed.model is not None
    assert observed.model.window == 100
