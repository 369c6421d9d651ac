"""The state machine, one rule per test, with records in memory: no clock, no servers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from monitor.charter.control import Admission, Approval, ControlBase, Evaluation, Rectification, Release
from monitor.charter.spec import (
    Authority,
    Charter,
    Cycle,
    DetectorSpec,
    ExposureSpec,
    HardRule,
    IndicatorSpec,
    Model,
    Participant,
    Responses,
    Users,
)
from monitor.compile.plan import CompiledIndicator
from monitor.detect.periods import observation_of
from monitor.engine.machine import Machine
from monitor.indicators.base import OpenPeriod
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, Severity, encode
from monitor.model.records import Decision, Evidence, Level, Outputs, Reason, Record
from monitor.state.acts_once import short_digest
from monitor.state.incidents import Incidents
from monitor.state.pilot import PilotState, Stream
from monitor.state.seen import SequenceDigests
from monitor.state.snapshots import restore, snapshot

HOUR = 3_600_000
T0 = 1_767_571_200_000  # Monday 5 January 2026
RATE = IndicatorSpec(
    name="incidents",
    kind="incident_rate",
    period="1h",
    reporting_delay="30m",
    limit=5,
    per=1000,
    exposure=ExposureSpec(unit="decisions", cap=1000),
    weight=1,
    detectors=(DetectorSpec("limit_e_process", "halt"),),
)
HANDLING = IndicatorSpec(
    name="handling", kind="complaint_handling_time", limit=48, detectors=(DetectorSpec("cusum", "watch"),)
)
SILENCE = IndicatorSpec(
    name="silence", kind="silence", params={"every": "60s"}, detectors=(DetectorSpec("silence", "watch"),)
)


def charter(*indicators: IndicatorSpec, version: int = 1, **changes: object) -> Charter:
    base = Charter(
        schema="sandbox-charter/1",
        pilot="p",
        participant=Participant("firm"),
        scenario="a test",
        tier="high",
        cycle=Cycle("2026-01-01", "2027-01-01"),
        models=(Model("m1"),),
        authorities=(Authority("authority", approvers=("anna", "ben")),),
        indicators=indicators or (RATE,),
        hard_rules=(
            HardRule("death", "halt", harm=(Harm.DEATH,)),
            HardRule("injury", "escalate", severity=(Severity.SERIOUS_INCIDENT,)),
        ),
        responses=Responses(watch_clears_after=2, escalate_clears_after=3, unknown_escalates_after="2h"),
        version=version,
    )
    return msgspec.structs.replace(base, **changes)


class Bench:
    """A machine, the offsets of its two logs, and all its outputs."""

    def __init__(self, *indicators: IndicatorSpec, journalled: bool = False, **changes: object) -> None:
        self.machine = Machine(journalled=journalled)
        self.out = Outputs()
        self._telemetry = self._control = 0
        self.emitter = Emitter("svc/1", "p")
        self.act(Admission(id="adm", pilot="p", author="anna", charter=charter(*indicators, **changes)), T0)

    def _keep(self, out: Outputs) -> Outputs:
        for field in ("rejected", "decisions", "commands", "permits", "evidence"):
            getattr(self.out, field).extend(getattr(out, field))
        for kind, events in out.uncounted.items():
            self.out.uncount(kind, events)
        return out

    def act(self, act: ControlBase, at: int) -> Outputs:
        self._control += 1
        return self._keep(
            self.machine.control(Record(self._control - 1, at, act.pilot.encode(), msgspec.json.encode(act)))
        )

    def send(self, *events: Envelope, at: int) -> Outputs:
        records = [Record(self._telemetry + i, at, b"p", encode(e)) for i, e in enumerate(events)]
        self._telemetry += len(records)
        return self._keep(self.machine.telemetry("telemetry", records))

    def time(self, at: int) -> Outputs:
        return self._keep(self.machine.time(at))

    def hour(self, index: int, incidents: int = 0, exposure: float = 1000.0) -> None:
        """One whole period: its incidents, its exposure."""
        at = T0 + index * HOUR + 1000
        self.send(*(self.emitter.incident(at) for _ in range(incidents)), self.emitter.exposure(at, exposure), at=at)

    @property
    def level(self) -> Level:
        return self.machine.pilots["p"].standing.level

    def reasons(self) -> list[Reason]:
        return [d.reason for d in self.out.decisions]


def rejected(out: Outputs) -> list[tuple[str, str]]:
    return [(r.field, r.reason) for r in out.rejected]


def test_telemetry_of_a_pilot_that_was_not_admitted_is_rejected() -> None:
    """Telemetry of a pilot without an admission is rejected as `not_admitted`, by the fast and the slow path."""
    events = [Emitter("x", "stranger").complaint(T0), Emitter("x", "stranger").heartbeat(T0)]
    records = [Record(offset, T0, b"stranger", encode(event)) for offset, event in enumerate(events)]
    for fast_path in (True, False):
        bench = Bench()
        bench.machine.fast_path = fast_path
        out = bench.machine.telemetry("telemetry", records)
        assert rejected(out) == [("subject", "not_admitted")] * 2
        assert (out.decisions, out.permits, out.evidence) == ([], [], [])


def test_telemetry_under_the_key_of_another_pilot_is_rejected() -> None:
    """A record's key has to be the pilot of its events: otherwise it is in another pilot's order."""
    bench = Bench()
    out = bench.send(Emitter("x", "stranger").complaint(T0), at=T0)
    assert rejected(out) == [("subject", "key_mismatch")]


def test_a_record_without_a_key_is_rejected() -> None:
    """On Kafka such a record is in an arbitrary partition: it is rejected as a whole, so that no count depends on
    chance."""
    machine = Machine(keyed=True)
    record = Record(0, T0, None, encode(Emitter("x", "p").heartbeat(T0)))
    assert rejected(machine.telemetry("telemetry", [record])) == [("key", "key_mismatch")]


def test_admission_is_a_record() -> None:
    """The decision names the charter's digest and its version."""
    bench = Bench()
    (decision,) = bench.out.decisions
    assert (decision.kind, decision.reason, decision.standing, decision.author) == ("act", Reason.ADMITTED, 1, "anna")
    assert len(decision.charter) == 64


