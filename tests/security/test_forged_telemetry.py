"""Forged telemetry of a firm whose charter names keys: what no sender of the charter signed counts nowhere, halts no
pilot and is raised; reporters whom the charter names may report incidents and complaints, and nothing else.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec
import pytest
from msgspec import UNSET

from monitor.charter.control import Admission, Amendment, ControlBase
from monitor.charter.spec import Charter, HardRule, Participant, Reporter, charter_hash
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter, packed
from monitor.model.events import Envelope, Harm, Severity, encode
from monitor.model.records import Claim, Level, Outputs, Reason, Record
from monitor.model.signing import HEADER, SignedKind, Signer
from monitor.projections.metrics import Metrics
from monitor.state.pilot import PilotState
from tests.security.goals import Goal
from tests.strength import examples
from tests.unit.engine.test_machine import RATE, SILENCE, T0, charter

FIRM, NEXT, HOSPITAL, RIVAL, STRANGER = (Signer(bytes([n]) * 32) for n in range(1, 6))
Headers = tuple[tuple[str, bytes], ...]


def keyed(**changes: object) -> Charter:
    """A charter with a key of the firm and one reporter."""
    given = {
        "participant": Participant("firm", keys=(FIRM.public,)),
        "reporters": (Reporter("hospital", keys=(HOSPITAL.public,)),),
    }
    return charter(RATE, SILENCE, **(given | changes))


class Bench:
    """A machine with the pilot `p` under a charter with keys, and `q` of a rival firm."""

    def __init__(self, admitted: Charter | None = None, fast_path: bool = True) -> None:
        self.machine = Machine(journalled=False)
        self.machine.fast_path = fast_path
        self.offset = 0
        self.metrics = Metrics()
        self.act(Admission(id="p", pilot="p", author="anna", charter=admitted or keyed()))
        rival = charter(pilot="q", participant=Participant("rival", keys=(RIVAL.public,)))
        self.act(Admission(id="q", pilot="q", author="anna", charter=rival))

    def act(self, act: ControlBase, at: int = T0) -> Outputs:
        self.offset += 1
        out = self.machine.control(Record(self.offset, at, act.pilot.encode(), msgspec.json.encode(act)))
        assert not out.rejected
        return self.observed(out)

    def observed(self, out: Outputs) -> Outputs:
        self.metrics.observe(out)
        return out

    def record(self, body: bytes, at: int, headers: Headers = (), key: bytes | None = b"p") -> Record:
        self.offset += 1
        return Record(self.offset, at, key, body, headers)

    def send(self, *events: Envelope, signer: Signer | None, at: int = T0) -> Outputs:
        """One record with these events."""
        record = self.record(packed(events), at, signed(packed(events), signer))
        return self.observed(self.machine.telemetry("telemetry", [record]))

    @property
    def pilot(self) -> PilotState:
        return self.machine.pilots["p"]


def signed(body: bytes, signer: Signer | None, kind: SignedKind = "telemetry") -> Headers:
    return ((HEADER, signer.sign(kind, body).encode()),) if signer else ()


def reasons(out: Outputs) -> Counter[tuple[str, str]]:
    found = Counter[tuple[str, str]]()
    for r in out.rejected:
        found[r.reason, r.detail.partition(":")[0]] += r.count
    return found


class Forger:
    """Makes records in the name of the firm of pilot `p`, without its key; each way is one that was tried."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.random = bench, random.Random(seed)
        self.ways: list[Callable[[list[Envelope], int], Record]] = [
            self.unsigned,
            self.of_another_firm,
            self.as_another_kind,
            self.over_other_bytes,
            self.in_binary_mode,
            self.with_a_broken_header,
            self.beyond_a_reporter,
            self.without_a_key_of_the_record,
        ]

    def events(self, service: Emitter, at: int) -> list[Envelope]:
        """What a forger wants to be counted, under a true source or an invented one; numbers as of the true one."""
        source = self.random.choice([service.source, service.source, f"svc/{self.random.random()}"])
        first = max(1, service.next + self.random.choice([-1, 0, 0, 1, 7]))
        emit = Emitter(source, "p", first=first)
        kinds: list[Callable[[], Envelope]] = [
            lambda: emit.incident(at, Severity.SERIOUS_INCIDENT, Harm.DEATH),
            lambda: emit.exposure(at, 1e9),
            lambda: emit.complaint(at),
            lambda: emit.heartbeat(at, serving=True),
            lambda: emit.model_changed(at, "unknown"),
        ]
        return [self.random.choice(kinds)() for _ in range(self.random.choice([1, 1, 2, 30]))]

    def make(self, service: Emitter, at: int) -> tuple[str, Record, int]:
        """Returns the name of the way, the record and how many events it holds."""
        way, events = self.random.choice(self.ways), self.events(service, at)
        if way == self.in_binary_mode:
            events = events[:1]
        return way.__name__, way(events, at), len(events)

    def unsigned(self, events: list[Envelope], at: int) -> Record:
        return self.bench.record(packed(events), at)

    def of_another_firm(self, events: list[Envelope], at: int) -> Record:
        body = packed(events)
        return self.bench.record(body, at, signed(body, self.random.choice([RIVAL, STRANGER, NEXT])))

    def as_another_kind(self, events: list[Envelope], at: int) -> Record:
        body = packed(events)
        kind: SignedKind = self.random.choice(["control", "command", "permit"])
        return self.bench.record(body, at, signed(body, FIRM, kind))

    def over_other_bytes(self, events: list[Envelope], at: int) -> Record:
        """A signature that the firm made, for other bytes."""
        return self.bench.record(packed(events), at, signed(packed(events) + b" ", FIRM))

    def in_binary_mode(self, events: list[Envelope], at: int) -> Record:
        """Data that the firm signed, under attributes that it did not choose."""
        (event,) = events
        data = msgspec.json.encode(event.data)  # type: ignore[attr-defined]
        fields = {**msgspec.to_builtins(event), "type": event.__struct_config__.tag}
        names = ("specversion", "id", "source", "subject", "time", "sequence", "type")
        headers = tuple((f"ce_{name}", str(fields[name]).encode()) for name in names)
        return self.bench.record(data, at, (*headers, *signed(data, FIRM)))

    def with_a_broken_header(self, events: list[Envelope], at: int) -> Record:
        text = self.random.choice([b"", b":", b"\xff\xfe", FIRM.key_id.encode(), f"{FIRM.key_id}:AAAA".encode(), None])
        return self.bench.record(packed(events), at, ((HEADER, text),))  # type: ignore[arg-type]

    def beyond_a_reporter(self, events: list[Envelope], at: int) -> Record:
        """A reporter sends what only the firm may send."""
        body = packed([Emitter(event.source, "p", first=int(event.sequence)).heartbeat(at) for event in events])
        return self.bench.record(body, at, signed(body, HOSPITAL))

    def without_a_key_of_the_record(self, events: list[Envelope], at: int) -> Record:
        return self.bench.record(packed(events), at, key=None)


