"""Backpressure: a slow part slows down what feeds it; memory stays bounded, nothing is dropped, and the lag is
visible."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from monitor.charter.control import Override
from monitor.kafka.settings import WorkerSettings, configured_machine
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.records import ControlRead, JournalEntry, TimeRead
from monitor.sdk import Pilot, SpoolFull
from monitor.simulation.fleet import Fleet
from monitor.testing.fork_server import ForkServer, Order
from monitor.testing.history.check import check
from monitor.testing.history.clusters import SingleBroker
from monitor.testing.history.contents import read_contents
from monitor.testing.kafka import Fresh, until
from monitor.testing.workers import Worker

pytestmark = pytest.mark.kafka
MEGABYTES = 80  # of backlog
EXTRA_MB = 50  # MB that a worker may need for it: one fetch of 8 MB as bytes, as records and decoded
PAD = b"x" * 20_000


def memory(pid: int) -> int:
    """Resident memory (MB)."""
    (line,) = (row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def lag(worker: Worker, topic: str) -> int:
    """The worker's reported lag in a topic, in records."""
    start = f'sandbox_monitor_lag_records{{partition="0",topic="{topic}"}}'
    found = [row.split()[-1] for row in worker.metrics().splitlines() if row.startswith(start)]
    return int(float(found[0])) if found else 0


@pytest.mark.long
def test_a_worker_whose_broker_is_slow_fetches_no_more_than_it_can_step(tmp_path: Path) -> None:
    """80 MB wait while every response of the broker is late: the worker's memory stays far below that, it reports its
    lag, continues in order, and catches up once the broker is fast; every position equals that of an offline replay."""
    fleet = Fleet(3, pilots=1, scenarios=["calm"], start=int(time.time() * 1000), hours=1, period="1h")
    pilot, emitter = fleet.pilots[0], Emitter("s/1", fleet.pilots[0])
    with SingleBroker(tmp_path / "broker", 1) as cluster:
        (route,), fresh = cluster.routes, Fresh(bootstrap=cluster.broker.bootstrap)
        worker = Worker(route.workers, fresh.names.prefix, tmp_path / "worker.log", "--stall", "20")
        count = MEGABYTES * 1_000_000 // len(PAD)

        async def send(number: int) -> None:
            now = int(time.time() * 1000)
            beats = (
                msgspec.json.encode(emitter.heartbeat(now))[:-1] + b',"pad":"' + PAD + b'"}' for _ in range(number)
            )
            await fresh.send((fresh.telemetry, pilot.encode(), beat, (), 0) for beat in beats)

        async def reached() -> list[int]:
            rows = [msgspec.json.decode(r.value, type=JournalEntry) for r in await fresh.raw(fresh.names.journal)]
            return [e.telemetry_next.get(fresh.telemetry, 0) for e in rows if isinstance(e, TimeRead)]

        async def scenario() -> None:
            await fresh.send(fresh.control(fleet.admissions()))
            await send(100)
            await until(lambda: at_end(100), 30)
            before, most, behind, positions = memory(worker.process.pid), 0, 0, []
            route.proxies[0].delay = 0.05
            await send(count - 100)
            for _ in range(16):
                await asyncio.sleep(0.4)
                most = max(most, memory(worker.process.pid))
                positions.append(await asyncio.to_thread(lag, worker, fresh.telemetry))
            behind = max(positions)
            route.proxies[0].delay = 0.0
            assert worker.running, worker.tail()
            assert most - before < EXTRA_MB, f"{most - before} MB more for {MEGABYTES} MB of backlog"
            assert behind > count // 10, positions
            await until(lambda: at_end(count), 60)
            most = max(most, memory(worker.process.pid))
            assert most - before < EXTRA_MB
            assert await asyncio.to_thread(worker.stop) == 0, worker.tail()

        async def at_end(number: int) -> bool:
            return max(await reached(), default=0) >= number

        try:
            asyncio.run(scenario())
            stands = asyncio.run(read_contents(fresh.bootstrap, fresh.names, 0))
        finally:
            worker.kill()
    assert sum(map(len, stands.dump.telemetry.values())) == count
    settings = WorkerSettings(bootstrap=fresh.bootstrap, prefix=fresh.names.prefix)
    assert check(stands, lambda p: configured_machine(settings, p, 1)) == []


