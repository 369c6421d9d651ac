"""Claims, recovers and releases the partitions of one worker.

A partition is claimed when the worker is assigned it of control and of every telemetry topic. Claiming starts the
fence, which makes every write of an older owner fail; then the state is recovered, and only then do records flow.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from msgspec import structs

from monitor.engine.runner import Runner
from monitor.errors import LogBroken
from monitor.kafka.careful_start import FRUITLESS
from monitor.kafka.control_gate import ControlGate
from monitor.kafka.host import Host
from monitor.kafka.interfaces import GroupConsumer, PartitionLog, TopicPartitionName
from monitor.kafka.output_routes import OutputRoutes
from monitor.kafka.owned_partition import OwnedPartition
from monitor.kafka.partition_metrics import PartitionMetrics
from monitor.kafka.record_skips import skip_records
from monitor.kafka.settings import WorkerSettings, configured_machine
from monitor.kafka.time_journal import TimeJournal
from monitor.logs import EventLogger
from monitor.model.records import Outputs

logger = EventLogger(__name__)
UNREAD_WITHIN_S = 5.0  # for the end of a topic that may not exist

OpenLog = Callable[[WorkerSettings, int, int], PartitionLog]
"""Makes the log of one partition, not yet claimed, from settings, partition and the group's generation."""


