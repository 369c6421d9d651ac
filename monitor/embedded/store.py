"""One SQLite file holds all logs of an embedded monitor: input, outputs and cursors.

Two threads use it: one writes (every change is one transaction, synced before it is acknowledged), one reads. Appends
that wait for the writer at the same time share one transaction, so that many small requests cost one sync. `received`
is assigned inside the transaction from one clock that never decreases, so it is ordered over all logs.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import msgspec

from monitor.clock import wall_ms
from monitor.engine.log import Journalled
from monitor.errors import Refused
from monitor.model.records import JournalEntry, Position, Record

TOPIC = "telemetry"
"""The telemetry topic of the HTTP ingress and of JSON lines. The file may hold further topics."""

Output: TypeAlias = Literal["decisions", "commands", "permits", "evidence", "rejected", "shadows"]
T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    epoch INTEGER NOT NULL,      -- of the owner; compared inside every transaction of an owner
    clock INTEGER NOT NULL,      -- the highest `received` given so far (ms)
    seq INTEGER NOT NULL,        -- the highest number of an output; one count over all kinds, so one cursor reads all
    through BLOB,                -- position up to which outputs are written
    watermark BLOB               -- position of the last checkpoint
);
CREATE TABLE IF NOT EXISTS topics (number INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, next INTEGER NOT NULL);
-- place = topic number x 2^40 + offset: one tree, each topic a contiguous range of it
CREATE TABLE IF NOT EXISTS telemetry (place INTEGER PRIMARY KEY, received INTEGER NOT NULL, key BLOB, value BLOB, headers BLOB);
CREATE TABLE IF NOT EXISTS control (place INTEGER PRIMARY KEY, received INTEGER NOT NULL, key BLOB, value BLOB, headers BLOB);
CREATE TABLE IF NOT EXISTS journal (place INTEGER PRIMARY KEY, received INTEGER NOT NULL, epoch INTEGER NOT NULL, entry BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS journal_epoch ON journal (epoch);
CREATE TABLE IF NOT EXISTS state (pilot TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS cursors (reader TEXT PRIMARY KEY, next INTEGER NOT NULL);
INSERT OR IGNORE INTO owner VALUES (0, 0, 0, 0, NULL, NULL);
"""  # noqa: E501  # SQLite keeps this text in every file, and a golden test pins it
_OUTPUT = """
CREATE TABLE IF NOT EXISTS {0} (seq INTEGER PRIMARY KEY, pilot TEXT NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS {0}_of_pilot ON {0} (pilot, seq);
"""
OUTPUTS: tuple[Output, ...] = ("rejected", "decisions", "commands", "permits", "evidence", "shadows")
TOPIC_BITS = 40

_ENTRIES: msgspec.json.Decoder[JournalEntry] = msgspec.json.Decoder(JournalEntry)
_HEADERS = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...])


