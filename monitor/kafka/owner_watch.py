"""Watches the owners of all partitions from outside, for the board and the alerts: who writes, who crashes again and
again, and which telemetry was deleted before it was read.

It runs in the notary, so it sees what a worker that does not even start cannot report.
"""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count

from aiokafka.errors import KafkaError

from monitor.clock import wall_ms
from monitor.console.fleet_view import FleetView
from monitor.console.notices import CrashLoop
from monitor.errors import LogBroken, Unavailable
from monitor.kafka.journal_tail import JournalTails, PartitionTail
from monitor.kafka.output_trust import JournalSearch, believed
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.reader_reports import ReaderReports
from monitor.kafka.topics import TopicNames, limited_retention, partition_count
from monitor.logs import EventLogger
from monitor.model.output_records import OutputRejection
from monitor.model.signing import Trusted
from monitor.projections.metrics import Metrics

logger = EventLogger(__name__)

POLL_S = 1.0
CLAIM_EVERY = 15  # looks between two at the newest claim
RETENTION_EVERY_S = 30.0
RETRY_S = 2.0


class OwnerWatch:
    """Sets the liveness and the notices of `board`, and metrics."""

    def __init__(
        self,
        bootstrap: str,
        names: TopicNames,
        board: FleetView,
        metrics: Metrics,
        reports: ReaderReports,
        keys: Trusted | None,
    ) -> None:
        self._bootstrap, self._names = bootstrap, names
        self._board = board
        self._metrics = metrics
        self._states: dict[int, int] = {}  # partition -> the end of its state topic
        self._tails = JournalTails(
            names.journal,
            lambda partition, offset: reports.skipped(names.journal, partition, offset, OutputRejection.FOREIGN),
            keys,
        )

    async def run(self) -> None:
        """Look every second, for ever; waits through outages of the broker."""
        while True:
            reader = PartitionReader(self._bootstrap, client_id="sandbox-notary")
            try:
                await reader.start()
                partitions = range(await partition_count(self._bootstrap, self._names.journal))
                for turn in count():
                    if turn % CLAIM_EVERY == 0:
                        await self._look_for_shared_topics(reader)
                    for partition in partitions:
                        await self._look(reader, partition)
                    await asyncio.sleep(POLL_S)
            except (Unavailable, LogBroken):  # reported by the tasks that follow the outputs
                await asyncio.sleep(RETRY_S)
            finally:
                await reader.stop()

    async def watch_retention(self) -> None:
        """Look every half minute whether the log may delete telemetry, for ever: a topic's settings can change while
        workers run."""
        while True:
            try:
                for topic, limited in (await limited_retention(self._bootstrap, self._names)).items():
                    self._metrics.limited_retention(topic, limited)
            except (Unavailable, LogBroken, KafkaError) as error:  # also without the right to ask
                logger.debug("retention.unknown", error=error)
            await asyncio.sleep(RETENTION_EVERY_S)

    async def _look_for_shared_topics(self, reader: PartitionReader) -> None:
        """Note whether the newest owner of partition 0 reads topics that participants share: its claim names no
        owners."""
        claim = await JournalSearch(reader, self._names.journal, 0, partial(believed, None)).last_claim()
        if claim is not None:
            self._board.notices.shared_topics = not claim.owners

    async def _look(self, reader: PartitionReader, partition: int) -> None:
        """Note when the owner of a partition last worked: a step in `journal` at least every ten seconds, checkpoints
        in `state` while it recovers from a backlog. Claims are no work.

        The time is this machine's clock at the moment when it was seen. The last step before this service started
        counts with its own time.
        """
        liveness, first = self._board.liveness, partition not in self._tails.of
        liveness.watch(partition, wall_ms())
        stepped = await self._tails.look(reader, partition)
        tail = self._tails.of[partition]
        if first and tail.stepped_at is not None:
            liveness.mark_alive(partition, min(tail.stepped_at, wall_ms()))
        elif stepped:
            liveness.mark_alive(partition, wall_ms())
        _, end = await reader.bounds(self._names.state, partition)
        if self._states.setdefault(partition, end) != end:
            self._states[partition] = end
            liveness.mark_alive(partition, wall_ms())
        await self._report(reader, partition, tail)

    async def _report(self, reader: PartitionReader, partition: int, tail: PartitionTail) -> None:
        loops = self._board.notices.crash_loops
        deleted = await self._deleted(reader, partition, tail.next)
        if not tail.crash_loop and not deleted:
            if loops.pop(partition, None) is not None:
                self._metrics.crash_loop_ended(partition)
            return
        found = CrashLoop(partition, len(tail.claims), tail.next, deleted)
        if loops.get(partition) != found:
            loops[partition] = found
            self._metrics.crash_loop(partition, found.claims, found.positions, found.deleted)
            logger.error(
                "partition.crash_loop",
                partition=partition,
                starts=found.claims,
                next=found.positions,
                deleted=found.deleted or None,
                detail="workers end again and again before they make a step (runbook, SandboxWorkerCrashLoop)",
            )

    async def _deleted(self, reader: PartitionReader, partition: int, positions: dict[str, int]) -> dict[str, int]:
        """Topics whose log begins after the offset that is needed next, with where it begins."""
        found = {}
        for topic, at in positions.items():
            try:
                first, _ = await reader.bounds(topic, partition)
            except Unavailable:  # without the right to ask, the worker's own log says it
                continue
            if 0 < at < first:
                found[topic] = first
        return found
