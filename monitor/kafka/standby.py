"""How a worker without partitions tells that the owners are working: by the journals of all partitions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from aiokafka import TopicPartition

from monitor.kafka.partition_reader import high_waters
from monitor.kafka.topics import partition_count


class JournalGrowth:
    """When the end of each journal was last seen to move. Pure: `now` is in seconds of any steady clock.

    >>> growth = JournalGrowth(within=30.0)
    >>> growth.all_grew({0: 7, 1: 7}, now=100.0), growth.all_grew({0: 8, 1: 7}, now=125.0)
    (True, True)
    >>> growth.all_grew({0: 8, 1: 7}, now=131.0)
    False
    """

    def __init__(self, within: float) -> None:
        self._within = within
        self._seen: dict[int, tuple[int, float]] = {}  # partition -> its end, and when it was first seen there

    def all_grew(self, ends: Mapping[int, int], now: float) -> bool:
        """Whether every partition's end moved within the limit; one seen for the first time counts as moved."""
        for partition, end in ends.items():
            if partition not in self._seen or self._seen[partition][0] != end:
                self._seen[partition] = end, now
        return all(now - at < self._within for _, at in self._seen.values())


class OtherOwners:
    """The owners of all partitions, seen from outside. Each appends a `time` entry to its partition of `journal` at
    least every ten seconds: a partition whose journal has not grown for `within` (s) has no owner, or one that hangs.
    """

    def __init__(
        self, bootstrap: str, journal: str, within: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._bootstrap, self._journal = bootstrap, journal
        self._monotonic = monotonic
        self._growth = JournalGrowth(within)
        self._partitions: list[TopicPartition] = []

    async def active(self) -> bool:
        """Whether every partition's journal has grown within the limit.

        Raises `Unavailable` or `LogBroken` when the broker or the topic is missing.
        """
        if not self._partitions:
            count = await partition_count(self._bootstrap, self._journal)
            self._partitions = [TopicPartition(self._journal, p) for p in range(count)]
        now = self._monotonic()
        ends = await high_waters(self._bootstrap, self._partitions)
        return self._growth.all_grew({partition.partition: end for partition, end in ends.items()}, now)