def record_of(row: tuple[int, int, bytes | None, bytes | None, bytes | None]) -> Record:
    """A record from its row: place, received, key, value, headers."""
    at, received, key, value, headers = row
    return Record(at, received, key, value, _HEADERS.decode(headers) if headers else ())


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """One record to append to a telemetry topic or to control."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Kept(msgspec.Struct, frozen=True):
    """The result of an append: offsets `first <= offset < next`, all with the log-append time `received` (ms)."""

    first: int
    next: int
    received: int


def tick(db: sqlite3.Connection, now: int) -> int:
    """The log-append time for this transaction: `now`, but never below one given before."""
    (last,) = db.execute("SELECT clock FROM owner").fetchone()
    if now > last:
        db.execute("UPDATE owner SET clock = ?", (now,))
        return now
    return int(last)


class Store:
    """The file at `path`, created when missing. Call `close` at the end; every acknowledged append is durable.

    `clock` gives wall time in ms. All methods are for one event loop. Raises sqlite3.Error when the disk fails; the
    outcome of that transaction is then unknown and the process should end.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int] = wall_ms) -> None:
        self.path = path
        self.clock = clock
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._reader = ThreadPoolExecutor(1, "store-reader")
        self._pending: list[tuple[str, Sequence[Incoming], asyncio.Future[Kept]]] = []
        self._flushing: asyncio.Task[None] | None = None
        try:
            self._write_db = self._writer.submit(self._open).result()
            self._read_db = self._reader.submit(self._open).result()
        except BaseException:
            self._writer.shutdown()
            self._reader.shutdown()
            raise

    def _open(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: sqlite3.DatabaseError) -> Refused:
        return Refused(
            f"{self.path} is damaged ({error}); restore it with its -wal file from a backup: it holds telemetry, "
            f"control "
            "and decisions, so it is not replaced by an empty one"
        )

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    @staticmethod
    def _prepare(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA busy_timeout = 10000")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_SCHEMA + "".join(_OUTPUT.format(name) for name in OUTPUTS))
        if "headers" not in {name for _, name, *_ in db.execute("PRAGMA table_info(control)")}:
            db.execute("ALTER TABLE control ADD COLUMN headers BLOB")  # a file from before control was signed

    async def close(self) -> None:
        """Wait for pending work, then close the file and end the threads."""
        if self._flushing is not None:
            await self._flushing
        for pool, db in ((self._writer, self._write_db), (self._reader, self._read_db)):
            await asyncio.get_running_loop().run_in_executor(pool, db.close)
            pool.shutdown()

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run `change` as one transaction: committed and synced when this returns, rolled back when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._transact, change)

    def _transact(self, change: Callable[[sqlite3.Connection], T]) -> T:
        db = self._write_db
        db.execute("BEGIN IMMEDIATE")
        try:
            result = change(db)
            db.execute("COMMIT")
        except BaseException as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if type(error) is sqlite3.DatabaseError:
                raise self._damaged(error) from error
            raise
        return result

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` on the read connection: it sees committed transactions only."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._query, query)

    def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return query(self._read_db)
        except sqlite3.DatabaseError as error:
            if type(error) is sqlite3.DatabaseError:  # the file is damaged; its subclasses are passing faults or ours
                raise self._damaged(error) from error
            raise

    # -- what comes in ----------------------------------------------------------------------------------------------

    async def feed(self, records: Sequence[Incoming], topic: str = TOPIC) -> Kept:
        """Append to a telemetry topic; durable when it returns. All of `records` or none."""
        return await self._append(topic, records)

    async def feed_control(self, records: Sequence[Incoming]) -> Kept:
        """Append to control; durable when it returns."""
        return await self._append("", records)

    async def feed_file(self, records: Sequence[Incoming], reader: str, next_byte: int) -> Kept:
        """Append lines of a file and, in the same transaction, the cursor of that file."""

        def change(db: sqlite3.Connection) -> Kept:
            kept = self._insert(db, TOPIC, records, tick(db, self.clock()))
            _set_cursor(db, reader, next_byte)
            return kept

        return await self.write(change)

    async def _append(self, topic: str, records: Sequence[Incoming]) -> Kept:
        future: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._pending.append((topic, records, future))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        """Write all pending appends in one transaction, until none is pending."""
        while self._pending:
            batch, self._pending = self._pending, []
            try:
                kept = await self.write(partial(self._insert_all, batch=[(topic, rows) for topic, rows, _ in batch]))
            except Exception as error:  # each caller gets it; this task must not swallow it alone
                for _, _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, _, future), where in zip(batch, kept, strict=True):
                if not future.done():
                    future.set_result(where)

    def _insert_all(self, db: sqlite3.Connection, *, batch: Sequence[tuple[str, Sequence[Incoming]]]) -> list[Kept]:
        received = tick(db, self.clock())
        return [self._insert(db, topic, records, received) for topic, records in batch]

    @staticmethod
    def _insert(db: sqlite3.Connection, topic: str, records: Sequence[Incoming], received: int) -> Kept:
        if not topic:
            (last,) = db.execute("SELECT MAX(place) FROM control").fetchone()
            first = 0 if last is None else last + 1
            rows = [(first + i, received, r.key, r.value, _packed(r)) for i, r in enumerate(records)]
            db.executemany("INSERT INTO control VALUES (?, ?, ?, ?, ?)", rows)
            return Kept(first, first + len(records), received)
        db.execute("INSERT OR IGNORE INTO topics (name, next) VALUES (?, 0)", (topic,))
        number, first = db.execute("SELECT number, next FROM topics WHERE name = ?", (topic,)).fetchone()
        base = (number << TOPIC_BITS) + first
        db.executemany(
            "INSERT INTO telemetry VALUES (?, ?, ?, ?, ?)",
            [(base + i, received, r.key, r.value, _packed(r)) for i, r in enumerate(records)],
        )
        db.execute("UPDATE topics SET next = ? WHERE number = ?", (first + len(records), number))
        return Kept(first, first + len(records), received)

    # -- the same, read back ----------------------------------------------------------------------------------------

    async def telemetry(self, topic: str, start: int, stop: int, *, records: int, size: int) -> list[Record]:
        """At most `records` records of a topic with `start <= offset < stop`, ending early after `size` bytes."""

        def query(db: sqlite3.Connection) -> list[Record]:
            found = db.execute("SELECT number FROM topics WHERE name = ?", (topic,)).fetchone()
            if found is None:
                return []
            base = found[0] << TOPIC_BITS
            rows = db.execute(
                "SELECT place, received, key, value, headers FROM telemetry WHERE place >= ? AND place < ? ORDER BY "
                "place",
                (base + start, base + min(stop, 1 << TOPIC_BITS)),
            )
            return _bounded(
                (
                    Record(place - base, received, key, value, _HEADERS.decode(headers) if headers else ())
                    for place, received, key, value, headers in rows
                ),
                records,
                size,
            )

        return await self.read(query)

    async def control(self, start: int, stop: int, *, records: int, size: int) -> list[Record]:
        """The same for control."""

        def query(db: sqlite3.Connection) -> list[Record]:
            rows = db.execute(
                "SELECT place, received, key, value, headers FROM control WHERE place >= ? AND place < ? ORDER BY "
                "place",
                (start, min(stop, 1 << 62)),
            )
            return _bounded(
                map(record_of, rows),
                records,
                size,
            )

        return await self.read(query)

    async def journal(self, start: int, *, records: int) -> list[Journalled]:
        """At most `records` entries of the journal from place `start` on, void ones included."""
        query = "SELECT place, received, entry FROM journal WHERE place >= ? ORDER BY place LIMIT ?"
        rows = await self.read(lambda db: db.execute(query, (start, records)).fetchall())
        return [Journalled(place, received, _ENTRIES.decode(raw)) for place, received, raw in rows]

    async def through(self) -> tuple[Position | None, int]:
        """The position up to which outputs are written (`None`: never), and the place after the last journal entry."""

        def query(db: sqlite3.Connection) -> tuple[Position | None, int]:
            (raw,) = db.execute("SELECT through FROM owner").fetchone()
            (last,) = db.execute("SELECT MAX(place) FROM journal").fetchone()
            position = None if raw is None else msgspec.json.decode(raw, type=Position)
            return position, 0 if last is None else last + 1

        return await self.read(query)

    async def ends(self) -> tuple[dict[str, int], int]:
        """The next offset of each telemetry topic, and of control."""

        def query(db: sqlite3.Connection) -> tuple[dict[str, int], int]:
            (last,) = db.execute("SELECT MAX(place) FROM control").fetchone()
            return dict(db.execute("SELECT name, next FROM topics")), 0 if last is None else last + 1

        return await self.read(query)

    # -- what readers of outputs use --------------------------------------------------------------------------------

    async def outputs(self, kind: Output, after: int, limit: int = 1_000) -> list[tuple[int, bytes]]:
        """Rows of one output log with a number above `after`, in order: (number, JSON)."""
        query = f"SELECT seq, value FROM {kind} WHERE seq > ? ORDER BY seq LIMIT ?"
        return await self.read(lambda db: db.execute(query, (after, limit)).fetchall())

    async def outputs_after(
        self, kinds: Sequence[Output], after: int, most: int = 2_000
    ) -> tuple[dict[Output, list[bytes]], int]:
        """JSON of the outputs numbered `after + 1` up to at most `after + most`, by kind, and the last number
        examined."""

        def query(db: sqlite3.Connection) -> tuple[dict[Output, list[bytes]], int]:
            # The end is read first: what is committed later has higher numbers and is left for the next call.
            (end,) = db.execute("SELECT seq FROM owner").fetchone()
            end = min(end, after + most)
            rows: dict[Output, list[bytes]] = {}
            for kind in kinds if end > after else ():
                found = db.execute(f"SELECT value FROM {kind} WHERE seq > ? AND seq <= ? ORDER BY seq", (after, end))
                rows[kind] = [value for (value,) in found]
            return rows, end

        return await self.read(query)

    async def last_output(self) -> int:
        """The number of the last output; 0 before the first."""
        (seq,) = await self.read(lambda db: db.execute("SELECT seq FROM owner").fetchone())
        return int(seq)

    async def last_decisions(self, upto: int) -> list[bytes]:
        """JSON of each pilot's last decision among the outputs numbered up to `upto`."""
        query = (
            "SELECT value FROM decisions WHERE seq IN (SELECT MAX(seq) FROM decisions WHERE seq <= ? GROUP BY pilot)"
        )
        return await self.read(lambda db: [value for (value,) in db.execute(query, (upto,))])

    async def recent(self, kind: Output, pilot: str, most: int) -> list[tuple[int, bytes]]:
        """The newest rows of a pilot, newest first: (number, JSON)."""
        query = f"SELECT seq, value FROM {kind} WHERE pilot = ? ORDER BY seq DESC LIMIT ?"
        return await self.read(lambda db: db.execute(query, (pilot, most)).fetchall())

    async def judged(self) -> int:
        """The next offset of control without an outcome yet: the outcome of an act is written in the transaction that
        reads it."""
        (raw,) = await self.read(lambda db: db.execute("SELECT through FROM owner").fetchone())
        return 0 if raw is None else msgspec.json.decode(raw, type=Position).control

    async def acts(self, offsets: Sequence[int]) -> dict[int, bytes]:
        """The control records at these offsets, unchanged."""
        query = f"SELECT place, value FROM control WHERE place IN ({', '.join('?' * len(offsets))})"
        return dict(await self.read(lambda db: db.execute(query, offsets).fetchall()))

    async def cursor(self, reader: str) -> int:
        """The cursor of a reader; 0 when it has none."""
        query = "SELECT next FROM cursors WHERE reader = ?"
        row = await self.read(lambda db: db.execute(query, (reader,)).fetchone())
        return 0 if row is None else int(row[0])

    async def set_cursor(self, reader: str, at: int) -> None:
        """Save the cursor of a reader."""
        await self.write(lambda db: _set_cursor(db, reader, at))


def _packed(record: Incoming) -> bytes | None:
    return msgspec.msgpack.encode(record.headers) if record.headers else None


def _set_cursor(db: sqlite3.Connection, reader: str, at: int) -> None:
    db.execute("INSERT INTO cursors VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next", (reader, at))


def _bounded(records: Iterable[Record], most: int, size: int) -> list[Record]:
    """The first `most` records, fewer once they hold `size` bytes; at least one if there is one."""
    chunk: list[Record] = []
    for record in records:
        chunk.append(record)
        size -= len(record.value or b"")
        if len(chunk) >= most or size <= 0:
            break
    return chunk
