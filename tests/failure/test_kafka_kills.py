"""Workers killed in the middle of a stream: the outputs on Kafka equal those of one machine that was not disturbed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.kafka.dump import dump_partition, replay_dump
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.settings import WorkerSettings, configured_machine
from monitor.model.builders import BATCH, packed
from monitor.model.events import encode
from monitor.model.records import Command, Decision, JournalEntry, TimeRead
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh, Sent, gathered, until
from monitor.testing.workers import Worker
from tests.strength import examples

pytestmark = pytest.mark.kafka

PARTITIONS = 2


class Stream:
    """A fleet in real time on fresh topics: admissions, then telemetry at its times, one record per event or packed."""

    def __init__(self, pilots: int, periods: int, period_ms: int, pack: int = 1) -> None:
        self.fresh = Fresh(partitions=PARTITIONS)
        self.fleet = Fleet(
            11, pilots=pilots, hours=periods, period=f"{period_ms}ms", start=int(time.time() * 1000) + 9_000
        )
        self.number = {pilot: i % PARTITIONS for i, pilot in enumerate(self.fleet.pilots)}
        self.pack = pack
        self.events = list(self.fleet)

    def records(self) -> Iterator[tuple[int, Sent]]:
        """(when to send in ms, record)."""
        topic = self.fresh.telemetry
        if self.pack == 1:
            for at, event in self.events:
                yield at, (topic, event.subject.encode(), encode(event), (), self.number[event.subject])
            return
        waiting: defaultdict[str, list[tuple[int, object]]] = defaultdict(list)
        headers = (("content-type", BATCH.encode()),)
        ready = []
        for at, event in self.events:
            waiting[event.subject].append((at, event))
            if len(waiting[event.subject]) == self.pack:
                ready.append((event.subject, waiting.pop(event.subject)))
        ready += waiting.items()
        for pilot, group in sorted(ready, key=lambda item: item[1][-1][0]):
            body = packed(e for _, e in group)  # type: ignore[misc]
            yield group[-1][0], (topic, pilot.encode(), body, headers, self.number[pilot])

    async def feed(self) -> None:
        """Send everything at its time, in slices of 100 ms."""
        slices: defaultdict[int, list[Sent]] = defaultdict(list)
        for at, record in self.records():
            slices[at // 100].append(record)
        for at, batch in sorted(slices.items()):
            await asyncio.sleep(max(0.0, (at + 1) / 10 - time.time()))
            await self.fresh.send(batch)

    async def caught_up(self) -> bool:
        """Whether every partition has a `time` entry at or after the end of its telemetry."""
        names = self.fresh.names
        reader = PartitionReader(self.fresh.bootstrap)
        await reader.start()
        try:
            for partition in range(PARTITIONS):
                _, end = await reader.bounds(self.fresh.telemetry, partition)
                read = 0
                async for raw in reader.all(names.journal, partition):
                    entry = msgspec.json.decode(raw.value, type=JournalEntry)
                    if isinstance(entry, TimeRead):
                        read = entry.telemetry_next.get(self.fresh.telemetry, 0)
                if read < end:
                    return False
            return True
        finally:
            await reader.stop()

    def verify(self) -> Counter[str]:
        """Compare the outputs with an offline replay of the logs; returns the number of decisions per reason."""
        stood = gathered(asyncio.run(self.fresh.seen()))
        settings = WorkerSettings(bootstrap=self.fresh.bootstrap, prefix=self.fresh.names.prefix)
        told: Counter[str] = Counter()
        for partition in range(PARTITIONS):
            logs = asyncio.run(dump_partition(self.fresh.bootstrap, self.fresh.names, partition))
            again = replay_dump(logs, configured_machine(settings, partition, 1))
            told.update(command.id for command in again.commands)
            mine = {p for p, n in self.number.items() if n == partition}
            assert by_pilot(d for d in stood.decisions if d.pilot in mine) == by_pilot(again.decisions)
            assert [r for r in stood.rejected if r.partition == partition] == again.rejected
        names = self.fresh.names
        raw = asyncio.run(self.fresh.raw(names.decisions))
        ids = Counter(msgspec.json.decode(r.value, type=Decision).id for r in raw)
        assert set(ids.values()) == {1}, "each id is committed once"
        commands = Counter(
            msgspec.json.decode(r.value, type=Command).id for r in asyncio.run(self.fresh.raw(names.commands))
        )
        assert commands == told, "an unacknowledged command is resent as often as in the offline replay"
        return Counter(d.reason.value for d in stood.decisions)


def by_pilot(decisions: Iterator[Decision] | list[Decision]) -> dict[str, list[Decision]]:
    """Decisions per pilot, in order, without the epoch (which names the writer, not the content)."""
    found: defaultdict[str, list[Decision]] = defaultdict(list)
    for d in decisions:
        found[d.pilot].append(msgspec.structs.replace(d, epoch=0))
    return dict(found)


Start = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts workers of a stream; those still running at the end are killed."""
    workers: list[Worker] = []

    def begin(stream: Stream, *options: str, failpoint: str = "", log: str = "worker") -> Worker:
        fresh = stream.fresh
        worker = Worker(
            fresh.bootstrap,
            fresh.names.prefix,
            tmp_path / f"{log}.log",
            "--checkpoint-every",
            "1",
            "--session-timeout",
            "6",
            *options,
            environment={"SANDBOX_FAILPOINT": failpoint},
        )
        workers.append(worker)
        return worker

    yield begin
    for worker in workers:
        worker.kill()


