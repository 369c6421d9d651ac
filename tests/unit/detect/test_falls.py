"""Falls: at which level they are raised, which periods count for them, and that a return to the old level escalates
nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.charter.spec import DetectorSpec, IndicatorSpec, canonical_charter
from monitor.compile.lint import lint
from monitor.model.records import Level, Reason
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, charter

CHANGE = DetectorSpec("e_detector", "escalate", {"arl0": 1000, "baseline_periods": 20})


def spec(*detectors: DetectorSpec, **changes: Any) -> IndicatorSpec:
    return msgspec.structs.replace(RATE, limit=None, per=1.0, weight=0.0, detectors=detectors, **changes)


def levels(bench: Bench, since: int) -> set[Level]:
    return {d.level for d in bench.out.decisions[since:]}


def feed(bench: Bench, first: int, incidents: list[int]) -> None:
    for hour, count in enumerate(incidents, first):
        bench.hour(hour, incidents=count)


def test_a_return_to_the_old_level_is_a_watch() -> None:
    """A rise escalates; the way back to the level before it is at most a watch, and says what it is."""
    bench = Bench(spec(CHANGE), hard_rules=())
    feed(bench, 0, [4] * 40 + [12] * 60)
    assert Level.ESCALATE in levels(bench, 0)
    assert bench.level == Level.NORMAL  # learnt, and quiet again
    seen = len(bench.out.decisions)
    feed(bench, 100, [4] * 60)
    assert levels(bench, seen) == {Level.WATCH, Level.NORMAL}
    found = bench.out.decisions[seen]
    assert (found.reason, found.finding_key) == (Reason.CHANGE_DETECTED, "incidents//e_detector/fall")
    assert found.finding.detail == "return towards the level before the last change"


@pytest.mark.parametrize(
    ("fall_level", "expected"), [(None, Level.ESCALATE), ("watch", Level.WATCH), ("escalate", Level.ESCALATE)]
)
def test_falls_have_a_separate_level(fall_level: Any, expected: Level) -> None:
    """`fall_level` is the most that a fall may cause; without it the level of the detector."""
    found = CHANGE if fall_level is None else msgspec.structs.replace(CHANGE, fall_level=fall_level)
    bench = Bench(spec(found), hard_rules=())
    feed(bench, 0, [12] * 40 + [1] * 30)
    assert max(levels(bench, 0)) == expected


def test_a_channel_that_dies_is_a_watch_while_its_service_runs() -> None:
    bench = Bench(spec(DetectorSpec("fall", "watch")), hard_rules=())
    feed(bench, 0, [4, 6, 5, 5] * 25)
    assert bench.out.decisions[1:] == []
    feed(bench, 100, [0] * 10)
    assert bench.level == Level.WATCH
    assert bench.out.decisions[-1].finding.rule == "fall"


def test_an_exposure_that_is_not_known_is_no_evidence_of_a_fall() -> None:
    """Periods in which nothing arrives have the charter's cap as their exposure: they are unknown, not a fall."""
    bench = Bench(spec(DetectorSpec("fall", "watch")), hard_rules=())
    feed(bench, 0, [4, 6, 5, 5] * 25)
    bench.time(T0 + 160 * HOUR)
    assert Reason.CHANGE_DETECTED not in bench.reasons()
    assert bench.machine.pilots["p"].standing.unknown


def test_a_charter_without_fall_levels_keeps_its_bytes() -> None:
    """The key is left out where it is not given, so the hash of an older charter stays."""
    assert b"fall_level" not in canonical_charter(charter(spec(CHANGE)))


def test_only_a_detector_that_tells_falls_from_rises_has_a_fall_level() -> None:
    wrong = DetectorSpec("cusum", "watch", fall_level="watch")
    assert [p.field for p in lint(charter(spec(wrong))) if p.severity == "error"] == [
        "indicators[0].detectors[0].fall_level"
    ]
