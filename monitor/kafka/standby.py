"""How a worker without partitions tells that the owners are working: by the journals of all partitions."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiokafka import TopicPartition

from monitor.kafka.partition_reader import high_waters
from monitor.kafka.topics import partition_count


class OtherOwners:
    """The owners of all partitions, seen from outside. Each appends a `time` entry to its partition of `journal` at
    least every ten seconds: a partition whose journal has not grown for `within` (s) has no owner, or one that hangs.
    """

    def __init__(
        self, bootstrap: str, journal: str, within: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._bootstrap, self._journal, self._within = bootstrap, journal, within
        self._monotonic = monotonic
        # The end of each, and when it was first seen there (s, monotonic).
        self._grown: dict[TopicPartition, tuple[int, float]] = {}

    async def active(self) -> bool:
        """Whether every partition's journal has grown within the limit; one seen for the first time counts as grown.

        Raises `Unavailable` or `LogBroken` when the broker or the topic is missing.
        """
        if not self._grown:
            count = await partition_count(self._bootstrap, self._journal)
            self._grown = {TopicPartition(self._journal, p): (-1, 0.0) for p in range(count)}
        now = self._monotonic()
        for partition, end in (await high_waters(self._bootstrap, self._grown)).items():
            if end != self._grown[partition][0]:
                self._grown[partition] = end, now
        return all(now - at < self._within for _, at in self._grown.values())
