"""The first crossing of a limit may be tolerated in low tiers, once, and at its price."""

from __future__ import annotations

from random import Random

import pytest
from msgspec import structs

from monitor.charter.control import Approval, Evaluation, Override, Rectification, Release
from monitor.charter.spec import ExposureSpec, Responses
from monitor.compile.plan import build_detectors
from monitor.model.events import Harm, Severity
from monitor.model.records import Level, Outputs, Reason
from monitor.state.snapshots import restore, snapshot
from tests.strength import examples
from tests.unit.engine.test_machine import HANDLING, HOUR, RATE, T0, Bench


def lenient() -> Bench:
    return Bench(tier="limited", responses=Responses(tolerate_first=True))


def test_the_first_crossing_of_a_low_tier_escalates_and_spends_its_share() -> None:
    """It opens a rectification; the next crossing halts, against a threshold four times as high."""
    bench = lenient()
    bench.send(*(bench.emitter.incident(T0 + 1) for _ in range(20)), at=T0 + 2)
    first = next(d for d in bench.out.decisions if d.reason == Reason.LIMIT_TOLERATED)
    assert bench.level == Level.ESCALATE
    assert not bench.out.commands
    assert bench.machine.pilots["p"].standing.restart == 2
    bench.hour(1, incidents=60)
    halt = next(d for d in bench.out.decisions if d.reason == Reason.LIMIT_EXCEEDED)
    assert first.finding.alpha is not None
    assert halt.finding.alpha == pytest.approx(first.finding.alpha / 4)
    assert bench.level == Level.HALT


def test_what_was_tolerated_is_no_evidence_for_the_next_crossing() -> None:
    """The events that the first share has looked at are not counted again: the same burst does not cross twice."""
    bench = lenient()
    while Reason.LIMIT_TOLERATED not in bench.reasons():
        bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
    open_period = next(iter(bench.machine.pilots["p"].streams["incidents/"].open.values()))
    assert open_period.used == open_period.k
    bench.send(bench.emitter.incident(T0 + 3), at=T0 + 4)
    bench.time(T0 + 3 * HOUR)
    assert Reason.LIMIT_EXCEEDED not in bench.reasons()


def test_a_rising_excess_is_not_tolerated() -> None:
    """A burst that goes on halts within its own period."""
    bench = lenient()
    bench.send(*(bench.emitter.incident(T0 + 1) for _ in range(80)), at=T0 + 2)
    assert Reason.LIMIT_TOLERATED in bench.reasons()
    assert bench.level == Level.HALT