def honest(service: Emitter, at: int, rng: random.Random) -> list[Envelope]:
    """What the true service sends in one record."""
    events: list[Envelope] = [service.heartbeat(at)]
    for kind in rng.choices([service.exposure, service.complaint], [9, 1], k=rng.choice([0, 1, 5, 40])):
        events.append(kind(at))  # noqa: PERF401 - numbers are drawn in order
    if rng.random() < 0.02:
        events.append(service.incident(at))
    return events


def bare(pilot: PilotState) -> PilotState:
    """The state of a pilot without what is only told about rejections."""
    return msgspec.structs.replace(pilot, rejections=type(pilot.rejections)())


def batches(records: list[Record], rng: random.Random) -> Iterable[list[Record]]:
    while records:
        size = rng.choice([1, 3, 50])
        yield records[:size]
        records = records[size:]


@pytest.mark.parametrize("fast_path", [True, False])
def test_forged_telemetry_changes_nothing(fast_path: bool, goal: Goal) -> None:
    """Forged records among honest ones: decisions, permits and state are those of a monitor that never saw them, and
    every forged event is rejected as forged and counted for its pilot."""
    rng, attempts = random.Random(7), examples(300, 10_000)
    attacked, alone = Bench(fast_path=fast_path), Bench(fast_path=fast_path)
    forger, service, at = Forger(attacked, 7), Emitter("svc/1", "p"), T0
    records, true, forged, ways = list[Record](), list[Record](), 0, Counter[str]()
    for _ in range(attempts):
        at += rng.choice([1, 200, 5_000])
        way, record, events = forger.make(service, at)
        ways[way] += 1
        forged += events
        records.append(record)
        if rng.random() < 0.5:
            body = packed(honest(service, at, rng))
            true.append(attacked.record(body, at, signed(body, FIRM)))
            records.append(true[-1])
    found, expected = Outputs(), Outputs()
    for batch in batches(records, rng):
        found.extend(attacked.observed(attacked.machine.telemetry("telemetry", batch)))
    for batch in batches(true, rng):
        expected.extend(alone.machine.telemetry("telemetry", batch))
    accepted = forged - sum(number for (reason, _), number in reasons(found).items() if reason == "forged")
    name = "fast" if fast_path else "slow"
    goal(f"forged_telemetry_accepted_{name}_path", accepted, 0, note=f"of {forged} events in {attempts} records")
    assert len(ways) == len(forger.ways)
    assert not expected.rejected
    assert (found.decisions, found.commands) == (expected.decisions, expected.commands)
    one, other = (msgspec.structs.replace(out.permits[-1], notice=None) for out in (found, expected))
    assert one == other
    assert attacked.pilot.rejections.by_reason == {"forged": forged}
    assert replaced(attacked).machine.snapshots(["p"])["p"] == replaced(alone).machine.snapshots(["p"])["p"]
    assert f'sandbox_monitor_pilot_forged_total{{participant="firm",pilot="p"}} {forged}' in exposition(attacked)


