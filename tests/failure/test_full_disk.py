"""A full disk: nothing acknowledged is lost, and work continues once there is space."""

from __future__ import annotations

import asyncio
import sqlite3
import time

import pytest
from aiokafka.errors import KafkaError

from monitor.embedded.store import Incoming, Store
from monitor.errors import Unavailable
from monitor.testing.broker import KafkaBroker
from monitor.testing.disk import SmallDisk
from monitor.testing.kafka import Fresh

MEGABYTES = 64


def test_the_embedded_store_refuses_what_it_cannot_keep(disk: SmallDisk) -> None:
    """On a full disk an append raises and stores nothing; with space again the next process appends after the last
    record."""

    async def story() -> None:
        store = Store(disk.path / "monitor.db")
        await store.feed([Incoming(b"kept")])
        disk.fill()

        async def more() -> None:
            for _ in range(64):  # SQLite may have some pages of its log left
                await store.feed([Incoming(b"y" * 65536)])

        with pytest.raises(sqlite3.OperationalError, match=r"full|disk I/O"):
            await more()
        await store.close()
        disk.free()
        store = Store(disk.path / "monitor.db")
        kept = await store.feed([Incoming(b"after")])
        rows = list(await store.telemetry("telemetry", 0, 1 << 30, records=1_000, size=1 << 30))
        assert rows[0].value == b"kept"
        assert rows[-1].value == b"after"
        assert [r.offset for r in rows] == list(range(kept.next))
        await store.close()

    asyncio.run(story())


@pytest.mark.kafka
def test_a_broker_without_room_loses_nothing_it_acknowledged(disk: SmallDisk) -> None:
    """On a full disk the broker refuses or exits; with space again it restarts with every acknowledged record."""
    small = {"log.index.size.max.bytes": "4096", "log.cleaner.enable": "false", "log.segment.bytes": "1048576"}
    broker = KafkaBroker(disk.path / "broker", settings=small).start()
    try:
        fresh = Fresh(bootstrap=broker.bootstrap)
        acknowledged = 0

        async def send(count: int) -> int:
            row = (fresh.telemetry, b"p", b"z" * 10_000, (), 0)
            await fresh.send([row] * count)
            return count

        acknowledged += asyncio.run(send(50))
        disk.fill()
        refused = False
        for _ in range(40):
            try:
                acknowledged += asyncio.run(asyncio.wait_for(send(50), 5))
            except (KafkaError, TimeoutError):
                refused = True
                break
        assert refused, "a full disk took everything"
        disk.free()
        broker.kill()
        broker.start()
        deadline = time.monotonic() + 30
        while True:
            try:
                found = asyncio.run(fresh.raw(fresh.telemetry))
                break
            except Unavailable:
                assert time.monotonic() < deadline
                time.sleep(0.5)
        assert len(found) >= acknowledged
        assert {r.value for r in found} == {b"z" * 10_000}
    finally:
        broker.kill()
