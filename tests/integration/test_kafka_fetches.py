"""The worker's consumer on a real broker returns exactly what the topic holds."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition

from monitor.kafka import crc32c, faust_hooks, zero_copy
from monitor.kafka.partition_reader import PartitionReader, to_records
from monitor.kafka.topics import LARGE
from monitor.model.records import Record
from monitor.testing.kafka import Fresh

pytestmark = pytest.mark.kafka


async def fetched(fresh: Fresh, count: int) -> tuple[list[Record], object]:
    """The first `count` records of telemetry from a worker's consumer, and the protocol of their connection."""
    consumer = faust_hooks.FetchConsumer(
        bootstrap_servers=fresh.bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=LARGE,
    )
    await consumer.start()
    try:
        partition = TopicPartition(fresh.telemetry, 0)
        consumer.assign([partition])
        consumer._fetcher._records = faust_hooks.PrefetchedRecords()
        found: list[Record] = []
        async with asyncio.timeout(30):
            while len(found) < count:
                found += (await consumer.getmany(partition, timeout_ms=200)).get(partition, ())
        node = consumer._client.cluster.leader_for_partition(partition)
        connection = await consumer._client._get_conn(node)
        return found, connection._writer.transport.get_protocol()
    finally:
        await consumer.stop()


@pytest.mark.parametrize("codec", [None, "zstd"])
def test_what_is_fetched_is_what_the_topic_holds(codec: str | None) -> None:
    """Records of all sizes, up to several megabytes, in any codec, are received without copies as `PartitionReader`
    reads them, each batch checked."""
    fresh = Fresh()
    sizes = [0, 1, 100, 70_000, 3_000_000, 12, 900_000, *range(300)]
    sent = [(fresh.telemetry, b"p", bytes([i % 251]) * size, [("n", b"%d" % i)], 0) for i, size in enumerate(sizes)]

    async def story() -> None:
        await fresh.send(sent, compression=codec)
        found, reading = await fetched(fresh, len(sent))
        assert isinstance(reading, zero_copy.FrameReceiver)
        assert [(r.value, r.headers) for r in found] == [(value, tuple(headers)) for _, _, value, headers, _ in sent]
        reader = PartitionReader(fresh.bootstrap)
        await reader.start()
        try:
            assert found == to_records([raw async for raw in reader.all(fresh.telemetry, 0)])
        finally:
            await reader.stop()

    asyncio.run(story())
    assert faust_hooks.fetcher.MemoryRecords is crc32c.FetchedBatches


def test_what_is_written_while_a_reader_reads_is_read_by_its_next_call() -> None:
    """A chunk ends where it was asked to end, also where the log goes on: nothing between two chunks is skipped."""
    fresh = Fresh()

    async def story() -> None:
        await fresh.send([(fresh.telemetry, b"p", b"%d" % number, (), 0) for number in range(5)])
        reader, found, at = PartitionReader(fresh.bootstrap), list[bytes](), 0
        await reader.start()
        try:
            for stop in (2, 3, 5):
                while at < stop:
                    records, at = await reader.chunk(fresh.telemetry, 0, at, stop)
                    found += [record.value for record in records]
        finally:
            await reader.stop()
        assert found == [b"0", b"1", b"2", b"3", b"4"]

    asyncio.run(story())
