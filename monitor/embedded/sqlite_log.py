"""The Log protocol over the embedded store: one transaction per write, with the owner's epoch compared inside it.

The comparison is the fence: a claim raises the epoch in the file, so every later transaction of an older owner finds
another epoch than its own and is undone. There is one partition, number 0.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from monitor.embedded.store import Store, tick
from monitor.engine.log import Checkpoint, Journalled, Recovery
from monitor.errors import Fenced, LogBroken
from monitor.files.program import program_id
from monitor.model.epochs import EpochFilter
from monitor.model.records import RULES, Claim, Evidence, JournalEntry, Outputs, Position, Record

T = TypeVar("T")
_ENTRIES: msgspec.json.Decoder[JournalEntry] = msgspec.json.Decoder(JournalEntry)
_POSITIONS = msgspec.json.Decoder(Position)
_CLOSED = ""  # stands in the pilot column of evidence for a `Closed`; no pilot's id is empty


class SqliteLog:
    """One owner of the store; see `monitor.engine.log.Log` for the contract of each method.

    A read returns at most `records` records and ends early after `size` bytes. `admitters` and `open_mode` are written
    into the claim.
    """

    def __init__(
        self,
        store: Store,
        *,
        owner: str = "",
        records: int = 1_000,
        size: int = 256 * 1024,
        admitters: Sequence[str] = (),
        open_mode: bool | None = None,
    ) -> None:
        self.partition = 0
        self._admitters, self._open_mode = tuple(admitters), open_mode
        self._store, self._owner, self._records, self._size = store, owner, records, size
        self._epoch = 0

    async def claim(self) -> Recovery:
        def change(db: sqlite3.Connection) -> Recovery:
            epoch, through, watermark = db.execute("SELECT epoch, through, watermark FROM owner").fetchone()
            epoch += 1
            db.execute("UPDATE owner SET epoch = ?", (epoch,))
            claim = Claim(
                epoch,
                self._owner,
                self._admitters,
                open_mode=self._open_mode,
                rules=RULES,
                program=program_id(),
            )
            _append(db, claim, self._store.clock())
            at = Position() if watermark is None else _POSITIONS.decode(watermark)
            return Recovery(
                epoch=epoch,
                watermark=at,
                through=None if through is None else _POSITIONS.decode(through),
                snapshots=dict(db.execute("SELECT pilot, value FROM state")),
                journal=_valid_journal(db, at.journal),
            )

        recovery = await self._write(change)
        self._epoch = recovery.epoch
        return recovery

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        return await self._store.telemetry(topic, start, stop, records=self._records, size=self._size)

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        return await self._store.control(start, stop, records=self._records, size=self._size)

    async def append(self, entry: JournalEntry) -> Journalled:
        def change(db: sqlite3.Connection) -> Journalled:
            self._check_fence(db)
            return _append(db, entry, self._store.clock())

        return await self._write(change)

    async def write(self, outputs: Outputs, through: Position | None, checkpoint: Checkpoint | None) -> None:
        if outputs and through is None:
            raise ValueError("outputs without the position they came from could not be recovered")
        rows = _rows(outputs)

        def change(db: sqlite3.Connection) -> None:
            self._check_fence(db)
            _insert_outputs(db, rows)
            if through is not None:
                db.execute("UPDATE owner SET through = ?", (msgspec.json.encode(through),))
            if checkpoint is not None:
                _save(db, checkpoint)

        await self._write(change)

    async def _write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._store.write(change)
        except sqlite3.Error as error:
            raise LogBroken(f"{self._store.path} cannot be written: {error}") from error

    def _check_fence(self, db: sqlite3.Connection) -> None:
        (epoch,) = db.execute("SELECT epoch FROM owner").fetchone()
        if epoch != self._epoch or self._epoch == 0:
            raise Fenced(f"{self._store.path}: epoch {self._epoch} is not the owner, {epoch} is")


def _append(db: sqlite3.Connection, entry: JournalEntry, now: int) -> Journalled:
    received, raw = tick(db, now), msgspec.json.encode(entry)
    (last,) = db.execute("SELECT MAX(place) FROM journal").fetchone()
    place = 0 if last is None else last + 1
    db.execute("INSERT INTO journal VALUES (?, ?, ?, ?)", (place, received, entry.epoch, raw))
    return Journalled(place, received, _ENTRIES.decode(raw))


def _valid_journal(db: sqlite3.Connection, start: int) -> tuple[Journalled, ...]:
    """Entries from `start` on, without void ones."""
    before = db.execute("SELECT epoch FROM journal WHERE place < ? ORDER BY epoch DESC LIMIT 1", (start,)).fetchone()
    epochs, kept = EpochFilter(0 if before is None else before[0]), []
    rows = db.execute("SELECT place, received, entry FROM journal WHERE place >= ? ORDER BY place", (start,))
    for place, received, raw in rows:
        entry = _ENTRIES.decode(raw)
        if epochs.accepts(entry.epoch):
            kept.append(Journalled(place, received, entry))
    return tuple(kept)


PERMITS_KEPT = 100_000  # outputs after which a permit is forgotten


def _rows(outputs: Outputs) -> list[tuple[str, list[tuple[str, bytes]]]]:
    """(table, rows) in the order of the contract; encoded on the thread of the caller, outside the transaction."""
    encode = msgspec.json.encode
    return [
        ("rejected", [(x.pilot, encode(x)) for x in outputs.rejected]),
        ("decisions", [(x.pilot, encode(x)) for x in outputs.decisions]),
        ("commands", [(x.pilot, encode(x)) for x in outputs.commands]),
        ("permits", [(x.pilot, encode(x)) for x in outputs.permits]),
        ("evidence", [(x.pilot if isinstance(x, Evidence) else _CLOSED, encode(x)) for x in outputs.evidence]),
        ("shadows", [(x.pilot, encode(x)) for x in outputs.shadows]),
    ]


def _insert_outputs(db: sqlite3.Connection, rows: list[tuple[str, list[tuple[str, bytes]]]]) -> None:
    """Number the rows consecutively over all tables and insert them."""
    (seq,) = db.execute("SELECT seq FROM owner").fetchone()
    for table, values in rows:
        db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", [(seq + i, *row) for i, row in enumerate(values, 1)])
        seq += len(values)
        if table == "permits" and values:  # one that many outputs have followed is long over
            db.execute("DELETE FROM permits WHERE seq < ?", (seq - PERMITS_KEPT,))
    db.execute("UPDATE owner SET seq = ?", (seq,))


def _save(db: sqlite3.Connection, checkpoint: Checkpoint) -> None:
    gone = [(pilot,) for pilot, state in checkpoint.states.items() if state is None]
    kept = [(pilot, state) for pilot, state in checkpoint.states.items() if state is not None]
    db.executemany("DELETE FROM state WHERE pilot = ?", gone)
    db.executemany("INSERT INTO state VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", kept)
    db.execute("UPDATE owner SET watermark = ?", (msgspec.json.encode(checkpoint.watermark),))
