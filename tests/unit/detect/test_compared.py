"""Segments compared with each other: which periods count, what the decision says, what a charter may ask for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.charter.spec import DetectorSpec, ExposureSpec, IndicatorSpec, Responses
from monitor.compile.lint import lint
from monitor.model.records import Level, Reason
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, charter

GROUPS = ("a", "b", "c")
GAP = IndicatorSpec(
    name="gap",
    kind="false_positive_rate",
    period="1h",
    reporting_delay="30m",
    segments=GROUPS,
    weight=1.0,
    detectors=(DetectorSpec("disparity", "halt", {"at_most": 1.25}),),
)
RATES = msgspec.structs.replace(
    GAP, name="rates", kind="incident_rate", exposure=ExposureSpec(unit="decisions", cap=10_000)
)


def hours(bench: Bench, first: int, count: int, flagged: dict[str, int], of: int = 100) -> None:
    for hour in range(first, first + count):
        at = T0 + hour * HOUR + 1000
        bench.send(*(bench.emitter.outcomes(at, fp=n, tn=of - n, segment=group) for group, n in flagged.items()), at=at)


def test_a_group_far_above_the_others_halts_the_pilot() -> None:
    """The level of all groups does not matter; the finding names the group, the ratio and its interval."""
    bench = Bench(GAP, hard_rules=())
    hours(bench, 0, 30, {"a": 5, "b": 5, "c": 5})
    hours(bench, 30, 10, {"a": 20, "b": 20, "c": 20})
    assert bench.level == Level.NORMAL
    hours(bench, 40, 60, {"a": 5, "b": 15, "c": 5})
    assert bench.level == Level.HALT
    halt = next(d for d in bench.out.decisions if d.level == Level.HALT)
    assert (halt.reason, halt.finding.rule, halt.finding.segment) == (Reason.LIMIT_EXCEEDED, "disparity", "b")
    assert halt.finding.ratio_low is not None
    assert halt.finding.ratio is not None
    assert halt.finding.ratio_low < halt.finding.ratio
    assert "allowed by the other segments" in halt.finding.explanation


def test_the_first_crossing_of_a_low_tier_may_be_tolerated() -> None:
    """As that of any other limit."""
    bench = Bench(GAP, hard_rules=(), tier="limited", responses=Responses(tolerate_first=True))
    hours(bench, 0, 60, {"a": 5, "b": 15, "c": 5})
    crossings = [r for r in bench.reasons() if r in (Reason.LIMIT_TOLERATED, Reason.LIMIT_EXCEEDED)]
    assert crossings[0] == Reason.LIMIT_TOLERATED


def test_a_period_of_which_one_exposure_is_unknown_is_no_comparison() -> None:
    """The cap in place of the exposure of the others would lower their rate: such a period counts nowhere."""
    bench = Bench(RATES, hard_rules=())
    for hour in range(60):
        at = T0 + hour * HOUR + 1000
        known = GROUPS if hour < 20 else ("a",)
        events = [bench.emitter.incident(at, segment=group) for group in GROUPS for _ in range(4)]
        tallies = [bench.emitter.exposure(at, 100.0, segment=group) for group in known]
        bench.send(*events, *tallies, at=at)
    assert Reason.LIMIT_EXCEEDED not in bench.reasons()
    scored = [e.scores for e in bench.out.evidence if e.segment == "a"]
    assert [bool(s) for s in scored[:19]] == [True] * 19
    assert not any(scored[21:])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"segments": ("a",)}, "indicators[0].segments"),
        ({"weight": 0.0}, "indicators[0].weight"),
        ({"kind": "compliance_cost", "segments": (), "params": {"currency": "EUR"}}, "indicators[0].detectors[0].name"),
        ({"detectors": (*GAP.detectors, DetectorSpec("limit_e_process", "halt"))}, "indicators[0].detectors"),
    ],
)
def test_a_comparison_that_cannot_run_is_refused(changes: dict[str, Any], field: str) -> None:
    problems = lint(charter(msgspec.structs.replace(GAP, **changes), RATE))
    assert field in [p.field for p in problems if p.severity == "error"]


def test_a_comparison_may_halt() -> None:
    """Its rate of false halts is declared, so the charter may rest a halt on it."""
    assert [p.field for p in lint(charter(GAP)) if p.severity == "error"] == []