def replaced(bench: Bench) -> Bench:
    bench.machine.pilots["p"] = bare(bench.pilot)
    return bench


def exposition(bench: Bench) -> str:
    return bench.metrics.exposition().decode()


def test_every_type_of_event_must_be_signed() -> None:
    """An unsigned death halts no pilot; signed by the firm it does, and the forged one has not used up its number."""
    bench = Bench()
    forged = Emitter("svc/1", "p").incident(T0, Severity.SERIOUS_INCIDENT, Harm.DEATH)
    out = bench.send(forged, signer=None)
    assert reasons(out) == {("forged", "not_signed"): 1}
    assert bench.pilot.standing.level == Level.NORMAL
    true = Emitter("svc/1", "p").incident(T0, Severity.SERIOUS_INCIDENT, Harm.DEATH, incident="i-1")
    assert {d.reason for d in bench.send(true, signer=FIRM).decisions} == {Reason.HARD_RULE}
    assert bench.pilot.standing.level == Level.HALT


def test_a_named_reporter_reports_incidents_and_complaints_only() -> None:
    """A death that the hospital reports halts; its heartbeats, exposure and outcomes are forged, whichever source they
    name, and its reports end no silence of the firm."""
    bench = Bench()
    desk = Emitter("svc/1", "p")  # the name of the firm's own source
    for event in (desk.heartbeat(T0), desk.exposure(T0), desk.outcomes(T0), desk.model_changed(T0, "m1")):
        assert reasons(bench.send(event, signer=HOSPITAL)) == {("forged", "key_of_a_reporter"): 1}
    heard = dict(bench.pilot.heard)
    assert not bench.send(desk.complaint(T0 + 1000), signer=HOSPITAL, at=T0 + 1000).rejected
    assert bench.pilot.heard == heard
    bench.send(desk.incident(T0, Severity.SERIOUS_INCIDENT, Harm.DEATH), signer=HOSPITAL, at=T0 + 1000)
    assert bench.pilot.standing.level == Level.HALT


def test_a_reporter_says_nothing_about_the_model_in_use() -> None:
    """A reporter need not know the model, and one that it names is not taken for the model that serves: no finding,
    neither for a new report nor for one that contradicts an earlier one."""
    rules = (HardRule("unknown model", "halt", unregistered_model=True),)
    bench = Bench(keyed(hard_rules=rules))
    for model in ("", "other"):
        for _ in range(2):
            bench.send(
                Emitter(f"desk/{model}", "p", model=model).incident(T0, incident=str(bench.offset)), signer=HOSPITAL
            )
    assert bench.pilot.model == ""
    assert bench.pilot.standing.active.keys() == {"source_conflict"}
    bench.send(Emitter("svc/1", "p", model="other").heartbeat(T0), signer=FIRM)
    assert bench.pilot.standing.level == Level.HALT


def test_a_reporter_cannot_use_up_the_numbers_of_the_firm_nor_the_firm_those_of_a_reporter() -> None:
    """Sequence numbers belong to a sender: the same source and number under two senders are two events."""
    for first, second in ((HOSPITAL, FIRM), (FIRM, HOSPITAL)):
        bench = Bench()
        for source in ("x", "reporter:hospital/x"):
            bench.send(Emitter(source, "p").complaint(T0), signer=first)
            out = bench.send(
                Emitter(source, "p").incident(T0, Severity.SERIOUS_INCIDENT, Harm.DEATH), signer=second, at=T0 + 1
            )
            assert not out.rejected
        assert bench.pilot.standing.level == Level.HALT
        assert "source_conflict" not in bench.pilot.standing.active


