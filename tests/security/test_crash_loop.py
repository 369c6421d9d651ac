"""A worker that ends at one record again and again, and telemetry that was deleted unread: seen from outside with
partition and offset, and passed by the recorded way that the message names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from monitor.errors import Unavailable
from monitor.kafka.dump import dump_partition, replay_dump
from monitor.kafka.settings import WorkerSettings, configured_machine
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Outputs, Reason, Skipped
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh, gathered, until
from monitor.testing.ports import free_port
from monitor.testing.workers import Worker
from tests.security.goals import Goal
from tests.security.test_readers_survive import got, started, until_true

pytestmark = pytest.mark.kafka
HOUR = 3_600_000
POISON = b"poison"
# What a fault of the machine at one record looks like: the process ends, without a word.
CRASH = """
import os
import monitor.engine.machine as machine
real = machine.Machine.telemetry_steps
def steps(self, topic, records):
    if any(record.value == b"poison" for record in records):
        os.kill(os.getpid(), 9)
    return real(self, topic, records)
machine.Machine.telemetry_steps = steps
"""


class Supervised:
    """Workers on one set of topics, whose machine ends at `POISON`; `options` are those of every start."""

    def __init__(self, fresh: Fresh, home: Path) -> None:
        self.fresh, self.home = fresh, home
        (home / "sitecustomize.py").write_text(CRASH)
        self.starts = 0

    def start(self, *options: str) -> Worker:
        self.starts += 1
        environment = {"PYTHONPATH": str(self.home)}
        usual = ("--instance", "w0", "--session-timeout", "6")
        log = self.home / "worker.log"
        return Worker(self.fresh.bootstrap, self.fresh.names.prefix, log, *usual, *options, environment=environment)

    def until_dead(self, seconds: float = 90.0) -> None:
        """Start one and wait until it ended."""
        self.start().process.wait(seconds)


@contextmanager
def watching(fresh: Fresh, home: Path) -> Iterator[tuple[int, int]]:
    """A notary; yields the ports of its board and of its metrics."""
    board, metrics = free_port(), free_port()
    ports = ("--port", str(board), "--metrics-port", str(metrics))
    with started("notary", home, fresh, "--dir", str(home / "ledger"), *ports):
        yield board, metrics


def samples(port: int, name: str) -> list[str]:
    return [line for line in got(port, "/metrics").splitlines() if line.startswith(f"sandbox_monitor_{name}{{")]


async def outputs(fresh: Fresh) -> Outputs:
    return gathered(await fresh.seen())


async def decided(fresh: Fresh, reason: Reason, pilots: int = 1) -> bool:
    return len({d.pilot for d in (await outputs(fresh)).decisions if d.reason is reason}) >= pilots


def admitted(supervised: Supervised) -> int:
    """Admit two pilots, let a worker read ten events of each, and stop it; returns the next offset of telemetry."""
    fresh = supervised.fresh
    fleet = Fleet(1, pilots=2, hours=48, start=int(time.time() * 1000) - 48 * HOUR)
    worker = supervised.start().wait_ready()

    async def begin() -> None:
        await fresh.send(fresh.control(fleet.admissions()))
        await until(lambda: decided(fresh, Reason.ADMITTED, 2))
        for pilot in fleet.pilots:
            service = Emitter(f"{pilot}/1", pilot)
            events = [service.exposure(int(time.time() * 1000), 10.0) for _ in range(10)]
            await fresh.send((fresh.telemetry, pilot.encode(), encode(event), (), 0) for event in events)

    asyncio.run(begin())
    assert worker.wait_read(20).stop(60) == 0
    return 20


def test_a_record_that_ends_the_worker_is_named_and_skipped(tmp_path: Path, goal: Goal) -> None:
    """After three starts board and metrics name partition, topic and offset. With `--skip` for one start everything
    behind it is decided, the skip is on record, its pilot alone is flagged, and a replay agrees."""
    fresh = Fresh()
    supervised = Supervised(fresh, tmp_path)
    offset = admitted(supervised)
    death = Emitter("svc/9", "pilot-0002").incident(
        int(time.time() * 1000), severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
    )
    rows = [(b"pilot-0001", POISON), (b"pilot-0002", encode(death))]
    asyncio.run(fresh.send((fresh.telemetry, key, value, (), 0) for key, value in rows))
    with watching(fresh, tmp_path) as (board, metrics):
        starts, loop = supervised.starts, list[str]()
        while not (loop := samples(metrics, "worker_crash_loop")) and supervised.starts - starts < 8:
            supervised.until_dead()
            time.sleep(1.5)  # a look of the notary
        named = f'offset="{offset}",partition="0",topic="{fresh.telemetry}"'
        goal("starts_until_a_crash_loop_is_named", supervised.starts - starts, 5, note="two more than it must see")
        assert named in loop[0]
        page = got(board, "/")
        assert "The worker of partition 0 ends again and again" in page
        assert f"{fresh.telemetry} offset {offset}" in page
        worker = supervised.start("--skip", f"{fresh.telemetry}/0/{offset}").wait_ready()
        asyncio.run(until(lambda: decided(fresh, Reason.HARD_RULE), 90))
        until_true(lambda: not samples(metrics, "worker_crash_loop"))
        worker.kill()
    found = asyncio.run(outputs(fresh))
    assert [d.pilot for d in found.decisions if d.reason is Reason.TELEMETRY_LOST] == ["pilot-0001"]
    assert [(r.offset, r.reason, r.pilot) for r in found.rejected] == [(offset, "skipped", "pilot-0001")]
    logs = asyncio.run(dump_partition(fresh.bootstrap, fresh.names, 0))
    assert sum(isinstance(row.entry, Skipped) for row in logs.journal) == 1
    settings = WorkerSettings(bootstrap=fresh.bootstrap, prefix=fresh.names.prefix)
    again = replay_dump(logs, configured_machine(settings, 0, 1))
    goal("decisions_that_a_replay_lacks", len({d.id for d in found.decisions} ^ {d.id for d in again.decisions}), 0)


def test_telemetry_that_was_deleted_unread_is_named_from_outside(tmp_path: Path, goal: Goal) -> None:
    """One start is enough: the notary's metrics name topic, partition and offsets, and the board the way on. A limited
    retention is reported before anything is deleted."""
    fresh = Fresh()
    supervised = Supervised(fresh, tmp_path)
    offset = admitted(supervised)

    async def lose() -> None:
        service = Emitter("svc/9", "pilot-0001")
        events = [service.exposure(int(time.time() * 1000), 1.0) for _ in range(30)]
        await fresh.send((fresh.telemetry, b"pilot-0001", encode(event), (), 0) for event in events)
        admin = AIOKafkaAdminClient(bootstrap_servers=fresh.bootstrap)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(fresh.telemetry, 0): RecordsToDelete(offset + 25)})
        finally:
            await admin.close()

    asyncio.run(lose())
    with watching(fresh, tmp_path) as (board, metrics):
        until_true(lambda: samples(metrics, "telemetry_retention_limited"))
        assert samples(metrics, "telemetry_retention_limited")[0].endswith(" 0.0")
        with pytest.raises(Unavailable, match="--skip-lost"):
            supervised.start().wait_ready()
        until_true(lambda: samples(metrics, "telemetry_deleted"), 30)
        named = f'first="{offset}",last="{offset + 24}",partition="0",topic="{fresh.telemetry}"'
        assert named in samples(metrics, "telemetry_deleted")[0]
        goal("deleted_telemetry_named_after_starts", 1, 1)
        assert "--skip-lost" in got(board, "/")
