"""Retention deleted telemetry before a worker read it: the skip is recorded, and the same in recovery and replay."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.errors import Unavailable
from monitor.kafka.dump import PartitionDump, dump_partition, replay_dump
from monitor.kafka.settings import WorkerSettings, configured_machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, Severity, encode
from monitor.model.records import Level, Outputs, Reason, Skipped
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh, gathered, until
from monitor.testing.memory_log import MemoryStore
from monitor.testing.workers import Worker

TOPIC, HOUR = "telemetry", 3_600_000
POINTS = ("none", "after_append", "before_write", "after_write", "before_checkpoint", "after_checkpoint")


class Killed(Exception):
    """The process died here."""


def without_epoch(outputs: Outputs) -> list[object]:
    """What was decided and shown, without who wrote it."""
    rows = [msgspec.to_builtins(row) for row in (*outputs.decisions, *outputs.commands, *outputs.evidence)]
    for row in rows:
        row.pop("epoch", None)
    return rows


async def owner(store: MemoryStore, point: str = "none") -> Runner:
    """A recovered owner that dies at `point` once it has recovered."""
    armed = [False]

    def failpoint(name: str) -> None:
        if armed[0] and name == point:
            raise Killed(name)

    runner = Runner(store.log(), clock=iter(range(10**6)).__next__, checkpoint_every_ms=5, failpoint=failpoint)
    await runner.recover()
    armed[0] = True
    return runner


async def _read(runner: Runner, store: MemoryStore) -> None:
    """Step what is new, then the time."""
    start = runner.next_telemetry.get(TOPIC, 0)
    await runner.telemetry(TOPIC, await store.log(chunk=10**6).telemetry(TOPIC, start, 10**6))
    await runner.time()


async def story(point: str, hours: int = 30, events_lost: int = 50) -> tuple[MemoryStore, Outputs]:
    """Two pilots send; an owner checkpoints; 21 offsets vanish; the next owner skips them and dies at `point`; a third
    goes on."""
    fleet = Fleet(3, pilots=2, scenarios=["calm"], hours=hours, period="20s", volume=200)
    now = [fleet.start]
    store = MemoryStore(lambda: now[0])
    for act in fleet.admissions():
        store.feed_control(msgspec.json.encode(act), received=fleet.start)
    events = list(fleet)
    first, second = await owner(store), None
    await first.control(await store.log().control(0, 99))
    for received, event in events[: len(events) // 2]:
        store.feed(TOPIC, encode(event), received=received)
    await first.telemetry(TOPIC, await store.log(chunk=10**6).telemetry(TOPIC, 0, 10**6))
    now[0] = events[len(events) // 2][0]
    await first.time()
    await first.checkpoint()
    lost = store.telemetry_end(TOPIC)
    store.leave_hole(TOPIC, size=21)
    try:
        second = await owner(store, point)
        await second.skip({TOPIC: (lost, lost + 21)})
        if point.endswith("checkpoint"):
            await second.checkpoint()
    except Killed:
        second = None
    assert (second is None) == (point != "none")
    last = await owner(store)
    if last.next_telemetry[TOPIC] == lost:  # it died before the loss was on record
        await last.skip({TOPIC: (lost, lost + 21)})
    for received, event in events[len(events) // 2 + events_lost :]:
        while received > now[0] + 10_000:
            now[0] += 10_000
            await _read(last, store)
        store.feed(TOPIC, encode(event), received=received)
    now[0] = events[-1][0] + 1
    await _read(last, store)
    return store, store.outputs()


@pytest.mark.parametrize("point", POINTS)
def test_a_loss_is_recorded_once_wherever_the_owner_is_killed(point: str) -> None:
    """Each pilot has one finding about the loss, and the record equals that of an owner that was not killed."""
    store, outputs = asyncio.run(story(point))
    _, calm = asyncio.run(story("none"))
    assert without_epoch(outputs) == without_epoch(calm)
    lost = [d for d in outputs.decisions if d.reason is Reason.TELEMETRY_LOST]
    assert len({d.pilot for d in lost}) == len(lost) == 2
    assert all((d.finding.observed, "offsets" in d.finding.detail) == (21.0, True) for d in lost)
    assert sum(isinstance(row.entry, Skipped) for row in store.journal()) == 1


def test_an_offline_replay_of_the_journal_skips_the_same_offsets() -> None:
    """The replay skips them even from a store that still has the records."""
    store, outputs = asyncio.run(story("none"))
    telemetry, control = store.inputs()
    first = next(row.entry for row in store.journal() if isinstance(row.entry, Skipped)).lost[TOPIC][0]
    kept = list(telemetry[TOPIC])
    gone = [msgspec.structs.replace(kept[0], offset=first + n, value=b"never read") for n in range(21)]
    whole = sorted([*kept, *gone], key=lambda record: record.offset)
    for records in (kept, whole):
        again = replay_dump(PartitionDump(0, {TOPIC: records}, control, list(store.journal())), Machine())
        assert without_epoch(again) == without_epoch(outputs)


def test_the_finding_leaves_after_the_quiet_periods_that_the_charter_asks() -> None:
    """Where none of the pilot's events were lost, the loss alone does not keep it on watch; its record remains."""
    _, outputs = asyncio.run(story("none", hours=220, events_lost=0))
    moves = [(d.was, d.level, d.reason) for d in outputs.decisions if d.pilot == "pilot-0001" and d.kind == "level"]
    assert (Level.NORMAL, Level.WATCH, Reason.TELEMETRY_LOST) in moves
    assert moves[-1] == (Level.WATCH, Level.NORMAL, Reason.CLEARED)


