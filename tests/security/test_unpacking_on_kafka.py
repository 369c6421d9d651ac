"""Hostile batches on a real broker: what it accepts, a worker reads or rejects, and goes on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from monitor.kafka.dump import dump_partition, replay_dump
from monitor.kafka.settings import WorkerSettings, configured_machine
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Decision, Level, UnreadableRecords
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh, gathered, until
from monitor.testing.workers import Worker
from tests.security.batches import CODECS, RawProducer, batch, bomb, hostile, record
from tests.security.goals import Goal
from tests.strength import examples

pytestmark = pytest.mark.kafka

MIB = 1024 * 1024
PILOT = "pilot-0001"


def resident_mib(worker: Worker) -> float:
    """The largest resident memory of the worker so far."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def test_batches_that_no_reader_could_hold_are_rejected_and_the_worker_goes_on(tmp_path: Path, goal: Goal) -> None:
    """Bombs of every codec, and batches with faults of structure that the broker accepts: each offset is stepped or
    rejected, the worker keeps its memory and reads on, and an offline replay of the log gives the same outputs."""
    fresh = Fresh()
    fleet = Fleet(1, pilots=1, hours=48, start=int(time.time() * 1000) - 48 * 3_600_000)
    death = Emitter("svc/1", PILOT).incident(
        int(time.time() * 1000), severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
    )
    random = Random(11)

    async def attack() -> tuple[int, int]:
        """Returns how many batches were sent, and how many of them the broker took."""
        batches = [bomb(codec, 48 * MIB) for codec in CODECS if codec]
        batches += [
            bomb(4, examples(256, 2048) * MIB),
            batch([record(0, b"{}", headers=[(b"", None)] * 1_000_000)], codec=4),
        ]
        batches += [hostile(random) for _ in range(examples(60, 5_000))]
        async with RawProducer(fresh.bootstrap, fresh.telemetry) as producer:
            taken = [await producer.send(raw) for raw in batches]
        return len(batches), sum(at is not None for at in taken)

    async def halted() -> bool:
        return any(isinstance(s.value, Decision) and s.value.level is Level.HALT for s in await fresh.seen())

    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log").wait_ready()
    try:
        asyncio.run(fresh.send(fresh.control(fleet.admissions())))
        before = resident_mib(worker)
        sent, taken = asyncio.run(attack())
        asyncio.run(fresh.send([(fresh.telemetry, PILOT.encode(), encode(death), [], 0)]))
        asyncio.run(until(halted))
        grown = resident_mib(worker) - before
        assert worker.stop() == 0, worker.tail()
    finally:
        worker.kill()
    stood = gathered(asyncio.run(fresh.seen()))
    logs = asyncio.run(dump_partition(fresh.bootstrap, fresh.names, 0))
    again = replay_dump(
        logs, configured_machine(WorkerSettings(bootstrap=fresh.bootstrap, prefix=fresh.names.prefix), 0, 1)
    )
    differences = (stood.decisions != again.decisions) + (stood.rejected != again.rejected)
    rows = logs.telemetry[fresh.telemetry]
    covered = [at for row in rows for at in range(row.offset, row.next)]
    assert covered == list(range(len(covered))), "an offset is missing, or twice"
    unreadable = [row for row in rows if isinstance(row, UnreadableRecords)]
    assert {row.reason for row in unreadable} >= {"too_large"}
    assert {row.offset for row in unreadable} <= {r.offset for r in stood.rejected}
    goal("unpacking-broker-batches-taken", taken, 10, least=True, note=f"of {sent}, {len(unreadable)} unreadable")
    goal("unpacking-broker-replay-differences", differences, 0)
    goal("unpacking-worker-memory-growth-mib", grown, 200)
