"""A Kafka bench for the contract of the log: a fresh set of topics per story on one real broker."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from monitor.engine.log import Checkpoint, Journalled, Recovery
from monitor.kafka.log import KafkaLog
from monitor.kafka.output_consumer import read_outputs
from monitor.kafka.settings import LogSettings
from monitor.kafka.topics import TopicNames, create_topics, topics
from monitor.model.records import Closed, Command, Decision, JournalEntry, Outputs, Permit, Position, Record, Rejected
from monitor.model.shadow_records import ShadowDecision, ShadowSummary
from monitor.testing.broker import shared

_numbers = itertools.count()


class Renamed:
    """A KafkaLog whose telemetry topics are called without their prefix."""

    def __init__(self, log: KafkaLog, prefix: str) -> None:
        self._log, self._prefix, self.partition = log, prefix, log.partition

    async def claim(self) -> Recovery:
        return await self._log.claim()

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        return await self._log.telemetry(f"{self._prefix}.{topic}", start, stop)

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        return await self._log.control(start, stop)

    async def append(self, entry: JournalEntry) -> Journalled:
        return await self._log.append(entry)

    async def write(self, outputs: Outputs, through: Position | None, checkpoint: Checkpoint | None) -> None:
        await self._log.write(outputs, through, checkpoint)


class KafkaBench:
    """See `Bench` in test_log.py."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.names = TopicNames(f"contract-{os.getpid()}-{next(_numbers)}", ("acme", "birch"))
        self.logs: list[KafkaLog] = []
        self.made = False

    async def make(self) -> None:
        if not self.made:
            await create_topics(self.bootstrap, topics(self.names, 1, 1))
            self.made = True

    async def send(
        self,
        topic: str,
        values: Sequence[bytes],
        key: bytes | None = b"p",
        hole: bool = False,
        headers: Sequence[tuple[str, bytes]] = (("content-type", b"text/plain"),),
    ) -> None:
        await self.make()
        name = f"{self.names.prefix}-hole" if hole else None
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, transactional_id=name) as producer:
            if hole:
                await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(topic, value, key=key, partition=0, headers=list(headers))
            if hole:
                await producer.abort_transaction()

    async def owner(self) -> Renamed:
        await self.make()
        prefix, firms = self.names.prefix, ("acme", "birch")
        log = KafkaLog(
            LogSettings(bootstrap=self.bootstrap, prefix=prefix, group=prefix, participants=firms, chunk=3), 0
        )
        self.logs.append(log)
        return Renamed(log, self.names.prefix)

    async def feed(self, *values: bytes, topic: str = "telemetry.acme") -> None:
        await self.send(f"{self.names.prefix}.{topic}", values)

    async def feed_control(self, *values: bytes) -> None:
        await self.send(self.names.control, values)

    async def leave_hole(self) -> None:
        # An aborted transaction: its record and its marker both keep an offset that no committed reader sees.
        await self.send(self.names.telemetry[0], [b"never happened"], hole=True)

    async def forge(self, entry: JournalEntry) -> None:
        headers = (("type", b"journal"), ("epoch", b"%d" % entry.epoch))  # as an owner writes it
        await self.send(self.names.journal, [msgspec.json.encode(entry)], key=None, headers=headers)

    async def outputs(self) -> Outputs:
        seen, n = Outputs(), self.names
        async for item in read_outputs(
            self.bootstrap,
            [n.rejected, n.decisions, *n.every_commands, *n.every_permits, n.evidence, n.shadow],
            follow=False,
        ):
            match item.value:
                case Rejected():
                    seen.rejected.append(item.value)
                case Decision():
                    seen.decisions.append(item.value)
                case Command():
                    seen.commands.append(item.value)
                case Permit():
                    seen.permits.append(item.value)
                case ShadowDecision() | ShadowSummary():
                    seen.shadows.append(item.value)
                case Closed() | _:
                    seen.evidence.append(item.value)  # type: ignore[arg-type]
        return seen

    async def close(self) -> None:
        for log in self.logs:
            await log.close()


@pytest.fixture
def kafka_bench() -> Callable[[], KafkaBench]:
    """Makes a bench on the real broker."""
    return lambda: KafkaBench(shared().bootstrap)
