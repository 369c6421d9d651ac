"""A worker that ends at one record again and again: the record is narrowed down, and passed as the operator says."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence

import msgspec
import pytest

from monitor.engine.log import Journalled
from monitor.engine.machine import Machine
from monitor.kafka.dump import PartitionDump, replay_dump
from monitor.kafka.journal_records import fruitless_claims, journal_entry
from monitor.kafka.journal_tail import PartitionTail
from monitor.kafka.record_skips import parse_place
from monitor.kafka.state_keys import LiveKeys, Watermark, encode, key
from monitor.model.records import Claim, JournalEntry, Outputs, OwnerStart, Position, Reason, Record, Skipped, TimeRead
from monitor.testing.fake_consumer import FakeConsumer, WorkerAborted
from tests.unit.kafka.worker_story import PILOT, WorkerStory

POISON = b"poison"


class _Crash(Exception):
    """The machine failed at a record."""


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that fails at the record `POISON`, wherever it is in a batch."""
    real = Machine.telemetry_steps

    def steps(self: Machine, topic: str, records: Sequence[Record]) -> Generator[None, None, Outputs]:
        if any(record.value == POISON for record in records):
            raise _Crash
        return real(self, topic, records)

    monkeypatch.setattr(Machine, "telemetry_steps", steps)


async def poisoned(before: int, after: int = 5) -> tuple[WorkerStory, int]:
    """A pilot was admitted; unread are `before` heartbeats, the poison, and `after` more. Returns the story and the
    poison's offset."""
    s = WorkerStory()
    await s.claim()
    s.admit()
    await s.drain()
    await s.workers.leave()
    s.beat(before)
    s.cluster.append(s.telemetry, POISON, key=PILOT.encode())
    s.beat(after)
    return s, before


async def start(s: WorkerStory, **changes: object) -> WorkerStory:
    """Another start: recovers and drains. Raises WorkerAborted."""
    s.settings = msgspec.structs.replace(s.settings, **changes)
    s.consumer = FakeConsumer(s.cluster)
    s.workers = s.worker(s.consumer)
    s.consumer.assign(await s.workers.claim(s.cluster.all_partitions(), 1))
    await s.drain(12)
    return s


def next_offset(s: WorkerStory) -> int:
    """Where the next owner begins, as the log says."""
    _, watermark, _ = s.cluster.store.saved_state()
    return watermark.telemetry.get(s.telemetry, 0)


@pytest.mark.usefixtures("crashing")
def test_each_further_start_comes_nearer_to_the_record() -> None:
    """Within six starts the position is the offset of the record at which the worker ends, deep in a batch."""

    async def story() -> None:
        s, offset = await poisoned(before=700)
        reached = []
        for _ in range(6):
            with pytest.raises(WorkerAborted):
                await start(s)
            reached.append(next_offset(s))
        assert reached == sorted(reached)
        assert reached[-1] == offset

    asyncio.run(story())


@pytest.mark.usefixtures("crashing")
def test_a_skipped_record_is_recorded_and_all_others_are_stepped() -> None:
    """The skip is in the journal, the record on `rejected`, its pilot flagged with a finding; later starts need no
    option, and a replay of the logs agrees although they still hold the record."""

    async def story() -> None:
        s, offset = await poisoned(before=20)
        with pytest.raises(WorkerAborted):
            await start(s)
        await start(s, skip=frozenset({f"{s.telemetry}/0/{offset}"}))
        assert s.workers.ownership.owned[0].runner.next_telemetry[s.telemetry] == 26
        await s.workers.leave()
        await start(s, skip=frozenset())
        assert s.workers.ownership.owned[0].runner.fruitless == 0
        outputs = s.cluster.store.outputs()
        [rejected] = outputs.rejected
        assert (rejected.offset, rejected.reason, rejected.pilot) == (offset, "skipped", PILOT)
        [lost] = [d for d in outputs.decisions if d.reason is Reason.TELEMETRY_LOST]
        assert f"offset {offset} (skipped by an operator)" in lost.finding.detail
        [skipped] = [row.entry for row in s.cluster.store.journal() if isinstance(row.entry, Skipped)]
        assert (skipped.lost, skipped.keys) == ({s.telemetry: (offset, offset + 1)}, {s.telemetry: PILOT})
        telemetry, control = s.cluster.store.inputs()
        logs = PartitionDump(0, telemetry, control, list(s.cluster.store.journal()))
        again = replay_dump(logs, Machine(control_topic=s.control, keyed=True))
        assert [d.id for d in again.decisions] == [d.id for d in outputs.decisions]
        assert [r.id for r in again.rejected] == [r.id for r in outputs.rejected]

    asyncio.run(story())


