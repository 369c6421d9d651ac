"""The contract of `GroupConsumer`, asked of the fake in `monitor.testing` and of the real consumer on a broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest
from aiokafka import AIOKafkaProducer

from monitor.kafka import faust_hooks
from monitor.kafka.app import app_options
from monitor.kafka.interfaces import GroupConsumer, TopicPartitionName
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.topics import TopicNames
from monitor.model.records import Record
from monitor.testing.fake_consumer import FakeConsumer, MemoryCluster
from monitor.testing.kafka import Fresh


class Bench(Protocol):
    """One consumer under test, and what the group and the writers of its topics do."""

    consumer: GroupConsumer
    names: TopicNames

    async def append(self, topic: str, *values: bytes) -> None:
        """Records on partition 0."""

    async def leave_hole(self, topic: str) -> None:
        """At least one offset without a record."""

    def stop_flow(self) -> None:
        """A rebalance begins."""

    def resume_flow(self) -> None:
        """Its recovery has ended."""


class FakeBench:
    """The fake, reading from given positions."""

    def __init__(self, positions: dict[TopicPartitionName, int]) -> None:
        self.names = TopicNames("sandbox")
        self.cluster = MemoryCluster(self.names)
        self.consumer = FakeConsumer(self.cluster)
        self.consumer.assign({name: positions.get(name, 0) for name in self.cluster.all_partitions()})

    async def append(self, topic: str, *values: bytes) -> None:
        for value in values:
            self.cluster.append(topic, value)

    async def leave_hole(self, topic: str) -> None:
        self.cluster.leave_hole(topic)

    def stop_flow(self) -> None:
        self.consumer.flowing = False

    def resume_flow(self) -> None:
        self.consumer.flowing = True


class Workers:
    """In place of `PartitionWorkers`: takes the assignment, and leaves the fetching to the test."""

    def __init__(self, topics: set[str]) -> None:
        self.topics = topics
        self.flowing = asyncio.Event()

    async def claim(self, assigned: set[TopicPartitionName], generation: int) -> dict[TopicPartitionName, int]:
        return dict.fromkeys(assigned, 0)

    async def revoke(self) -> None:
        """Nothing to release."""

    def standby(self) -> None:
        raise AssertionError("a single member is assigned everything")

    async def drain(self, consumer: Any, ending: Callable[[], bool]) -> None:
        self.flowing.set()
        while not ending():
            await asyncio.sleep(0.05)


class KafkaBench:
    """Faust's consumer as the worker configures it, in this process."""

    def __init__(self, fresh: Fresh, app: Any) -> None:
        self.names = fresh.names
        self.fresh = fresh
        self.app = app

    @property
    def consumer(self) -> Any:
        return self.app.consumer

    async def append(self, topic: str, *values: bytes) -> None:
        await self.fresh.send([(topic, b"p", value, (), 0) for value in values])

    async def leave_hole(self, topic: str) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self.fresh.bootstrap, transactional_id=f"{self.names.prefix}-hole"
        ) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"never happened", partition=0)
            await producer.abort_transaction()

    def stop_flow(self) -> None:
        self.app.consumer.stop_flow()

    def resume_flow(self) -> None:
        self.app.consumer.resume_flow()


Story = Callable[[Bench], Awaitable[None]]


@asynccontextmanager
async def fake() -> AsyncIterator[Bench]:
    yield FakeBench({})


def kafka() -> AbstractAsyncContextManager[Bench]:
    return on_broker(Fresh())


@asynccontextmanager
async def on_broker(fresh: Fresh) -> AsyncIterator[Bench]:
    prefix = fresh.names.prefix
    settings = WorkerSettings(bootstrap=fresh.bootstrap, group=prefix, prefix=prefix)
    app: Any = faust_hooks.PartitionedApp(prefix, **app_options(settings))
    app.workers = Workers({fresh.telemetry, fresh.names.control})
    await app.start()
    try:
        async with asyncio.timeout(40):
            await app.workers.flowing.wait()
        yield KafkaBench(fresh, app)
    finally:
        await app.stop()


@pytest.fixture(params=[fake, pytest.param(kafka, marks=pytest.mark.kafka)], ids=["fake", "kafka"])
def bench(request: pytest.FixtureRequest) -> Callable[[], AbstractAsyncContextManager[Bench]]:
    """Makes a bench for one story."""
    return request.param  # type: ignore[no-any-return]


