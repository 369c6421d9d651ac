"""The two interfaces that a worker works with: the group's consumer and the log of one partition.

`monitor.testing.fake_consumer` implements both without a broker; one contract suite holds it and the real consumer
(`tests/contract/test_group_consumer.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from monitor.engine.log import Log
from monitor.kafka.output_routes import OutputRoutes
from monitor.kafka.topics import TopicNames
from monitor.model.records import Command, Record

TopicPartitionName = tuple[str, int]


class GroupConsumer(Protocol):
    """A member of the consumer group. `monitor.kafka.faust_hooks.WorkerConsumer` implements it on Faust."""

    @property
    def generation(self) -> int:
        """The group's generation as of the last assignment."""

    @property
    def flowing(self) -> bool:
        """Whether records may be stepped: False from the start of a rebalance until recovery has ended."""

    async def records(
        self, timeout: float, without: Collection[TopicPartitionName] = ()
    ) -> dict[TopicPartitionName, list[Record]]:
        """The next records by topic and partition, each list in offset order and of bounded size; empty after about
        `timeout` s. Records of `without` wait."""

    async def position_of(self, name: TopicPartitionName) -> int:
        """Offset of the next record that `records` will return: moves past holes, unlike the last record's offset."""

    async def commit_hint(self, offsets: dict[TopicPartitionName, int]) -> None:
        """Commit offsets for people who watch lag; recovery never reads them. Raises `Stop` when the group refuses."""


class PartitionLog(Log, Protocol):
    """A `Log` that also knows its topics and their bounds. `monitor.kafka.log.KafkaLog` implements it."""

    names: TopicNames
    moves: int
    """Reads and writes that succeeded: the watchdog compares it."""
    routes: OutputRoutes
    """Where commands and permits are written; the logs of a worker share it."""

    @property
    def rerouting(self) -> bool:
        """Whether commands in force are missing where they are read from now on: `reroute` is to be called."""

    async def reroute(self, commands: Iterable[tuple[str, Command]]) -> None:
        """Write commands in force (participant, command) to the topics that they are missing in."""

    async def ends(self, topics: Sequence[str]) -> dict[str, int]:
        """The offset after the last committed record of each topic, asked now."""

    async def firsts(self, topics: Sequence[str]) -> dict[str, int]:
        """The first offset that is kept of each topic, asked at once: there may be hundreds."""

    def clock(self) -> int:
        """Now by the clock that stamps the journal (ms)."""

    async def close(self) -> None:
        """Close connections. The log cannot be used afterwards."""


class TelemetryProgress:
    """How far telemetry of one partition has been read: what control and time entries wait for."""

    def __init__(self, consumer: GroupConsumer, log: PartitionLog) -> None:
        self._consumer = consumer
        self._log = log

    async def ends(self) -> dict[str, int]:
        """The offset after the last committed record of each telemetry topic, asked now."""
        return await self._log.ends(self._log.names.telemetry)

    async def reached(self, ends: dict[str, int]) -> bool:
        """Whether all telemetry below these offsets has been returned by the consumer."""
        for topic, end in ends.items():
            if await self._consumer.position_of((topic, self._log.partition)) < end:
                return False
        return True
