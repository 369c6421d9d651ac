"""Workers that join and leave, and a broker that fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.kafka.standby import OtherOwners
from monitor.model.records import TimeRead
from monitor.testing.broker import KafkaBroker
from monitor.testing.kafka import Fresh, Sent, until
from monitor.testing.wait import Until
from monitor.testing.workers import Worker

pytestmark = pytest.mark.kafka


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A separate broker for one test, to be killed."""
    with KafkaBroker(tmp_path / "broker") as broker:
        yield broker


def test_a_worker_without_its_broker_ends(broker: KafkaBroker, tmp_path: Path) -> None:
    """After `--stall` seconds without progress the worker ends with exit code 1, so that a supervisor restarts it."""
    fresh = Fresh(bootstrap=broker.bootstrap)
    worker = Worker(broker.bootstrap, fresh.names.prefix, tmp_path / "worker.log", "--stall", "6").wait_ready()
    try:
        broker.kill()
        assert worker.process.wait(60) == 1
        assert "worker ends:" in worker.tail()
    finally:
        worker.kill()


def test_an_idle_worker_outlives_the_stall_time(tmp_path: Path) -> None:
    """No telemetry is not a stall: an idle worker without lag stays live."""
    fresh = Fresh()
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", "--stall", "5").wait_ready()
    try:
        time.sleep(11)
        assert worker.ready, worker.tail()
    finally:
        worker.kill()


def test_two_workers_share_the_partitions_and_one_takes_over(tmp_path: Path) -> None:
    """Each partition has one owner at a time: a second worker takes half of them, and the first takes all when it
    leaves."""
    fresh = Fresh(partitions=2)
    first = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "first.log").wait_ready()
    second = None

    async def story() -> None:
        nonlocal second
        assert owned(first) == {0, 1}
        second = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "second.log")
        await until(lambda: holds(first, second, 1), 40)
        assert await asyncio.to_thread(second.stop) == 0, second.tail()
        await until(lambda: holds(first, None, 2), 40)
        assert await asyncio.to_thread(first.stop) == 0, first.tail()

    try:
        asyncio.run(story())
    finally:
        first.kill()
        if second is not None:
            second.kill()


def test_a_standby_waits_for_partitions(tmp_path: Path) -> None:
    """With more workers than partitions one has none: it is ready, outlives `--stall`, disturbs no owner, and takes
    over when the owner dies."""
    fresh = Fresh()
    options = ("--stall", "6", "--session-timeout", "6")
    workers = [Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / f"{n}.log", *options).wait_ready() for n in "ab"]

    def said(word: str) -> int:
        return sum((tmp_path / f"{n}.log").read_text().count(word) for n in "ab")

    try:
        Until(30.0, 0.2)(lambda: all(w.ready for w in workers) and sum(len(owned(w)) for w in workers) == 1)
        owner, standby = sorted(workers, key=lambda w: -len(owned(w)))
        claimed = said("partition.claimed stage=record partition=0")
        time.sleep(15)
        assert standby.ready, standby.tail()
        assert owner.ready, owner.tail()
        assert owned(standby) == set()
        assert said("partition.claimed stage=record partition=0") == claimed
        owner.kill()
        asyncio.run(until(lambda: holds(standby, None, 1), 40))
    finally:
        for worker in workers:
            worker.kill()


def test_a_standby_sees_whether_the_owners_are_working() -> None:
    """The owners are working while every journal grows; one that stops growing is noticed, and so is its recovery."""
    fresh = Fresh(partitions=2)
    clock = [0.0]
    others = OtherOwners(fresh.bootstrap, fresh.names.journal, within=1.0, monotonic=lambda: clock[0])

    def step(partition: int) -> Sent:
        headers = (("type", b"journal"), ("epoch", b"1"))
        return fresh.names.journal, None, msgspec.json.encode(TimeRead(1, {}, 0)), headers, partition

    async def story() -> None:
        assert await others.active()
        clock[0] = 1.1
        await fresh.send([step(0)])
        assert not await others.active()
        await fresh.send([step(1)])
        assert await others.active()

    asyncio.run(story())


def owned(worker: Worker) -> set[int]:
    """Partitions that the worker reports as owned."""
    name = 'sandbox_monitor_partition_epoch{partition="'
    return {int(line[len(name) :].split('"')[0]) for line in worker.metrics().splitlines() if line.startswith(name)}


async def holds(first: Worker, second: Worker | None, each: int) -> bool:
    workers = [w for w in (first, second) if w is not None]
    if not all([await asyncio.to_thread(lambda w=w: w.ready) for w in workers]):  # type: ignore[misc]
        return False
    shares = [owned(w) for w in workers]
    return all(len(s) == each for s in shares) and len(set().union(*shares)) == sum(map(len, shares))