def test_a_pilot_is_admitted_once() -> None:
    """A resent admission is a repeat that changes nothing; another admission is refused."""
    bench = Bench()
    same = Admission(id="adm", pilot="p", author="anna", charter=charter())
    again = bench.act(same, T0 + 1)
    assert rejected(again) == [("id", "repeated")]
    assert not again.decisions
    other = msgspec.structs.replace(same, id="adm2")
    assert rejected(bench.act(other, T0 + 2)) == [("charter", "repeated")]
    foreign = msgspec.structs.replace(same, id="adm3", charter=charter(alpha=0.02))
    assert rejected(bench.act(foreign, T0 + 3)) == [("charter", "conflict")]


def test_a_burst_halts_before_its_period_is_over() -> None:
    """Provisional evidence under the exposure cap: fifty incidents where five are allowed halt at once, with a
    command."""
    bench = Bench()
    bench.send(*(bench.emitter.incident(T0 + 60_000) for _ in range(50)), at=T0 + 61_000)
    assert bench.level == Level.HALT
    halt = next(d for d in bench.out.decisions if d.level == Level.HALT and d.kind == "level")
    assert halt.reason == Reason.LIMIT_EXCEEDED
    assert halt.finding.provisional
    assert halt.first_out
    assert halt.at == T0 + 61_000
    assert [(c.action, c.decision) for c in bench.out.commands] == [("halt", halt.id)]


def test_a_pilot_within_its_limit_gets_no_decision() -> None:
    """Four incidents an hour where five are allowed, for three weeks: no decision but the admission."""
    bench = Bench()
    for hour in range(24 * 21):
        bench.hour(hour, incidents=4)
    assert bench.reasons() == [Reason.ADMITTED]
    assert len(bench.out.evidence) == 24 * 21 - 2  # the last two are still open


