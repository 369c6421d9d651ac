"""The second stage of firms: records of the logs in, one snapshot for each firm, the same after any restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.embedded.output_reader import OutputReader
from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import Store
from monitor.engine.log import Checkpoint
from monitor.engine.runner import Runner
from monitor.errors import LogBroken, SetAside
from monitor.firms.classes import firm_class
from monitor.firms.fold import FirmsFold
from monitor.firms.machine import RECENT, FirmsMachine
from monitor.firms.record import record_digest
from monitor.firms.rules import SHIPPED_RULES
from monitor.model.output_records import OutputRejection
from monitor.model.records import Decision, Evidence, Outputs, Position, Record
from monitor.model.subjects import firm_subject
from monitor.testing.clock import MovingClock
from monitor.testing.memory_log import MemoryStore
from tests.property.test_firm_classes import logs_of, story
from tests.strength import examples
from tests.unit.firms.decisions import Pilot

Emitted = Decision | Evidence


def record(value: Emitted, offset: int, epoch: int = 1) -> Record:
    """As a worker writes it."""
    decision = isinstance(value, Decision)
    kind = b"decision" if decision else b"evidence"
    headers = (("type", kind), ("epoch", str(epoch).encode()))
    return Record(offset, 0, value.pilot.encode(), msgspec.json.encode(value), headers)


def topics_of(pilots: list[Pilot], partitions: int = 2) -> dict[str, list[Record]]:
    """The partitions of `decisions` and `evidence`."""
    logs = logs_of(pilots, partitions)
    names = [f"{topic}/{n}" for topic in ("sandbox.decisions", "sandbox.evidence") for n in range(partitions)]
    return {name: [record(one, at) for at, one in enumerate(log)] for name, log in zip(names, logs, strict=True)}


def folded(pilots: list[Pilot]) -> FirmsFold:
    fold = FirmsFold()
    for log in logs_of(pilots, 2):
        for one in log:
            fold.add(Outputs(decisions=[one]) if isinstance(one, Decision) else Outputs(evidence=[one]))
    return fold


@given(seed=st.integers(0, 10**9), turns=st.integers(0, 4))
@settings(max_examples=examples(15, 150), deadline=None)
def test_killed_anywhere_it_has_the_same_records(seed: int, turns: int) -> None:
    """Owners that crash after every few steps, with or without a checkpoint before, reach together the records of one
    that never stopped."""
    random = Random(seed)
    pilots = story(random, 6)
    topics = topics_of(pilots)

    async def live() -> FirmsMachine:
        store = MemoryStore(MovingClock(0))
        for topic, kept in topics.items():
            for one in kept:
                store.feed(topic, one.value or b"", received=0, headers=one.headers)
        runner: Runner[FirmsMachine] | None = None
        read = {topic: len(kept) for topic, kept in topics.items()}
        for _ in range(2000):
            if runner is None or (turns and random.randrange(turns + 1) == 0):
                log = store.log(0)
                runner = Runner(log, clock=MovingClock(0), machine=FirmsMachine)
                await runner.recover()
            behind = [topic for topic, end in read.items() if runner.next_telemetry.get(topic, 0) < end]
            if not behind:
                break
            topic = random.choice(behind)
            at = runner.next_telemetry.get(topic, 0)
            await runner.telemetry(topic, await log.telemetry(topic, at, at + random.randrange(1, 9)))
            if random.random() < 0.5 and not runner.replaying:
                await runner.checkpoint()
        assert runner is not None
        return runner.machine

    assert asyncio.run(live()).fold.records() == folded(pilots).records()


def test_both_runtimes_give_the_same_record_bytes_and_class(tmp_path: Path) -> None:
    """The records of the logs on Kafka, and the outputs of the embedded store, of the same decisions and evidence."""
    pilots = story(Random(3), 12)
    machine = FirmsMachine()
    for topic, kept in topics_of(pilots).items():
        machine.telemetry(topic, kept)

    async def embedded() -> FirmsFold:
        store, fold = Store(tmp_path / "log.db"), FirmsFold()
        try:
            for log in logs_of(pilots, 2):
                out = Outputs(decisions=[one for one in log if isinstance(one, Decision)],
                              evidence=[one for one in log if isinstance(one, Evidence)])  # fmt: skip
                await write(store, out)
            reader = OutputReader(store)
            while (out_ := await reader.read()) is not None:
                fold.add(out_)
        finally:
            await store.close()
        return fold

    fold = asyncio.run(embedded())
    assert len(fold.firms) == 3
    for one, other in zip(machine.fold.records(), fold.records(), strict=True):
        assert msgspec.json.encode(one) == msgspec.json.encode(other)
        assert record_digest(one) == record_digest(other)
        assert firm_class(one, SHIPPED_RULES) == firm_class(other, SHIPPED_RULES)


async def write(store: Store, out: Outputs) -> None:
    """Store outputs as an owner does."""
    log = SqliteLog(store)
    await log.claim()
    await log.write(out, Position(), Checkpoint(Position(), {}))


def test_a_record_of_an_older_owner_is_void() -> None:
    """What a fenced owner wrote late is not read, though its number is new."""
    pilot = Pilot("p-1")
    pilot.halt()
    machine = FirmsMachine()
    first, late = pilot.decisions
    machine.telemetry("sandbox.decisions/0", [record(first, 0, 2), record(late, 1, 1)])
    assert machine.fold.record("firm-1").halts == 0


def test_evidence_that_is_written_again_counts_once() -> None:
    """A new owner of a partition writes again what follows the last checkpoint; also across a restart."""
    pilot = Pilot("p-1")
    for day in range(20):
        pilot.day = day
        pilot.period()
    sent = [record(one, at) for at, one in enumerate(pilot.evidence)]
    again = [record(one, 20 + at, 2) for at, one in enumerate(pilot.evidence)]
    machine = FirmsMachine()
    machine.telemetry("sandbox.evidence/0", sent)
    other = FirmsMachine()
    other.restore({name: raw for name, raw in machine.snapshots(machine.dirty).items() if raw is not None})
    other.telemetry("sandbox.evidence/0", again)
    assert other.fold.record("firm-1").observations == 20
    assert RECENT > 20


def test_equal_observations_of_one_owner_are_several() -> None:
    """Late events of one period may leave equal evidence: each counts, as on the embedded runtime, and once however
    many owners write it again."""
    pilot = Pilot("p-1")
    late = [pilot.period(late=True) for _ in range(3)]
    raw: dict[str, bytes] = {}
    for epoch, more in ((1, 0), (2, 1), (3, 2)):  # each owner repeats all, and adds one
        machine = FirmsMachine()
        machine.restore(raw)
        for one in (*late, *late[:more]):
            machine.telemetry("sandbox.evidence/0", [record(one, 0, epoch)])
        assert machine.fold.record("firm-1").observations_late == 3 + more
        raw = {name: one for name, one in machine.snapshots(["firm:firm-1"]).items() if one is not None}


def test_what_is_no_output_of_the_monitor_is_skipped_and_named() -> None:
    """A foreign record changes nothing."""
    machine = FirmsMachine()
    machine.telemetry("sandbox.decisions/0", [Record(0, 0, b"p", b"{}", ())])
    assert not machine.fold.firms
    assert [(topic, offset) for topic, offset, _ in machine.skipped] == [("sandbox.decisions/0", 0)]
    assert isinstance(machine.skipped[0][2], OutputRejection)


def test_only_firms_that_changed_are_written() -> None:
    """One snapshot for each firm, under its key, and one of how far the logs were read."""
    machine = FirmsMachine()
    machine.telemetry("sandbox.decisions/0", [record(Pilot("p-1").decisions[0], 0)])
    assert machine.dirty == {firm_subject("firm-1")}
    assert set(machine.snapshots(machine.dirty)) == {"", "firm:firm-1"}


@pytest.mark.parametrize("name", ["", "firm:firm-1"])
def test_a_damaged_state_ends_the_stage(name: str) -> None:
    """It cannot continue without what it knows, and says so."""
    with pytest.raises(LogBroken):
        FirmsMachine().restore({name: b"\xc1"})


def test_it_takes_no_acts_and_waits_for_no_time() -> None:
    """Nothing but the logs makes a record."""
    machine = FirmsMachine()
    with pytest.raises(SetAside):
        machine.control(Record(0, 0, None, b""))
    assert machine.notify_at is None
    assert not machine.time(1)
    assert not machine.lost({}, {})
    assert not machine.set_aside(())
    assert not machine.unreadable
