"""The second stage on Kafka: one owner reads all partitions of `evidence` and runs `monitor.common_cause.machine` over a log of its own.

Its topics are those of a deployment with the prefix `<prefix>.pool` and one partition, so that the ledger, the board and the
actors read its decisions as they read any. No group and no rebalance: who starts last fences whoever ran before, and the
journal makes what either of them puts out the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from monitor.common_cause.machine import WAIT_MS, CommonCauseMachine
from monitor.engine.runner import Runner
from monitor.errors import LogBroken
from monitor.kafka.log import KafkaLog
from monitor.kafka.topics import Names, Topic, partition_count, topics
from monitor.model.records import Outputs, Record

logger = logging.getLogger(__name__)

TIME_EVERY_MS = 10_000
END = 1 << 62


def pool_names(prefix: str) -> Names:
    """The second stage's own topics."""
    return Names(f"{prefix}.pool")


def pool_topics(prefix: str, replication: int) -> list[Topic]:
    """Those of them that it uses; one partition each."""
    names = pool_names(prefix)
    used = {names.journal, names.state, names.decisions}
    return [topic for topic in topics(names, 1, replication) if topic.name in used]


class PoolLog(KafkaLog):
    """A log whose telemetry topics are partitions of `evidence`, named `<topic>/<partition>`."""

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        """See `monitor.engine.log.Log.telemetry`. Evidence carries its writer's time; order is by offset alone."""
        name, _, partition = topic.rpartition("/")
        records, _ = await self._started()[1].chunk(name, int(partition), start, stop)
        self.moves += 1
        return [Record(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records]

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        """There is none."""
        return ()

    async def first_of(self, topic: str) -> int:
        """The first offset that is kept of a partition of `evidence`."""
        name, _, partition = topic.rpartition("/")
        return (await self._started()[1].bounds(name, int(partition)))[0]


async def pool(
    bootstrap: str,
    prefix: str = "sandbox",
    *,
    wait_ms: int = WAIT_MS,
    on_outputs: Callable[[Outputs], None] = lambda outputs: None,
    ending: Callable[[], bool] = lambda: False,
    every: float = 0.5,
) -> CommonCauseMachine:
    """Run until `ending()`; returns the machine as it stood. Any failure is raised: start again, the log knows the rest.

    Raises Fenced, LogBroken, Unavailable.
    """
    evidence = Names(prefix).evidence
    parts = [f"{evidence}/{p}" for p in range(await partition_count(bootstrap, evidence))]
    names = pool_names(prefix)
    log = PoolLog(bootstrap, 0, names.prefix, names.prefix)
    runner: Runner[CommonCauseMachine] = Runner(
        log,
        clock=log.clock,
        machine=lambda partition, epoch: CommonCauseMachine(partition, epoch, wait_ms=wait_ms),
        on_outputs=on_outputs,
    )
    try:
        await runner.recover()
        logger.info("second stage seated, epoch %d", runner.epoch)
        timed = 0
        while not ending():
            moved = False
            for part in parts:
                moved |= await _read(log, runner, part)
            due = runner.notify_at
            now = log.clock()
            if (
                not runner.replaying
                and not moved
                and (now - timed >= TIME_EVERY_MS or (due is not None and due <= now))
            ):
                await runner.time()
                timed = now
            if not moved:
                await asyncio.sleep(every)
        if not runner.replaying:
            await runner.checkpoint()
        return runner.machine
    finally:
        await log.close()


async def _read(log: PoolLog, runner: Runner[CommonCauseMachine], part: str) -> bool:
    """Hand over what is new in one partition, a bounded stretch at a time; whether there was anything."""
    at, first = runner.next_telemetry.get(part, 0), await log.first_of(part)
    if 0 < at < first:
        raise LogBroken(f"{part} begins at {first}, but {at} is needed")
    records = await log.telemetry(part, max(at, first), END)
    if records:
        await runner.telemetry(part, records)
    return bool(records)
