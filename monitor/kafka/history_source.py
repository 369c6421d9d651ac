"""The history of one partition on Kafka: its logs in the order of the journal. Workers may be running."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from monitor.engine.history_order import MergedHistory
from monitor.engine.log import Journalled
from monitor.kafka import state_keys
from monitor.kafka.partition_reader import PartitionReader, to_records
from monitor.kafka.recovery_trust import RecoveryTrust
from monitor.kafka.topics import TopicNames, partition_count
from monitor.model.records import Position, Record
from monitor.model.signing import Trusted


class PartitionHistory:
    """Use as `async with`. Each log has a separate reader, which continues from its last position. Raises what
    `PartitionReader` raises.

    With `trusted` keys, journal entries that none of them signed are left out, as the worker leaves them out.
    """

    def __init__(self, bootstrap: str, names: TopicNames, partition: int, trusted: Trusted | None = None) -> None:
        self.names, self.partition = names, partition
        self._trust = RecoveryTrust(trusted, names.journal, partition)
        self._bootstrap = bootstrap
        self._readers: list[PartitionReader] = []

    async def __aenter__(self) -> PartitionHistory:
        return self

    async def __aexit__(self, *_: object) -> None:
        for reader in self._readers:
            await reader.stop()

    async def ordered(self) -> MergedHistory:
        """The partition up to the present end of its journal."""
        await self._trust.begin(await self._reader())
        through = await self._through()  # before the end of the journal is read: a later `through` is never smaller
        return MergedHistory(self._journal(), self._read_topic(self.names.control), self._read_topic, through)

    async def missing(self) -> dict[str, int]:
        """The first offset kept of each log whose beginning retention has deleted."""
        reader = await self._reader()
        found = {}
        for name, topic in (
            *((topic, topic) for topic in self.names.telemetry),
            ("control", self.names.control),
            ("journal", self.names.journal),
        ):
            first, _ = await reader.bounds(topic, self.partition)
            if first:
                found[name] = first
        return found

    async def _reader(self) -> PartitionReader:
        reader = PartitionReader(self._bootstrap)
        await reader.start()
        self._readers.append(reader)
        return reader

    async def _through(self) -> Position | None:
        live = state_keys.LiveKeys()
        reader = await self._reader()
        async for raw in reader.all(self.names.state, self.partition):
            if self._trust.state(raw) and state_keys.parse(raw.key)[0] == state_keys.THROUGH:
                live.feed(raw.key, raw.value)
        raw = live.values.get((state_keys.THROUGH, ""))
        return None if raw is None else state_keys.decode_position(raw)

    async def _journal(self) -> AsyncIterator[Journalled]:
        reader = await self._reader()
        async for raw in reader.all(self.names.journal, self.partition):
            for entry in self._trust.journal(raw):
                yield entry

    async def _read_topic(self, topic: str) -> AsyncIterator[Record]:
        reader = await self._reader()
        async for raw in reader.all(topic, self.partition):
            for record in to_records([raw]):
                yield record


async def partitions_of(bootstrap: str, names: TopicNames, pilots: Iterable[str]) -> list[int]:
    """The partitions that hold control records of these pilots; all partitions without pilots."""
    count = await partition_count(bootstrap, names.control)
    wanted = {pilot.encode() for pilot in pilots}
    if not wanted:
        return list(range(count))
    reader, found = PartitionReader(bootstrap), []
    await reader.start()
    try:
        for partition in range(count):
            async for raw in reader.all(names.control, partition):
                if raw.key in wanted:
                    found.append(partition)
                    break
    finally:
        await reader.stop()
    return found