def test_a_service_whose_broker_is_frozen_is_pushed_back_and_loses_nothing(tmp_path: Path) -> None:
    """While the broker is frozen, reports go into the spool until it is full; then each is refused by name and
    counted, and memory does not grow. When the broker continues, exactly the accepted reports arrive, each number once
    or repeated in place."""
    with SingleBroker(tmp_path / "broker", 1) as cluster:
        fresh = Fresh(bootstrap=cluster.broker.bootstrap)
        to, pid = f"kafka://{cluster.broker.bootstrap}", cluster.broker.pid
        assert pid is not None
        settings = {"spool_dir": tmp_path / "spool", "spool_bytes": 1 << 20, "topic_prefix": fresh.names.prefix}
        with Pilot("p-1", participant="firm", to=to, heartbeat_s=0, follow=False, **settings) as pilot:  # type: ignore[arg-type]
            pilot.complaint("first")
            pilot.flush(20)
            os.kill(pid, signal.SIGSTOP)
            try:
                taken, refused = 1, 0
                while refused < 100:
                    try:
                        with pilot.together():
                            pilot.complaint("c" * 200)
                        taken += 1
                    except SpoolFull as full:
                        refused, said = refused + 1, str(full)
                assert "of at most 1048576 bytes" in said
                assert pilot.status().not_recorded == refused
                assert (1 << 19) < pilot.status().waiting_bytes <= 1 << 20
            finally:
                os.kill(pid, signal.SIGCONT)
            pilot.flush(40)
            pilot.complaint("last")
            pilot.flush(20)
        batches = [msgspec.json.decode(r.value) for r in asyncio.run(fresh.raw(fresh.telemetry))]
    numbers = [int(event["sequence"]) for batch in batches for event in batch]
    assert list(dict.fromkeys(numbers)) == list(range(1, taken + 2))


@pytest.mark.long
def test_control_behind_a_backlog_stays_in_the_log(tmp_path: Path) -> None:
    """Far more acts wait than a worker holds while telemetry lags: all are stepped, in order, once."""
    fresh = Fresh()
    fleet = Fleet(3, pilots=1, scenarios=["calm"], start=int(time.time() * 1000), hours=1, period="1h")
    (pilot,), now = fleet.pilots, int(time.time() * 1000)
    beats = Emitter("s/1", pilot)
    levels: list[Literal["watch", "normal"]] = ["watch", "normal"]
    acts = [
        Override(id=f"act-{n}", pilot=pilot, author="regulator-1", level=levels[n % 2], reason="to be looked at")
        for n in range(200)
    ]

    async def scenario(fork_server: ForkServer) -> None:
        telemetry = [(fresh.telemetry, pilot.encode(), encode(beats.heartbeat(now)), (), 0) for _ in range(1_000)]
        await fresh.send([*fresh.control(fleet.admissions()), *telemetry, *fresh.control(acts)])
        order = Order(
            bootstrap=fresh.bootstrap,
            prefix=fresh.names.prefix,
            log=str(tmp_path / "worker.log"),
            session_timeout=6.0,
            batch=5,
            max_pending_control=7,
        )
        child = await fork_server.fork(order)

        async def done() -> bool:
            rows = [msgspec.json.decode(r.value, type=JournalEntry) for r in await fresh.raw(fresh.names.journal)]
            return any(isinstance(e, TimeRead) and e.control_next == len(acts) + 1 for e in rows)

        await until(done, 40)
        child.signal(signal.SIGTERM)
        assert await child.exited(20) == 0

    with ForkServer() as fork_server:
        asyncio.run(scenario(fork_server))
    stands = asyncio.run(read_contents(fresh.bootstrap, fresh.names, 0))
    settings = WorkerSettings(bootstrap=fresh.bootstrap, prefix=fresh.names.prefix)
    assert check(stands, lambda p: configured_machine(settings, p, 1)) == []
    entries = [row.entry for row in stands.dump.journal if isinstance(row.entry, ControlRead)]
    assert len(entries) > 10, "so much was kept at once that this test proves nothing"
