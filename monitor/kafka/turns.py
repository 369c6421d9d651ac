"""Telemetry of several topics stepped in turns, so that no firm's telemetry holds up another's.

There is at most one delivery per topic and partition, a portion of what was fetched (`SLICE_BYTES`). Each has the
processor for `TURN_S`, then the next one has it. Order within a topic is kept; order between topics is free, as the
journal fixes only what acts and time depend on. What is not taken stays in the consumer and in the log.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable

from monitor.kafka.interfaces import TopicPartitionName

TURN_S = 0.02  # of one delivery, before others have theirs; a step in progress is finished
# Of one delivery: acts, time and checkpoints of the partition wait for its end.
SLICE_BYTES = 1024 * 1024
DRAIN_S = 0.05  # that the deliveries of one topic may take while acts or time wait for the end of all deliveries


class Turns:
    """The deliveries that have begun. `monotonic` is a clock (s)."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._open: dict[TopicPartitionName, AsyncGenerator[None, None]] = {}
        self._draining: dict[int, dict[TopicPartitionName, float]] = {}  # time (s) taken since, by partition

    @property
    def open(self) -> frozenset[TopicPartitionName]:
        """Topics and partitions of which a delivery has begun and not ended."""
        return frozenset(self._open)

    def in_partition(self, partition: int) -> bool:
        """Whether a delivery of this partition is open."""
        return any(name[1] == partition for name in self._open)

    def begin(self, name: TopicPartitionName, delivery: AsyncGenerator[None, None]) -> None:
        """Deliver in turns from now on. There must be no other delivery of this name."""
        if name in self._open:
            raise ValueError(f"{name} is being delivered already")
        self._open[name] = delivery

    def waiting(self, due: Iterable[int]) -> frozenset[TopicPartitionName]:
        """What is not to be fetched now: topics that are being delivered, and, in partitions where something is `due`
        that waits for the end of all deliveries, topics whose deliveries have taken `DRAIN_S` since it is due. So all
        deliveries end, however many topics are flooded, and topics with little telemetry do not wait for that."""
        held = {partition for partition in due if self.in_partition(partition)}
        self._draining = {partition: self._draining.get(partition, {}) for partition in held}
        taken = (name for spent in self._draining.values() for name, s in spent.items() if s >= DRAIN_S)
        return self.open.union(taken)

    async def round(self) -> None:
        """Give each delivery one turn. Raises what a delivery raises."""
        for name in list(self._open):
            await self._turn(name, TURN_S)

    async def finish(self) -> None:
        """Deliver everything that has begun."""
        while self._open:
            await self.round()

    async def drop(self) -> None:
        """Abandon everything that has begun: the partitions are released."""
        dropped, self._open = self._open, {}
        self._draining.clear()
        for delivery in dropped.values():
            await delivery.aclose()

    async def _turn(self, name: TopicPartitionName, seconds: float) -> None:
        delivery, began = self._open[name], self._monotonic()
        while True:
            try:
                await anext(delivery)
            except StopAsyncIteration:
                self._open.pop(name, None)
                break
            if self._monotonic() >= began + seconds:
                break
        if (spent := self._draining.get(name[1])) is not None:
            spent[name] = spent.get(name, 0.0) + self._monotonic() - began
