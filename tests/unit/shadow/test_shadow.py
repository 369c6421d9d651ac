"""Shadow charters in the machine, one rule per test."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import Amendment, Approval, Evaluation, Override, Rectification, Release, Withdrawal
from monitor.charter.shadow_acts import ShadowStart, ShadowStop
from monitor.charter.spec import Charter, DetectorSpec, IndicatorSpec
from monitor.engine.machine import Machine
from monitor.model.events import instant
from monitor.model.records import Level, Outputs, Reason, Record
from monitor.model.shadow_records import ShadowDecision, ShadowSummary
from monitor.state.shadow import state_name
from tests.unit.engine.test_machine import HOUR, RATE, SILENCE, T0, Bench, charter, rejected

DAY = 24 * HOUR


class ShadowBench(Bench):
    """A bench that keeps what shadows emitted. Without a journal: the monitor was never unavailable."""

    def _keep(self, out: Outputs) -> Outputs:
        self.out.shadows.extend(out.shadows)
        return super()._keep(out)

    def start(
        self, candidate: Charter, at: int, until: int = T0 + 30 * DAY, name: str = "s", every: str = "1d"
    ) -> Outputs:
        act = ShadowStart(
            id=name, pilot="p", author="anna", charter=candidate, until=instant(until), every=every, reason="r"
        )
        return self.act(act, at)

    def stop(self, at: int) -> Outputs:
        return self.act(ShadowStop(id=f"stop-{at}", pilot="p", author="anna", reason="r"), at)

    @property
    def summaries(self) -> list[ShadowSummary]:
        return [one for one in self.out.shadows if isinstance(one, ShadowSummary)]


def limited(limit: float, version: int = 2, **changes: Any) -> Charter:
    return charter(structs.replace(RATE, limit=limit), version=version, **changes)


def bench() -> ShadowBench:
    return ShadowBench(RATE)


def test_a_tighter_limit_halts_the_shadow_at_the_period_where_an_amendment_would_have_halted_the_pilot() -> None:
    """The summary has the moment, the period and the numbers of the halt that the amendment would have caused; the
    pilot stays at its level, and no command is sent."""
    watched, amended = bench(), bench()
    watched.start(limited(1.0), T0 + HOUR)
    amended.act(Amendment(id="a", pilot="p", author="anna", charter=limited(1.0)), T0 + HOUR)
    for one in (watched, amended):
        for hour in range(1, 30):
            one.hour(hour, incidents=4)
        one.time(T0 + 31 * HOUR)
    watched.stop(T0 + 31 * HOUR + 1)
    halt = next(d for d in amended.out.decisions if d.was < Level.HALT == d.level)
    (final,) = [one for one in watched.summaries if one.ended]
    assert final.first_halt is not None
    found = final.first_halt
    assert (found.at, found.reason, found.statistic, found.threshold) == (
        halt.at, halt.reason.value, halt.finding.statistic, halt.finding.bar,
    )  # fmt: skip
    assert (found.period_start, found.period_end) == (halt.finding.period_start, halt.finding.period_end)
    assert final.caveat
    assert final.ended == "stopped"
    assert not watched.out.commands
    assert watched.level == Level.NORMAL
    assert all(isinstance(one, ShadowDecision | ShadowSummary) for one in watched.out.shadows)


def test_what_follows_a_halt_of_the_shadow_alone_is_hypothetical() -> None:
    """The service would have stopped: later differences say so."""
    watched = bench()
    watched.start(limited(1.0, hard_rules=()), T0 + HOUR)
    for hour in range(1, 30):
        watched.hour(hour, incidents=4)
    watched.time(T0 + 31 * HOUR)
    watched.stop(T0 + 31 * HOUR + 1)
    final = watched.summaries[-1]
    halt = next(n for n, one in enumerate(final.differences) if one.finding.halts)
    assert not any(one.hypothetical for one in final.differences[: halt + 1])
    assert all(one.hypothetical for one in final.differences[halt + 1 :])
    assert final.hypothetical == len(final.differences) - halt - 1


def test_nothing_is_compared_while_the_pilot_is_halted() -> None:
    """A looser candidate goes on where the pilot is halted. No telemetry comes then: what only the shadow decides of
    that is not comparable, and the release starts the shadow again from the released pilot."""
    watched = ShadowBench(RATE, SILENCE)
    watched.start(charter(structs.replace(RATE, limit=50.0), SILENCE, version=2), T0 + HOUR)
    at = T0 + 2 * HOUR
    watched.send(*(watched.emitter.incident(at) for _ in range(40)), watched.emitter.exposure(at, 1000), at=at)
    assert watched.level == Level.HALT
    watched.time(T0 + 12 * HOUR)
    for number, act in enumerate(
        (
            Rectification(id="r", pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e"),
            Evaluation(id="e", pilot="p", author="anna", passed=True, report="r"),
            Approval(id="a1", pilot="p", author="anna"),
            Approval(id="a2", pilot="p", author="ben"),
            Release(id="rel", pilot="p", author="anna", reason="seen on site"),
        )
    ):
        assert not watched.act(act, T0 + 12 * HOUR + number + 1).rejected
    assert watched.level < Level.HALT
    for hour in range(13, 20):
        watched.hour(hour, incidents=2)
    watched.time(T0 + 21 * HOUR)
    watched.stop(T0 + 21 * HOUR + 1)
    final = watched.summaries[-1]
    found = {(one.side, one.finding.reason) for one in final.differences}
    assert ("only_live", "limit_exceeded") in found
    assert found <= {
        ("only_live", "limit_exceeded"),
        ("only_live", "limit_half_way"),
    }
    assert final.not_comparable > 0
    assert final.halted == 10 * HOUR + 5
    assert final.restarted == 1


@pytest.mark.parametrize("how", ["time", "stopped", "amended", "exited"])
def test_a_run_ends_as_stated(how: str) -> None:
    """At its time, by an officer, with an amendment, with the exit: recorded in the ledger, with a last summary."""
    watched = bench()
    watched.start(limited(4.0), T0 + HOUR, until=T0 + 10 * HOUR)
    watched.hour(1, incidents=1)
    at = T0 + 5 * HOUR
    if how == "time":
        watched.time(T0 + 10 * HOUR + 1)
    elif how == "stopped":
        watched.stop(at)
    elif how == "amended":
        watched.act(Amendment(id="am", pilot="p", author="anna", charter=limited(4.5)), at)
    else:
        watched.act(Withdrawal(id="w", pilot="p", author="anna", reason="r"), at)
    assert [one.ended for one in watched.summaries] == [how]
    assert watched.summaries[0].through == (T0 + 10 * HOUR if how == "time" else at)
    last = Reason.SHADOW_STOPPED if how == "stopped" else Reason.SHADOW_ENDED
    assert watched.reasons()[1] == Reason.SHADOW_STARTED
    assert watched.reasons()[-1] == last
    assert not watched.machine.shadows
    if how != "exited":
        assert not watched.start(limited(3.0, version=7), T0 + 11 * HOUR, name="again").rejected


def test_summaries_come_at_the_stated_interval() -> None:
    """Also where nothing differs; each is up to its due time."""
    watched = bench()
    watched.start(limited(4.0), T0, until=T0 + DAY, every="6h")
    for hour in range(30):
        watched.hour(hour, incidents=1)
        watched.time(T0 + (hour + 1) * HOUR)
    assert [one.through for one in watched.summaries] == [T0 + hours * HOUR for hours in (6, 12, 18, 24)]
    assert [one.ended for one in watched.summaries] == ["", "", "", "time"]
    assert [one.periods_live for one in watched.summaries] == [one.periods_shadow for one in watched.summaries]


def test_what_no_amendment_could_put_in_force_is_refused() -> None:
    """With the refusal of the amendment; one run per pilot; not while a halt stands; nothing to stop without one."""
    watched = bench()
    assert rejected(watched.stop(T0 + 1)) == [("pilot", "control_refused")]
    other = structs.replace(limited(4.0), alpha=0.02)
    for name, (candidate, why) in enumerate(
        (
            (other, "running_bar"),
            (limited(4.0, version=1), "version_must_rise"),
            (structs.replace(limited(4.0), pilot="q"), "wrong_pilot"),
            (charter(RATE, costly(), version=2), "shadow_too_costly"),
        )
    ):
        (refused,) = watched.start(candidate, T0 + 2 + name, name=f"bad-{name}").rejected
        assert why in refused.detail, refused.detail
    (late,) = watched.start(limited(4.0), T0 + 9, until=T0 + 8, name="late").rejected
    assert late.field == "until"
    assert not watched.start(limited(4.0), T0 + 10).rejected
    (second,) = watched.start(limited(4.0), T0 + 11, name="second").rejected
    assert "shadow_runs" in second.detail
    watched.stop(T0 + 12)
    watched.act(Override(id="o", pilot="p", author="anna", level="halt", reason="r"), T0 + 13)
    (halted,) = watched.start(limited(4.0), T0 + 14, name="halted").rejected
    assert "halted" in halted.detail


def costly() -> IndicatorSpec:
    """An indicator whose detectors would be updated every second."""
    return IndicatorSpec(
        name="cost", kind="complaint_handling_time", limit=48, period="1s", detectors=(DetectorSpec("cusum", "watch"),)
    )


def test_a_shadow_whose_state_cannot_be_read_ends_alone() -> None:
    """The pilot goes on with the same outputs; the run ends as failed."""
    watched, alone = bench(), bench()
    for one in (watched, alone):
        one.start(limited(1.0), T0 + HOUR)
    states = {name: raw for name, raw in watched.machine.snapshots(["p", state_name("p")]).items() if raw is not None}
    mark, state = msgspec.msgpack.decode(states[state_name("p")])
    state[3] = b"damaged"
    states[state_name("p")] = msgspec.msgpack.encode((mark, state))
    watched.machine = Machine(journalled=False)
    watched.machine.restore(states)
    for one in (watched, alone):
        for hour in range(1, 10):
            one.hour(hour, incidents=4)
        one.time(T0 + 12 * HOUR)
    assert [(one.ended, one.detail) for one in watched.summaries] == [("failed", "LogBroken")]
    assert msgspec.json.encode(watched.out.decisions) == msgspec.json.encode(alone.out.decisions)
    assert msgspec.json.encode(watched.out.evidence) == msgspec.json.encode(alone.out.evidence)


def test_a_pilot_that_is_set_aside_has_no_shadow() -> None:
    """Its state cannot be read, so there is nothing to compare with."""
    watched = bench()
    watched.start(limited(1.0), T0 + HOUR)
    states = {name: raw for name, raw in watched.machine.snapshots(["p", state_name("p")]).items() if raw is not None}
    watched.machine = Machine(journalled=False)
    watched.machine.restore({**states, "p": b"damaged"})
    out = watched.machine.set_aside(["p"])
    assert [one.ended for one in out.shadows if isinstance(one, ShadowSummary)] == ["set_aside"]
    assert watched.machine.snapshots([state_name("p")])[state_name("p")] is None


def test_the_state_of_a_shadow_has_a_name_that_no_pilot_has() -> None:
    """An act on a pilot of such a name is refused."""
    machine = Machine(journalled=False)
    act = Override(id="o", pilot="shadow:p", author="anna", level="halt", reason="r")
    out = machine.control(Record(0, T0, b"shadow:p", msgspec.json.encode(act)))
    assert "reserved_name" in out.rejected[0].detail