def test_only_the_next_offsets_may_be_skipped() -> None:
    """A worker that has outputs to repeat, or that would skip what it has read, is refused."""

    async def wrong() -> None:
        store = MemoryStore()
        runner = await owner(store)
        with pytest.raises(ValueError, match="must begin where"):
            await runner.skip({TOPIC: (5, 9)})
        assert not any(isinstance(row.entry, Skipped) for row in store.journal())

    asyncio.run(wrong())


async def delete(fresh: Fresh, before: int) -> None:
    """Delete all telemetry below an offset, as `kafka-delete-records` and retention do."""
    admin = AIOKafkaAdminClient(bootstrap_servers=fresh.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(fresh.telemetry, 0): RecordsToDelete(before)})
    finally:
        await admin.close()


async def decided(fresh: Fresh, reason: Reason) -> bool:
    return any(d.reason is reason for d in gathered(await fresh.seen()).decisions)


@pytest.mark.kafka
def test_a_worker_names_the_lost_offsets_and_the_fix_and_continues_with_it(tmp_path: Path) -> None:
    """Without --skip-lost it ends with topic, partition, offsets and the fix; with it once, it continues as before; the
    dump replays to the same decisions."""
    fresh = Fresh()
    fleet = Fleet(1, pilots=1, hours=48, start=int(time.time() * 1000) - 48 * HOUR)
    service = Emitter("svc/1", "pilot-0001")

    def worker(*options: str) -> Worker:
        return Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", *options)

    async def send(count: int) -> None:
        events = [service.exposure(int(time.time() * 1000), 10.0) for _ in range(count)]
        await fresh.send((fresh.telemetry, b"pilot-0001", encode(event), (), 0) for event in events)

    async def admit() -> None:
        await fresh.send(fresh.control(fleet.admissions()))
        await until(lambda: decided(fresh, Reason.ADMITTED))
        await send(20)

    one = worker().wait_ready(90)
    asyncio.run(admit())
    assert one.wait_read(20).stop() == 0
    asyncio.run(send(30))
    asyncio.run(delete(fresh, 45))
    two = worker()
    with pytest.raises(Unavailable, match="exit code 1"):
        two.wait_ready(90)
    said = two.tail()
    assert f"{fresh.telemetry}/0 begins at 45, but " in said
    assert "were deleted unread" in said
    assert "--skip-lost" in said
    three = worker("--skip-lost").wait_ready(90)
    try:
        asyncio.run(until(lambda: decided(fresh, Reason.TELEMETRY_LOST)))
        three.kill()
        three = worker().wait_ready(90)
    finally:
        three.stop()
    logs = asyncio.run(dump_partition(fresh.bootstrap, fresh.names, 0))
    assert sum(isinstance(row.entry, Skipped) for row in logs.journal) == 1
    outputs = gathered(asyncio.run(fresh.seen()))
    assert sum(d.reason is Reason.TELEMETRY_LOST for d in outputs.decisions) == 1
    settings = WorkerSettings(bootstrap=fresh.bootstrap, prefix=fresh.names.prefix)
    assert configured_machine(settings, 0, 1).lost({}).decisions == []


@pytest.mark.kafka
def test_telemetry_that_recorded_decisions_need_cannot_be_skipped(tmp_path: Path) -> None:
    """Where recorded decisions depend on deleted telemetry, the worker reports it and continues only after a
    restore."""
    fresh = Fresh()
    fleet = Fleet(1, pilots=1, hours=48, start=int(time.time() * 1000) - 48 * HOUR)
    service = Emitter("svc/1", "pilot-0001")

    def worker(*options: str) -> Worker:
        return Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", *options)

    async def send(events: list[Envelope]) -> None:
        await fresh.send((fresh.telemetry, b"pilot-0001", encode(event), (), 0) for event in events)

    async def admit() -> None:
        await fresh.send(fresh.control(fleet.admissions()))
        await until(lambda: decided(fresh, Reason.ADMITTED))
        await send([service.exposure(int(time.time() * 1000), 10.0) for _ in range(20)])

    async def harm() -> None:
        await send([service.incident(int(time.time() * 1000), severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)])
        await until(lambda: decided(fresh, Reason.HARD_RULE))

    one = worker().wait_ready(90)
    asyncio.run(admit())
    assert one.wait_read(20).stop() == 0
    two = worker("--checkpoint-every", "3600").wait_ready(90)
    asyncio.run(harm())
    two.kill()
    asyncio.run(delete(fresh, 21))
    three = worker("--skip-lost")
    try:
        with pytest.raises(Unavailable, match="exit code 1"):
            three.wait_ready(90)
    finally:
        three.kill()
    assert "cannot be computed again; restore them from a backup" in three.tail()
