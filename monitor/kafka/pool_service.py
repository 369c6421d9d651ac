"""The second stage on Kafka: one owner reads all partitions and runs two machines over them: that of vendors over
`evidence` (`monitor.common_cause.machine`), and that of firms over `decisions` and `evidence`
(`monitor.firms.machine`).

The topics of the first are those of a deployment with the prefix `<prefix>.pool` and one partition, so that the ledger,
the board and the actors read its decisions like any other; the second, `<prefix>.pool.firms`, keeps its records on its
state topic. There is no consumer group and no rebalance: the instance that starts
last fences the one before it, and the journal makes the outputs of both the same.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import TopicPartition
from msgspec import Struct, structs

from monitor.common_cause.machine import WAIT_MS, CommonCauseMachine
from monitor.engine.runner import Runner
from monitor.errors import LogBroken
from monitor.firms.machine import FirmsMachine
from monitor.kafka.bounded_records import UnreadableRange
from monitor.kafka.log import KafkaLog
from monitor.kafka.reader_reports import ReaderReports
from monitor.kafka.reader_trust import OutputTrust, epoch_of
from monitor.kafka.settings import LogSettings
from monitor.kafka.topics import Topic, TopicNames, create_topics, partition_count, require_topics, topics
from monitor.logs import EventLogger
from monitor.model.output_records import OutputRejection
from monitor.model.records import Outputs, Record, UnreadableRecords
from monitor.model.signing import Signer, Trusted

logger = EventLogger(__name__)

TIME_EVERY_MS = 10_000
END = 1 << 62


def pool_names(prefix: str) -> TopicNames:
    """The second stage's own topics."""
    return TopicNames(f"{prefix}.pool")


def pool_topics(prefix: str, replication: int) -> list[Topic]:
    """Those of them that it uses; one partition each."""
    names = pool_names(prefix)
    used = {names.journal, names.state, names.decisions}
    return [topic for topic in topics(names, 1, replication) if topic.name in used]


def firm_names(prefix: str) -> TopicNames:
    """The topics of the stage of firms."""
    return TopicNames(f"{pool_names(prefix).prefix}.firms")


def firm_topics(prefix: str, replication: int) -> list[Topic]:
    """Those of them that it uses; one partition each."""
    names = firm_names(prefix)
    return [topic for topic in topics(names, 1, replication) if topic.name in (names.journal, names.state)]


class PoolKeys(Struct, frozen=True):
    """`trusted`: public keys of the workers; empty: any writer of evidence is believed. `signer` signs what the second
    stage writes."""

    trusted: tuple[str, ...] = ()
    signer: Signer | None = None


class PoolLog(KafkaLog):
    """A log whose telemetry topics are partitions of `evidence`, named `<topic>/<partition>`.

    Evidence that `trust` refuses keeps its place and loses its value, so that the machine skips it; `refused` has the
    reasons by topic and offset.
    """

    def __init__(self, settings: LogSettings, trust: OutputTrust) -> None:
        super().__init__(settings, 0)
        self.refused: dict[str, dict[int, OutputRejection]] = {}
        self._run = trust.run()

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        """See `monitor.engine.log.Log.telemetry`. Evidence carries its writer's time; order is by offset alone."""
        name, _, partition = topic.rpartition("/")
        records, _ = await self._started()[1].chunk(name, int(partition), start, stop)
        self.moves += 1
        await self._run.look({TopicPartition(name, int(partition)): records})
        return [self._believed(topic, r) for r in records]

    def _believed(self, topic: str, record: Any) -> Record:
        if isinstance(record, UnreadableRange):
            return UnreadableRecords(
                record.offset, record.timestamp, None, None, last=record.last, reason=record.reason.value
            )
        refused = self._run.accept(record, epoch_of(record))
        if refused is not None:
            self.refused.setdefault(topic, {})[record.offset] = refused
        value = record.value if refused is None else None
        return Record(record.offset, record.timestamp, record.key, value, tuple(record.headers))

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        """Returns nothing: the second stage has no control topic."""
        return ()

    def output_topics(self) -> list[str]:
        """The second stage emits decisions only."""
        return [self.names.journal, self.names.state, self.names.decisions]

    async def bounds_of(self, topic: str) -> tuple[int, int]:
        """The first offset that is kept of a partition of `evidence`, and the one after its last committed record."""
        name, _, partition = topic.rpartition("/")
        return await self._started()[1].bounds(name, int(partition))


class FirmsLog(PoolLog):
    """The same with partitions of `decisions` as well; it emits nothing."""

    def output_topics(self) -> list[str]:
        """Its own topics."""
        return [self.names.journal, self.names.state]


class Stage(Struct, frozen=True):
    """A stage that runs: its log and runner, the partitions that it reads, and whether it decides by the time."""

    log: PoolLog
    runner: Runner[Any]
    parts: list[str]
    timed: bool = True


