"""Two different events under one source and number are a conflict, never a repeat: told to the sender, and never hiding
a harm."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from monitor.charter.control import Override
from monitor.model.bounds import SOURCES
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, Severity
from monitor.model.records import Evidence, Level, Reason
from monitor.state.seen import SequenceDigests, digest_of
from tests.unit.engine.test_machine import HOUR, T0, Bench, rejected

CONFLICT = [("sequence", "source_conflict")]


def death(emitter: Emitter, at: int) -> Envelope:
    return emitter.incident(at, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)


def test_a_death_that_another_replica_reports_under_a_used_number_halts() -> None:
    """Two replicas share a source and number from 1: the second one's report is rejected as a conflict, and acted
    on."""
    bench, other = Bench(), Emitter("svc/1", "p")
    bench.send(bench.emitter.exposure(T0 + 1, 10.0), at=T0 + 1)
    out = bench.send(death(other, T0 + 2), at=T0 + 2)
    assert rejected(out) == CONFLICT
    assert bench.level == Level.HALT
    assert [command.action for command in out.commands] == ["halt"]
    assert {Reason.HARD_RULE, Reason.SOURCE_CONFLICT} <= set(bench.reasons())


def test_many_deaths_under_used_numbers_are_all_on_record() -> None:
    """Thirty reports of the second replica are thirty rejections and thirty findings, none with the id of another."""
    bench, other = Bench(), Emitter("svc/1", "p")
    bench.send(*(bench.emitter.incident(T0 + i, harm=Harm.DEATH) for i in range(30)), at=T0 + 30)
    reports = [msgspec.structs.replace(death(other, T0 + 40 + i), id=f"other-{i}") for i in range(30)]
    out = bench.send(*reports, at=T0 + 80)
    assert rejected(out) == CONFLICT * 30
    assert sum(d.reason is Reason.HARD_RULE for d in out.decisions) >= 30
    assert len({d.id for d in bench.out.decisions}) == len(bench.out.decisions)


def test_decisions_on_events_with_one_source_number_and_id_have_different_ids() -> None:
    """Replicas that derive the event id from the number, and a conflict that is resent after its finding has cleared:
    no decision gets the id of another, as the notary would drop it and find a standing missing."""
    bench = Bench()
    bench.send(death(bench.emitter, T0 + 1), at=T0 + 1)
    for replica in range(3):
        report = msgspec.structs.replace(death(Emitter("svc/1", "p"), T0 + 2), id="svc/1#1")
        data = msgspec.structs.replace(report.data, incident=f"i-{replica}")
        bench.send(msgspec.structs.replace(report, data=data), at=T0 + 3 + replica)
    assert sum(d.reason is Reason.HARD_RULE for d in bench.out.decisions) >= 4
    beat = msgspec.structs.replace(Emitter("svc/1", "p").heartbeat(T0 + 2), id="svc/1#1")
    for day in range(3):
        bench.send(beat, at=T0 + HOUR * (1 + 24 * day))
        bench.time(T0 + HOUR * (23 + 24 * day))
    assert sum(d.reason is Reason.SOURCE_CONFLICT for d in bench.out.decisions) > 1
    assert len({d.id for d in bench.out.decisions}) == len(bench.out.decisions)


def test_an_event_that_is_repeated_after_its_source_was_forgotten_makes_a_separate_decision() -> None:
    """A correction that is resent when 512 other sources were heard since is on record twice, under two ids and
    causes."""
    bench = Bench()
    once = bench.emitter.exposure_corrected(T0 + 1)
    bench.send(once, at=T0 + 2)
    for number in range(SOURCES + 1):
        bench.send(Emitter(f"call/{number}", "p").heartbeat(T0 + 3), at=T0 + 3 + number)
        if number == SOURCES:
            bench.send(once, at=T0 + 4 + number)
    bench.send(*(Emitter(f"next/{number}", "p").heartbeat(T0 + 3) for number in range(SOURCES)), once, at=T0 + 2000)
    corrections = [d for d in bench.out.decisions if d.reason is Reason.CORRECTED]
    assert len({(d.id, d.cause) for d in corrections}) == len(corrections) == 3


@pytest.mark.parametrize("part", ["id", "time", "data", "type"])
def test_whatever_differs_makes_it_another_event(part: str) -> None:
    """Id, time, payload and type: emitters that derive the id from the number differ in nothing but what they
    report."""
    bench, other = Bench(), Emitter("svc/1", "p")
    first = bench.emitter.complaint_resolved(T0 + 5, "c", T0 + 1)
    second: Envelope = {
        "id": msgspec.structs.replace(first, id="another"),
        "time": msgspec.structs.replace(first, time=first.time.replace(microsecond=1000)),
        "data": msgspec.structs.replace(first, data=msgspec.structs.replace(first.data, complaint="d")),
        "type": other.complaint_withdrawn(T0 + 5, "c", T0 + 1),
    }[part]
    bench.send(first, at=T0 + 6)
    assert rejected(bench.send(first, at=T0 + 7)) == []
    assert rejected(bench.send(second, at=T0 + 8)) == CONFLICT


def test_a_death_whose_digest_is_that_of_another_event_is_no_repeat() -> None:
    """The 16 bits of a digest are easily matched by choosing the id: an incident is a repeat only if it is known."""
    bench = Bench()
    first = bench.emitter.heartbeat(T0 + 1)
    bench.send(first, at=T0 + 1)
    report = death(Emitter("svc/1", "p"), T0 + 2)
    twins = (msgspec.structs.replace(report, id=f"x-{n}") for n in itertools.count())
    out = bench.send(next(event for event in twins if digest_of(event) == digest_of(first)), at=T0 + 3)
    assert (rejected(out), bench.level) == ([("sequence", "source_conflict")], Level.HALT)


def test_a_true_repeat_is_free_and_silent() -> None:
    """The same events again, in any packing, after a restart of the monitor too, change nothing and emit nothing."""
    bench = Bench()
    events = [bench.emitter.heartbeat(T0 + i, exposure=float(i)) for i in range(100)]
    bench.send(*events, at=T0 + 150)
    before = len(bench.out.decisions)
    bench.send(*events, at=T0 + 151)
    bench.machine.restore(bench.machine.snapshots(["p"]))
    assert rejected(bench.send(*events, at=T0 + 152)) == []
    assert len(bench.out.decisions) == before


def test_a_source_that_begins_again_at_1_is_a_conflict() -> None:
    """A restart under the same source, long after the numbers it repeats: its events tell of a later time than any
    before."""
    bench = Bench()
    bench.send(*(bench.emitter.heartbeat(T0 + i) for i in range(600)), at=T0 + 600)
    again = Emitter("svc/1", "p")
    assert rejected(bench.send(again.heartbeat(T0 + HOUR), at=T0 + HOUR)) == CONFLICT
    assert rejected(bench.send(death(again, T0 + HOUR), at=T0 + HOUR)) == CONFLICT
    assert bench.level == Level.HALT


def test_what_is_too_old_to_tell_is_rejected_and_an_incident_acted_on() -> None:
    """Below the numbers whose events are remembered, an old event may be a repeat or not: never silent, and a death
    halts."""
    bench, other = Bench(), Emitter("svc/1", "p")
    bench.send(*(bench.emitter.heartbeat(T0 + 500) for i in range(600)), at=T0 + 600)
    out = bench.send(other.heartbeat(T0 + 1), death(other, T0 + 2), at=T0 + HOUR)
    assert rejected(out) == [("sequence", "sequence_too_old")] * 2
    assert bench.level == Level.HALT
    assert Reason.SOURCE_CONFLICT not in bench.reasons()


def test_an_incident_that_is_resent_too_late_does_not_halt_again() -> None:
    """A copy of a known incident under a number that is no longer remembered changes nothing."""
    bench = Bench()
    report = death(bench.emitter, T0 + 1)
    bench.send(report, at=T0 + 1)
    bench.send(*(bench.emitter.heartbeat(T0 + 2 + i) for i in range(600)), at=T0 + 700)
    before = len(bench.out.decisions)
    assert rejected(bench.send(report, at=T0 + 800)) == [("sequence", "sequence_too_old")]
    assert len(bench.out.decisions) == before


def test_periods_with_a_conflict_are_partial_until_it_ends() -> None:
    """What the second emitter reports is not counted, so nothing closes as known; the finding leaves when conflicts
    end."""
    bench, other = Bench(), Emitter("svc/1", "p")
    bench.hour(0, incidents=1, exposure=100)
    bench.send(other.incident(T0 + 2000), at=T0 + 2000)
    assert bench.level == Level.WATCH
    for hour in range(1, 6):
        bench.hour(hour, exposure=100)
    bench.time(T0 + 7 * HOUR)
    (first, second, *_) = (e for e in bench.out.evidence if isinstance(e, Evidence))
    assert (first.m, first.unknown) == (1000, "partial_data")
    assert second.unknown == ""
    assert bench.level == Level.NORMAL


def test_a_conflicting_heartbeat_contradicts_a_halt_and_never_verifies_one() -> None:
    """A second replica of the same source that serves on after the stop is found, though its numbers are used."""
    bench, other = Bench(), Emitter("svc/1", "p")
    bench.send(bench.emitter.heartbeat(T0 + 1), at=T0 + 1)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="r"), T0 + 2)
    command = bench.out.commands[-1]
    bench.send(bench.emitter.acknowledged(T0 + 10, command.id, command.standing), at=T0 + 10)
    bench.send(*(bench.emitter.heartbeat(T0 + 20 + i, serving=False) for i in range(3)), at=T0 + 30)
    assert Reason.HALT_VERIFIED in bench.reasons()
    other.skip(2)
    out = bench.send(other.heartbeat(T0 + 5000, serving=True), at=T0 + 5000)
    assert rejected(out) == CONFLICT
    assert Reason.HALT_CONTRADICTED in [d.reason for d in out.decisions]


@pytest.mark.parametrize("cut", [1, 7, 191, 192, 193, 1000])
def test_what_is_remembered_of_events_does_not_depend_on_batches(cut: int) -> None:
    """However events are cut, the same digests are left, also where numbers are missing in between."""
    emitter = Emitter("svc/1", "p")
    events = [emitter.heartbeat(T0 + i) for i in range(1000)]
    whole, parts = SequenceDigests(), SequenceDigests()
    whole.add(events, 192)
    for at in range(0, len(events), cut):
        parts.add(events[at : at + cut], 192)
    assert whole.raw() == parts.raw()
    assert [whole.at(back) for back in range(192)] == [digest_of(event) for event in events[:-193:-1]]
    whole.skip(5, 192)
    assert whole.at(4) == 0
    assert whole.at(5) == digest_of(events[-1])


def test_digests_are_the_same_in_every_process() -> None:
    """They stand in the state, which another process reads: a fixed event has a fixed digest."""
    assert digest_of(Emitter("svc/1", "p").heartbeat(T0)) == 18686
