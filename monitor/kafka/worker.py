"""The loop of a worker: fetch, and give each record to the part it belongs to.

The worker's four jobs are four files: `ownership` (claim, recover, release), `control_gate` (hold acts until telemetry
is read), `time_journal` (when may time advance) and `watchdog` (end without progress). Faust calls `claim`, `standby`,
`revoke`, `drain` and `leave`. Every failure ends the process: only the log knows what was written, and a supervisor
starts a worker that reads it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable

from monitor.clock import wall_ms
from monitor.kafka.host import Host
from monitor.kafka.interfaces import GroupConsumer, PartitionLog, TelemetryProgress, TopicPartitionName
from monitor.kafka.log import KafkaLog
from monitor.kafka.output_routes import commands_in_force
from monitor.kafka.owned_partition import OwnedPartition
from monitor.kafka.ownership import OpenLog, PartitionOwnership
from monitor.kafka.partition_metrics import PartitionMetrics
from monitor.kafka.reader_reports import ReaderReports
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.standby import OtherOwners
from monitor.kafka.turns import Turns
from monitor.kafka.watchdog import Watchdog
from monitor.logs import EventLogger
from monitor.model.output_records import OutputRejection
from monitor.model.records import Outputs, Record
from monitor.projections.metrics import Metrics

logger = EventLogger(__name__)

LINGER_S = 0.005  # records that arrive within it share a transaction, which costs as much for one as for many
HINT_EVERY_S = 1.0
STOP_WITHIN_S = 5.0  # from the last checkpoint of an orderly stop to the end of the process
CONTROL_POLL_S = 0.01  # between two looks at telemetry while control waits for it
LONGEST_POLL_S, SHORTEST_POLL_S = 1.0, 0.05


class PartitionWorkers:
    """All partitions of one worker. `failpoint` is for tests that kill workers; `host` and `open_log` for those that
    need neither process nor broker; `others_active` for a standby."""

    def __init__(
        self,
        settings: WorkerSettings,
        consumer: Callable[[], GroupConsumer],
        *,
        metrics: Metrics | None = None,
        on_outputs: Callable[[Outputs], None] = lambda outputs: None,
        failpoint: Callable[[str], None] = lambda name: None,
        host: Host | None = None,
        open_log: OpenLog | None = None,
        others_active: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        host = host or Host()
        self._settings = settings
        self._host = host
        self._failpoint = failpoint
        self._metrics = PartitionMetrics(metrics or Metrics(), host.wall)
        self._others: OtherOwners | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._hinted_at = 0.0
        self._turns = Turns(host.monotonic)
        self.left = False  # an orderly stop has written everything
        self.ownership = PartitionOwnership(
            settings,
            consumer,
            open_log or _open_log(failpoint, ReaderReports(metrics, progress=False)),
            metrics=self._metrics,
            on_outputs=on_outputs,
            host=host,
            failpoint=failpoint,
        )
        self.watchdog = Watchdog(
            settings,
            self.ownership,
            consumer,
            others_active or self._others_active,
            metrics=self._metrics,
            host=host,
        )

    # ---- what health checks look at

    @property
    def topics(self) -> set[str]:
        """What the worker subscribes to."""
        return self.ownership.topics

    @property
    def ready(self) -> bool:
        """Whether an assignment has been recovered and is being worked on."""
        return self.ownership.claimed and not self.ownership.leaving and not self.ownership.partial

    @property
    def delivering(self) -> bool:
        """Whether telemetry is being stepped in turns."""
        return bool(self._turns.open)

    @property
    def quiet_for(self) -> float:
        """Seconds since the last proof of progress."""
        return self.watchdog.quiet_for

    # ---- what Faust calls

    async def claim(self, assigned: set[TopicPartitionName], generation: int) -> dict[TopicPartitionName, int]:
        """See `PartitionOwnership.claim`."""
        self._others = None
        return await self.ownership.claim(assigned, generation)

    def standby(self) -> None:
        """The group has more members than partitions, and left none for this one."""
        s = self._settings
        self.ownership.stand_by()
        self._others = OtherOwners(s.bootstrap, s.names.journal, s.idle_limit, self._host.monotonic)
        logger.info("worker.standby", detail="no partition is assigned; this worker takes over when an owner ends")

    async def revoke(self) -> None:
        """Before partitions are revoked: wait for the batch in progress, at most half the session timeout, and release.

        A batch that takes longer ends the process: the group would give the partitions away while it still writes.
        """
        try:
            await asyncio.wait_for(self._idle.wait(), self._settings.session_timeout / 2)
        except TimeoutError:
            self._host.abort("a batch did not end in time for a rebalance")
        if self.ownership.owned:
            self._failpoint("revoking")
        self.ownership.claimed = False  # a worker that is assigned nothing again makes no progress
        await self._turns.drop()
        await self.ownership.release()

    async def leave(self) -> None:
        """An orderly stop: finish the batch in progress, checkpoint, release. The process ends within STOP_WITHIN_S."""
        self.ownership.leaving = True
        try:  # heartbeats continue meanwhile, so that a slow batch does not cost the partitions
            await asyncio.wait_for(self._idle.wait(), self._settings.write_timeout)
            await asyncio.wait_for(self._turns.finish(), self._settings.write_timeout)
            self._failpoint("leaving")
            await self.ownership.checkpoint()
        except Exception as error:
            self._host.abort(f"could not stop in order: {error!r}")
        await self.ownership.release()
        self.left = True
        self._host.exit_within(STOP_WITHIN_S)

    async def drain(self, consumer: GroupConsumer, ending: Callable[[], bool]) -> None:
        """Fetch and step until `ending()`. A cancellation lets the fetched records be stepped first, then is raised."""
        while not ending():
            try:
                fetched = await consumer.records(self._poll_timeout(), without=self._turns.waiting(self._due()))
            except asyncio.CancelledError:
                if self.ownership.leaving:  # Faust's fetcher takes it for a crash when a stop cancels it in a rebalance
                    return
                raise
            except Exception as error:
                if ending() or self.ownership.leaving:
                    return
                self._host.abort(f"fetching failed: {error!r}")
            if self.ownership.leaving:
                return
            await asyncio.sleep(0)
            began = self._host.monotonic()
            self._idle.clear()
            task = asyncio.ensure_future(self._guarded(self._step(consumer, fetched)))
            try:
                # Shielded: a transaction that is cut off has an unknown outcome, and would end the process.
                await asyncio.shield(task)
            finally:
                if not task.done():
                    await asyncio.wait([task])
            if fetched and not self._turns.open:
                await asyncio.sleep(began + LINGER_S - self._host.monotonic())

    # ---- one round

    async def _guarded(self, step: Awaitable[None]) -> None:
        try:
            await step
        except Exception as error:
            self._host.abort(repr(error))
        finally:
            self._idle.set()

    def _poll_timeout(self) -> float:
        """Seconds to wait for records: none while telemetry is being delivered; else until the next timer is due,
        within bounds; very short while control waits."""
        if self._turns.open:
            return 0.0
        partitions = self.ownership.owned.values()
        if any(owned.gate.waiting for owned in partitions):
            return CONTROL_POLL_S
        waits = [wait for owned in partitions if (wait := owned.time.wait()) is not None]
        return min(LONGEST_POLL_S, max(SHORTEST_POLL_S, min(waits, default=LONGEST_POLL_S)))

    async def _step(self, consumer: GroupConsumer, fetched: dict[TopicPartitionName, list[Record]]) -> None:
        """Telemetry first, each topic in its turn; then, in partitions where no telemetry is being delivered, the
        control that waited for it, then time."""
        ownership = self.ownership
        for (topic, partition), records in fetched.items():
            owned = ownership.owned.get(partition)
            if owned is None or not records or not consumer.flowing:
                continue
            delivery = self._deliver_from_gap(consumer, owned, topic, records)
            if topic == owned.log.names.control:
                async for _ in delivery:
                    pass
            else:
                self._turns.begin((topic, partition), delivery)
        await self._turns.round()
        for owned in list(ownership.owned.values()):
            if self._turns.in_partition(owned.partition):
                continue
            if ownership.active(consumer, owned) and not owned.runner.replaying:
                if owned.log.rerouting:
                    await owned.log.reroute(commands_in_force(owned.runner.machine))
                await self._step_control_and_time(consumer, owned)
        self._metrics.heartbeat()
        if self._host.monotonic() - self._hinted_at >= HINT_EVERY_S:
            await self._commit_hints(consumer)

    async def _step_control_and_time(self, consumer: GroupConsumer, owned: OwnedPartition) -> None:
        progress = TelemetryProgress(consumer, owned.log)

        def active() -> bool:
            return self.ownership.active(consumer, owned)

        gate = owned.gate
        await gate.release(progress, active)
        if gate.overflowed and not gate.pending_control:
            control = owned.log.names.control
            fetched = await consumer.position_of((control, owned.partition))
            records = await gate.read_overflow(owned.log.control, owned.delivered[control], fetched)
            async for _ in self._deliver(consumer, owned, control, records):
                pass
        await owned.time.write_if_due(progress, active)

    async def _deliver_from_gap(
        self, consumer: GroupConsumer, owned: OwnedPartition, topic: str, records: list[Record]
    ) -> AsyncGenerator[None, None]:
        """Deliver one fetched list, giving way; offsets between it and the list before are read from the log first.

        They are either a hole that the log left (nothing is read) or a list that was lost around a rebalance.
        """
        at = owned.delivered[topic]
        while at < records[0].offset:
            missing = list(await owned.log.telemetry(topic, at, records[0].offset))
            if not missing:
                break
            at = missing[-1].next
            async for _ in self._deliver(consumer, owned, topic, missing):
                yield
        async for _ in self._deliver(consumer, owned, topic, records):
            yield

    async def _deliver(
        self, consumer: GroupConsumer, owned: OwnedPartition, topic: str, records: list[Record]
    ) -> AsyncGenerator[None, None]:
        """Step telemetry in batches, giving way; give control to the gate. Stops before a batch where the partition is
        no longer active, and within one where it is no longer owned."""
        start = 0
        while start < len(records):
            if not self.ownership.active(consumer, owned):
                return
            batch = records[start : start + owned.careful.batch(topic, self._settings.batch)]
            start += len(batch)
            if topic == owned.log.names.control:
                if not owned.gate.hold(batch):
                    return
            else:
                machine, spent, events = owned.runner.machine, 0.0, 0
                before, counted = self._host.monotonic(), machine.events
                async for _ in self._stepped(owned, topic, batch):
                    spent += self._host.monotonic() - before
                    events += machine.events - counted
                    yield
                    if not (self.ownership.owns(owned) and consumer.flowing):
                        return
                    before, counted = self._host.monotonic(), machine.events
                spent += self._host.monotonic() - before
                self._metrics.stepped(owned, spent, events + machine.events - counted)
            owned.delivered[topic] = max(owned.delivered[topic], batch[-1].next)

    async def _stepped(self, owned: OwnedPartition, topic: str, batch: list[Record]) -> AsyncGenerator[None, None]:
        """Step a batch, giving way. In a careful start as a whole: the checkpoint after it needs the whole."""
        if not owned.careful.active:
            async for _ in owned.runner.telemetry_in_turns(topic, batch):
                yield
            return
        await owned.runner.telemetry(topic, batch)
        owned.careful.stepped(topic, len(batch))
        if not owned.runner.replaying:
            await owned.runner.checkpoint()

    def _due(self) -> list[int]:
        """Partitions in which acts or time wait for the end of all deliveries."""
        return [owned.partition for owned in self.ownership.owned.values() if owned.gate.waiting or owned.time.due]

    async def _commit_hints(self, consumer: GroupConsumer) -> None:
        self._hinted_at = self._host.monotonic()
        self._metrics.without_topics(len(self.ownership.routes.without_topics))
        for owned in list(self.ownership.owned.values()):
            if self.ownership.active(consumer, owned):
                await consumer.commit_hint({(topic, owned.partition): at for topic, at in owned.delivered.items()})
                self._failpoint("hint_committed")

    async def _others_active(self) -> bool:
        # Before the worker is a standby there is no other owner to watch, which is no sign of a stall.
        return self._others is None or await self._others.active()


def _open_log(failpoint: Callable[[str], None], reports: ReaderReports) -> OpenLog:
    owner = f"{os.uname().nodename}/{os.getpid()}"
    process = f"{owner}/{wall_ms()}"  # in a container, name and number are the same at each start

    def on_foreign(topic: str, partition: int, offset: int) -> None:
        reports.skipped(topic, partition, offset, OutputRejection.FOREIGN)

    def open_log(settings: WorkerSettings, partition: int, generation: int) -> PartitionLog:
        return KafkaLog(
            settings.log(owner, process), partition, generation=generation, failpoint=failpoint, on_foreign=on_foreign
        )

    return open_log
