"""Permits and halts over Kafka with real processes: broker, worker, and a service of two processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.charter.control import Admission
from monitor.charter.spec import Responses
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Reason
from monitor.simulation.fleet import Fleet
from monitor.testing.broker import KafkaBroker
from monitor.testing.environments import Kafka
from monitor.testing.kafka import Fresh, gathered
from monitor.testing.service import Service
from monitor.testing.slowness import Slowness
from monitor.testing.wait import Until
from monitor.testing.workers import Worker

pytestmark = pytest.mark.kafka
PILOT, LEASE_S, SECOND = "pilot-0001", 4.0, 1_000_000_000
until = Until(60.0, every=0.1)


@pytest.fixture(name="broker")
def own_broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A separate broker: it will be killed."""
    with KafkaBroker(tmp_path / "kafka") as running:
        yield running


@pytest.fixture(name="slowness")
def measured_slowness() -> Iterator[Slowness]:
    """How much slower this machine is than an idle one, measured during the test: a second is promised on that one."""
    with Slowness() as slowness:
        yield slowness


def reasons(fresh: Fresh) -> list[Reason]:
    """The reasons of all decisions."""
    return [decision.reason for decision in gathered(asyncio.run(fresh.seen())).decisions]


def admission() -> Admission:
    """The pilot of the simulator, tier high, with a short lease."""
    (given,) = Fleet(1, pilots=1, hours=48, start=int(time.time() * 1000) - 48 * 3_600_000).admissions()
    charter = msgspec.structs.replace(given.charter, responses=Responses(lease=f"{LEASE_S:g}s"))
    return msgspec.structs.replace(given, charter=charter)


def test_after_an_outage_of_the_broker_a_halt_is_obeyed(
    broker: KafkaBroker, tmp_path: Path, slowness: Slowness
) -> None:
    """Broker killed: both processes refuse within lease + 1 s of the last answered heartbeat. Broker restarted: they
    serve. Halted by a reported death: both refuse within a second, the halt is verified, and they refuse with the
    worker killed."""
    fresh = Fresh(bootstrap=broker.bootstrap)
    prefix = fresh.names.prefix
    workers = [Worker(broker.bootstrap, prefix, tmp_path / "worker.log").wait_ready()]
    asyncio.run(fresh.send(fresh.control([admission()])))
    until(lambda: Reason.ADMITTED in reasons(fresh))
    service = Service(
        to=f"kafka://{broker.bootstrap}",
        topic_prefix=prefix,
        pilot=PILOT,
        participant="firm-1",
        model="m1",
        spool=tmp_path / "spool",
        workers=2,
        heartbeat_s=0.5,
        pack_ms=5,
        tier="high",
        trust="none",
    )
    try:
        service.wait("serving", 2, timeout=90)
        time.sleep(2)
        since = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        broker.kill()
        for change in service.wait("Lapsed", 2, since=since):
            assert change.at - change.sent <= (LEASE_S + slowness.factor) * SECOND
        broker.start()
        workers[-1].kill()  # it may have exited: a supervisor restarts it
        workers.append(Worker(broker.bootstrap, prefix, tmp_path / "worker.log").wait_ready(60))
        # Logged at every start: this lease is shorter than the recovery from a crash of a worker.
        assert 'sandbox_monitor_leases_short{partition="0"} 1.0' in workers[-1].metrics()
        assert "lease.too_short stage=act partition=0 pilots=1 examples=pilot-0001" in workers[-1].tail(400)
        since = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        until(lambda: set(service.last().values()) == {"serving"})
        now = int(time.time() * 1000)
        death = Emitter("outside/1", PILOT).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
        since = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        asyncio.run(fresh.send([(fresh.telemetry, PILOT.encode(), encode(death), (), 0)]))
        durable = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        refused = service.wait("Halted", 2, since=since)
        assert max(change.at for change in refused) - durable < slowness.factor * SECOND
        until(lambda: Reason.HALT_VERIFIED in reasons(fresh))
        workers[-1].kill()
        time.sleep(2)
        assert set(service.last().values()) == {"Halted"}
    finally:
        service.kill()
        for worker in workers:
            worker.kill()


def test_the_crash_of_one_worker_stops_no_service(tmp_path: Path) -> None:
    """Two workers, four pilots, a lease longer than twice the session timeout plus the recovery: when a worker is
    killed no service's permit lapses; the other worker takes over the partitions, and a halt is obeyed and verified."""
    environment = Kafka(tmp_path, 4, Responses(lease="30s"), workers=2)
    services = []
    try:
        charters = [environment.next() for _ in range(4)]
        for charter in charters:
            settings = {
                **environment.settings(environment.proxy()),
                "pilot": charter.pilot,
                "participant": charter.participant.id,
            }
            services.append(
                Service(**settings, model="m1", spool=tmp_path / charter.pilot, heartbeat_s=0.5, pack_ms=5, tier="high")
            )
        for service in services:
            service.wait("serving", timeout=90)
        killed = environment.workers[0]
        assert killed is not None
        killed.kill()
        time.sleep(20)
        for charter in charters:
            now = int(time.time() * 1000)
            death = Emitter(f"outside/{charter.pilot}", charter.pilot)
            environment.report(death.incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH))
        for charter, service in zip(charters, services, strict=True):
            service.wait("Halted")
            environment.decisions.wait(charter.pilot, Reason.HALT_VERIFIED)
            states = [change.state for change in service.changes]
            assert states[states.index("serving") :] == ["serving", "Halted"]
    finally:
        for service in services:
            service.kill()
        environment.close()
