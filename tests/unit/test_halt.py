"""A halt is obeyed, verified and fairly lifted: the protocol, one rule a test, on a memory of records."""

from __future__ import annotations

import msgspec
import pytest

from monitor.charter import Authority, Drills, Responses, Window
from monitor.control import Approval, Drill, Override, Rectification, Release, Shelving
from monitor.machine import Machine
from monitor.model import Command, Decision, Level, Outputs, Permit, Reason, Record
from monitor.state import Pilot, restore, snapshot
from monitor.telemetry import Envelope, Harm, Severity, encode
from monitor.testing.events import Emitter

from .test_machine import HOUR, RATE, SILENCE, T0, Bench, lift, rejected

SECOND = 1000
WITHIN = 60 * SECOND


class Halted(Bench):
    """A bench whose pilot was halted by hand at T0 + 1 s."""

    def __init__(self, **changes: object) -> None:
        super().__init__(**changes)
        self.at = T0 + SECOND
        self.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), self.at)

    @property
    def command(self) -> Command:
        return self.out.commands[-1]

    def acknowledge(self, at: int, service: Emitter | None = None) -> Outputs:
        emitter = service or self.emitter
        return self.send(emitter.acknowledged(at, self.command.id, self.command.standing, "d-1"), at=at)

    def beat(self, at: int, serving: bool = False, service: Emitter | None = None) -> Outputs:
        return self.send((service or self.emitter).heartbeat(at, serving=serving), at=at)

    @property
    def order(self) -> str:
        return self.machine.pilots["p"].standing.order.state

    def verified(self) -> int:
        """Obey in full; returns when that was verified."""
        self.acknowledge(self.at + SECOND)
        for n in range(2, 5):
            self.beat(self.at + n * SECOND)
        assert self.order == "verified"
        return self.at + 4 * SECOND


def said(out: Outputs) -> list[Reason]:
    return [d.reason for d in out.decisions]


