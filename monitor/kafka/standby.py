"""How a worker without partitions tells that the owners are working: by the steps in the journals of all partitions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from monitor.kafka.journal_tail import JournalTails
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.topics import partition_count


class JournalGrowth:
    """When the last step in each journal was last seen to move. Pure: `now` is in seconds of any steady clock.

    >>> growth = JournalGrowth(within=30.0)
    >>> growth.all_grew({0: 7, 1: 7}, now=100.0), growth.all_grew({0: 8, 1: 7}, now=125.0)
    (True, True)
    >>> growth.all_grew({0: 8, 1: 7}, now=131.0)
    False
    """

    def __init__(self, within: float) -> None:
        self._within = within
        self._seen: dict[int, tuple[int | None, float]] = {}  # partition -> its last step, and when it was first seen

    def all_grew(self, ends: Mapping[int, int | None], now: float) -> bool:
        """Whether every partition's last step moved within the limit; one seen for the first time counts as moved."""
        for partition, end in ends.items():
            if partition not in self._seen or self._seen[partition][0] != end:
                self._seen[partition] = end, now
        return all(now - at < self._within for _, at in self._seen.values())


class OtherOwners:
    """The owners of all partitions, seen from outside. Each appends a `time` entry to its partition of `journal` at
    least every ten seconds: a partition without a new step for `within` (s) has no owner, or one that hangs, or one
    that claims it and crashes again and again.
    """

    def __init__(
        self, bootstrap: str, journal: str, within: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._bootstrap, self._journal = bootstrap, journal
        self._tails = JournalTails(journal)
        self._monotonic = monotonic
        self._growth = JournalGrowth(within)
        self._partitions: list[int] = []

    async def active(self) -> bool:
        """Whether every partition's owner made a step within the limit.

        Raises `Unavailable` or `LogBroken` when the broker or the topic is missing.
        """
        if not self._partitions:
            self._partitions = list(range(await partition_count(self._bootstrap, self._journal)))
        now = self._monotonic()
        reader = PartitionReader(self._bootstrap)
        await reader.start()
        try:
            for partition in self._partitions:
                await self._tails.look(reader, partition)
        finally:
            await reader.stop()
        return self._growth.all_grew({p: self._tails.of[p].step for p in self._partitions}, now)
