"""A worker that cannot continue reports it and ends with exit code 1, so that a supervisor starts another one."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from monitor.model.builders import Emitter, packed
from monitor.model.events import encode
from monitor.model.records import ControlRead, JournalEntry
from monitor.simulation.fleet import Fleet
from monitor.testing.broker import KafkaBroker
from monitor.testing.kafka import Fresh, until
from monitor.testing.workers import Worker

pytestmark = pytest.mark.kafka


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A separate broker for one test, to be frozen."""
    with KafkaBroker(tmp_path / "broker") as broker:
        yield broker
        if broker.pid is not None:
            os.kill(broker.pid, signal.SIGCONT)


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def test_a_recovery_that_hangs_ends(broker: KafkaBroker, tmp_path: Path) -> None:
    """The broker stops responding just after the fence: the watchdog ends the worker after `--stall`."""
    fresh = Fresh(bootstrap=broker.bootstrap)
    worker = Worker(
        broker.bootstrap,
        fresh.names.prefix,
        tmp_path / "worker.log",
        "--stall",
        "6",
        environment={"SANDBOX_FAILPOINT": "fenced:stop@1"},
    )
    try:
        deadline = time.monotonic() + 40
        while not stopped(worker.process.pid):
            assert time.monotonic() < deadline, worker.tail()
            time.sleep(0.1)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        os.kill(worker.process.pid, signal.SIGCONT)
        assert worker.process.wait(90) == 1
        assert "no progress for" in worker.tail()
    finally:
        worker.kill()


def test_a_worker_that_gets_its_revoked_partitions_never_back_ends(broker: KafkaBroker, tmp_path: Path) -> None:
    """During a rebalance, just after it released its partition, a worker is cut off: it has no lag and no progress, is
    not ready, and ends after `--stall`."""
    fresh = Fresh(bootstrap=broker.bootstrap)
    worker = Worker(
        broker.bootstrap,
        fresh.names.prefix,
        tmp_path / "worker.log",
        *("--stall", "6", "--session-timeout", "6"),
        environment={"SANDBOX_FAILPOINT": "revoking:stop@1"},
    )

    async def joined() -> None:
        """A second member joins, until the worker is frozen where it revokes its partition."""
        stranger = AIOKafkaConsumer(
            *(fresh.telemetry, fresh.names.control),
            bootstrap_servers=broker.bootstrap,
            group_id=fresh.names.prefix,
            partition_assignment_strategy=[RangePartitionAssignor],
        )
        joining = asyncio.create_task(stranger.start())
        try:
            await until(lambda: asyncio.to_thread(stopped, worker.process.pid), 20)
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGSTOP)
            os.kill(worker.process.pid, signal.SIGCONT)
            assert await asyncio.to_thread(worker.process.wait, 30) == 1
        finally:
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGCONT)
            await asyncio.gather(joining, return_exceptions=True)
            await stranger.stop()

    try:
        worker.wait_ready()
        asyncio.run(joined())
        assert "no progress for" in worker.tail()
    finally:
        worker.kill()


def test_lag_without_progress_is_not_ready_and_ends(tmp_path: Path) -> None:
    """A worker that is assigned telemetry but not control, because another member of its group has that, owns nothing:
    it is not ready, and with lag and no progress it ends after `--stall` with exit code 1."""
    fresh = Fresh()

    async def story() -> None:
        stranger = AIOKafkaConsumer(
            fresh.names.control,
            bootstrap_servers=fresh.bootstrap,
            group_id=fresh.names.prefix,
            client_id="aaa",  # ranges are assigned in the order of member ids: it must come first
            partition_assignment_strategy=[RangePartitionAssignor],
        )
        await stranger.start()
        pump = asyncio.create_task(drain(stranger))
        worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", "--stall", "8")
        try:
            beat = Emitter("s/1", "p1").heartbeat(int(time.time() * 1000))
            await fresh.send([(fresh.telemetry, b"p1", packed([beat]), (), 0)])
            await until(lambda: said(worker, "partition.assigned_in_part"), 40)
            assert not await asyncio.to_thread(lambda: worker.ready)
            assert await asyncio.to_thread(worker.process.wait, 60) == 1
            assert "no progress for" in worker.tail()
        finally:
            worker.kill()
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            await stranger.stop()

    asyncio.run(story())


async def drain(consumer: AIOKafkaConsumer) -> None:
    while True:
        await consumer.getmany(timeout_ms=500)


async def said(worker: Worker, words: str) -> bool:
    return words in worker.log.read_text(errors="replace")


@pytest.mark.parametrize("beyond", [False, True], ids=["below_the_watermark", "beyond_it"])
def test_telemetry_that_retention_deleted(beyond: bool, tmp_path: Path) -> None:
    """Telemetry deleted below the last checkpoint is not needed; where it is deleted beyond, the worker refuses to
    skip it and names the offset it needs."""
    fresh = Fresh()
    fleet = Fleet(3, pilots=1, scenarios=["calm"], start=int(time.time() * 1000), hours=1, period="1h")
    beats = Emitter("s/1", fleet.pilots[0])

    def some(count: int) -> list[tuple[str, bytes, bytes, tuple[()], int]]:
        now = int(time.time() * 1000)
        return [(fresh.telemetry, fleet.pilots[0].encode(), encode(beats.heartbeat(now)), (), 0) for _ in range(count)]

    async def taken(offset: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=fresh.bootstrap)
        await admin.start()
        await admin.delete_records({TopicPartition(fresh.telemetry, 0): RecordsToDelete(before_offset=offset)})
        await admin.close()

    def work(name: str) -> Worker:
        return Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / f"{name}.log", "--instance", "one").wait_ready()

    first = work("first")
    second = None
    try:
        asyncio.run(fresh.send([*fresh.control(fleet.admissions()), *some(20)]))
        first.wait_read(20)
        assert first.stop() == 0, first.tail()  # its checkpoint is after all twenty
        asyncio.run(fresh.send(some(10)))
        asyncio.run(taken(25 if beyond else 15))
        if beyond:
            second = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "second.log", "--instance", "one")
            assert second.process.wait(60) == 1
            assert "begins at 25, but 20 is needed" in second.tail()
        else:
            second = work("second")
            time.sleep(2)
            assert second.stop() == 0, second.tail()
    finally:
        for worker in (first, second):
            if worker is not None:
                worker.kill()


def test_an_act_does_not_overtake_a_backlog(tmp_path: Path) -> None:
    """40,000 records wait when an act is sent and a worker starts: the act is journalled after all of them. Otherwise
    it would close periods whose data are waiting, and an owner that lost its state could not step in the same order
    again."""
    fresh = Fresh()
    fleet = Fleet(3, pilots=1, scenarios=["calm"], start=int(time.time() * 1000), hours=1, period="1h")
    pilot, beats, now = fleet.pilots[0].encode(), Emitter("s/1", fleet.pilots[0]), int(time.time() * 1000)
    backlog = [(fresh.telemetry, pilot, encode(beats.heartbeat(now)), (), 0) for _ in range(40_000)]
    asyncio.run(fresh.send(backlog))
    asyncio.run(fresh.send(fresh.control(fleet.admissions())))
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log")

    async def journalled() -> list[ControlRead]:
        rows = [msgspec.json.decode(r.value, type=JournalEntry) for r in await fresh.raw(fresh.names.journal)]
        return [row for row in rows if isinstance(row, ControlRead)]

    async def done() -> bool:
        return bool(await journalled())

    try:
        asyncio.run(until(done, 90))
        assert asyncio.run(journalled())[0].telemetry_next == {fresh.telemetry: 40_000}
    finally:
        worker.kill()