def test_of_several_heartbeats_the_last_gets_the_last_permit() -> None:
    """Permits keep the order of the heartbeats when the first ones took the slow path, as of a new source, and later
    ones the fast path."""
    bench = Bench(RATE)
    beats = [bench.emitter.heartbeat(T0 + 1000 + i, nonce=f"n{i}") for i in range(20)]
    out = bench.send(*beats, at=T0 + 2000)
    assert bench.machine.fast_path_events >= 10
    assert out.permits[-1].nonce == "n19"
    out.newest_permits()
    assert [permit.nonce for permit in out.permits] == ["n19"]


def test_a_repeated_event_counts_once() -> None:
    """An SDK that resends after a lost acknowledgement changes nothing."""
    once, twice = Bench(), Bench()
    for bench, times in ((once, 1), (twice, 3)):
        events = [bench.emitter.incident(T0 + 1000) for _ in range(8)]
        for _ in range(times):
            bench.send(*events, at=T0 + 2000)
        bench.hour(0)
        bench.time(T0 + 10 * HOUR)
    assert once.out.evidence == twice.out.evidence
    assert once.out.decisions == twice.out.decisions


def test_far_behind_the_window_a_number_is_rejected() -> None:
    """An event that can no longer be distinguished from a repeat is not counted, and is rejected."""
    bench = Bench()
    events = [bench.emitter.heartbeat(T0) for _ in range(1100)]
    bench.send(*events, at=T0)
    assert rejected(bench.send(events[0], at=T0 + 1)) == [("sequence", "sequence_too_old")]


def test_a_number_too_large_for_any_counter_is_rejected() -> None:
    """A sequence number above 64 bits is rejected: a state that held it could not be written."""
    bench = Bench()
    event = msgspec.json.decode(encode(bench.emitter.heartbeat(T0)))
    event["sequence"] = "18446744073709551616"
    out = bench.machine.telemetry("telemetry", [Record(0, T0, b"p", msgspec.json.encode(event))])
    assert rejected(out) == [("sequence", "wrong_form")]
    bench.machine.snapshots(bench.machine.pilots)


def test_a_hard_rule_acts_on_the_single_event() -> None:
    """A death halts at once; a serious incident escalates, and a second one is on record too."""
    bench = Bench()
    injury = {"severity": Severity.SERIOUS_INCIDENT, "harm": Harm.SERIOUS_INJURY}
    bench.send(bench.emitter.incident(T0, **injury), at=T0)  # type: ignore[arg-type]
    assert bench.level == Level.ESCALATE
    bench.send(bench.emitter.incident(T0, **injury), at=T0 + 1)  # type: ignore[arg-type]
    assert [d.kind for d in bench.out.decisions if d.reason == Reason.HARD_RULE] == ["level", "finding"]
    bench.send(bench.emitter.incident(T0, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH), at=T0 + 2)
    assert bench.level == Level.HALT


def test_a_model_that_the_charter_does_not_name_is_watched() -> None:
    """A silent upgrade shows in the first event of the new model."""
    bench = Bench()
    bench.send(Emitter("svc/2", "p", model="m9").heartbeat(T0), at=T0)
    assert bench.level == Level.WATCH
    assert bench.out.decisions[-1].finding.detail == "m9"


def test_use_outside_the_cycle_escalates() -> None:
    """Exposure before the first or after the last day that the charter grants is found with its tally."""
    bench = Bench()
    last = 1_798_848_000_000  # the midnight after the last day, 1 January 2027
    bench.send(bench.emitter.exposure(last - 1, 5.0), at=last - 1)
    assert Reason.OUTSIDE_CYCLE not in bench.reasons()
    bench.send(bench.emitter.exposure(last, 5.0), at=last)
    assert bench.reasons()[-1] == Reason.OUTSIDE_CYCLE
    assert bench.level == Level.ESCALATE