def test_what_was_stepped_or_does_not_exist_is_not_skipped() -> None:
    """The option changes nothing then: a supervisor may repeat it with every start."""

    async def story() -> None:
        s, _ = await poisoned(before=3)
        await start(s)
        await s.workers.leave()
        places = frozenset({f"{s.telemetry}/0/1", f"{s.telemetry}/0/99", f"{s.telemetry}/7/4", "other/0/4"})
        await start(s, skip=places)
        assert not any(isinstance(row.entry, Skipped) for row in s.cluster.store.journal())

    asyncio.run(story())


@pytest.mark.parametrize("text", ["", "t", "t/0", "t/0/x", "/0/1", "t/0/1/2", "t/-1/2", "t/0/" + "9" * 40])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    """Topic, partition and offset."""
    with pytest.raises(ValueError, match="TOPIC/PARTITION/OFFSET"):
        parse_place(text)


# ---- from outside


def rows(*entries: tuple[int, JournalEntry]) -> list[Journalled]:
    return [Journalled(n, received, entry) for n, (received, entry) in enumerate(entries)]


def claim(epoch: int, process: str, at: int = 32) -> Claim:
    return Claim(epoch, start=OwnerStart({"t": at}, process))


def test_a_claim_is_no_step() -> None:
    """Claims of one process count once, as in a rebalance; a step ends the count; claims without a process, of older
    versions, each count."""
    time = TimeRead(1, {}, 0)
    assert fruitless_claims(rows((0, claim(1, "a")), (0, claim(2, "a")))) == 1
    assert fruitless_claims(rows((0, claim(1, "a")), (0, claim(2, "b")), (0, claim(3, "c")))) == 3
    assert fruitless_claims(rows((0, claim(1, "a")), (0, time), (0, claim(3, "c")))) == 1
    assert fruitless_claims(rows((0, Claim(1)), (0, Claim(2)))) == 2
    assert fruitless_claims([]) == 0


def test_three_processes_without_a_step_are_a_crash_loop() -> None:
    """It names where the last one began. Workers that start together are none, and a step ends it."""
    tail = PartitionTail()
    assert not tail.feed(rows((0, claim(1, "a")), (1_000, claim(2, "b")), (2_000, claim(3, "c"))))
    assert not tail.crash_loop
    assert not tail.feed(rows((15_000, claim(4, "d", 33))))
    assert tail.crash_loop
    assert tail.next == {"t": 33}
    assert tail.feed(rows((16_000, TimeRead(4, {}, 0)), (17_000, claim(5, "e"))))
    assert not tail.crash_loop
    assert tail.stepped_at == 16_000


# ---- garbage on journal and state


class _Raw:
    def __init__(self, value: bytes | None, kind: bytes = b"journal") -> None:
        self.topic, self.partition, self.offset, self.timestamp = "j", 0, 5, 9
        self.value, self.headers = value, [("type", kind)]


def test_foreign_records_of_the_journal_are_no_entries() -> None:
    """Only an entry that a newer version may have written ends the process, with the fix."""
    whole = msgspec.json.encode(Claim(3))
    assert journal_entry(_Raw(whole)) == Journalled(5, 9, Claim(3))
    for raw in (
        _Raw(None),
        _Raw(whole, b"decision"),
        _Raw(b"\xff"),
        _Raw(b"{}"),
        _Raw(whole[:-3]),
        _Raw(msgspec.json.encode(Claim(-1))),
        _Raw(msgspec.json.encode(Claim(1 << 60))),
        _Raw(b"[" * 100_000),
    ):
        assert journal_entry(raw) is None
    with pytest.raises(Exception, match=r"newer version.*--skip j/0/5"):
        journal_entry(_Raw(b'{"type":"moved","epoch":3}'))


def test_foreign_records_of_the_state_change_nothing() -> None:
    """Keys and values that no owner writes are refused, whatever epoch they claim. No snapshot is of a higher epoch
    than every checkpoint, so no pilot is set aside for one."""
    live = LiveKeys()
    mark = encode(Watermark(Position({"t": 4}, 1, 2), 7))
    assert live.feed(key("!watermark", 7), mark)
    for raw, value in (
        (None, b"x"),
        (b"\xff", b"x"),
        (b"snapshot/7", b"x"),
        (b"snapshot/x/p", b"x"),
        (b"snapshot/07/p", b"x"),
        (b"snapshot/-1/p", None),
        (b"snapshot/" + b"9" * 5_000 + b"/p", None),
        (b"snapshot/\xd9\xa3/p", None),
        (key("!watermark", 8), b"garbage"),
        (key("!through", 8), b""),
        (key("snapshot", 8, "p"), b"\x91\x01"),
        (key("!watermark", 1 << 60), mark),
    ):
        assert not live.feed(raw, value)
    assert live.values == {("!watermark", ""): mark}
    assert live.highest == 7
    assert live.damaged() == []
    assert live.foreign() == [("p", key("snapshot", 8, "p"))]