@pytest.mark.parametrize(
    ("pack", "options"),
    [pytest.param(1, ("--instance", "one"), marks=pytest.mark.long), (50, ())],
    ids=["single", "packed"],
)
def test_a_kill_and_a_stop_in_the_middle_of_a_stream_change_no_decision(
    pack: int, options: tuple[str, ...], start: Start
) -> None:
    """SIGKILL and SIGTERM during 50,000 events (100,000 with FULL=1): every pilot's decisions equal those of an
    offline replay, each once."""
    pilots = examples(20, 40)
    stream = Stream(pilots=pilots, periods=88, period_ms=250, pack=pack)
    assert len(stream.events) >= 2_500 * pilots
    first = start(stream, *options).wait_ready()

    async def story() -> None:
        await stream.fresh.send(stream.fresh.control(stream.fleet.admissions(), stream.number.__getitem__))
        feeding = asyncio.create_task(stream.feed())
        await asyncio.sleep(max(0.0, stream.fleet.start / 1000 - time.time()) + 5)
        first.kill()
        second = start(stream, *options)
        await asyncio.to_thread(second.wait_ready)
        await asyncio.sleep(4)
        assert await asyncio.to_thread(second.stop) == 0, second.tail()
        third = start(stream, *options)
        await asyncio.to_thread(third.wait_ready)
        await feeding
        await until(stream.caught_up, 90)
        assert await asyncio.to_thread(third.stop) == 0, third.tail()

    asyncio.run(story())
    assert stream.verify().total() > 2 * pilots


def test_a_kill_at_every_failpoint_changes_no_decision(start: Start) -> None:
    """Killed before and after a write, a checkpoint and a journal entry: nothing is lost or doubled."""
    stream = Stream(pilots=10, periods=100, period_ms=200)
    points = ["after_write:kill@9", "before_write:kill@5", "after_checkpoint:kill@2", "before_checkpoint:kill@3"]
    points += ["after_append:kill@7", ""]

    async def story() -> None:
        feeding = None
        for number, failpoint in enumerate(points):
            worker = start(stream, "--instance", "one", failpoint=failpoint)
            await asyncio.to_thread(worker.wait_ready)
            if feeding is None:
                await stream.fresh.send(stream.fresh.control(stream.fleet.admissions(), stream.number.__getitem__))
                feeding = asyncio.create_task(stream.feed())
            if failpoint:
                await until(lambda w=worker: gone(w), 60)  # type: ignore[misc]
                assert worker.process.returncode == -signal.SIGKILL, (number, worker.tail())
            else:
                await feeding
                await until(stream.caught_up, 60)
                assert await asyncio.to_thread(worker.stop) == 0, worker.tail()

    asyncio.run(story())
    assert stream.verify().total() > 10


def test_a_frozen_worker_that_wakes_up_ends_and_changes_nothing(start: Start) -> None:
    """A worker that is frozen until another owns its partitions writes nothing more: it ends with exit code 1."""
    stream = Stream(pilots=10, periods=80, period_ms=200)
    frozen = start(stream, failpoint="before_write:stop@30", log="frozen").wait_ready()

    async def story() -> None:
        await stream.fresh.send(stream.fresh.control(stream.fleet.admissions(), stream.number.__getitem__))
        feeding = asyncio.create_task(stream.feed())
        await until(lambda: stopped(frozen.process.pid), 40)
        heir = start(stream, log="heir")
        await asyncio.to_thread(heir.wait_ready)
        os.kill(frozen.process.pid, signal.SIGCONT)
        await until(lambda: gone(frozen), 20)
        assert frozen.process.returncode == 1, frozen.tail()
        await feeding
        await until(stream.caught_up, 60)
        assert await asyncio.to_thread(heir.stop) == 0, heir.tail()

    asyncio.run(story())
    assert "Fenced" in frozen.tail(200)
    assert stream.verify().total() > 10


async def gone(worker: Worker) -> bool:
    return not worker.running


async def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