def test_three_clean_heartbeats_after_the_acknowledgement_verify_a_halt() -> None:
    """Two are not enough; the third is put on record once, with the seconds that it took."""
    bench = Halted()
    assert bench.order == "commanded"
    bench.acknowledge(bench.at + SECOND)
    assert bench.order == "acknowledged"
    bench.beat(bench.at + 2 * SECOND)
    assert not said(bench.beat(bench.at + 3 * SECOND))
    out = bench.beat(bench.at + 4 * SECOND)
    assert said(out) == [Reason.HALT_VERIFIED]
    assert out.decisions[0].finding.observed == 4.0
    assert not said(bench.beat(bench.at + 5 * SECOND))
    bench.time(T0 + HOUR // 4)
    assert Reason.HALT_OVERDUE not in bench.reasons()


def test_heartbeats_without_an_acknowledgement_verify_nothing() -> None:
    """Standing still for another reason is not obeying."""
    bench = Halted()
    for n in range(1, 6):
        bench.beat(bench.at + n * SECOND)
    assert bench.order == "commanded"


def test_silence_verifies_nothing() -> None:
    """An acknowledgement and then nothing: overdue, to the millisecond, for as long after as the charter grants."""
    bench = Halted()
    bench.acknowledge(bench.at + SECOND)
    bench.time(T0 + HOUR // 4)
    (late,) = (d for d in bench.out.decisions if d.reason == Reason.HALT_OVERDUE)
    assert (late.at, late.finding.rule) == (bench.at + SECOND + WITHIN, "dark")
    assert late.cause.startswith("timer:overdue/@")


def test_a_halt_that_nobody_acknowledges_is_overdue() -> None:
    """After the charter's time the authority hears of it, once; a late acknowledgement takes that back."""
    bench = Halted()
    bench.time(bench.at + WITHIN)
    assert Reason.HALT_OVERDUE not in bench.reasons()
    bench.time(bench.at + WITHIN + 1)
    assert bench.reasons()[-1] == Reason.HALT_OVERDUE
    assert bench.out.decisions[-1].finding.rule == "not_acknowledged"
    assert bench.level == Level.HALT
    out = bench.acknowledge(bench.at + 2 * WITHIN)
    assert said(out) == [Reason.COMMAND_ACKNOWLEDGED, Reason.CLEARED]
    assert bench.order == "acknowledged"


def test_a_gap_in_the_numbers_starts_the_row_again() -> None:
    """What a missing event said nobody knows: three heartbeats after it are needed."""
    bench = Halted()
    bench.acknowledge(bench.at + SECOND)
    bench.beat(bench.at + 2 * SECOND)
    bench.beat(bench.at + 3 * SECOND)
    bench.emitter.skip()
    bench.beat(bench.at + 4 * SECOND)
    bench.beat(bench.at + 5 * SECOND)
    assert bench.order == "acknowledged"
    bench.beat(bench.at + 6 * SECOND)
    assert bench.order == "verified"


def test_an_exposure_counter_that_moves_starts_the_row_again() -> None:
    """Heartbeats that say `serving: false` while the counter rises verify nothing, however many come, and are overdue."""
    bench = Halted()
    bench.acknowledge(bench.at + SECOND)
    for n in range(2, 100):
        bench.emitter.counter += 1
        bench.beat(bench.at + n * SECOND)
    assert bench.order == "overdue"


@pytest.mark.parametrize("what", ["heartbeat", "exposure", "outcomes", "complaint"])
def test_a_service_that_goes_on_contradicts_its_word(what: str) -> None:
    """A serving heartbeat, exposure, outcomes or a complaint about the time after the stop: found with that one event."""
    bench = Halted()
    at = bench.verified() + SECOND
    other = Emitter("desk/1", "p")
    events: dict[str, Envelope] = {
        "heartbeat": bench.emitter.heartbeat(at, serving=True),
        "exposure": bench.emitter.exposure(at, 1.0),
        "outcomes": bench.emitter.outcomes(at),
        "complaint": other.complaint(at, about=at - 1),
    }
    if what in ("exposure", "outcomes", "complaint"):
        bench.emitter.next = 6 if what == "complaint" else bench.emitter.next
    out = bench.send(events[what], at=at)
    assert Reason.HALT_CONTRADICTED in said(out)
    assert bench.order == "contradicted"
    found = next(d for d in out.decisions if d.reason == Reason.HALT_CONTRADICTED)
    assert found.finding.rule == what
    assert "halt/contradicted" in bench.machine.pilots["p"].standing.active


def test_what_was_before_the_stop_contradicts_nothing() -> None:
    """Tallies and complaints about the time before it, an empty tally and complaints about no known time are all honest."""
    bench = Halted()
    stop = bench.at + SECOND
    at = bench.verified() + SECOND
    desk = Emitter("desk/1", "p")
    bench.send(
        bench.emitter.exposure(stop - 1, 5.0),
        bench.emitter.exposure(at, 0.0),
        desk.complaint(at, about=stop - 1),
        desk.complaint(at),
        at=at,
    )
    assert bench.order == "verified"


def test_work_in_hand_before_the_acknowledgement_is_no_contradiction() -> None:
    """A service may finish what it began, as long as it acknowledges in time and only afterwards."""
    bench = Halted()
    bench.beat(bench.at + SECOND, serving=True)
    bench.send(bench.emitter.exposure(bench.at + 2 * SECOND, 3.0), at=bench.at + 2 * SECOND)
    bench.acknowledge(bench.at + 3 * SECOND)
    for n in range(4, 7):
        bench.beat(bench.at + n * SECOND)
    assert bench.order == "verified"


def test_a_second_worker_that_goes_on_is_found() -> None:
    """One worker's word binds nobody else: another is found out once the charter's time is over, and until then nothing is
    verified."""
    bench = Halted()
    second = Emitter("svc/2", "p")
    bench.beat(bench.at + SECOND, serving=True, service=second)
    bench.acknowledge(bench.at + SECOND)
    for n in range(2, 60):
        bench.beat(bench.at + n * SECOND)
        bench.beat(bench.at + n * SECOND, serving=True, service=second)
    assert bench.order == "acknowledged"
    bench.beat(bench.at + WITHIN + SECOND, serving=True, service=second)
    assert bench.reasons()[-1] == Reason.HALT_CONTRADICTED


def test_a_service_that_never_acknowledged_and_goes_on_is_found() -> None:
    """After the charter's time traffic is more than overdue."""
    bench = Halted()
    at = bench.at + WITHIN + SECOND
    out = bench.send(bench.emitter.exposure(at, 10.0), at=at)
    assert said(out)[:2] == [Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED]


def test_an_incarnation_that_died_does_not_hold_up_the_verification() -> None:
    """A service restarted in the middle of a halt acknowledges under its new name, and that is verified when the old one has
    been silent for as long as the charter grants."""
    bench = Halted()
    bench.beat(bench.at + SECOND, serving=True)
    new = Emitter("svc/2", "p")
    bench.acknowledge(bench.at + 5 * SECOND, new)
    for n in range(6, 13):
        bench.beat(bench.at + n * 10 * SECOND // 2, service=new)
    assert bench.order == "acknowledged"
    for n in range(13, 20):
        bench.beat(bench.at + n * 10 * SECOND // 2, service=new)
    assert bench.order == "verified"


def test_an_acknowledgement_of_another_command_is_rejected() -> None:
    """A forged or old acknowledgement, or one of another standing, changes nothing and is kept with its field."""
    bench = Halted()
    real = bench.command
    out = bench.send(bench.emitter.acknowledged(bench.at, "forged", real.standing), at=bench.at + 1)
    assert rejected(out) == [("data.command", "not_in_force")]
    out = bench.send(bench.emitter.acknowledged(bench.at, real.id, real.standing + 1), at=bench.at + 1)
    assert rejected(out) == [("data.standing", "not_in_force")]
    assert bench.order == "commanded"


def test_a_fault_of_the_monitor_makes_no_halt_overdue() -> None:
    """While the monitor was away nobody could have been heard."""
    bench = Bench(journalled=True)
    bench.time(T0 + SECOND)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0 + 2 * SECOND)
    bench.time(T0 + HOUR // 4)
    assert Reason.HALT_OVERDUE not in bench.reasons()
    for at in range(T0 + HOUR // 4, T0 + HOUR // 4 + 80 * SECOND, 10 * SECOND):
        bench.time(at)
    assert Reason.HALT_OVERDUE in bench.reasons()


# ---- permits


def permits(out: Outputs) -> list[Permit]:
    return out.permits


def test_each_heartbeat_of_a_pilot_that_may_run_is_answered() -> None:
    """The permit repeats nonce and source, and carries the lease of the charter."""
    bench = Bench()
    beat = bench.emitter.heartbeat(T0, nonce="n-1")
    (answer,) = permits(bench.send(beat, at=T0))
    assert (answer.nonce, answer.source, answer.standing, answer.lease_ms) == ("n-1", "svc/1", 0, 60_000)
    assert not permits(bench.send(beat, at=T0 + 1))


@pytest.mark.parametrize(("tier", "stop"), [("minimal", False), ("limited", False), ("high", True), ("critical", True)])
def test_the_tier_says_what_the_end_of_a_lease_means(tier: str, stop: bool) -> None:
    """High and critical services stop, others go on and say so."""
    bench = Bench(tier=tier)
    assert bench.send(bench.emitter.heartbeat(T0), at=T0).permits[0].stop is stop


def test_a_halted_pilot_gets_no_permit_and_a_released_one_gets_one_of_its_new_standing() -> None:
    """No permit between halt and release; afterwards one whose standing is that of the release."""
    bench = Halted()
    assert not bench.beat(bench.at + SECOND).permits
    lift(bench, T0 + HOUR)
    assert bench.command.action == "release"
    (answer,) = bench.beat(T0 + HOUR + SECOND).permits
    assert answer.standing == bench.command.standing


@pytest.mark.parametrize(("tier", "lapses"), [("high", True), ("limited", False)])
def test_when_nobody_knows_enough_any_more_the_permits_of_high_tiers_lapse(tier: str, lapses: bool) -> None:
    """Unknown grown old withholds permits until it is known again; that is recorded as lapsed, never as a halt."""
    bench = Bench(RATE, tier=tier)
    bench.send(bench.emitter.incident(T0), at=T0)
    bench.time(T0 + 6 * HOUR)
    assert Reason.UNKNOWN_TOO_LONG in bench.reasons()
    assert (Reason.LAPSED in bench.reasons()) is lapses
    assert bench.level == Level.ESCALATE
    assert bool(bench.send(bench.emitter.heartbeat(T0 + 6 * HOUR), at=T0 + 6 * HOUR).permits) is not lapses
    bench.hour(6)
    bench.send(bench.emitter.heartbeat(T0 + 7 * HOUR + 1), at=T0 + 7 * HOUR + 1)
    bench.time(T0 + 8 * HOUR)
    assert bench.machine.pilots["p"].standing.flag == ""
    assert bench.send(bench.emitter.heartbeat(T0 + 8 * HOUR), at=T0 + 8 * HOUR).permits


def test_of_many_heartbeats_in_one_write_the_newest_of_each_source_is_answered() -> None:
    """An older permit grants no more than a newer one, so it is not written."""
    bench, other = Bench(), Emitter("svc/2", "p")
    beats = [e.heartbeat(T0 + n) for n in range(5) for e in (bench.emitter, other)]
    out = bench.send(*beats, at=T0)
    assert len(out.permits) == 10
    out.newest_permits()
    assert [(p.source, p.nonce) for p in out.permits] == [(b.source, b.data.nonce) for b in beats[-2:]]


# ---- shelving, first-out, roles


def escalated() -> Bench:
    bench = Bench()
    bench.hour(0, exposure=1001)
    assert bench.level == Level.ESCALATE
    return bench


KEY = "incidents//exposure_cap"


def shelve(bench: Bench, at: int, key: str = KEY, span: str = "8h", author: str = "anna") -> Outputs:
    act = Shelving(id=f"s{at}{key}{span}", pilot="p", author=author, finding=key, reason="known", span=span)
    return bench.act(act, at)


def test_a_shelved_finding_holds_nothing_up_until_its_time_is_over() -> None:
    """The level comes down with author and reason on record, and goes up again by itself at the end, to the millisecond."""
    bench = escalated()
    at = T0 + HOUR // 4
    (shelved,) = shelve(bench, at, span="2h").decisions
    assert (shelved.reason, shelved.author, shelved.finding.detail) == (Reason.SHELVED, "anna", "known")
    assert bench.level == Level.NORMAL
    bench.machine.pilots["p"].standing.active[KEY]  # it is watched all the same
    bench.hour(1, exposure=1002)
    bench.hour(2, exposure=1002)
    assert bench.level == Level.NORMAL
    bench.time(at + 2 * HOUR + 1)
    back = next(d for d in bench.out.decisions if d.reason == Reason.UNSHELVED)
    assert (back.at, bench.level) == (at + 2 * HOUR, Level.ESCALATE)


def test_a_shelved_finding_that_rises_counts_at_once() -> None:
    """Setting a watch aside does not set the escalation aside that it becomes."""
    bench = Bench(SILENCE, RATE)
    bench.send(Emitter("svc/2", "p", model="m9").heartbeat(T0), at=T0)
    assert bench.level == Level.WATCH
    shelve(bench, T0, key="unregistered_model")
    assert bench.level == Level.NORMAL
    bench.send(*(bench.emitter.incident(T0 + 60_000) for _ in range(50)), at=T0 + 61_000)
    assert bench.level == Level.HALT


def test_a_halt_is_never_shelved() -> None:
    """Neither the halt, nor what is found beside it, nor anything while it stands."""
    bench = Halted()
    bench.time(bench.at + 2 * WITHIN)
    for key in ("override", "halt/overdue"):
        out = shelve(bench, bench.at + 2 * WITHIN, key=key)
        assert "never_a_halt" in out.rejected[0].detail
    assert bench.level == Level.HALT


def test_shelving_has_an_end_and_an_object() -> None:
    """More than the charter grants is refused, and so is what is not active; the refusal names what is."""
    bench = escalated()
    assert "too_long" in shelve(bench, T0 + 1, span="9h").rejected[0].detail
    assert "too_long" in shelve(bench, T0 + 1, span="0h").rejected[0].detail
    assert KEY in shelve(bench, T0 + 1, key="nothing").rejected[0].detail
    assert bench.level == Level.ESCALATE


def test_when_several_fire_together_the_first_is_marked() -> None:
    """Of three findings of one record the one that brought the pilot to its level carries the mark, the others do not."""
    twin = msgspec.structs.replace(RATE, name="twin", weight=0.5)
    bench = Bench(msgspec.structs.replace(RATE, weight=0.5), twin)
    bench.send(*(bench.emitter.incident(T0 + 60_000) for _ in range(80)), at=T0 + 61_000)
    halts = [d for d in bench.out.decisions if d.reason == Reason.LIMIT_EXCEEDED]
    assert [(d.finding.indicator, d.first_out, d.kind) for d in halts] == [
        ("incidents", True, "level"),
        ("twin", False, "finding"),
    ]
    assert bench.machine.pilots["p"].standing.first_out == "incidents//limit_e_process"
    assert [c.decision for c in bench.out.commands] == [halts[0].id]


def test_only_those_whom_the_charter_names_act() -> None:
    """Officers override, shelve, drill and release but do not approve; nobody else acts, least of all the firm."""
    named = (Authority("authority", approvers=("anna", "ben"), officers=("olga",)),)
    bench = Bench(authorities=named)
    for number, author in enumerate(("mallory", "firm")):
        acts = (
            Override(id=f"o{number}", pilot="p", author=author, level="watch", reason="x"),
            Drill(id=f"d{number}", pilot="p", author=author),
            Release(id=f"r{number}", pilot="p", author=author),
        )
        for act in acts:
            assert "not_an_officer" in bench.act(act, T0 + 1).rejected[0].detail
    assert not bench.act(Override(id="o", pilot="p", author="olga", level="halt", reason="x"), T0 + 2).rejected
    assert "not_an_approver" in bench.act(Approval(id="a", pilot="p", author="olga"), T0 + 3).rejected[0].detail


# ---- drills

NIGHT = Drills(full_stops=(Window(("mon",), "00:00", "02:00"),))


def drill(bench: Bench, at: int, full: bool = False) -> Outputs:
    return bench.act(Drill(id=f"drill{at}", pilot="p", author="anna", full_stop=full), at)


def test_a_drill_goes_the_whole_way_and_stops_nothing() -> None:
    """A command marked as dry run, permits as before, no change of level, and the time to acknowledge on record."""
    bench = Bench()
    (command,) = drill(bench, T0 + SECOND).commands
    assert (command.action, command.dry_run, command.halts) == ("halt", True, False)
    assert bench.send(bench.emitter.heartbeat(T0 + 2 * SECOND), at=T0 + 2 * SECOND).permits
    answer = bench.emitter.acknowledged(T0 + 4 * SECOND, command.id, command.standing)
    out = bench.send(answer, at=T0 + 4 * SECOND)
    assert said(out) == [Reason.COMMAND_ACKNOWLEDGED, Reason.DRILL_PASSED]
    assert (out.decisions[-1].finding.observed, out.decisions[-1].finding.expected) == (3.0, 60.0)
    bench.send(bench.emitter.exposure(T0 + 5 * SECOND, 5.0), at=T0 + 5 * SECOND)
    bench.time(T0 + HOUR // 4)
    assert {d.level for d in bench.out.decisions} == {Level.NORMAL}


def test_a_drill_that_nobody_answers_escalates_until_one_is_answered() -> None:
    """A service that would not obey is brought before the authority; the next drill that is passed takes that back."""
    bench = Bench()
    drill(bench, T0)
    bench.time(T0 + WITHIN + 1)
    assert (bench.reasons()[-1], bench.level) == (Reason.DRILL_OVERDUE, Level.ESCALATE)
    (command,) = drill(bench, T0 + 2 * WITHIN).commands
    at = T0 + 2 * WITHIN + SECOND
    bench.send(bench.emitter.acknowledged(at, command.id, command.standing), at=at)
    assert bench.level == Level.NORMAL


def test_nothing_is_tried_out_while_a_halt_stands_or_a_drill_is_open() -> None:
    """A drill never overwrites a halt."""
    bench = Halted()
    assert "halted" in drill(bench, bench.at + 1).rejected[0].detail
    other = Bench()
    drill(other, T0)
    assert "drill_open" in drill(other, T0 + 1).rejected[0].detail


def test_a_halt_in_the_middle_of_a_drill_is_a_halt() -> None:
    """The halt's command has the higher standing, and the end of the drill releases nothing."""
    bench = Bench(drills=NIGHT)
    drill(bench, T0 + HOUR // 4, full=True)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="real"), T0 + HOUR // 4 + SECOND)
    bench.time(T0 + 2 * HOUR)
    first = {c.id: c for c in bench.out.commands}.values()  # each of them is told again and again
    assert [(c.action, c.dry_run) for c in first] == [("halt", False), ("halt", False)]
    assert bench.out.commands[0].standing < bench.out.commands[1].standing


def test_a_full_stop_needs_a_window_of_the_charter() -> None:
    """Without one, or outside it, the drill is refused; inside it the service stops, is verified and told to go on."""
    assert "outside_window" in drill(Bench(), T0, full=True).rejected[0].detail
    bench = Bench(drills=NIGHT)
    assert "outside_window" in drill(Bench(drills=NIGHT), T0 + 2 * HOUR, full=True).rejected[0].detail
    at = T0 + 2 * HOUR - SECOND
    (command,) = drill(bench, at, full=True).commands
    assert command.halts
    bench.send(bench.emitter.acknowledged(at + 1, command.id, command.standing), at=at + 1)
    out = Outputs()
    for n in range(3):
        out.extend(bench.send(bench.emitter.heartbeat(at + 2 + n, serving=False), at=at + 2 + n))
    assert said(out) == [Reason.DRILL_PASSED, Reason.DRILL_ENDED]
    assert not out.permits[:-1]
    assert (out.commands[0].action, bench.level) == ("release", Level.NORMAL)


def test_the_charter_may_ask_for_drills_every_week() -> None:
    """They come by timer, to the millisecond, and none comes while a halt stands."""
    bench = Bench(drills=Drills(every="7d"))
    week = 7 * 24 * HOUR
    bench.time(T0 + week + 1)
    (first,) = (d for d in bench.out.decisions if d.reason == Reason.DRILL_BEGUN)
    assert (first.at, first.author) == (T0 + week, "")
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0 + week + HOUR)
    bench.time(T0 + 3 * week)
    assert bench.reasons().count(Reason.DRILL_BEGUN) == 1


# ---- tolerance


def lenient() -> Bench:
    return Bench(tier="limited", responses=Responses(tolerate_first=True))


def test_the_first_crossing_of_a_low_tier_escalates_and_spends_its_share() -> None:
    """It opens a rectification; the next crossing halts, against a bar four times as high."""
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


# ---- state


def test_the_whole_protocol_survives_a_snapshot() -> None:
    """A machine restored in the middle of a verification goes on as if nothing had been."""
    bench = Halted()
    bench.acknowledge(bench.at + SECOND)
    bench.beat(bench.at + 2 * SECOND)
    other = Machine(journalled=False)
    other.restore(bench.machine.snapshots(["p"]))
    events = [bench.emitter.heartbeat(bench.at + n * SECOND, serving=False) for n in (3, 4)]
    records = [Record(100 + i, bench.at + 5 * SECOND, b"p", encode(e)) for i, e in enumerate(events)]
    assert other.telemetry("telemetry", records) == bench.machine.telemetry("telemetry", records)
    assert snapshot(other.pilots["p"]) == snapshot(bench.machine.pilots["p"])


def as_version_2(pilot: Pilot) -> bytes:
    """The bytes that version 2 wrote of a pilot."""
    fields = msgspec.msgpack.decode(snapshot(pilot))
    assert fields[0] == 5
    fields[0], fields[2] = 2, msgspec.to_builtins(pilot.charter)
    held = {name: msgspec.msgpack.decode(stream.blob()) for name, stream in pilot.streams.items()}
    fields[3] = fields[3][:10]  # the standing ended with the id of the command
    fields[9] = {n: [s[0], {k: o[:4] for k, o in s[1].items()}, *s[2:], held[n]] for n, s in fields[9].items()}
    return msgspec.msgpack.encode(fields[:12])


def test_a_snapshot_of_version_2_is_read() -> None:
    """A halt from before is followed up from its beginning; a released pilot's permits are of a standing that is not void."""
    bench = Halted()
    pilot, _ = restore(as_version_2(bench.machine.pilots["p"]))
    order = pilot.standing.order
    assert (order.kind, order.state, order.at) == ("halt", "commanded", bench.at)
    assert pilot.standing.halted
    lift(bench, T0 + HOUR)
    free, _ = restore(as_version_2(bench.machine.pilots["p"]))
    assert (free.standing.order.kind, free.drilled) == ("", free.received)
    assert free.standing.ordered >= bench.command.standing


def test_a_repeated_release_never_lifts_a_later_halt() -> None:
    """The same release record again, after the next halt, is a repeat and does nothing."""
    bench = Halted()
    lift(bench, T0 + HOUR)
    bench.act(Override(id="o2", pilot="p", author="anna", level="halt", reason="again"), T0 + 2 * HOUR)
    out = bench.act(Release(id="rel", pilot="p", author="anna"), T0 + 2 * HOUR + 1)
    assert rejected(out) == [("id", "repeated")]
    assert bench.level == Level.HALT
    assert not out.decisions
    assert bench.level == Level.HALT
    again = Rectification(id="r", pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e")
    assert rejected(bench.act(again, T0 + 2 * HOUR + 2)) == [("id", "repeated")]
    assert bench.machine.pilots["p"].standing.lifting.rectified is False


def test_a_step_towards_a_release_is_judged_once() -> None:
    """An approval that was refused before there was a halt, or given for another one long ago, is worth nothing when its copy
    comes again."""
    bench = Bench()
    early = Approval(id="early", pilot="p", author="anna")
    assert bench.act(early, T0).rejected
    for number in range(100):
        bench.act(Override(id=f"n{number}", pilot="p", author="anna", level="watch", reason="x"), T0 + 1)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0 + 2)
    assert rejected(bench.act(early, T0 + 3)) == [("id", "repeated")]
    assert bench.machine.pilots["p"].standing.lifting.approvals == ()
    lift(bench, T0 + HOUR)
    for number in range(100, 200):
        bench.act(Override(id=f"n{number}", pilot="p", author="anna", level="watch", reason="x"), T0 + HOUR + 9)
    bench.act(Override(id="o2", pilot="p", author="anna", level="halt", reason="again"), T0 + 2 * HOUR)
    lift(bench, T0 + 2 * HOUR + 1)
    assert bench.level == Level.HALT


def test_ids_of_what_follows_a_halt_name_their_causes() -> None:
    """Overdue, verified and contradicted have ids made of cause and rule, so a second machine gives the same ones."""

    def story() -> list[Decision]:
        bench = Halted()
        bench.time(bench.at + 2 * WITHIN)
        bench.acknowledge(bench.at + 3 * WITHIN)
        bench.send(bench.emitter.exposure(bench.at + 4 * WITHIN, 1.0), at=bench.at + 4 * WITHIN)
        return bench.out.decisions

    assert story() == story()
    assert len({d.id for d in story()}) == len(story())
