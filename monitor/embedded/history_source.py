"""The history of an embedded monitor: its logs in the order of the journal; the monitor may be running."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from monitor.embedded.store import Store
from monitor.engine.history_order import MergedHistory
from monitor.engine.log import Journalled
from monitor.errors import Refused
from monitor.model.records import Record

CHUNK = 10_000  # records read at a time
BYTES = 32 << 20
END = 1 << 40


def opened(directory: Path) -> Store:
    """Open the store in the directory of `serve`. Raises Refused when there is none; creates no file."""
    path = directory / "monitor.db"
    if not path.exists():
        raise Refused(f"{directory} holds no monitor.db: give --dir of `serve`")
    return Store(path)


async def telemetry(store: Store, topic: str) -> AsyncIterator[Record]:
    """All records of a telemetry topic, in order."""
    at = 0
    while records := await store.telemetry(topic, at, END, records=CHUNK, size=BYTES):
        for record in records:
            yield record
        at = records[-1].offset + 1


async def ordered(store: Store) -> MergedHistory:
    """The one partition, up to the current end of its journal."""
    through, end = await store.through()
    return MergedHistory(_journal(store, end), _control(store), lambda topic: telemetry(store, topic), through)


async def _control(store: Store) -> AsyncIterator[Record]:
    at = 0
    while records := await store.control(at, 1 << 62, records=CHUNK, size=BYTES):
        for record in records:
            yield record
        at = records[-1].offset + 1


async def _journal(store: Store, end: int) -> AsyncIterator[Journalled]:
    at = 0
    while at < end and (rows := await store.journal(at, records=min(CHUNK, end - at))):
        for row in rows:
            yield row
        at = rows[-1].offset + 1
