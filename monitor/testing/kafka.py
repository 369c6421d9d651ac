"""Fresh topics on the shared broker, and what a test does with them: send, read outputs, wait."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from monitor.charter.control import ControlBase
from monitor.kafka.output_consumer import ConsumedOutput, read_outputs
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.topics import LARGE, TopicNames, create_topics, topics
from monitor.model.records import Claim, Outputs
from monitor.testing.broker import shared

_numbers = itertools.count()

Sent = tuple[str, bytes | None, bytes | None, Sequence[tuple[str, bytes]], int]  # topic, key, value, headers, partition


class Fresh:
    """A fresh set of topics, named after the test process, on the broker that tests share."""

    def __init__(self, partitions: int = 1, participants: tuple[str, ...] = (), bootstrap: str | None = None) -> None:
        self.bootstrap = bootstrap or shared().bootstrap
        self.partitions = partitions
        self.names = TopicNames(f"try-{os.getpid()}-{next(_numbers)}", participants)
        asyncio.run(create_topics(self.bootstrap, topics(self.names, partitions, 1)))

    @property
    def telemetry(self) -> str:
        """The first telemetry topic."""
        return self.names.telemetry[0]

    async def send(self, records: Iterable[Sent], compression: str | None = None) -> None:
        """Append records, waiting for their acknowledgements."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, compression_type=compression, max_request_size=LARGE, linger_ms=5
        ) as producer:
            sent = [await producer.send(t, v, k, p, headers=list(h)) for t, k, v, h, p in records]
            await asyncio.gather(*sent)

    def control(self, acts: Iterable[ControlBase], partition: Callable[[str], int] = lambda pilot: 0) -> list[Sent]:
        """Control records ready to send."""
        return [
            (self.names.control, act.pilot.encode(), msgspec.json.encode(act), (), partition(act.pilot)) for act in acts
        ]

    def claims(self, epoch: int = 1) -> list[Sent]:
        """Claims of every partition, ready to send: readers refuse outputs of an epoch that is not claimed."""
        claim, headers = msgspec.json.encode(Claim(epoch)), (("type", b"journal"), ("epoch", b"%d" % epoch))
        return [(self.names.journal, None, claim, headers, partition) for partition in range(self.partitions)]

    async def seen(self) -> list[ConsumedOutput]:
        """Every output up to now, without duplicates and records of fenced owners."""
        n = self.names
        every = (n.rejected, n.decisions, *n.every_commands, *n.every_permits, n.evidence, n.shadow)
        return [item async for item in read_outputs(self.bootstrap, every, follow=False)]

    async def raw(self, topic: str) -> list[Any]:
        """Every committed record of a topic, duplicates included."""
        reader = PartitionReader(self.bootstrap)
        await reader.start()
        try:
            return [r for p in range(self.partitions) async for r in reader.all(topic, p)]
        finally:
            await reader.stop()


def gathered(seen: Iterable[ConsumedOutput]) -> Outputs:
    """Outputs sorted by kind, in the order read."""
    out = Outputs()
    kinds: dict[str, list[Any]] = {
        "Rejected": out.rejected,
        "Decision": out.decisions,
        "Command": out.commands,
        "Permit": out.permits,
        "Evidence": out.evidence,
        "Closed": out.evidence,
        "ShadowDecision": out.shadows,
        "ShadowSummary": out.shadows,
    }
    for item in seen:
        kinds[type(item.value).__name__].append(item.value)
    return out


async def until(true: Callable[[], Awaitable[bool]], timeout: float = 60.0) -> None:
    """Check every 0.2 s until it is true. Raises `TimeoutError` after `timeout` (s)."""
    deadline = time.monotonic() + timeout
    while not await true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {timeout:.0f} s")
        await asyncio.sleep(0.2)
