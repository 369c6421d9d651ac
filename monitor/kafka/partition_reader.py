"""Bounded reads of one partition: from an offset up to another, and not a record less.

A Kafka offset is not an index: transaction markers and compaction leave holes, so that the last record's offset says
nothing about whether all was read. Only the consumer's position does, and every loop here goes by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from monitor.access.kafka_login import access
from monitor.errors import LogBroken, SandboxMonitorError, Unavailable
from monitor.kafka import bounded_records, zero_copy
from monitor.kafka.bounded_records import UnreadableRange
from monitor.kafka.login import problem, require_login
from monitor.kafka.topics import LARGE
from monitor.model.records import Record, UnreadableRecords

LOG_APPEND_TIME = 1


def to_records(raw: Iterable[Any]) -> list[Record]:
    """Consumer records as `Record`, those that cannot be read as `UnreadableRecords`. Raises `LogBroken` for a record
    without log-append time."""
    records: list[Record] = []
    for r in raw:
        if r.timestamp_type != LOG_APPEND_TIME:
            raise LogBroken(
                f"{r.topic}/{r.partition}/{r.offset} has no log-append time; "
                f"fix: set message.timestamp.type=LogAppendTime on {r.topic}"
            )
        if isinstance(r, UnreadableRange):
            records.append(UnreadableRecords(r.offset, r.timestamp, None, None, last=r.last, reason=r.reason.value))
            continue
        records.append(Record(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)))
    return records


class PartitionReader:
    """Reads committed records of any topic's partition, a bounded number at a time. Joins no group, commits nothing.
    Where a batch cannot be read, an `UnreadableRange` stands in the place of its records (`bounded_records`).

    All methods raise `LogBroken` when retention has deleted what is asked for, `Unavailable` when the broker
    does not answer.
    """

    def __init__(self, bootstrap: str, *, chunk: int = 5000, timeout: float = 30.0, client_id: str = "sandbox") -> None:
        self._bootstrap = bootstrap
        self._chunk = chunk
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            client_id=client_id,
            enable_auto_commit=False,
            auto_offset_reset="none",  # never skip silently what retention deleted
            isolation_level="read_committed",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=LARGE,
            max_poll_records=chunk,
            request_timeout_ms=int(timeout * 1000),
            **access(),
        )
        # Offsets are asked for on a separate connection: a broker answers the requests of one connection in order, and
        # a fetch that waits for records would delay the answer.
        self._asker = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            client_id=client_id,
            enable_auto_commit=False,
            isolation_level="read_committed",
            request_timeout_ms=int(timeout * 1000),
            **access(),
        )
        self._at: tuple[TopicPartition, int] | None = (
            None  # the partition and offset that the consumer would read next without a seek
        )

    async def start(self) -> None:
        """Connect. Raises `Unavailable`, and Refused when the broker does not take the login."""
        bounded_records.use()
        zero_copy.use(self._consumer)
        try:
            await require_login(self._bootstrap)
            await self._consumer.start()
            await self._asker.start()
            await asyncio.sleep(0)  # a consumer stopped before its tasks ever ran raises CancelledError
        except KafkaError as error:
            await self.stop()
            raise Unavailable(f"no Kafka broker answers at {self._bootstrap}: {error}") from error
        except SandboxMonitorError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()
        await self._asker.stop()

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset kept and the offset after the last committed record (which may be a hole)."""
        tp = TopicPartition(topic, partition)
        try:
            first = (await self._asker.beginning_offsets([tp]))[tp]
            end = (await self._asker.end_offsets([tp]))[tp]
        except KafkaError as error:
            raise problem(f"{topic}/{partition} cannot be read at {self._bootstrap}", error) from error
        return int(first), int(end)

    async def firsts(self, topics: Collection[str], partition: int) -> dict[str, int]:
        """The first offset that is kept of each topic's partition: one request for all."""
        try:
            await learn_topics(self._asker._client, topics)
            found = await self._asker.beginning_offsets([TopicPartition(topic, partition) for topic in topics])
        except KafkaError as error:
            raise Unavailable(f"no first offsets of partition {partition}: {error!r}") from error
        return {tp.topic: int(offset) for tp, offset in found.items()}

    async def ends(self, topics: Collection[str], partition: int) -> dict[str, int]:
        """The offset after the last committed record of each topic's partition."""
        try:
            await learn_topics(self._asker._client, topics)
            found = await self._asker.end_offsets([TopicPartition(topic, partition) for topic in topics])
        except KafkaError as error:
            raise Unavailable(f"no end offsets of partition {partition}: {error!r}") from error
        return {tp.topic: int(offset) for tp, offset in found.items()}

    async def chunk(self, topic: str, partition: int, start: int, stop: int) -> tuple[list[Any], int]:
        """Some consumer records with `start <= offset < stop`, and the offset to go on from (>= `stop` or the end of
        the log: there is no more). Fewer than exist is usual; none only when none exist."""
        tp = TopicPartition(topic, partition)
        first, end = await self.bounds(topic, partition)
        if start < first:
            raise LogBroken(
                f"{topic}/{partition} begins at {first}, but {start} is needed: retention overtook the reader"
            )
        stop = min(stop, end)
        if start >= stop:
            return [], max(start, stop)
        try:
            if self._at != (tp, start):
                self._consumer.assign([tp])
                self._consumer.seek(tp, start)
            while True:
                got = await self._consumer.getmany(tp, timeout_ms=200, max_records=self._chunk)
                position = await self._consumer.position(tp)
                self._at = (tp, position)
                found = got.get(tp, [])
                records = [r for r in found if r.offset < stop]
                if len(records) < len(found):  # written since the end was asked for: they are read by the next call
                    return records, stop
                if records or position >= stop:
                    return records, position
        except KafkaError as error:
            raise LogBroken(f"{topic}/{partition} cannot be read from {start}: {error!r}") from error

    async def all(self, topic: str, partition: int, start: int | None = None) -> AsyncIterator[Any]:
        """Every committed consumer record from `start` (None: the first one kept) to the end as it was when called."""
        first, end = await self.bounds(topic, partition)
        at = first if start is None else start
        while at < end:
            records, at = await self.chunk(topic, partition, at, end)
            for record in records:
                yield record


async def learn_topics(client: Any, topics: Iterable[str]) -> None:
    """Let a client of aiokafka learn all topics in one request. Asked for topics that it does not know, it learns one
    after the other, which takes a tenth of a second each: minutes, with topics for hundreds of participants."""
    unknown = [topic for topic in set(topics) if client.cluster.partitions_for_topic(topic) is None]
    for topic in unknown:
        client.add_topic(topic)
    if unknown:
        await client.force_metadata_update()


async def high_waters(bootstrap: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Offset after the last record of each partition, open transactions included. A committed reader that has reached
    it has seen all that was acknowledged before the call. Raises `Unavailable`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, **access())
    try:
        await consumer.start()
        await asyncio.sleep(0)  # a consumer stopped before its tasks ever ran raises CancelledError
        await learn_topics(consumer._client, [tp.topic for tp in partitions])
        ends: dict[TopicPartition, int] = await consumer.end_offsets(list(partitions))
    except KafkaError as error:
        raise Unavailable(f"no end offsets from {bootstrap}: {error!r}") from error
    finally:
        await consumer.stop()
    return ends
