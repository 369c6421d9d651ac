"""Reads telemetry from a file of JSON lines: one event per line, once; resumes after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from monitor.embedded.store import Incoming, Store
from monitor.errors import Refused
from monitor.model.lenient import refuse_utf16

CHUNK = 500
"""Lines that share one transaction."""
_HEADERS = (("content-type", b"application/cloudevents+json"),)


def _some(file: BinaryIO) -> tuple[list[Incoming], int]:
    """The records of the next CHUNK lines, and how many bytes those lines have: 0 at the end of the file."""
    lines = list(islice(iter(file.readline, b""), CHUNK))
    records = [Incoming(line.rstrip(b"\r\n"), headers=_HEADERS) for line in lines if line.strip()]
    return records, sum(map(len, lines))


async def read_file(store: Store, path: Path, appended: Callable[[int, int], None]) -> int:
    """Append every line of `path` that was not appended before; returns how many. `appended` is called with (lines,
    bytes) of each transaction, bytes already read before the start as (0, bytes) first.

    How far the file was read is kept in the store with the lines themselves, so a crash neither loses nor repeats one.
    Raises Refused when the file is shorter than what was read of it already (it is another one then), or is UTF-16.
    """
    reader = f"file:{path.resolve()}"
    at = await store.cursor(reader)
    count = 0
    with path.open("rb", buffering=1 << 20) as file:
        if at > path.stat().st_size:
            raise Refused(f"{path} is shorter than the {at} bytes that were read of it before; give it another name")
        refuse_utf16(str(path), file.read(2))
        file.seek(at)
        appended(0, at)
        while True:
            records, size = await asyncio.to_thread(_some, file)
            if not size:
                return count
            at += size
            await store.feed_file(records, reader, at)
            count += len(records)
            appended(len(records), size)


async def read_stream(store: Store, stream: BinaryIO, appended: Callable[[int, int], None]) -> int:
    """Append every line of a stream that cannot be read twice (standard input); returns how many."""
    count = 0
    while True:
        records, size = await asyncio.to_thread(_some, stream)
        if not size:
            return count
        if not count and records:
            refuse_utf16("standard input", records[0].value or b"")
        if records:
            await store.feed(records)
        count += len(records)
        appended(len(records), size)
