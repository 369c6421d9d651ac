"""A halt is obeyed, verified and fairly lifted: the protocol, one rule a test, on a memory of records."""

from __future__ import annotations

import msgspec
import pytest

from monitor.charter.control import Approval, Override, Rectification, Release, Withdrawal
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, encode
from monitor.model.records import Command, Decision, Level, Outputs, Reason, Record
from monitor.state.pilot import PilotState
from monitor.state.snapshots import VERSION, restore, snapshot
from tests.unit.engine.test_machine import HOUR, T0, Bench, lift, rejected

SECOND = 1000
WITHIN = 60 * SECOND


class Halted(Bench):
    """A bench whose pilot was halted by hand at T0 + 1 s; `serving`: a heartbeat before says that it serves."""

    def __init__(self, serving: bool = False, **changes: object) -> None:
        super().__init__(**changes)
        self.at = T0 + SECOND
        if serving:
            self.send(self.emitter.exposure(T0, 5.0), self.emitter.heartbeat(T0, serving=True), at=T0)
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
        return self.machine.pilots["p"].standing.halt_state.state

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


def test_an_unacknowledged_halt_is_overdue() -> None:
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
    """A missing event may have reported service: three heartbeats after it are needed."""
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
    """Heartbeats that say `serving: false` while the counter rises verify nothing, however many come, and are
    overdue."""
    bench = Halted()
    bench.acknowledge(bench.at + SECOND)
    for n in range(2, 100):
        bench.emitter.counter += 1
        bench.beat(bench.at + n * SECOND)
    assert bench.order == "overdue"


@pytest.mark.parametrize("what", ["heartbeat", "exposure", "outcomes", "items", "complaint"])
def test_a_service_that_goes_on_contradicts_its_word(what: str) -> None:
    """A serving heartbeat, exposure, outcomes or a complaint about the time after the stop: found with that one
    event."""
    bench = Halted()
    at = bench.verified() + SECOND
    other = Emitter("desk/1", "p")
    events: dict[str, Envelope] = {
        "heartbeat": bench.emitter.heartbeat(at, serving=True),
        "exposure": bench.emitter.exposure(at, 1.0),
        "outcomes": bench.emitter.outcomes(at),
        "items": bench.emitter.items(at),
        "complaint": other.complaint(at, about=at - 1),
    }
    if what in ("exposure", "outcomes", "items", "complaint"):
        bench.emitter.next = 6 if what == "complaint" else bench.emitter.next
    out = bench.send(events[what], at=at)
    assert Reason.HALT_CONTRADICTED in said(out)
    assert bench.order == "contradicted"
    found = next(d for d in out.decisions if d.reason == Reason.HALT_CONTRADICTED)
    assert found.finding.rule == what
    assert "halt/contradicted" in bench.machine.pilots["p"].standing.active


def test_what_was_before_the_stop_contradicts_nothing() -> None:
    """Tallies and complaints about the time before it, an empty tally and complaints about no known time are all
    honest."""
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


def test_pending_work_before_the_acknowledgement_is_no_contradiction() -> None:
    """A service may finish what it began, as long as it acknowledges in time and only afterwards."""
    bench = Halted()
    bench.beat(bench.at + SECOND, serving=True)
    bench.send(bench.emitter.exposure(bench.at + 2 * SECOND, 3.0), at=bench.at + 2 * SECOND)
    bench.acknowledge(bench.at + 3 * SECOND)
    for n in range(4, 7):
        bench.beat(bench.at + n * SECOND)
    assert bench.order == "verified"


def test_a_second_worker_that_goes_on_is_found() -> None:
    """One worker's acknowledgement does not bind the others: another is contradicted once the charter's time has
    passed, and until then nothing is verified."""
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


def test_new_incarnations_that_acknowledge_one_after_the_other_cover_no_service() -> None:
    """However many acknowledge, and whatever times they give: service after the charter's time, and what clocks differ,
    is found."""
    for counter in (Emitter("counter/1", "p"), None):
        bench = Halted()
        for minute in range(0, 20, 4):
            at, new = bench.at + minute * 60 * SECOND, Emitter(f"svc/{minute}", "p")
            ahead = new.acknowledged(at + 299 * SECOND, bench.command.id, bench.command.standing)
            bench.send(ahead, (counter or new).exposure(at + SECOND, 10.0), at=at + SECOND)
        assert bench.order == "contradicted"


def test_a_service_that_never_acknowledged_and_goes_on_is_found() -> None:
    """After the charter's time traffic is more than overdue."""
    bench = Halted()
    at = bench.at + WITHIN + SECOND
    out = bench.send(bench.emitter.exposure(at, 10.0), at=at)
    assert said(out)[:2] == [Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED]


def test_an_incarnation_that_died_does_not_hold_up_the_verification() -> None:
    """A service restarted in the middle of a halt acknowledges under its new name, and that is verified when the old
    one has been silent for as long as the charter grants."""
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


