"""Ends a worker that makes no progress, so that a supervisor starts another one.

Progress is proven, never assumed: every owned partition has read or written since the last look, or has no lag and
wrote a `time` entry recently. While the worker recovers, any read or write counts. A worker without partitions goes by
the journals of the others. A worker that lost its partitions and was assigned nothing since proves nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from monitor.kafka.host import Host
from monitor.kafka.interfaces import GroupConsumer
from monitor.kafka.owned_partition import OwnedPartition
from monitor.kafka.ownership import PartitionOwnership
from monitor.kafka.partition_metrics import PartitionMetrics
from monitor.kafka.settings import WorkerSettings
from monitor.logs import EventLogger

logger = EventLogger(__name__)


class Watchdog:
    """`others_active` tells whether the owners of all partitions write; it is asked only while this worker has none."""

    def __init__(
        self,
        settings: WorkerSettings,
        ownership: PartitionOwnership,
        consumer: Callable[[], GroupConsumer],
        others_active: Callable[[], Awaitable[bool]],
        *,
        metrics: PartitionMetrics,
        host: Host,
    ) -> None:
        self._settings = settings
        self._ownership = ownership
        self._consumer = consumer
        self._others_active = others_active
        self._metrics = metrics
        self._host = host
        self._proof_at = host.monotonic()
        self._recovery_moves = -1
        self._moves: WeakKeyDictionary[OwnedPartition, tuple[int, float]] = WeakKeyDictionary()  # count, and since when

    @property
    def quiet_for(self) -> float:
        """Seconds since the last proof of progress."""
        return self._host.monotonic() - self._proof_at

    def start(self) -> None:
        """Start the thread that ends the process: a thread, so that it also sees an event loop that hangs."""
        self._proof_at = self._host.monotonic()

        def run() -> None:
            while True:
                time.sleep(self._every)
                self.abort_if_stalled()

        threading.Thread(target=run, name="watchdog", daemon=True).start()

    def abort_if_stalled(self) -> None:
        """End the process when the last proof of progress is older than the settings allow."""
        if self.quiet_for > self._settings.stall:
            self._host.abort(f"no progress for {self.quiet_for:.0f} s")

    async def watch_progress(self) -> None:
        """Look for progress, for ever."""
        while True:
            await asyncio.sleep(self._every)
            await self.look()

    async def look(self) -> bool:
        """Look once; a proof resets `quiet_for`. Returns whether there was one. Does not raise."""
        try:
            proven = await self._proven()
        except Exception as error:  # a rebalance may close logs meanwhile; a lasting fault brings no proof either
            logger.info("watchdog.no_proof", error=repr(error))
            proven = False
        if proven:
            self._proof_at = self._host.monotonic()
        return proven

    @property
    def _every(self) -> float:
        return min(5.0, self._settings.stall / 4)

    async def _proven(self) -> bool:
        ownership = self._ownership
        if not ownership.claimed:
            return self._recovering()
        if ownership.partial or ownership.leaving:
            return False
        if not ownership.owned:
            return await self._others_active()
        # All of them are looked at, as each look also reports the lag.
        return all([await self._working(owned) for owned in list(ownership.owned.values())])

    def _recovering(self) -> bool:
        logs = self._ownership.logs
        moves = sum(log.moves for log in logs)
        before, self._recovery_moves = self._recovery_moves, moves
        return bool(logs) and moves != before

    async def _working(self, owned: OwnedPartition) -> bool:
        now = self._host.monotonic()
        seen, since = self._moves.get(owned, (-1, now))
        moved = owned.log.moves != seen
        if moved:
            self._moves[owned] = owned.log.moves, now
        lag = await self._lag(owned)
        # Without lag an owner still writes the time; one that does not would never notice silence.
        return moved or (lag <= 0 and now - since < self._settings.idle_limit)

    async def _lag(self, owned: OwnedPartition) -> int:
        """The largest lag over all topics, in records; each is also set as a metric."""
        consumer, partition, most = self._consumer(), owned.partition, 0
        for topic, end in (await owned.log.ends(sorted(self._ownership.topics))).items():
            lag = end - await consumer.position_of((topic, partition))
            self._metrics.lagging(topic, partition, max(0, lag))
            most = max(most, lag)
        return most
