"""A pause neither spends nor resets statistics: what a machine with a pause computes is what one without it computes on
the same hours."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from monitor.charter.control import Drill, Override, Withdrawal
from monitor.charter.exit_acts import Graduation, PublicationConsent, ReportIssue
from monitor.charter.running_acts import ChangeProposal, CycleProposal, Decline, Grant, PauseRequest, Resumption
from monitor.charter.spec import ChangeKind, DetectorSpec, Drills, ExposureSpec, IndicatorSpec, Responses
from monitor.lifecycle.names import State
from monitor.model.events import Harm, Severity
from monitor.model.records import Level, Reason
from monitor.model.refusals import Refusal
from monitor.state.running import PAUSES
from monitor.state.timers import timers
from tests.strength import examples
from tests.unit.decide.test_exits import DIGEST, END, approve, do, life
from tests.unit.decide.test_exits import bench as before_its_exit
from tests.unit.engine.test_machine import HOUR, RATE, SILENCE, T0, Bench, lift

WATCHED = structs.replace(
    RATE,
    exposure=ExposureSpec(unit="decisions", cap=2000.0),
    detectors=(
        DetectorSpec("limit_e_process", "escalate"),
        DetectorSpec("cusum", "watch"),
        DetectorSpec("e_detector", "escalate"),
    ),
)  # fmt: skip
ERRORS = IndicatorSpec(
    name="errors", kind="false_positive_rate", period="2h", limit=0.2, weight=0.0,
    detectors=(DetectorSpec("ewma", "watch"),),
)  # fmt: skip
LONG = Responses(unknown_escalates_after="90d")


def paused(b: Bench, at: int, name: str = "") -> None:
    b.act(PauseRequest(id=f"ask{name}{at}", pilot="p", author="firm", reason="moving"), at)
    out = b.act(Grant(id=f"grant{name}{at}", pilot="p", author="anna"), at)
    assert out.decisions[-1].reason is Reason.PAUSE_GRANTED, out


def resumed(b: Bench, at: int) -> None:
    out = b.act(Resumption(id=f"go{at}", pilot="p", author="firm"), at)
    assert out.decisions[-1].reason is Reason.RESUMED, out


def hour(b: Bench, start: int, incidents: int, decisions: float) -> None:
    """One hour of service: its incidents, then all its exposure near its end."""
    for number in range(incidents):
        b.send(b.emitter.incident(start + 1000 + number), at=start + 1000 + number)
    end = start + HOUR - 60_000
    b.send(b.emitter.outcomes(end, tp=5, fp=incidents, tn=20, fn=1), b.emitter.exposure(end, decisions), at=end)


def computed(b: Bench) -> list[Any]:
    """What was observed and scored, in order, without when."""
    return [(e.indicator, e.k, e.m, e.unknown, e.scores) for e in b.out.evidence if hasattr(e, "scores")]


@settings(max_examples=examples(12, 100), deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_statistics_with_a_pause_are_those_of_the_same_hours_without_it(seed: int) -> None:
    """Any hours, any pauses between two of them (of even length, as one indicator has periods of two hours): the same
    observations, the same scores to the last bit, the same findings in the same order."""
    rng = Random(seed)
    with_pause, without = (Bench(WATCHED, ERRORS, SILENCE, responses=LONG, tier="limited") for _ in range(2))
    shift = 0
    for number in range(rng.randrange(6, 16)):
        if number % 2 == 0 and number and rng.random() < 0.4:
            start, length = T0 + number * HOUR + shift, 2 * rng.randrange(1, 40) * HOUR
            paused(with_pause, start)
            if rng.random() < 0.5:
                with_pause.time(start + length - HOUR)
            resumed(with_pause, start + length)
            shift += length
        incidents, decisions = rng.choice((0, 1, 4, 12)), rng.choice((300.0, 1000.0, 1900.0))
        for bench, moved in ((with_pause, shift), (without, 0)):
            hour(bench, T0 + number * HOUR + moved, incidents, decisions)
    last = T0 + 16 * HOUR
    with_pause.time(last + shift)
    without.time(last)
    assert sorted(computed(with_pause), key=repr) == sorted(computed(without), key=repr)
    of_pauses = {Reason.PAUSE_REQUESTED, Reason.PAUSE_GRANTED, Reason.RESUMED}
    silent = {Reason.SILENCE, Reason.HEARD_AGAIN}
    found = [r for r in with_pause.reasons() if r not in of_pauses | silent]
    assert found == [r for r in without.reasons() if r not in silent]


def test_nothing_is_silent_unknown_or_due_for_a_drill_in_a_pause() -> None:
    """The timers that wait for the firm are not set, and wait anew from its end."""
    b = Bench(RATE, SILENCE, drills=Drills(every="10h"), tier="limited")
    hour(b, T0, 0, 500.0)
    b.send(b.emitter.heartbeat(T0 + HOUR - 1), at=T0 + HOUR - 1)
    paused(b, T0 + HOUR)
    before = len(b.out.decisions)
    b.time(T0 + 500 * HOUR)
    assert b.out.decisions[before:] == []
    assert {kind for _, kind, _ in timers(b.machine.pilots["p"])} == {"close"}
    resumed(b, T0 + 500 * HOUR)
    due = {kind: at for at, kind, _ in timers(b.machine.pilots["p"])}
    assert due["silence"] > T0 + 500 * HOUR
    assert due["drill"] == T0 + 509 * HOUR
    b.time(T0 + 501 * HOUR)
    assert Reason.SILENCE in b.reasons()


def test_the_e_process_keeps_its_value_and_its_findings() -> None:
    """A finding that was active stays active: periods of a pause are not quiet."""
    b = Bench(WATCHED, tier="limited", responses=structs.replace(LONG, watch_clears_after=2, escalate_clears_after=2))
    for number in range(3):
        hour(b, T0 + number * HOUR, 14, 1000.0)
    b.time(T0 + 4 * HOUR)
    paused(b, T0 + 4 * HOUR)
    b.time(T0 + 5 * HOUR)  # the hour before the pause closes in it
    pilot = b.machine.pilots["p"]
    detectors, active = pilot.streams["incidents/"].blob(), dict(pilot.standing.active)
    b.time(T0 + 300 * HOUR)
    pilot = b.machine.pilots["p"]
    assert active
    assert pilot.standing.active.keys() == active.keys()
    assert pilot.streams["incidents/"].next == pilot.plan.indicators[0].grid.index(T0 + 299 * HOUR)
    assert pilot.streams["incidents/"].blob() == detectors
    resumed(b, T0 + 300 * HOUR)
    hour(b, T0 + 300 * HOUR, 9, 1000.0)
    b.time(T0 + 302 * HOUR)
    assert b.machine.pilots["p"].streams["incidents/"].blob() != detectors


def test_use_of_the_system_in_a_pause_is_a_finding_and_reports_are_none() -> None:
    """Exposure, outcomes and a serving heartbeat, once the service had the time to stop; once, until it is lowered."""
    for event in ("exposure", "outcomes", "items", "heartbeat"):
        b = Bench(RATE, responses=LONG, tier="limited")
        paused(b, T0 + HOUR)
        at = T0 + HOUR + 60_000  # acknowledge_within
        sent = {
            "exposure": lambda when, b=b: b.emitter.exposure(when, 5.0),
            "outcomes": lambda when, b=b: b.emitter.outcomes(when, tp=1),
            "items": lambda when, b=b: b.emitter.items(when, 0, 1),
            "heartbeat": lambda when, b=b: b.emitter.heartbeat(when, serving=True),
        }[event]
        b.send(sent(at), b.emitter.heartbeat(at, serving=False), b.emitter.complaint(at), at=at)
        b.send(b.emitter.incident(at + 1), b.emitter.heartbeat(at + 1, serving=False), at=at + 1)
        assert Reason.USED_IN_PAUSE not in b.reasons()
        for n in range(5):
            b.send(sent(at + 10 + n), at=at + 10 + n)
        assert b.reasons().count(Reason.USED_IN_PAUSE) == 1
        assert b.level == Level.ESCALATE


def test_events_of_a_pause_count_nowhere_but_those_of_before_do() -> None:
    """A report of the last hour before the pause arrives in it, and counts in that hour."""
    b = Bench(RATE, tier="limited", responses=LONG)
    hour(b, T0, 0, 1000.0)
    paused(b, T0 + HOUR)
    b.send(b.emitter.incident(T0 + HOUR - 5), b.emitter.incident(T0 + HOUR + 5), at=T0 + HOUR + 10)
    b.time(T0 + 9 * HOUR)
    assert [(e[1], e[2]) for e in computed(b)] == [(1.0, 1000.0)]


def test_a_hard_rule_halts_in_a_pause_and_the_pause_goes_on_after_the_release() -> None:
    """The firm resumes only without a halt."""
    b = Bench(RATE, tier="limited", responses=LONG)
    paused(b, T0 + HOUR)
    b.send(b.emitter.incident(T0 + HOUR + 5, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH), at=T0 + HOUR + 5)
    assert b.level == Level.HALT
    out = b.act(Resumption(id="r1", pilot="p", author="firm"), T0 + HOUR + 6)
    assert [r.detail.partition(":")[0] for r in out.rejected] == ["halted"]
    lift(b, T0 + 2 * HOUR)
    assert b.machine.pilots["p"].life.pilot is State.PAUSED
    resumed(b, T0 + 3 * HOUR)
    assert b.machine.pilots["p"].life.pilot is State.RUNNING


def test_a_pause_needs_its_request_and_its_grant() -> None:
    """Neither side alone pauses a pilot; a declined request leaves everything as it was."""
    b = Bench(RATE)
    nothing = b.act(Grant(id="g", pilot="p", author="anna"), T0 + 1)
    assert [r.detail.partition(":")[0] for r in nothing.rejected] == ["nothing_requested"]
    b.act(PauseRequest(id="q", pilot="p", author="firm", reason="r"), T0 + 2)
    again = b.act(PauseRequest(id="q2", pilot="p", author="firm", reason="r"), T0 + 3)
    assert [r.detail.partition(":")[0] for r in again.rejected] == ["request_open"]
    by_firm = b.act(Grant(id="g2", pilot="p", author="firm"), T0 + 4)
    assert [r.field for r in by_firm.rejected] == ["author"]
    b.act(Decline(id="d", pilot="p", author="anna", reason="no"), T0 + 5)
    pilot = b.machine.pilots["p"]
    assert (pilot.life.pilot, pilot.life.request, pilot.running.pauses) == (State.RUNNING, State.NO_REQUEST, ())


def test_pauses_in_open_periods_are_bounded() -> None:
    """A further one is refused; once the periods are closed, it is granted again."""
    b = Bench(structs.replace(RATE, period="1d"), tier="limited", responses=LONG)
    for number in range(PAUSES):
        paused(b, T0 + 1000 * number)
        resumed(b, T0 + 1000 * number + 500)
    at = T0 + 1000 * PAUSES
    b.act(PauseRequest(id="more", pilot="p", author="firm", reason="r"), at)
    out = b.act(Grant(id="g", pilot="p", author="anna"), at)
    assert [r.detail.partition(":")[0] for r in out.rejected] == [Refusal.TOO_MANY_OPEN.value]
    assert b.machine.pilots["p"].life.request is State.PAUSE_REQUESTED
    b.time(T0 + 60 * HOUR)
    assert [d.reason for d in b.act(Grant(id="g3", pilot="p", author="anna"), T0 + 60 * HOUR).decisions] == [
        Reason.PAUSE_GRANTED
    ]


@pytest.mark.parametrize("act", [Drill, Override])
def test_what_an_officer_does_in_a_pause_takes_effect(act: type) -> None:
    """A drill by an act, and an override to a halt."""
    b = Bench(RATE)
    paused(b, T0 + 1)
    more = {"level": "halt", "reason": "r"} if act is Override else {}
    out = b.act(act(id="x", pilot="p", author="anna", **more), T0 + 2)
    assert out.commands[0].halts or out.commands[0].dry_run


def test_open_periods_of_a_pause_are_no_provisional_evidence() -> None:
    """As many incidents cross the limit in the first hour after a pause as in one without a pause before it."""
    needed = []
    for length in (0, 20 * HOUR):
        b = Bench(structs.replace(RATE, reporting_delay="20h"), responses=LONG)
        hour(b, T0, 0, 1000.0)
        if length:
            paused(b, T0 + HOUR)
            resumed(b, T0 + HOUR + length)
        at, count = T0 + HOUR + length, 0
        while Reason.LIMIT_EXCEEDED not in b.reasons():
            count += 1
            b.send(b.emitter.incident(at + count), at=at + count)
        needed.append(count)
    assert needed[0] == needed[1]


def test_a_pause_a_change_and_a_request_end_with_the_stay() -> None:
    """Under routine supervision the statistics run, and an amendment is about no earlier change."""
    b = before_its_exit()
    at = END + 1
    do(b, PauseRequest, at, "firm", reason="moving")
    do(b, Grant, at + 1)
    logs = {"kind": ChangeKind.DATA_TYPE, "subjects": ("logs",), "summary": "s"}
    b.act(ChangeProposal(id="c", pilot="p", author="firm", **logs), at + 2)
    do(b, CycleProposal, at + 3, "firm", start="2026-01-01", end="2026-12-01", reason="r")
    approve(b, at + 4)
    assert not do(b, Withdrawal, at + 5, reason="done", outcome="scale", met=(1,)).rejected
    do(b, ReportIssue, at + 6, report=DIGEST, proof=DIGEST)
    do(b, PublicationConsent, at + 7, "firm")
    assert not do(b, Graduation, at + 8, months=2).rejected
    pilot = b.machine.pilots["p"]
    assert life(b) is State.TRACKED
    assert pilot.running.paused_since is None
    assert (pilot.running.change, pilot.running.asked) == (None, None)
    start = END + 10 * HOUR
    for number in range(3):
        hour(b, start + number * HOUR, 0, 1000.0)
    b.time(start + 5 * HOUR)
    late = [e for e in b.out.evidence if hasattr(e, "scores") and e.start >= start]
    assert len(late) == 4