class PartitionOwnership:
    """The partitions that this worker owns. `consumer` returns the group's consumer once there is one."""

    def __init__(
        self,
        settings: WorkerSettings,
        consumer: Callable[[], GroupConsumer],
        open_log: OpenLog,
        *,
        metrics: PartitionMetrics,
        on_outputs: Callable[[Outputs], None],
        host: Host,
        failpoint: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._open_log = open_log
        self._metrics = metrics
        self._on_outputs = on_outputs
        self._host = host
        self._failpoint = failpoint
        self.routes = OutputRoutes(settings.names, settings.unrouted)
        self._releases = 0  # rises at each release, also under a recovery that is still running
        self.owned: dict[int, OwnedPartition] = {}
        self.logs: list[PartitionLog] = []  # of partitions that are owned or being recovered
        self.partial: list[int] = []  # assigned of some topics only: not claimed
        self.claimed = False  # an assignment has been recovered, or was empty
        self.leaving = False

    @property
    def topics(self) -> set[str]:
        """What the worker subscribes to."""
        return {*self._settings.names.telemetry, self._settings.names.control}

    def set_participants(self, participants: tuple[str, ...]) -> None:
        """From the next assignment on, these have telemetry topics; the caller subscribes again."""
        self._settings = structs.replace(self._settings, participants=participants)

    def owns(self, owned: OwnedPartition) -> bool:
        """Whether it is still owned, in the group's present generation."""
        return self.owned.get(owned.partition) is owned and owned.generation == self._consumer().generation

    def active(self, consumer: GroupConsumer, owned: OwnedPartition) -> bool:
        """Whether records of the partition may be stepped now."""
        return consumer.flowing and self.owns(owned) and not self.leaving

    async def claim(self, assigned: set[TopicPartitionName], generation: int) -> dict[TopicPartitionName, int]:
        """Recover every partition that is assigned in whole; returns where each topic is to be read from.

        Empty when the group moved on to another generation meanwhile, or when the worker was told to stop. Ends the
        process on any failure of a partition that it still holds. A cancellation (another rebalance) is raised, and
        nothing stays claimed.
        """
        await self.release()
        self._host.collect_garbage()  # while the heap is small; garbage that is frozen later would never be freed
        releases = self._releases
        self.claimed = False
        whole = self._whole(assigned)
        try:
            recovered = await asyncio.gather(*(self._recover(p, generation) for p in whole))
            positions: dict[TopicPartitionName, int] = {}
            for owned in recovered:
                positions |= await self._start_positions(owned)
        except asyncio.CancelledError:
            await self.release()
            raise
        except Exception as error:
            if releases == self._releases and not self.leaving:
                self._host.abort(f"recovery failed: {error if isinstance(error, LogBroken) else repr(error)}")
            logger.info("partition.recovery_overtaken", error=repr(error))
            await self.release()
            return {}
        if generation != self._consumer().generation or releases != self._releases or self.leaving:
            await self.release()
            return {}
        self.owned = {owned.partition: owned for owned in recovered}
        self.claimed = True
        # Collections would visit 100,000 pilots, of which none is garbage, and hold up a halt.
        self._host.freeze_heap()
        self._failpoint("recovered")
        for owned in recovered:
            logger.info(
                "partition.claimed",
                stage="record",
                partition=owned.partition,
                epoch=owned.runner.epoch,
                positions=owned.delivered,
            )
            self._metrics.recovered(owned)
        return positions

    def stand_by(self) -> None:
        """The group left no partition for this worker: there is nothing to recover, and it is ready."""
        self.partial, self.claimed = [], True

    async def checkpoint(self) -> None:
        """Write the state of every partition that is still owned. Raises what the log raises."""
        for owned in self.owned.values():
            if self.owns(owned) and not owned.runner.replaying:
                await owned.runner.checkpoint()

    async def release(self) -> None:
        """Drop all partitions and close their logs. Writes nothing: the next owner recovers from the log."""
        self._releases += 1
        self._host.unfreeze_heap()
        released, self.owned = self.owned, {}
        logs, self.logs = self.logs, []
        for owned in released.values():
            self._metrics.released(owned)
        for log in logs:
            with contextlib.suppress(Exception):  # only the connection is lost; the fence guards what was written
                await log.close()

    def observe(self, outputs: Outputs) -> None:
        """Count outputs that are durable, and pass them on."""
        self._metrics.observe(outputs, self.owned.values())
        self._on_outputs(outputs)

    def _whole(self, assigned: set[TopicPartitionName]) -> list[int]:
        """Partitions that are assigned of every topic; the others go to `partial`."""
        partitions = sorted({p for _, p in assigned})
        whole = [p for p in partitions if all((topic, p) in assigned for topic in self.topics)]
        self.partial = [p for p in partitions if p not in whole]
        if self.partial:
            logger.error("partition.assigned_in_part", partitions=self.partial, detail="not claimed")
        return whole

    async def _recover(self, partition: int, generation: int) -> OwnedPartition:
        s, host = self._settings, self._host
        log = self._open_log(s, partition, generation)
        log.routes = self.routes
        self.logs.append(log)
        runner = Runner(
            log,
            clock=lambda: int(host.monotonic() * 1000),  # the broker's clock may jump back: no checkpoint would be due
            machine=lambda p, epoch: configured_machine(s, p, epoch),
            checkpoint_every_ms=s.checkpoint_every_ms,
            on_outputs=self.observe,
            on_checkpoint=lambda: self._metrics.checkpointed(partition, self.owned.get(partition)),
            owner=s.instance,
            failpoint=self._failpoint,
        )
        began = host.monotonic()
        await runner.recover()
        if runner.fruitless >= FRUITLESS:
            logger.error(
                "partition.crash_loop",
                stage="record",
                partition=partition,
                starts=runner.fruitless,
                next=runner.next_telemetry,
                detail="so many workers in a row ended here before they made a step; records are stepped in small "
                "batches until their place is known (runbook, SandboxWorkerCrashLoop)",
            )
        self._metrics.check_leases(runner.machine, 2 * (s.session_timeout + host.monotonic() - began))
        gate = ControlGate(runner.control, s.max_pending_control)
        time = TimeJournal(
            runner,
            s.time_every_ms / 1000,
            now_ms=log.clock,
            monotonic=host.monotonic,
            fired=self._metrics.timer_fired,
        )
        return OwnedPartition(log, runner, generation, gate, time)

    async def _start_positions(self, owned: OwnedPartition) -> dict[TopicPartitionName, int]:
        """Return where to read each topic from. With `skip_lost`, telemetry that was deleted unread is skipped and the
        loss recorded. Raises LogBroken without it, or when acts were deleted."""
        await skip_records(owned, self._settings.skip, self._settings.batch)
        lost: dict[str, tuple[int, int]] = {}
        log, runner = owned.log, owned.runner
        firsts = await log.firsts(sorted(self.topics))
        for topic, first in firsts.items():
            control = topic == log.names.control
            at = runner.next_control if control else runner.next_telemetry.get(topic, 0)
            if 0 < at < first:
                if control or not self._settings.skip_lost:
                    raise LogBroken(_deleted(topic, owned.partition, at, first, control))
                lost[topic] = (at, first)
            owned.delivered[topic] = max(at, first)
        if lost:
            for topic, (at, first) in lost.items():
                logger.error(
                    "telemetry.lost",
                    stage="observe",
                    topic=topic,
                    partition=owned.partition,
                    first=at,
                    last=first - 1,
                )
            await runner.skip(lost)
        await self._report_unread_shared(owned)
        return {(topic, owned.partition): at for topic, at in owned.delivered.items()}

    async def _report_unread_shared(self, owned: OwnedPartition) -> None:
        """Log when the shared telemetry topic was read before, is no longer, and holds more. Does not raise."""
        shared = owned.log.names.shared_telemetry
        at = owned.runner.next_telemetry.get(shared)
        if shared in self.topics or at is None:
            return
        with contextlib.suppress(Exception):  # the topic may be gone
            async with asyncio.timeout(UNREAD_WITHIN_S):
                end = (await owned.log.ends([shared]))[shared]
            if end > at:
                logger.error(
                    "telemetry.shared_topic_not_read",
                    stage="observe",
                    topic=shared,
                    partition=owned.partition,
                    offsets=end - at,
                    detail="nothing that is sent there is judged; fix: start the workers with --also-shared until "
                    "`sandbox-monitor topics migrate` reports no unread records",
                )


def _deleted(topic: str, partition: int, at: int, first: int, control: bool) -> str:
    """What an operator reads when the log begins after the offset that is to be read next."""
    fix = (
        "acts of people are among it: restore the topic from a backup"
        if control
        else "restore them from a backup, or start the workers once with --skip-lost, which records the loss and flags "
        "each pilot that may have sent some of it"
    )
    return (
        f"{topic}/{partition} begins at {first}, but {at} is needed: offsets {at} to {first - 1} were deleted unread, "
        f"by retention or by hand; {fix} (runbook, SandboxTelemetryLost)"
    )