def tell(bench: Callable[[], AbstractAsyncContextManager[Bench]], story: Story) -> None:
    """Run a story on a bench, within a minute."""

    context = bench()

    async def run() -> None:
        async with asyncio.timeout(60), context as made:
            await story(made)

    asyncio.run(run())


async def fetch(b: Bench, count: int) -> dict[TopicPartitionName, list[Record]]:
    """So many records, as they come."""
    found: dict[TopicPartitionName, list[Record]] = {}
    while sum(map(len, found.values())) < count:
        for name, rows in (await b.consumer.records(0.2)).items():
            found.setdefault(name, []).extend(rows)
    return found


async def nothing_comes(b: Bench, seconds: float) -> bool:
    """Whether no record is returned for so long."""
    try:
        async with asyncio.timeout(seconds):
            while not await b.consumer.records(0.1):
                await asyncio.sleep(0)
    except TimeoutError:
        return True
    return False


def test_each_record_is_returned_once_in_offset_order(bench: Any) -> None:
    """Lists are by topic and partition; key, value and log-append time are those of the log."""

    async def story(b: Bench) -> None:
        telemetry, control = b.names.telemetry[0], b.names.control
        await b.append(telemetry, *(b"%d" % i for i in range(700)))
        await b.append(control, b"act")
        found = await fetch(b, 701)
        assert [(r.offset, r.value) for r in found[telemetry, 0]] == [(i, b"%d" % i) for i in range(700)]
        assert [(r.offset, r.key, r.value) for r in found[control, 0]] == [(0, b"p", b"act")]
        assert all(type(r) is Record and r.received > 0 for rows in found.values() for r in rows)
        assert await b.consumer.records(0.2) == {}

    tell(bench, story)


def test_the_position_follows_what_was_returned(bench: Any) -> None:
    """It is the offset of the next record to come, before the first and after the last one."""

    async def story(b: Bench) -> None:
        name = b.names.telemetry[0], 0
        assert await b.consumer.position_of(name) == 0
        await b.append(name[0], b"one", b"two")
        await fetch(b, 2)
        assert await b.consumer.position_of(name) == 2

    tell(bench, story)


def test_the_position_passes_a_hole(bench: Any) -> None:
    """An aborted transaction at the end of a topic is no backlog: control and time must not wait for it."""

    async def story(b: Bench) -> None:
        name = b.names.telemetry[0], 0
        await b.append(name[0], b"one")
        await b.leave_hole(name[0])
        await fetch(b, 1)
        while await b.consumer.position_of(name) < 2:
            assert await b.consumer.records(0.2) == {}
        await b.append(name[0], b"two")
        (row,) = (await fetch(b, 1))[name]
        assert row.value == b"two"
        assert row.offset == await b.consumer.position_of(name) - 1

    tell(bench, story)


def test_nothing_is_returned_while_the_flow_is_stopped(bench: Any) -> None:
    """A rebalance stops the flow; what was appended meanwhile comes when it is resumed."""

    async def story(b: Bench) -> None:
        name = b.names.telemetry[0], 0
        assert b.consumer.flowing
        b.stop_flow()
        assert not b.consumer.flowing
        await b.append(name[0], b"one")
        assert await nothing_comes(b, 0.3)
        b.resume_flow()
        assert [r.value for r in (await fetch(b, 1))[name]] == [b"one"]

    tell(bench, story)


def test_a_hint_moves_nothing(bench: Any) -> None:
    """Committed offsets are for people: the next record is still the next one."""

    async def story(b: Bench) -> None:
        name = b.names.telemetry[0], 0
        await b.append(name[0], b"one", b"two")
        await fetch(b, 2)
        await b.consumer.commit_hint({name: 1})
        await b.append(name[0], b"three")
        assert [r.value for r in (await fetch(b, 1))[name]] == [b"three"]

    tell(bench, story)


def test_the_generation_is_that_of_the_assignment(bench: Any) -> None:
    """It is positive and stays the same while nothing is rebalanced."""

    async def story(b: Bench) -> None:
        first = b.consumer.generation
        assert first >= 1
        await b.consumer.records(0.1)
        assert b.consumer.generation == first

    tell(bench, story)