def test_more_users_than_the_charter_allows_escalate() -> None:
    """A tally of users above the cap is found at once."""
    bench = Bench(users=Users(cap=100))
    bench.send(bench.emitter.exposure(T0, 100, "users"), at=T0)
    assert bench.level == Level.NORMAL
    bench.send(bench.emitter.exposure(T0, 101, "users"), at=T0)
    assert (bench.level, bench.out.decisions[-1].finding.rule) == (Level.ESCALATE, "user_cap")


def test_silence_is_found_at_its_due_time_and_ends_with_the_next_sign_of_life() -> None:
    """The flag carries the millisecond of the deadline, whenever the timer fires."""
    bench = Bench(SILENCE)
    bench.send(bench.emitter.heartbeat(T0), at=T0)
    due = bench.machine.notify_at
    assert due is not None
    bench.time(due + 7_000)
    flag = next(d for d in bench.out.decisions if d.kind == "flag")
    assert (flag.at, flag.unknown) == (due, "silence")
    bench.send(bench.emitter.heartbeat(due + 60_000), at=due + 60_000)
    assert bench.machine.pilots["p"].standing.flag == ""
    assert bench.level == Level.NORMAL


def test_a_fault_of_the_monitor_is_never_silence_of_a_firm() -> None:
    """After more than 30 s between two `time` deadlines are extended and every pilot is flagged monitor_gap."""
    bench = Bench(SILENCE, journalled=True)
    bench.send(bench.emitter.heartbeat(T0), at=T0)
    bench.time(T0 + 1000)
    bench.time(T0 + 2 * HOUR)
    assert [d.unknown for d in bench.out.decisions if d.kind == "flag"] == ["monitor_gap"]
    bench.time(T0 + 2 * HOUR + 10_000)
    assert bench.machine.pilots["p"].standing.flag == ""
    assert Reason.SILENCE not in bench.reasons()


def test_a_clock_that_jumps_back_is_a_fault_of_the_monitor_too() -> None:
    """Until the clock has caught up nothing falls due: every pilot is flagged monitor_gap, once, and silence counts
    from then."""
    bench = Bench(SILENCE, journalled=True)
    bench.time(T0 - 1000)
    bench.send(bench.emitter.heartbeat(T0), at=T0)
    bench.time(T0 + 1000)
    for second in (0, 10, 20):
        bench.time(T0 - HOUR + second * 1000)
    assert [d.unknown for d in bench.out.decisions if d.kind == "flag"] == ["monitor_gap"]
    bench.time(T0 + 2000)
    assert bench.machine.pilots["p"].standing.flag == ""
    assert Reason.SILENCE not in bench.reasons()
    due = bench.machine.notify_at
    assert due is not None
    assert due > T0 + 2000


def test_a_backlog_cannot_look_like_silence() -> None:
    """A backlog of telemetry from a time without `time` entries does not fire the silence timer."""
    bench = Bench(SILENCE, journalled=True)
    bench.time(T0 + 1000)
    for minute in range(0, 600, 100):
        bench.send(bench.emitter.heartbeat(T0 + minute * 60_000), at=T0 + minute * 60_000)
    assert Reason.SILENCE not in bench.reasons()


def test_a_complaint_filed_before_admission_counts_neither_as_opened_nor_as_closed() -> None:
    """Closing a complaint that was never counted as open must not make the stock negative."""
    bench = Bench(HANDLING)
    old, new = bench.emitter.complaint(T0 - HOUR, "old"), bench.emitter.complaint(T0 + 1, "new")
    bench.send(old, new, bench.emitter.complaint_resolved(T0 + 2, "old", filed=T0 - HOUR), at=T0 + 3)
    bench.send(bench.emitter.heartbeat(T0 + 2 * HOUR), at=T0 + 2 * HOUR)
    (first,) = (e for e in bench.out.evidence if isinstance(e, Evidence) and e.start == T0)
    assert (first.k, round(first.m, 3)) == (0, 1)
    assert bench.machine.pilots["p"].streams["handling/"].stock == 1


