"""The promises of `monitor.engine.log.Log`, asked of every implementation: in memory, on SQLite, on Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from monitor.embedded.output_reader import OutputReader
from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import Incoming, Store
from monitor.engine.log import Checkpoint, Log
from monitor.errors import Fenced
from monitor.model.records import (
    Claim,
    Command,
    ControlRead,
    Decision,
    Evidence,
    JournalEntry,
    Level,
    Outputs,
    Permit,
    Position,
    Reason,
    Record,
    Rejected,
    TimeRead,
)
from monitor.model.shadow_records import ShadowDecision, ShadowFinding
from monitor.testing.clock import MovingClock
from monitor.testing.memory_log import MemoryStore

TOPIC = "telemetry.acme"


class Bench(Protocol):
    """One store under test, and the hands of everyone who is not its owner."""

    async def owner(self) -> Log:
        """A new owner that has not claimed yet."""

    async def feed(self, *values: bytes, topic: str = TOPIC) -> None:
        """What firms append to a telemetry topic."""

    async def feed_control(self, *values: bytes) -> None:
        """What regulators append to control."""

    async def leave_hole(self) -> None:
        """Make the store skip at least one telemetry offset."""

    async def forge(self, entry: JournalEntry) -> None:
        """A journal entry past the fence."""

    async def outputs(self) -> Outputs:
        """What readers of the output logs have been shown."""

    async def close(self) -> None:
        """Release files, sockets and threads."""


class MemoryBench:
    def __init__(self) -> None:
        self.clock = MovingClock(1_000, step=10)
        self.store = MemoryStore(self.clock)

    async def owner(self) -> Log:
        return self.store.log(chunk=3)

    async def feed(self, *values: bytes, topic: str = TOPIC) -> None:
        for value in values:
            self.store.feed(topic, value, received=self.clock(), key=b"p", headers=[("content-type", b"text/plain")])

    async def feed_control(self, *values: bytes) -> None:
        for value in values:
            self.store.feed_control(value, received=self.clock(), key=b"p")

    async def leave_hole(self) -> None:
        self.store.leave_hole(TOPIC, size=5)

    async def forge(self, entry: JournalEntry) -> None:
        self.store.forge(entry)

    async def outputs(self) -> Outputs:
        return self.store.outputs()

    async def close(self) -> None:
        pass


class SqliteBench:
    def __init__(self, directory: Path) -> None:
        self.clock = MovingClock(1_000, step=10)
        self.store = Store(directory / "monitor.db", clock=self.clock)
        self.others: list[Store] = []

    async def owner(self) -> Log:
        # A separate connection each, as two processes would have.
        self.others.append(Store(self.store.path, clock=self.clock))
        return SqliteLog(self.others[-1], records=3)

    async def feed(self, *values: bytes, topic: str = TOPIC) -> None:
        headers = (("content-type", b"text/plain"),)
        await self.store.feed([Incoming(v, b"p", headers) for v in values], topic)

    async def feed_control(self, *values: bytes) -> None:
        await self.store.feed_control([Incoming(v, b"p") for v in values])

    async def leave_hole(self) -> None:
        await self.store.write(lambda db: db.execute("UPDATE topics SET next = next + 5"))

    async def forge(self, entry: JournalEntry) -> None:
        await self.store.write(
            lambda db: db.execute(
                "INSERT INTO journal SELECT MAX(place) + 1, MAX(received), ?, ? FROM journal",
                (entry.epoch, msgspec.json.encode(entry)),
            )
        )

    async def outputs(self) -> Outputs:
        seen = await OutputReader(self.store).read()
        assert seen is not None
        return seen

    async def close(self) -> None:
        for store in (self.store, *self.others):
            await store.close()


Story = Callable[[Bench], Awaitable[None]]


@pytest.fixture(params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def make_log(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Story], None]:
    """Run one story (an async function) over a fresh bench of each implementation."""

    makers: dict[str, Callable[[], Bench]] = {
        "memory": MemoryBench,
        "sqlite": lambda: SqliteBench(tmp_path),
        "kafka": request.getfixturevalue("kafka_bench"),
    }

    async def told(story: Story) -> None:
        bench: Bench = makers[request.param]()
        try:
            await story(bench)
        finally:
            await bench.close()

    return lambda story: asyncio.run(told(story))


def decision(number: int, epoch: int = 1) -> Decision:
    return Decision(
        id=f"d{number}", pilot="p", participant="acme", charter="c", kind="level", level=Level.HALT, was=Level.NORMAL,
        reason=Reason.HARD_RULE, at=number, standing=number, epoch=epoch, cause=f"event:s#{number}",
    )  # fmt: skip


def outputs(number: int, epoch: int = 1) -> Outputs:
    """One of each kind, numbered."""
    return Outputs(
        rejected=[Rejected(topic=TOPIC, partition=0, offset=number, field="data", reason="bad_json")],
        decisions=[decision(number, epoch)],
        commands=[
            Command(id=f"c{number}", pilot="p", action="halt", standing=number, epoch=epoch, reason=Reason.HARD_RULE,
                    decision=f"d{number}", at=number)
        ],
        permits=[Permit(pilot="p", nonce=f"n{number}", standing=number, epoch=epoch, lease_ms=60_000)],
        evidence=[
            Evidence(pilot="p", participant="acme", vendor="", data_source="", model="m", indicator="i", segment="",
                     kind="count", start=0, end=number, k=1.0, m=2.0, scores={"e_process": (0.5, 4.6)})
        ],
        shadows=[
            ShadowDecision(pilot="p", participant="acme", shadow="s", candidate="c", live="l", at=number,
                           finding=ShadowFinding(at=number, reason="hard_rule"))
        ],
    )  # fmt: skip


def at(telemetry: int, journal: int = 0, control: int = 0) -> Position:
    return Position({TOPIC: telemetry}, control, journal)


async def read_all(read: Callable[[int, int], Awaitable[Any]], start: int, stop: int) -> list[Record]:
    """Pull chunk by chunk, as the runner does."""
    records: list[Record] = []
    while chunk := await read(start, stop):
        records += chunk
        start = chunk[-1].offset + 1
    return records


def test_an_empty_store_recovers_to_nothing(make_log: Callable[[Story], None]) -> None:
    """The first claim of an empty store is epoch 1, from the beginning, with only its own claim in the journal."""

    async def story(bench: Bench) -> None:
        log = await bench.owner()
        found = await log.claim()
        assert (found.epoch, found.watermark, found.through, found.snapshots) == (1, Position(), None, {})
        assert [type(j.entry) for j in found.journal] == [Claim]
        assert found.journal[-1].entry.epoch == 1
        assert not await log.telemetry(TOPIC, 0, 10)
        assert not await log.control(0, 10)

    make_log(story)


def test_each_claim_raises_the_epoch_by_one(make_log: Callable[[Story], None]) -> None:
    """The next claim has the next epoch, and its recovery ends with its own claim."""

    async def story(bench: Bench) -> None:
        for epoch in (1, 2, 3):
            found = await (await bench.owner()).claim()
            assert found.epoch == epoch
            assert found.journal[-1].entry.epoch == epoch
            assert isinstance(found.journal[-1].entry, Claim)

    make_log(story)


def test_a_second_claim_fences_the_first_owner(make_log: Callable[[Story], None]) -> None:
    """After a newer claim neither write nor append of the older owner succeeds, and readers see nothing of them."""

    async def story(bench: Bench) -> None:
        old, new = await bench.owner(), await bench.owner()
        await old.claim()
        await old.write(outputs(1), at(1), None)
        await new.claim()
        with pytest.raises(Fenced):
            await old.write(outputs(2), at(2), None)
        with pytest.raises(Fenced):
            await old.append(TimeRead(epoch=1, telemetry_next={}, control_next=0))
        await new.write(outputs(3, epoch=2), at(3), None)
        assert [d.id for d in (await bench.outputs()).decisions] == ["d1", "d3"]
        found = await (await bench.owner()).claim()
        assert [type(j.entry) for j in found.journal] == [Claim, Claim, Claim]

    make_log(story)


def test_an_owner_that_never_claimed_cannot_write(make_log: Callable[[Story], None]) -> None:
    """Before its claim an owner is fenced like any stranger."""

    async def story(bench: Bench) -> None:
        log = await bench.owner()
        with pytest.raises(Fenced):
            await log.write(outputs(1), at(1), None)
        with pytest.raises(Fenced):
            await log.append(TimeRead(epoch=0, telemetry_next={}, control_next=0))

    make_log(story)


def test_what_is_written_is_seen_by_readers_once_and_in_order(make_log: Callable[[Story], None]) -> None:
    """Readers see each output of each kind exactly as it was written, one time, in the order of the writes."""

    async def story(bench: Bench) -> None:
        log = await bench.owner()
        await log.claim()
        for number in (1, 2, 3):
            await log.write(outputs(number), at(number), None)
        seen = await bench.outputs()
        for kind in ("rejected", "decisions", "commands", "permits", "evidence", "shadows"):
            assert getattr(seen, kind) == [x for n in (1, 2, 3) for x in getattr(outputs(n), kind)], kind

    make_log(story)


def test_through_watermark_and_snapshots_survive_the_owner(make_log: Callable[[Story], None]) -> None:
    """The next owner finds the last `through`, the last watermark, the newest snapshot of each pilot; None forgets
    one."""

    async def story(bench: Bench) -> None:
        first = await bench.owner()
        await first.claim()
        await first.write(outputs(1), at(5, 1), Checkpoint(at(5, 1), {"": b"own", "p": b"1", "q": b"1"}))
        await first.write(outputs(2), at(7, 1), None)
        second = await bench.owner()
        found = await second.claim()
        assert (found.watermark, found.through) == (at(5, 1), at(7, 1))
        assert found.snapshots == {"": b"own", "p": b"1", "q": b"1"}
        await second.write(Outputs(), None, Checkpoint(at(9, 2, 4), {"p": b"2\x00\xff", "q": None}))
        found = await (await bench.owner()).claim()
        assert (found.watermark, found.through) == (at(9, 2, 4), at(7, 1))
        assert found.snapshots == {"": b"own", "p": b"2\x00\xff"}

    make_log(story)


def test_a_snapshot_may_return_after_it_was_forgotten(make_log: Callable[[Story], None]) -> None:
    """Forgetting a pilot does not forbid it: a later checkpoint brings it back."""

    async def story(bench: Bench) -> None:
        log = await bench.owner()
        await log.claim()
        for state in (b"1", None, b"3"):
            await log.write(Outputs(), None, Checkpoint(at(1), {"p": state}))
        assert (await (await bench.owner()).claim()).snapshots == {"p": b"3"}

    make_log(story)


def test_the_journal_is_read_back_from_the_watermark(make_log: Callable[[Story], None]) -> None:
    """Recovery brings every entry at or after the watermark with the offset and time the append returned, none
    before."""

    async def story(bench: Bench) -> None:
        log = await bench.owner()
        await log.claim()
        kept = []
        for number in range(4):
            entry = (TimeRead, ControlRead)[number % 2](epoch=1, telemetry_next={TOPIC: number}, control_next=number)
            kept.append(await log.append(entry))
            assert kept[-1].entry == entry
        assert [j.offset for j in kept] == sorted({j.offset for j in kept})
        assert [j.received for j in kept] == sorted(j.received for j in kept)
        await log.write(Outputs(), None, Checkpoint(at(0, kept[2].offset), {}))
        found = await (await bench.owner()).claim()
        assert list(found.journal[:-1]) == kept[2:]
        assert isinstance(found.journal[-1].entry, Claim)
        assert found.journal[-1].offset > kept[-1].offset

    make_log(story)


def test_void_entries_are_left_out_of_the_journal(make_log: Callable[[Story], None]) -> None:
    """An entry of a lower epoch after a higher claim is void; the same entry before that claim is not."""

    async def story(bench: Bench) -> None:
        await (await bench.owner()).claim()
        await bench.forge(TimeRead(epoch=1, telemetry_next={TOPIC: 1}, control_next=0))
        await (await bench.owner()).claim()
        await bench.forge(TimeRead(epoch=1, telemetry_next={TOPIC: 2}, control_next=0))
        await bench.forge(TimeRead(epoch=2, telemetry_next={TOPIC: 3}, control_next=0))
        found = await (await bench.owner()).claim()
        times = [j.entry.telemetry_next[TOPIC] for j in found.journal if isinstance(j.entry, TimeRead)]
        assert times == [1, 3]
        assert [j.entry.epoch for j in found.journal if isinstance(j.entry, Claim)] == [1, 2, 3]

    make_log(story)


def test_reads_are_ordered_bounded_and_complete(make_log: Callable[[Story], None]) -> None:
    """Pulling chunk by chunk, none larger than the log was told, gives every record in [start, stop) once, in offset
    order, with its bytes untouched."""

    async def story(bench: Bench) -> None:
        values = [b"{%d}" % n for n in range(10)] + [b"\x00\xff", b""]
        await bench.feed(*values)
        await bench.feed_control(*values)
        log = await bench.owner()
        await log.claim()
        for read in (lambda a, b: log.telemetry(TOPIC, a, b), log.control):
            assert 0 < len(await read(0, 1_000)) <= 3  # as each bench sets up its log
            records = await read_all(read, 0, 1_000)
            assert [r.value for r in records] == values
            offsets = [r.offset for r in records]
            assert offsets == sorted(set(offsets))
            assert [r.received for r in records] == sorted(r.received for r in records)
            assert {r.key for r in records} == {b"p"}
            middle = await read_all(read, offsets[3], offsets[7])
            assert middle == records[3:7]
            assert not await read(offsets[3], offsets[3])
            assert not await read(offsets[-1] + 1, offsets[-1] + 50)

    make_log(story)


def test_topics_do_not_mix(make_log: Callable[[Story], None]) -> None:
    """A telemetry topic holds only its own records, each topic with separate offsets."""

    async def story(bench: Bench) -> None:
        await bench.feed(b"a1", b"a2")
        await bench.feed(b"b1", topic="telemetry.birch")
        log = await bench.owner()
        await log.claim()
        for topic, values in ((TOPIC, [b"a1", b"a2"]), ("telemetry.birch", [b"b1"])):
            records = await read_all(lambda a, b, topic=topic: log.telemetry(topic, a, b), 0, 1_000)  # type: ignore[misc]
            assert [r.value for r in records] == values
            assert records[0].offset == 0

    make_log(story)


def test_headers_are_kept(make_log: Callable[[Story], None]) -> None:
    """The content type of a record reaches the machine."""

    async def story(bench: Bench) -> None:
        await bench.feed(b"x")
        log = await bench.owner()
        await log.claim()
        (record,) = await log.telemetry(TOPIC, 0, 10)
        assert record.headers == (("content-type", b"text/plain"),)

    make_log(story)


def test_holes_are_skipped(make_log: Callable[[Story], None]) -> None:
    """Where the store left offsets out, a read goes on to the next record instead of ending."""

    async def story(bench: Bench) -> None:
        await bench.feed(b"1", b"2")
        await bench.leave_hole()
        await bench.feed(b"3", b"4")
        log = await bench.owner()
        await log.claim()
        records = await read_all(lambda a, b: log.telemetry(TOPIC, a, b), 0, 1_000)
        assert [r.value for r in records] == [b"1", b"2", b"3", b"4"]
        assert records[2].offset > records[1].offset + 1
        (inside,) = await log.telemetry(TOPIC, records[1].offset + 1, records[2].offset + 1)
        assert inside == records[2]
        assert not await log.telemetry(TOPIC, records[1].offset + 1, records[2].offset)

    make_log(story)


def test_an_owner_reads_what_comes_after_its_claim(make_log: Callable[[Story], None]) -> None:
    """Records that are appended while the owner lives are there at its next read."""

    async def story(bench: Bench) -> None:
        log = await bench.owner()
        await log.claim()
        await bench.feed(b"1")
        assert [r.value for r in await log.telemetry(TOPIC, 0, 10)] == [b"1"]
        await bench.feed(b"2")
        assert [r.value for r in await log.telemetry(TOPIC, 1, 10)] == [b"2"]

    make_log(story)


def test_a_refused_write_leaves_nothing_behind(make_log: Callable[[Story], None]) -> None:
    """All or nothing: a write that fails shows no output, moves no `through`, keeps no state."""

    async def story(bench: Bench) -> None:
        old = await bench.owner()
        await old.claim()
        await old.write(outputs(1), at(1), Checkpoint(at(1), {"p": b"1"}))
        await (await bench.owner()).claim()
        with pytest.raises(Fenced):
            await old.write(outputs(2), at(2), Checkpoint(at(2), {"p": b"2", "q": b"2"}))
        found = await (await bench.owner()).claim()
        assert (found.through, found.watermark, found.snapshots) == (at(1), at(1), {"p": b"1"})
        seen = await bench.outputs()
        assert [len(getattr(seen, k)) for k in Outputs.__struct_fields__] == [1, 1, 1, 1, 1, 1, 0, 0]

    make_log(story)
