"""The consumer group and the logs of a worker without a broker: `monitor.kafka.interfaces` in memory.

`MemoryCluster` is the broker: topics over a `MemoryStore`. `FakeConsumer` is one member of the group; the test assigns,
stops the flow and makes fetches fail. `FakePartitionLog` is one owner's log. `fake_host` is a process that never ends:
`abort` raises `WorkerAborted` instead. Nothing here sleeps, so that a worker's story takes milliseconds:

    cluster = MemoryCluster(TopicNames("sandbox"))
    consumer = FakeConsumer(cluster)
    workers = PartitionWorkers(settings, lambda: consumer, host=fake_host(clock), open_log=cluster.open_log)
    consumer.assign(await workers.claim(cluster.all_partitions(), consumer.generation))
    cluster.append(cluster.names.telemetry[0], value)
    await workers.drain(consumer, ending=consumer.idle)

`tests/contract/test_group_consumer.py` holds the fake and the real consumer to the same contract.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NoReturn

from monitor.engine.log import Checkpoint, Journalled, Recovery
from monitor.errors import LogBroken, Stop
from monitor.kafka.host import Host
from monitor.kafka.interfaces import TopicPartitionName
from monitor.kafka.output_routes import OutputRoutes
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.topics import TopicNames
from monitor.model.records import Command, JournalEntry, Outputs, Position, Record
from monitor.testing.clock import MovingClock
from monitor.testing.memory_log import MemoryLog, MemoryStore


class WorkerAborted(BaseException):
    """The worker would have ended its process. Not an `Exception`, so that nothing in the worker handles it."""


def fake_host(clock: MovingClock) -> Host:
    """A process whose clocks are `clock` (ms) and whose end is an exception in the test."""

    def abort(why: str) -> NoReturn:
        raise WorkerAborted(why)

    return Host(
        monotonic=lambda: clock.now / 1000,
        wall=lambda: clock.now,
        abort=abort,
        exit_within=lambda seconds: None,
        collect_garbage=lambda: None,
        freeze_heap=lambda: None,
        unfreeze_heap=lambda: None,
    )


class MemoryCluster:
    """All topics of a deployment in memory. `clock` (ms) stamps what is appended."""

    def __init__(self, names: TopicNames, partitions: int = 1, clock: MovingClock | None = None) -> None:
        self.names = names
        self.partitions = partitions
        self.clock = clock or MovingClock(1_000_000)
        self.store = MemoryStore(self.clock)
        self.logs: list[FakePartitionLog] = []  # every log that was opened
        self._first: dict[TopicPartitionName, int] = {}

    def all_partitions(self) -> set[TopicPartitionName]:
        """An assignment of everything."""
        return {(t, p) for t in (*self.names.telemetry, self.names.control) for p in range(self.partitions)}

    def append(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = b"p",
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int = 0,
    ) -> int:
        """Append one record of telemetry or control; returns its offset."""
        received = self.clock.now
        if topic == self.names.control:
            return self.store.feed_control(
                value, received=received, key=key, headers=tuple(headers), partition=partition
            )
        return self.store.feed(topic, value, received=received, key=key, headers=headers, partition=partition)

    def leave_hole(self, topic: str, size: int = 1, partition: int = 0) -> None:
        """Skip offsets, as transaction markers and compaction do."""
        self.store.leave_hole("" if topic == self.names.control else topic, size=size, partition=partition)

    def delete_before(self, topic: str, offset: int, partition: int = 0) -> None:
        """Retention: the topic begins at `offset` from now on."""
        self._first[(topic, partition)] = offset

    def first(self, name: TopicPartitionName) -> int:
        """The first offset that is kept."""
        return self._first.get(name, 0)

    def end(self, name: TopicPartitionName) -> int:
        """The offset after the last record or hole."""
        topic, partition = name
        if topic == self.names.control:
            return self.store.control_end(partition)
        return self.store.telemetry_end(topic, partition)

    async def read(self, name: TopicPartitionName, start: int, stop: int) -> Sequence[Record]:
        """Records with `start <= offset < stop`, a bounded number. Raises LogBroken for deleted ones."""
        topic, partition = name
        if start < self.first(name):
            raise LogBroken(f"{topic}/{partition} begins at {self.first(name)}, but {start} is needed")
        log = self.store.log(partition)
        control = topic == self.names.control
        return await (log.control(start, stop) if control else log.telemetry(topic, start, stop))

    def open_log(self, settings: WorkerSettings, partition: int, generation: int) -> FakePartitionLog:
        """A log of one partition, not yet claimed: what `PartitionWorkers` takes as `open_log`."""
        log = FakePartitionLog(self, self.store.log(partition, owner=settings.instance))
        self.logs.append(log)
        return log


class FakePartitionLog:
    """`PartitionLog` over a `MemoryLog`. `fail_next` makes the next call raise."""

    def __init__(self, cluster: MemoryCluster, log: MemoryLog) -> None:
        self.partition = log.partition
        self.names = cluster.names
        self.moves = 0
        self.closed = False
        self.routes = OutputRoutes(cluster.names)
        self.routed = self.routes.routing
        self.rerouted: list[tuple[str, Command]] = []
        self.error: BaseException | None = None
        self._cluster = cluster
        self._log = log

    def fail_next(self, error: BaseException) -> None:
        """The next call to the log raises `error`."""
        self.error = error

    async def claim(self) -> Recovery:
        """See `Log.claim`."""
        self._called()
        return await self._log.claim()

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        """See `Log.telemetry`."""
        self._called()
        return await self._cluster.read((topic, self.partition), start, stop)

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        """See `Log.control`."""
        return await self.telemetry(self.names.control, start, stop)

    async def append(self, entry: JournalEntry) -> Journalled:
        """See `Log.append`."""
        self._called()
        await self._round_trip()
        return await self._log.append(entry)

    async def write(self, outputs: Outputs, through: Position | None, checkpoint: Checkpoint | None) -> None:
        """See `Log.write`."""
        self._called()
        await self._round_trip()
        await self._log.write(outputs, through, checkpoint)

    @property
    def rerouting(self) -> bool:
        """See `PartitionLog.rerouting`."""
        return self.routed != self.routes.routing

    async def reroute(self, commands: Iterable[tuple[str, Command]]) -> None:
        """See `PartitionLog.reroute`; keeps them in `rerouted`."""
        self._called()
        self.rerouted += commands
        self.routed = self.routes.routing

    async def ends(self, topics: Sequence[str]) -> dict[str, int]:
        """See `PartitionLog.ends`."""
        self._raise()
        return {topic: self._cluster.end((topic, self.partition)) for topic in topics}

    async def firsts(self, topics: Sequence[str]) -> dict[str, int]:
        """See `PartitionLog.firsts`."""
        self._raise()
        return {topic: self._cluster.first((topic, self.partition)) for topic in topics}

    def clock(self) -> int:
        """The cluster's clock (ms)."""
        return self._cluster.clock.now

    async def close(self) -> None:
        """See `PartitionLog.close`."""
        self.closed = True
        self._raise()

    async def _round_trip(self) -> None:
        """Let other tasks run a few times, as they do while a broker writes."""
        for _ in range(3):
            await asyncio.sleep(0)

    def _called(self) -> None:
        self._raise()
        self.moves += 1

    def _raise(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error


class FakeConsumer:
    """`GroupConsumer` over a `MemoryCluster`. `most` bounds the records of one list; `records` never waits for any."""

    def __init__(self, cluster: MemoryCluster, *, most: int = 500) -> None:
        self.generation = 1
        self.flowing = False
        self.positions: dict[TopicPartitionName, int] = {}
        self.hints: dict[TopicPartitionName, int] = {}
        self.polls: list[float] = []  # the timeout of each call of `records`
        self._cluster = cluster
        self._most = most
        self._error: BaseException | None = None
        self._refusal: Stop | None = None
        self._on_poll: Callable[[], None] | None = None

    def assign(self, positions: Mapping[TopicPartitionName, int]) -> None:
        """Seek to these positions and start the flow, as the group does once recovery has ended."""
        self.positions = dict(positions)
        self.flowing = True

    def rebalance(self) -> None:
        """The group begins a new generation: the flow stops."""
        self.generation += 1
        self.flowing = False

    def skip_to(self, name: TopicPartitionName, offset: int) -> None:
        """Lose a fetched list, as happens around a rebalance: the next one begins at `offset`."""
        self.positions[name] = offset

    def fail_next(self, error: BaseException) -> None:
        """The next call of `records` raises `error`."""
        self._error = error

    def refuse_hints(self, reason: str) -> None:
        """The group takes no commit any more."""
        self._refusal = Stop(reason)

    def on_poll(self, call: Callable[[], None]) -> None:
        """Call back at the start of each `records`."""
        self._on_poll = call

    def idle(self) -> bool:
        """Whether everything that was appended has been returned."""
        return all(at >= self._cluster.end(name) for name, at in self.positions.items())

    async def records(
        self, timeout: float, without: Collection[TopicPartitionName] = ()
    ) -> dict[TopicPartitionName, list[Record]]:
        """See `GroupConsumer.records`."""
        self.polls.append(timeout)
        if self._on_poll is not None:
            self._on_poll()
        await asyncio.sleep(0)
        error, self._error = self._error, None
        if error is not None:
            raise error
        found: dict[TopicPartitionName, list[Record]] = {}
        for name, at in self.positions.items() if self.flowing else ():
            if name in without:
                continue
            rows = list(await self._cluster.read(name, max(at, self._cluster.first(name)), self._cluster.end(name)))
            if rows := rows[: self._most]:
                found[name] = rows
                self.positions[name] = rows[-1].offset + 1
            else:
                self.positions[name] = max(at, self._cluster.end(name))  # a hole at the end is passed
        return found

    async def position_of(self, name: TopicPartitionName) -> int:
        """See `GroupConsumer.position_of`."""
        return self.positions[name]

    async def commit_hint(self, offsets: dict[TopicPartitionName, int]) -> None:
        """See `GroupConsumer.commit_hint`."""
        if self._refusal is not None:
            raise self._refusal
        self.hints.update(offsets)