def test_a_snapshot_of_version_3_is_read() -> None:
    """Version 3 has hours of open complaints where version 4 has exact milliseconds: both give the same observation."""
    watch = CompiledIndicator(IndicatorSpec(name="h", kind="complaint_handling_time", limit=2))
    before, now = OpenPeriod(k=1.0, m=0.75, stock=-1.0), OpenPeriod(k=1.0, stock=-1.0, held=0.75 * HOUR)
    read = msgspec.msgpack.decode(msgspec.msgpack.encode([1.0, 0.75, 0, -1.0, 0.0]), type=OpenPeriod)
    assert read == before
    stream = Stream(0, stock=2.0)
    assert observation_of(watch, stream, read, 0, HOUR, False) == observation_of(watch, stream, now, 0, HOUR, False)
    bench = Bench(RATE)
    pilot = bench.machine.pilots["p"]
    assert restore(older(3, pilot))[0].id == "p"


def test_a_snapshot_of_version_4_is_read() -> None:
    """Version 4 has charter and detectors in plain msgpack where version 5 has them packed: a restored pilot is
    written as the same bytes."""
    bench = Bench(RATE)
    bench.hour(0, incidents=2)
    bench.time(T0 + 2 * HOUR)
    pilot = bench.machine.pilots["p"]
    pilot.incidents = Incidents()  # which version 6 remembers
    read = restore(older(4, pilot))[0]
    assert read.acts.recent == [short_digest("adm")]  # it knew ids only
    read.acts = pilot.acts
    assert snapshot(without_digests(read)) == snapshot(without_digests(pilot))
    assert [d for s in read.streams.values() for d in s.detectors] == [
        d for s in pilot.streams.values() for d in s.detectors
    ]


def older(version: int, pilot: PilotState) -> bytes:
    """The bytes that versions 3 and 4 wrote of a pilot."""
    fields = msgspec.msgpack.decode(snapshot(pilot))
    streams = {n: [*s, msgspec.msgpack.decode(pilot.streams[n].blob())] for n, s in fields[9].items()}
    fields[11] = ["adm"]
    sources = {name: older_source(source) for name, source in fields[8].items()}
    return msgspec.msgpack.encode([version, "p", pilot.charter, *fields[3:8], sources, streams, *fields[10:17]])


def older_source(fields: list[Any]) -> list[Any]:
    """A source as versions up to 5 wrote it: each missing number by itself, and no digests."""
    missing = {number: at for first, last, at in fields[1] for number in range(first, last + 1)}
    return [fields[0], missing, *fields[2:8]]


def without_digests(pilot: PilotState) -> PilotState:
    """The same, without what version 6 knows of events besides their numbers."""
    for source in pilot.sources.values():
        source.seen, source.newest = SequenceDigests(), 0
    return pilot


def lift(bench: Bench, at: int) -> Outputs:
    bench.act(Rectification(id="r", pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e"), at)
    bench.act(Evaluation(id="e", pilot="p", author="lab", passed=True, report="ok"), at + 1)
    bench.act(Approval(id="a1", pilot="p", author="anna"), at + 2)
    bench.act(Approval(id="a2", pilot="p", author="ben"), at + 3)
    return bench.act(Release(id="rel", pilot="p", author="anna", reason="seen on site"), at + 4)


def test_the_same_cause_gives_the_same_id_wherever_it_is_read() -> None:
    """Ids name no offset: the same telemetry at other offsets, after invalid records, gives the same decisions."""
    plain, shifted = Bench(), Bench()
    shifted._telemetry += 1000
    shifted.machine.telemetry("telemetry", [Record(5, T0, None, b"\xff")])
    for bench in (plain, shifted):
        bench.send(*(bench.emitter.incident(T0 + 1) for _ in range(60)), at=T0 + 2)
    assert plain.out.decisions == shifted.out.decisions


def test_standing_rises_by_one_with_every_record() -> None:
    """A reader sees at once when a record of a pilot is missing."""
    bench = Bench()
    bench.send(*(bench.emitter.incident(T0 + 1) for _ in range(60)), at=T0 + 2)
    lift(bench, T0 + 10)
    decisions: Iterable[Decision] = bench.out.decisions
    assert [d.standing for d in decisions] == list(range(1, len(bench.out.decisions) + 1))
