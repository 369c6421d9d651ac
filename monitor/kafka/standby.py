"""What a worker without partitions goes by: whether those who own them are at work."""

from __future__ import annotations

import time

from aiokafka import TopicPartition

from monitor.kafka.partition_reader import high_waters
from monitor.kafka.topics import partition_count


class Others:
    """The owners of all partitions, seen from outside: each writes the time to its `journal` now and then, so that a partition
    whose journal has not grown for `within` (s) has no owner, or one that stands still."""

    def __init__(self, bootstrap: str, journal: str, within: float) -> None:
        self._bootstrap, self._journal, self._within = bootstrap, journal, within
        # The end of each, and when it was first seen there (s, monotonic).
        self._grown: dict[TopicPartition, tuple[int, float]] = {}

    async def work(self) -> bool:
        """Whether every partition has grown lately; one seen for the first time counts as grown. Raises `Unavailable` or
        `LogBroken` when the broker or the topic is away."""
        if not self._grown:
            count = await partition_count(self._bootstrap, self._journal)
            self._grown = {TopicPartition(self._journal, p): (-1, 0.0) for p in range(count)}
        now = time.monotonic()
        for partition, end in (await high_waters(self._bootstrap, self._grown)).items():
            if end != self._grown[partition][0]:
                self._grown[partition] = end, now
        return all(now - at < self._within for _, at in self._grown.values())