def test_under_an_older_claim_a_replay_judges_as_its_owner_did() -> None:
    """The claim in the journal says which rules were in force: logs from before every record had to be signed are
    replayed with the decisions of that time."""
    bench = Bench()
    event = Emitter("desk", "p").incident(T0, Severity.SERIOUS_INCIDENT, Harm.DEATH)
    bench.machine.take_claim(Claim(epoch=1))
    assert reasons(bench.send(Emitter("svc/1", "p").heartbeat(T0), signer=None)) == {("forged", "not_signed"): 1}
    assert not bench.send(event, signer=None).rejected
    assert bench.pilot.standing.level == Level.HALT


def test_a_rotation_of_keys_loses_no_event() -> None:
    """With both keys in the charter a running source passes from the old key to the new one without a gap; once the
    old key is taken out, what it signs is forged."""
    both = Participant("firm", keys=(FIRM.public, NEXT.public))
    bench, service = Bench(), Emitter("svc/1", "p")
    accepted = [bench.send(service.exposure(T0, 10.0), signer=FIRM)]
    bench.act(Amendment(id="a", pilot="p", author="anna", charter=keyed(participant=both, version=2)))
    accepted += [
        bench.send(service.exposure(T0, 10.0), signer=FIRM),
        bench.send(service.exposure(T0, 10.0), signer=NEXT),
    ]
    alone = Participant("firm", keys=(NEXT.public,))
    bench.act(Amendment(id="b", pilot="p", author="anna", charter=keyed(participant=alone, version=3)))
    accepted.append(bench.send(service.exposure(T0, 10.0), signer=NEXT))
    assert not any(out.rejected for out in accepted)
    assert reasons(bench.send(service.exposure(T0, 10.0), signer=FIRM)) == {("forged", "unknown_key"): 1}
    assert not bench.pilot.standing.active
    (period,) = bench.pilot.streams["incidents/"].open.values()
    assert period.m == 40.0


def test_keys_that_an_amendment_adds_bind_running_sources() -> None:
    """From the amendment on a source goes on under the firm's key only; no other sender continues it."""
    bench, service = Bench(keyed(participant=Participant("firm"), reporters=())), Emitter("svc/1", "p")
    assert not bench.send(service.exposure(T0, 10.0), signer=None).rejected
    bench.act(Amendment(id="a", pilot="p", author="anna", charter=keyed(version=2)))
    assert reasons(bench.send(Emitter("svc/1", "p", first=2).exposure(T0), signer=None)) == {
        ("forged", "not_signed"): 1
    }
    assert not bench.send(service.exposure(T0, 10.0), signer=FIRM).rejected
    assert not bench.pilot.standing.active


def test_a_charter_without_reporters_keeps_its_bytes_and_hash() -> None:
    """What the schema gained later is left out where it says nothing, in the record of an admission and in the hash."""
    plain, named, empty = charter(), keyed(), charter(reporters=())
    assert b"reporters" not in msgspec.json.encode(plain)
    assert charter_hash(plain) == charter_hash(empty)
    assert charter_hash(named) != charter_hash(msgspec.structs.replace(named, reporters=UNSET))


def test_a_single_record_is_verified_once() -> None:
    """Whatever a record holds, its signature is verified once: 1,000 forged events cost one verification."""
    bench = Bench()
    calls = 0
    verify = bench.pilot.plan.senders.verify

    class Counting:
        def verify(self, kind: SignedKind, body: bytes, signature: str) -> str:
            nonlocal calls
            calls += 1
            return verify(kind, body, signature)

    bench.pilot.plan.senders = Counting()  # type: ignore[assignment]
    service = Emitter("svc/1", "p")
    bench.send(*(service.exposure(T0, 0.1) for _ in range(1_000)), signer=STRANGER)
    assert calls == 1
    bench.send(*(Emitter("svc/2", "p", first=1 + n).exposure(T0, 0.1) for n in range(1_000)), signer=FIRM)
    assert calls == 2
    assert bench.pilot.sources["svc/2"].high == 1_000


def test_single_events_are_encoded_as_they_were_signed() -> None:
    """A record of one event (no batch) is signed over its value like any other."""
    bench = Bench()
    body = encode(Emitter("svc/1", "p").exposure(T0))
    for signer, count in ((None, 1), (FIRM, 0)):
        out = bench.machine.telemetry("telemetry", [bench.record(body, T0, signed(body, signer))])
        assert len(out.rejected) == count