def test_a_new_incarnation_does_not_verify_the_stop_of_one_that_served_before() -> None:
    """Between two heartbeats of a service that goes on, another one acknowledges and sends three: nothing is verified,
    and no exit is final, until the first was silent for as long as the charter grants."""
    bench = Halted(serving=True)
    bench.act(Withdrawal(id="x", pilot="p", author="anna", reason="the end"), bench.at + 1)
    new = Emitter("svc/2", "p")
    bench.acknowledge(bench.at + 2, new)
    for n in range(3, 6):
        bench.beat(bench.at + n, service=new)
    assert (bench.order, bench.machine.pilots["p"].exited) == ("acknowledged", False)
    for n in range(1, 12):
        bench.beat(bench.at + 10 * n * SECOND, service=new)
        bench.time(bench.at + (10 * n + 5) * SECOND)
    assert bench.reasons()[-2:] == [Reason.HALT_VERIFIED, Reason.EXITED]
    assert Reason.HALT_OVERDUE not in bench.reasons()


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
    """During an outage of the monitor no event could be received."""
    bench = Bench(journalled=True)
    bench.time(T0 + SECOND)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0 + 2 * SECOND)
    bench.time(T0 + HOUR // 4)
    assert Reason.HALT_OVERDUE not in bench.reasons()
    for at in range(T0 + HOUR // 4, T0 + HOUR // 4 + 80 * SECOND, 10 * SECOND):
        bench.time(at)
    assert Reason.HALT_OVERDUE in bench.reasons()


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


def as_version_2(pilot: PilotState) -> bytes:
    """The bytes that version 2 wrote of a pilot."""
    fields = msgspec.msgpack.decode(snapshot(pilot))
    assert fields[0] == VERSION
    fields[0], fields[2] = 2, msgspec.to_builtins(pilot.charter)
    held = {name: msgspec.msgpack.decode(stream.blob()) for name, stream in pilot.streams.items()}
    fields[8] = {name: [s[0], {}, *s[2:8]] for name, s in fields[8].items()}
    fields[3] = fields[3][:10]  # the standing ended with the id of the command
    fields[9] = {n: [s[0], {k: o[:4] for k, o in s[1].items()}, *s[2:], held[n]] for n, s in fields[9].items()}
    return msgspec.msgpack.encode(fields[:12])


def test_a_snapshot_of_version_2_is_read() -> None:
    """A halt from before is followed up from its beginning; a released pilot's permits are of a standing that is not
    void."""
    bench = Halted()
    pilot, _ = restore(as_version_2(bench.machine.pilots["p"]))
    order = pilot.standing.halt_state
    assert (order.kind, order.state, order.at) == ("halt", "commanded", bench.at)
    assert pilot.standing.halted
    lift(bench, T0 + HOUR)
    free, _ = restore(as_version_2(bench.machine.pilots["p"]))
    assert (free.standing.halt_state.kind, free.drilled) == ("", free.received)
    assert free.standing.ordered >= bench.command.standing


def test_a_repeated_release_never_lifts_a_later_halt() -> None:
    """The same release record again, after the next halt, is a repeat and does nothing."""
    bench = Halted()
    lift(bench, T0 + HOUR)
    bench.act(Override(id="o2", pilot="p", author="anna", level="halt", reason="again"), T0 + 2 * HOUR)
    out = bench.act(Release(id="rel", pilot="p", author="anna", reason="seen on site"), T0 + 2 * HOUR + 1)
    assert rejected(out) == [("id", "repeated")]
    assert bench.level == Level.HALT
    assert not out.decisions
    assert bench.level == Level.HALT
    again = Rectification(id="r", pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e")
    assert rejected(bench.act(again, T0 + 2 * HOUR + 2)) == [("id", "repeated")]
    assert bench.machine.pilots["p"].standing.lifting.rectified is False


def test_a_step_towards_a_release_is_judged_once() -> None:
    """An approval that was refused before there was a halt, or given for another one long ago, is worth nothing when
    its copy comes again."""
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


def test_every_decision_has_a_different_id() -> None:
    """One heartbeat clears two findings about a halt: two decisions, two ids, so that no reader drops the second as a
    repeat."""
    bench = Halted()
    bench.acknowledge(bench.at + SECOND)
    bench.beat(bench.at + 2 * SECOND, serving=True)  # contradicted
    bench.time(bench.at + 10 * WITHIN)  # and overdue
    at = bench.at + 11 * WITHIN
    while bench.order != "verified":
        at += SECOND
        out = bench.beat(at)
    assert said(out) == [Reason.HALT_VERIFIED, Reason.CLEARED, Reason.CLEARED]
    ids = [d.id for d in bench.out.decisions]
    assert len(ids) == len(set(ids))
    assert [d.standing for d in bench.out.decisions] == list(range(1, len(ids) + 1))
