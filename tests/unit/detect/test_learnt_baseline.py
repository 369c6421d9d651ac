"""A baseline learnt from periods that vary more than granted is a finding, which ends when it is learnt again."""

from __future__ import annotations

import pytest

from monitor.charter.spec import DetectorSpec
from monitor.model.records import Level, Reason
from tests.unit.detect.test_falls import feed, spec
from tests.unit.engine.test_machine import Bench

CALM = [4, 6, 5, 3, 7, 5, 4, 6, 5, 5]
OUTBREAK = [*CALM[:6], *[25] * 7, *CALM[:7]]


@pytest.mark.parametrize("name", ["e_detector", "cusum", "ewma", "glr"])
def test_a_bad_learning_period_is_a_watch_once(name: str) -> None:
    """Raised when the learning ends, once, and at no higher level."""
    bench = Bench(spec(DetectorSpec(name, "watch", {"arl0": 1000})), hard_rules=())
    feed(bench, 0, OUTBREAK + CALM * 2)
    found = [d for d in bench.out.decisions if d.reason is Reason.BASELINE_UNUSABLE]
    assert [(d.level, d.finding_key) for d in found] == [(Level.WATCH, f"incidents//{name}/baseline")]
    assert name in found[0].finding.detail


def test_a_clean_learning_period_is_not_reported() -> None:
    bench = Bench(spec(DetectorSpec("cusum", "watch")), hard_rules=())
    feed(bench, 0, CALM * 5)
    assert Reason.BASELINE_UNUSABLE not in bench.reasons()


def test_the_finding_ends_when_the_baseline_is_learnt_again() -> None:
    """An alarm makes the chart learn anew; what it had learnt is then no longer in use."""
    bench = Bench(spec(DetectorSpec("cusum", "watch", {"arl0": 1000})), hard_rules=())
    feed(bench, 0, OUTBREAK + CALM * 2)
    assert "incidents//cusum/baseline" in bench.machine.pilots["p"].standing.active
    feed(bench, 40, [15] * 40)
    assert Reason.CHANGE_DETECTED in bench.reasons()
    assert "incidents//cusum/baseline" not in bench.machine.pilots["p"].standing.active


def test_a_chart_with_a_limit_reports_nothing() -> None:
    """It compares with the charter and only learns the usual exposure."""
    bench = Bench(spec(DetectorSpec("cusum", "watch"), limit=9.0), hard_rules=())
    feed(bench, 0, OUTBREAK + CALM * 2)
    assert Reason.BASELINE_UNUSABLE not in bench.reasons()
