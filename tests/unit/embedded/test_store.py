"""The store of the embedded monitor: durable before answered, one clock, one numbering of outputs."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from monitor.embedded.output_reader import OutputReader
from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import Incoming, Store
from monitor.engine.log import Checkpoint
from monitor.errors import LogBroken
from monitor.model.records import Outputs, Position, Rejected, TimeRead
from monitor.testing.clock import MovingClock

Story = Callable[[Store], Awaitable[None]]


def told(path: Path, story: Story, clock: MovingClock | None = None) -> None:
    async def run() -> None:
        store = Store(path / "monitor.db", clock=clock or MovingClock(1_000))
        try:
            await story(store)
        finally:
            await store.close()

    asyncio.run(run())


def rejected(number: int) -> Outputs:
    return Outputs(rejected=[Rejected(topic="t", partition=0, offset=number, field="f", reason="r")])


def test_every_commit_is_forced_to_the_disk(tmp_path: Path) -> None:
    """Both connections run with synchronous=FULL (2) in WAL mode; anything less may lose what was acknowledged."""

    async def story(store: Store) -> None:
        for ask in (store.read, store.write):
            assert (await ask(lambda db: db.execute("PRAGMA synchronous").fetchone())) == (2,)
        assert (await store.read(lambda db: db.execute("PRAGMA journal_mode").fetchone())) == ("wal",)

    told(tmp_path, story)


def test_what_was_answered_is_in_the_file(tmp_path: Path) -> None:
    """When `feed` has returned, another connection finds the record."""

    async def story(store: Store) -> None:
        kept = await store.feed([Incoming(b"1"), Incoming(b"2")])
        assert (kept.first, kept.next) == (0, 2)
        other = sqlite3.connect(store.path)
        assert other.execute("SELECT value FROM telemetry").fetchall() == [(b"1",), (b"2",)]
        other.close()

    told(tmp_path, story)


def test_received_never_falls_over_all_logs(tmp_path: Path) -> None:
    """A wall clock that goes back does not: telemetry, control and journal share one clock that never falls."""
    clock = MovingClock(5_000)

    async def story(store: Store) -> None:
        log = SqliteLog(store)
        await log.claim()
        first = await store.feed([Incoming(b"1")])
        clock.now = 1_000  # as when a clock is corrected by hand
        second = await store.feed_control([Incoming(b"2")])
        third = await log.append(TimeRead(epoch=1, telemetry_next={}, control_next=0))
        clock.now = 9_000
        fourth = await store.feed([Incoming(b"3")])
        assert [first.received, second.received, third.received, fourth.received] == [5_000, 5_000, 5_000, 9_000]

    told(tmp_path, story, clock)


def test_appends_that_wait_together_share_a_transaction(tmp_path: Path) -> None:
    """Fifty callers at once cost at most a few commits, and each gets separate offsets."""
    clock = MovingClock(1_000, step=1)  # one step per transaction: counts them

    async def story(store: Store) -> None:
        before = clock.now
        kept = await asyncio.gather(*[store.feed([Incoming(b"%d" % n)]) for n in range(50)])
        assert sorted(k.first for k in kept) == list(range(50))
        assert clock.now - before <= 3
        records = await store.telemetry("telemetry", 0, 100, records=100, size=10_000)
        assert [records[k.first].value for k in kept] == [b"%d" % n for n in range(50)]

    told(tmp_path, story, clock)


def test_a_failed_append_fails_for_all_who_shared_it(tmp_path: Path) -> None:
    """When the disk fails, no append is acknowledged, and the store goes on with the next append."""

    async def story(store: Store) -> None:
        await store.write(
            lambda db: db.execute(
                "CREATE TRIGGER full BEFORE INSERT ON telemetry WHEN NEW.value = x'00' "
                "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        )
        results = await asyncio.gather(
            store.feed([Incoming(b"\x00")]), store.feed([Incoming(b"2")]), return_exceptions=True
        )
        failed = [isinstance(r, sqlite3.Error) for r in results]
        assert failed[0]
        again = await store.feed([Incoming(b"3")])
        stored = await store.telemetry("telemetry", 0, 100, records=100, size=10_000)
        assert len(stored) == failed.count(False) + 1
        assert stored[again.first].value == b"3"

    told(tmp_path, story)


def test_reads_end_early_after_their_size_but_never_empty(tmp_path: Path) -> None:
    """A chunk is bounded by records and bytes, and one record larger than the bound still comes."""

    async def story(store: Store) -> None:
        await store.feed([Incoming(b"x" * 100) for _ in range(10)])
        for records, size, expected in ((100, 250, 3), (2, 10_000, 2), (100, 1, 1)):
            assert len(await store.telemetry("telemetry", 0, 100, records=records, size=size)) == expected

    told(tmp_path, story)


def test_one_cursor_reads_all_kinds_once(tmp_path: Path) -> None:
    """A reader that keeps its number and comes back gets what is new and nothing twice."""

    async def story(store: Store) -> None:
        log = SqliteLog(store)
        await log.claim()
        await log.write(rejected(1), Position(), None)
        reader = OutputReader(store)
        assert await reader.read() == rejected(1)
        assert await reader.read() is None
        await log.write(rejected(2), Position(), None)
        assert await OutputReader(store, at=reader.at).read() == rejected(2)

    told(tmp_path, story)


def test_a_read_is_bounded(tmp_path: Path) -> None:
    """However much was emitted, one read returns a bounded part and the next goes on there."""

    async def story(store: Store) -> None:
        log = SqliteLog(store)
        await log.claim()
        await log.write(Outputs(rejected=[rejected(n).rejected[0] for n in range(5_000)]), Position(), None)
        reader, seen = OutputReader(store), 0
        while (outputs := await reader.read()) is not None:
            assert 0 < len(outputs.rejected) <= 2_000
            assert [r.offset for r in outputs.rejected] == list(range(seen, seen + len(outputs.rejected)))
            seen += len(outputs.rejected)
        assert seen == 5_000

    told(tmp_path, story)


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    """Outputs, `through` and states of a transaction that breaks at its last statement are all undone."""

    async def story(store: Store) -> None:
        log = SqliteLog(store)
        await log.claim()
        await store.write(
            lambda db: db.execute(
                "CREATE TRIGGER broken BEFORE UPDATE OF watermark ON owner BEGIN SELECT RAISE(ABORT, 'power'); END"
            )
        )
        with pytest.raises(LogBroken, match="power"):
            await log.write(rejected(1), Position({"t": 1}), Checkpoint(Position({"t": 1}), {"p": b"1"}))
        await store.write(lambda db: db.execute("DROP TRIGGER broken"))
        found = await SqliteLog(store).claim()
        assert (found.through, found.snapshots) == (None, {})
        assert await OutputReader(store).read() is None

    told(tmp_path, story)