def serve_pool(
    bootstrap: str,
    prefix: str,
    *,
    replication: int,
    wait_ms: int,
    on_outputs: Callable[[Outputs], None],
    started: Callable[[], None] = lambda: None,
    reports: ReaderReports | None = None,
    keys: PoolKeys | None = None,
) -> None:
    """Create the topics of both stages, then run them until SIGTERM or SIGINT. `started` is called once the topics are
    as required.

    Raises Fenced, LogBroken, Unavailable.
    """

    async def serve() -> None:
        over = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        wanted = [*pool_topics(prefix, replication), *firm_topics(prefix, replication)]
        await create_topics(bootstrap, wanted)
        await require_topics(bootstrap, wanted)
        started()
        vendors = run_pool(
            bootstrap,
            prefix,
            wait_ms=wait_ms,
            on_outputs=on_outputs,
            ending=over.is_set,
            reports=reports,
            keys=keys,
        )
        async with asyncio.TaskGroup() as both:
            both.create_task(vendors)
            both.create_task(run_firms(bootstrap, prefix, ending=over.is_set, reports=reports, keys=keys))

    try:
        asyncio.run(serve())
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def run_pool(
    bootstrap: str,
    prefix: str = "sandbox",
    *,
    wait_ms: int = WAIT_MS,
    on_outputs: Callable[[Outputs], None] = lambda outputs: None,
    ending: Callable[[], bool] = lambda: False,
    every: float = 0.5,
    reports: ReaderReports | None = None,
    keys: PoolKeys | None = None,
) -> CommonCauseMachine:
    """Run the stage of vendors until `ending()`; returns the machine in its last state. After any exception: start
    again, and it recovers from the log. Polls every `every` s while idle. With `keys` it believes signed evidence only,
    and signs.

    Raises Fenced, LogBroken, Unavailable.
    """
    topics_read = (TopicNames(prefix).evidence,)
    log, trust, parts = await _opened(bootstrap, prefix, pool_names(prefix), topics_read, keys, PoolLog)
    runner: Runner[CommonCauseMachine] = Runner(
        log,
        clock=log.clock,
        machine=lambda partition, epoch: CommonCauseMachine(partition, epoch, wait_ms=wait_ms),
        on_outputs=on_outputs,
    )
    await _run(Stage(log, runner, parts), trust, topics_read, ending, every, reports)
    return runner.machine


async def run_firms(
    bootstrap: str,
    prefix: str = "sandbox",
    *,
    ending: Callable[[], bool] = lambda: False,
    every: float = 0.5,
    reports: ReaderReports | None = None,
    keys: PoolKeys | None = None,
) -> FirmsMachine:
    """Run the stage of firms until `ending()`; otherwise as `run_pool`. What it knows is on its state topic, written
    when nothing is left to be read."""
    names = TopicNames(prefix)
    topics_read = (names.decisions, names.evidence)
    log, trust, parts = await _opened(bootstrap, prefix, firm_names(prefix), topics_read, keys, FirmsLog)
    runner: Runner[FirmsMachine] = Runner(log, clock=log.clock, machine=FirmsMachine)
    await _run(Stage(log, runner, parts, timed=False), trust, topics_read, ending, every, reports)
    return runner.machine


async def _opened(
    bootstrap: str, prefix: str, own: TopicNames, read: Sequence[str], keys: PoolKeys | None, kind: type[PoolLog]
) -> tuple[PoolLog, OutputTrust, list[str]]:
    """The log of a stage, whom it believes, and the partitions that it reads."""
    parts = [f"{topic}/{p}" for topic in read for p in range(await partition_count(bootstrap, topic))]
    keys = keys or PoolKeys()
    settings = LogSettings(bootstrap=bootstrap, prefix=own.prefix, group=own.prefix, signer=keys.signer)
    trust = OutputTrust(bootstrap, TopicNames(prefix), Trusted(keys.trusted) if keys.trusted else None)
    return kind(structs.replace(settings, trusted=keys.trusted), trust), trust, parts


async def _run(
    stage: Stage, trust: OutputTrust, read: Sequence[str], ending: Callable[[], bool], every: float,
    reports: ReaderReports | None,
) -> None:  # fmt: skip
    log, runner, reports = stage.log, stage.runner, reports or ReaderReports()
    for topic in read:
        reports.watch(topic)
    try:
        await trust.require_signing()
        await runner.recover()
        logger.info("second_stage.claimed", stage="record", topic=log.names.journal, epoch=runner.epoch)
        timed = 0
        while not ending():
            moved = False
            for part in stage.parts:
                moved |= await _read(log, runner, part, reports)
            reports.progress()
            due = runner.notify_at
            now = log.clock()
            if runner.replaying or moved:
                pass
            elif not stage.timed:
                if runner.machine.dirty:
                    await runner.checkpoint()
            elif now - timed >= TIME_EVERY_MS or (due is not None and due <= now):
                await runner.time()
                timed = now
            if not moved:
                await asyncio.sleep(every)
        if not runner.replaying:
            await runner.checkpoint()
    finally:
        await log.close()
        await trust.close()


async def _read(log: PoolLog, runner: Runner[CommonCauseMachine], part: str, reports: ReaderReports) -> bool:
    """Step what is new in one partition, a bounded number of records at a time; returns whether there was anything."""
    at, (first, end) = runner.next_telemetry.get(part, 0), await log.bounds_of(part)
    if 0 < at < first:
        raise LogBroken(f"{part} begins at {first}, but {at} is needed")
    records = await log.telemetry(part, max(at, first), END)
    if records:
        await runner.telemetry(part, records)
    topic, _, partition = part.rpartition("/")
    skipped = runner.machine.skipped
    reasons = {offset: reason for name, offset, reason in skipped if name == part} | log.refused.pop(part, {})
    skipped.clear()
    for offset, reason in sorted(reasons.items()):
        reports.skipped(topic, int(partition), offset, reason)
    at = max(runner.next_telemetry.get(part, 0), first)
    reports.read(topic, int(partition), at, max(0, end - at) if records else 0, len(records))
    return bool(records)
