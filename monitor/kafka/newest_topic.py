"""The second place of the newest signed checkpoint: a compacted Kafka topic, keyed by origin, on other disks than the
ledgers. Compare-and-swap by the fence of a transactional producer, as for the partitions of the workers (`log.py`).

A swap claims the transactional id, which makes the broker refuse every older producer and abort what it left open;
then it reads the topic to its end, compares, and writes in one transaction. Nothing can be committed between the
comparison and the commit: another process would have had to claim the id, and this commit then fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from monitor.access.kafka_login import access
from monitor.errors import LogBroken, Unavailable
from monitor.kafka.bounded_records import UnreadableRange
from monitor.kafka.partition_reader import PartitionReader, high_waters, learn_topics
from monitor.kafka.topics import TopicNames, checkpoint_topic, create_topics, replication_of, require_topics

TIMEOUT_S = 30.0
POLL_S = 0.05
PARTITION = 0  # of the topic; it needs one

Found = TypeVar("Found")


class NewestTopic:
    """`monitor.publication.hooks.NewestCheckpoint` in the topic `names.checkpoints`, which is created when missing.

    Methods block, for at most about twice `timeout` seconds, and may be called from any thread, one at a time. They
    raise Unavailable when no broker answers or another process took over; LogBroken when the topic has other settings
    or a record that cannot be read. `reach` is called at each step, for tests.
    """

    def __init__(
        self,
        bootstrap: str,
        names: TopicNames,
        *,
        timeout: float = TIMEOUT_S,
        reach: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._bootstrap, self._names, self._timeout, self._reach = bootstrap, names, timeout, reach
        self._topic = names.checkpoints
        self._newest: dict[str, bytes] = {}
        self._next = 0  # offset to read from
        self._checked = False
        self._reader: PartitionReader | None = None
        self._producer: AIOKafkaProducer | None = None
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._loop.run_forever, name="newest-checkpoint", daemon=True)
        self._loop_thread.start()

    def newest(self, origin: str) -> bytes | None:
        """See `NewestCheckpoint`: what is committed at the end of the topic now."""
        return self._run(self._newest_now(origin))

    def swap(self, origin: str, expected: bytes | None, new: bytes) -> bool:
        """See `NewestCheckpoint`: committed with all replicas in sync when this returns True."""
        return self._run(self._swap(origin, expected, new))

    def close(self) -> None:
        """Close connections and end the thread. Idempotent."""
        if self._loop_thread.is_alive():
            with contextlib.suppress(Unavailable):
                self._run(self._release())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop_thread.join()
            self._loop.close()

    def _run(self, step: Coroutine[Any, Any, Found]) -> Found:
        future = asyncio.run_coroutine_threadsafe(self._bounded(step), self._loop)
        try:
            return future.result(3 * self._timeout)
        except FutureTimeoutError:
            future.cancel()
            raise Unavailable(f"{self._topic}: no answer within {3 * self._timeout:g} s") from None

    async def _bounded(self, step: Coroutine[Any, Any, Found]) -> Found:
        try:
            async with asyncio.timeout(2 * self._timeout):
                return await step
        except (KafkaError, TimeoutError) as error:
            await self._release()  # whether a commit was written is not known: the next call reads it
            raise Unavailable(f"{self._topic}: {error!r}") from error
        except BaseException:
            await self._release()
            raise

    async def _newest_now(self, origin: str) -> bytes | None:
        """What the topic holds, up to everything that was acknowledged before this call: a commit is acknowledged
        before its marker is written, and until then a committed reader does not see it."""
        await self._open()
        partition = TopicPartition(self._topic, PARTITION)
        await self._advance((await high_waters(self._bootstrap, [partition]))[partition])
        return self._newest.get(origin)

    async def _swap(self, origin: str, expected: bytes | None, new: bytes) -> bool:
        await self._open()
        if self._producer is None:
            self._producer = await self._fence()  # returns when the transactions of older producers have ended
            self._reach("fenced")
        # After the fence: nothing that an older producer writes can follow what is read here.
        await self._advance()
        if self._newest.get(origin) != expected:
            return False
        self._reach("compared")
        await self._producer.begin_transaction()
        acknowledged = await self._producer.send(self._topic, new, origin.encode(), PARTITION)
        acknowledged.add_done_callback(lambda future: future.cancelled() or future.exception())
        await acknowledged
        self._reach("in_transaction")
        # From here on the write may be durable, whatever this process is told about it.
        await self._producer.commit_transaction()
        self._newest[origin] = new  # a reader may not see it yet
        return True

    async def _open(self) -> None:
        """Create or check the topic once, and start the reader."""
        if not self._checked:
            topic = checkpoint_topic(self._names, await replication_of(self._bootstrap, self._names.decisions))
            await create_topics(self._bootstrap, [topic])
            await require_topics(self._bootstrap, [topic])
            self._checked = True
        if self._reader is None:
            self._reader = PartitionReader(self._bootstrap, timeout=self._timeout, client_id=self._topic)
            await self._reader.start()

    async def _advance(self, through: int = 0) -> None:
        """Read committed records to the end, and on until the offset `through` is reached."""
        assert self._reader is not None
        while True:
            first, end = await self._reader.bounds(self._topic, PARTITION)
            self._next = max(self._next, first)
            while self._next < end:
                records, at = await self._reader.chunk(self._topic, PARTITION, self._next, end)
                for raw in records:
                    self._take(raw)
                self._next = at
            if self._next >= through:
                return
            await asyncio.sleep(POLL_S)

    def _take(self, raw: Any) -> None:
        if isinstance(raw, UnreadableRange):
            raise LogBroken(
                f"{self._topic}/{PARTITION}/{raw.offset}: not written by a notary; remove its writer's grant"
            )
        name = (raw.key or b"").decode("utf-8", "replace")
        if raw.value is None:
            self._newest.pop(name, None)
        else:
            self._newest[name] = raw.value

    async def _fence(self) -> AIOKafkaProducer:
        milliseconds = int(self._timeout * 1000)
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._topic,
            transactional_id=self._topic,
            transaction_timeout_ms=milliseconds,
            request_timeout_ms=milliseconds,
            linger_ms=0,
            **access(),
        )
        try:
            await producer.start()
            await learn_topics(producer.client, [self._topic])
        except BaseException:
            with contextlib.suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 5.0)
            raise
        return producer

    async def _release(self) -> None:
        """Close connections; an open transaction is aborted by the next claim, or by the broker after its timeout."""
        producer, self._producer = self._producer, None
        reader, self._reader = self._reader, None
        if producer is not None:
            with contextlib.suppress(KafkaError, TimeoutError):  # a fenced producer fails once more
                await asyncio.wait_for(producer.stop(), 5.0)
        if reader is not None:
            await reader.stop()
