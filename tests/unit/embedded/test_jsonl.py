"""JSON lines from a file: each line once, over any number of restarts."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from monitor.embedded.jsonl import CHUNK, read_file, read_stream
from monitor.embedded.store import Store
from monitor.errors import Refused
from monitor.testing.clock import MovingClock


async def values(store: Store) -> list[bytes | None]:
    return [r.value for r in await store.telemetry("telemetry", 0, 1 << 30, records=1 << 30, size=1 << 30)]


def test_a_restart_neither_loses_nor_repeats_a_line(tmp_path: Path) -> None:
    """Stopped between two transactions, started again, then the file grows: each line stands in the log once, in
    order."""
    lines = [b"%d" % n for n in range(CHUNK * 3 + 7)]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")

    async def story() -> None:
        store = Store(tmp_path / "monitor.db", clock=MovingClock(1))

        def stop_after(count: int, size: int) -> None:
            if count:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await read_file(store, path, stop_after)
        assert await values(store) == lines[:CHUNK]
        assert await read_file(store, path, lambda count, size: None) == len(lines) - CHUNK
        with path.open("ab") as file:
            file.write(b"\r\n\nlast without newline")
        assert await read_file(store, path, lambda count, size: None) == 1
        assert await values(store) == [*lines, b"last without newline"]
        await store.close()

    asyncio.run(story())


def test_progress_adds_up_to_the_file(tmp_path: Path) -> None:
    """The bytes told, those of an earlier start included, sum to the size of the file."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"{}\n" * (CHUNK + 1))

    async def story() -> None:
        store = Store(tmp_path / "monitor.db", clock=MovingClock(1))
        told: list[tuple[int, int]] = []
        await read_file(store, path, lambda count, size: told.append((count, size)))
        assert sum(count for count, _ in told) == CHUNK + 1
        assert sum(size for _, size in told) == path.stat().st_size
        told.clear()
        await read_file(store, path, lambda count, size: told.append((count, size)))
        assert told == [(0, path.stat().st_size)]
        await store.close()

    asyncio.run(story())


def test_another_file_of_the_same_name_is_refused(tmp_path: Path) -> None:
    """A file shorter than what was read of it is not the one that was read."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"{}\n{}\n")

    async def story() -> None:
        store = Store(tmp_path / "monitor.db", clock=MovingClock(1))
        await read_file(store, path, lambda count, size: None)
        path.write_bytes(b"{}\n")
        with pytest.raises(Refused, match="shorter"):
            await read_file(store, path, lambda count, size: None)
        await store.close()

    asyncio.run(story())


def test_a_stream_is_read_to_its_end(tmp_path: Path) -> None:
    """Standard input cannot be read twice, so it is simply appended."""

    async def story() -> None:
        store = Store(tmp_path / "monitor.db", clock=MovingClock(1))
        assert await read_stream(store, io.BytesIO(b"1\n\n2\n3"), lambda count, size: None) == 3
        assert await values(store) == [b"1", b"2", b"3"]
        await store.close()

    asyncio.run(story())