def test_a_hard_rule_is_not_tolerated() -> None:
    """Tolerance is for limits; a death halts."""
    bench = lenient()
    death = bench.emitter.incident(T0, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
    bench.send(death, at=T0)
    assert bench.level == Level.HALT


SLOW = structs.replace(RATE, name="slow", weight=0.5, exposure=ExposureSpec(unit="decisions"))
FAST = structs.replace(RATE, weight=0.5)
BOTH = (FAST, SLOW)
DUE = 30 * 24 * HOUR


def two(**changes: object) -> Bench:
    """Two indicators that count the same events: one looks before its period has closed, one when it closes."""
    return Bench(*BOTH, tier="limited", responses=Responses(tolerate_first=True, **changes))


def tolerated(bench: Bench) -> list[str]:
    return [d.finding.indicator for d in bench.out.decisions if d.reason == Reason.LIMIT_TOLERATED]


def rectify(bench: Bench, at: int, finding: str, name: str = "r") -> Outputs:
    act = Rectification(id=name, pilot="p", author="firm", finding=finding, cause="c", action="a", evidence="e")
    return bench.act(act, at)


def test_all_indicators_that_cross_from_one_cause_belong_to_one_window() -> None:
    """The second indicator crosses when its period closes, on the events that made the first one cross: nothing halts,
    each spends its share, and both are due on the same date."""
    bench = two()
    while not tolerated(bench):
        bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
    bench.send(*(bench.emitter.incident(T0 + 3) for _ in range(7)), bench.emitter.exposure(T0 + 3, 1000.0), at=T0 + 4)
    for hour in range(1, 4):
        bench.hour(hour, incidents=2)
    assert tolerated(bench) == ["incidents", "slow"]
    assert bench.level == Level.ESCALATE
    assert bench.machine.pilots["p"].standing.restart == 3
    dates = {d.finding.detail for d in bench.out.decisions if d.reason == Reason.LIMIT_TOLERATED}
    assert dates == {"rectify by 2026-02-04T00:00:00Z"}


def test_two_indicators_that_close_in_the_same_moment_cross_once() -> None:
    """Timers of one millisecond are one cause."""
    other = structs.replace(SLOW, name="slow2")
    bench = Bench(other, SLOW, tier="limited", responses=Responses(tolerate_first=True))
    bench.hour(0, incidents=60)
    bench.hour(1)
    bench.time(T0 + 2 * HOUR)
    first, second = (d for d in bench.out.decisions if d.reason == Reason.LIMIT_TOLERATED)
    assert first.at == second.at
    assert not bench.out.commands


def test_an_excess_in_a_later_period_is_a_new_cause() -> None:
    """It halts, also in an indicator that has not crossed before, and although the window is open."""
    bench = Bench(SLOW, HANDLING, tier="limited", responses=Responses(tolerate_first=True))
    bench.hour(0, incidents=60)
    bench.hour(1, incidents=60)
    bench.hour(2)
    bench.time(T0 + 3 * HOUR)
    assert tolerated(bench) == ["slow"]
    assert bench.level == Level.HALT
    apart = two()
    while not tolerated(apart):
        apart.send(apart.emitter.incident(T0 + 1), at=T0 + 2)
    window = apart.machine.pilots["p"].window
    assert window.joins("slow//limit_e_process", T0)
    assert not window.joins("slow//limit_e_process", T0 + HOUR)
    assert not window.joins("incidents//limit_e_process", T0)


def test_what_the_first_crossing_has_looked_at_is_no_evidence_for_a_halt() -> None:
    """The second indicator does not cross in the period of the cause; its statistics begin after that period."""
    bench = two()
    while not tolerated(bench):
        bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
    bench.send(bench.emitter.exposure(T0 + 3, 4000.0), at=T0 + 4)  # a high rate for the cap, not for the whole period
    bench.time(T0 + 2 * HOUR)
    assert tolerated(bench) == ["incidents"]
    slow = bench.machine.pilots["p"].streams["slow/"].detectors[0]
    fresh = build_detectors(bench.machine.pilots["p"].charter, bench.machine.pilots["p"].plan.indicator("slow"), 2)[0]
    assert slow == fresh


def test_a_window_that_is_not_rectified_in_time_halts() -> None:
    """To the millisecond, by a timer, naming the indicator; the time is the charter's."""
    bench = two(rectify_within="2h")
    while not tolerated(bench):
        bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
    bench.time(T0 + 2 + 2 * HOUR)
    assert bench.level == Level.ESCALATE
    bench.time(T0 + 3 + 2 * HOUR)
    halt = bench.out.decisions[-1]
    assert (halt.reason, halt.level, halt.at) == (Reason.RECTIFICATION_OVERDUE, Level.HALT, T0 + 2 + 2 * HOUR)
    assert halt.cause == f"timer:rectify/@{halt.at}"
    assert (halt.finding.indicator, halt.finding.period_end) == ("incidents", halt.at)
    assert [c.reason for c in bench.out.commands] == [Reason.RECTIFICATION_OVERDUE]
    bench.time(T0 + 9 * HOUR)
    assert bench.reasons().count(Reason.RECTIFICATION_OVERDUE) == 1


def test_what_is_rectified_in_time_does_not_halt() -> None:
    """The firm rectifies without a halt, by the indicator's name or the finding's key; the level stays until an officer
    lowers it."""
    for name in ("incidents", "incidents//limit_e_process", "incidents//limit_e_process/tolerated"):
        bench = two(rectify_within="2h")
        while not tolerated(bench):
            bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
        out = rectify(bench, T0 + HOUR, name)
        assert [d.reason for d in out.decisions] == [Reason.RECTIFICATION_RECORDED]
        bench.time(T0 + 40 * HOUR)
        assert Reason.RECTIFICATION_OVERDUE not in bench.reasons()
        assert bench.level == Level.ESCALATE


def test_a_rectification_of_another_finding_does_not_close_the_window() -> None:
    """Any active finding may be rectified on record; the window waits for its own, and what names nothing is
    refused."""
    bench = two(rectify_within="2h")
    while not tolerated(bench):
        bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
    bench.send(bench.emitter.exposure(T0 + 3, 5000.0), at=T0 + 4)
    assert "incidents//exposure_cap" in bench.machine.pilots["p"].standing.active
    assert not rectify(bench, T0 + 5, "incidents//exposure_cap", "r1").rejected
    assert bench.machine.pilots["p"].window.waiting
    (refused,) = rectify(bench, T0 + 6, "something else", "r2").rejected
    assert (refused.field, refused.detail.split(":")[0]) == ("finding", "not_active")
    bench.time(T0 + 3 * HOUR)
    assert Reason.RECTIFICATION_OVERDUE in bench.reasons()


def test_a_halt_that_is_released_closes_the_window() -> None:
    """Its rectification is that of the window too, and is not asked for twice."""
    bench = two(rectify_within="12h")
    while not tolerated(bench):
        bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0 + 5)
    rectify(bench, T0 + 6, "anything, in words")
    bench.act(Evaluation(id="e", pilot="p", author="anna", passed=True, report="r"), T0 + 7)
    for who in ("anna", "ben"):
        bench.act(Approval(id=who, pilot="p", author=who), T0 + 8)
    bench.act(Release(id="l", pilot="p", author="anna", reason="on record"), T0 + 9)
    bench.time(T0 + 24 * HOUR)
    assert bench.reasons()[-1] != Reason.RECTIFICATION_OVERDUE
    assert Reason.RECTIFICATION_OVERDUE not in bench.reasons()


def test_a_window_survives_a_snapshot() -> None:
    """The due date, the streams that crossed and what was rectified are state."""
    bench = two(rectify_within="2h")
    while not tolerated(bench):
        bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
    pilot, _ = restore(snapshot(bench.machine.pilots["p"]))
    assert pilot.window == bench.machine.pilots["p"].window
    assert pilot.window.due == T0 + 2 + 2 * HOUR
    assert pilot.window.keys == ("incidents//limit_e_process",)


def test_halting_at_all_stays_as_rare_as_the_charter_declares() -> None:
    """Pilots at their limit, two indicators on the same events: those that ever cross are at most alpha of them,
    and those that halt are fewer (three standard errors of room)."""
    random = Random(7)
    alpha, pilots, halts, crossed = 0.2, examples(100, 250), 0, 0
    for _ in range(pilots):
        bench = Bench(
            *BOTH, tier="limited", responses=Responses(tolerate_first=True, rectify_within="20000h"), alpha=alpha
        )
        for hour in range(25):
            count = sum(random.random() < 0.005 for _ in range(1000))
            bench.hour(hour, incidents=count)
        bench.time(T0 + 30 * HOUR)
        halts += bench.level == Level.HALT
        crossed += bool(tolerated(bench))
    room = 3 * (alpha * (1 - alpha) * pilots) ** 0.5
    assert crossed <= alpha * pilots + room
    assert halts <= crossed
    assert halts <= alpha * pilots / 4 + room
