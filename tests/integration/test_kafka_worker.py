"""The worker on a real broker: input becomes output, and no input of a firm stops it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from monitor.kafka.dump import dump_partition, replay_dump
from monitor.kafka.settings import WorkerSettings, configured_machine
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Decision, Level, Reason, Rejected
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh, Sent, gathered, until
from monitor.testing.workers import Worker

pytestmark = pytest.mark.kafka

PILOT = "pilot-0001"


def fleet() -> Fleet:
    """One pilot, admitted under the charter of the simulator, whose cycle holds today."""
    return Fleet(1, pilots=1, hours=48, start=int(time.time() * 1000) - 48 * 3_600_000)


def record(fresh: Fresh, value: bytes | None, key: str = PILOT, **headers: bytes) -> Sent:
    return fresh.telemetry, key.encode(), value, [(k.replace("_", "-"), v) for k, v in headers.items()], 0


def rubbish(fresh: Fresh, good: bytes) -> dict[str, Sent]:
    """Reason -> a record that is rejected for it; `good` is an event to modify."""
    now = b'"time":"'
    at = good.index(now) + len(now)

    def spoilt(old: bytes, new: bytes) -> bytes:
        assert old in good
        return good.replace(old, new, 1)

    heartbeat = encode(
        Emitter("svc/bad", PILOT).heartbeat(int(time.time() * 1000), serving=True, nonce="n", exposure=1.0)
    )
    assert b'"exposure":1.0' in heartbeat
    return {
        "not_utf8": record(fresh, b"\xff\xfe\x00junk"),
        "not_json": record(fresh, good[:-3]),
        "wrong_type": record(fresh, spoilt(b'"sequence":"', b'"sequence":7,"was":"')),
        "not_finite": record(fresh, heartbeat.replace(b'"exposure":1.0', b'"exposure":NaN')),
        "out_of_range": record(fresh, heartbeat.replace(b'"exposure":1.0', b'"exposure":1e300')),
        "time_in_future": record(fresh, good[:at] + b"9999-12-31T23:59:59Z" + good[good.index(b'"', at) :]),
        "too_large": record(fresh, os.urandom(2_500_000).hex().encode()),
        "empty_value": record(fresh, None),
        "not_admitted": record(fresh, good.replace(PILOT.encode(), b"stranger"), key="stranger"),
    }


def test_invalid_records_are_rejected_with_their_reason_and_good_events_count(tmp_path: Path) -> None:
    """Each kind of invalid record is in `rejected` with its own reason; events before and after it count; the worker
    runs on."""
    fresh = Fresh()
    service = Emitter("svc/1", PILOT)
    now = int(time.time() * 1000)

    async def story(worker: Worker) -> None:
        await fresh.send(fresh.control(fleet().admissions()))
        await until(lambda: has(fresh, Reason.ADMITTED))
        before = service.incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.SERIOUS_INJURY)
        bad = rubbish(fresh, encode(Emitter("svc/2", PILOT).complaint(now)))
        after = service.incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
        await fresh.send([record(fresh, encode(before)), *bad.values(), record(fresh, encode(after))])
        await until(lambda: rejections(fresh, len(bad)))
        await until(lambda: causes(fresh, {f"event:svc/1#{int(e.sequence)}" for e in (before, after)}))
        out = gathered(await fresh.seen())
        assert sorted(r.reason for r in out.rejected) == sorted(bad)
        assert worker.running

    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log")
    try:
        asyncio.run(story(worker.wait_ready()))
        assert 'sandbox_monitor_rejected_total{reason="not_utf8"} 1.0' in worker.metrics()
        assert worker.stop() == 0, worker.tail()
    finally:
        worker.kill()


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_compressed_records_are_read_like_any_other(
    codec: str, tmp_path: Path, kept_worker: tuple[Fresh, Worker]
) -> None:
    """A firm may compress with any codec of Kafka; its event counts and the worker runs on."""
    fresh, worker = kept_worker
    event = Emitter(f"svc/{codec}", PILOT).incident(
        int(time.time() * 1000), severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
    )
    padding = [record(fresh, encode(Emitter("svc/pad", "stranger").complaint(0)), key="stranger") for _ in range(20)]

    async def story() -> None:
        await fresh.send([*padding, record(fresh, encode(event))], compression=codec)
        await until(lambda: stepped(fresh, f"svc/{codec}"))

    asyncio.run(story())
    assert worker.running


@pytest.fixture(scope="module")
def kept_worker(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """One worker with one admitted pilot for all codecs."""
    fresh = Fresh()
    asyncio.run(fresh.send(fresh.control(fleet().admissions())))
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path_factory.mktemp("codecs") / "worker.log")
    try:
        worker.wait_ready()
        asyncio.run(until(lambda: has(fresh, Reason.ADMITTED)))
        yield fresh, worker
    finally:
        worker.kill()


def test_the_offline_replay_of_the_logs_gives_the_same_outputs(tmp_path: Path) -> None:
    """Stepping the dumped telemetry, control and journal offline gives the decisions, ids and rejections that Kafka
    holds."""
    fresh = Fresh(partitions=2)
    pilots = Fleet(3, pilots=6, hours=20, period="200ms", start=int(time.time() * 1000) + 4_000, volume=300)
    number = {pilot: i % 2 for i, pilot in enumerate(pilots.pilots)}

    async def story(worker: Worker) -> None:
        await fresh.send(fresh.control(pilots.admissions(), number.__getitem__))
        events = [(e.subject, encode(e)) for _, e in pilots]
        await asyncio.sleep(max(0.0, pilots.end / 1000 - time.time()))
        await fresh.send((fresh.telemetry, p.encode(), v, (), number[p]) for p, v in events)
        await asyncio.sleep(2.0)

    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log").wait_ready()
    try:
        asyncio.run(story(worker))
        assert worker.stop() == 0, worker.tail()
    finally:
        worker.kill()
    stood = gathered(asyncio.run(fresh.seen()))
    settings = WorkerSettings(bootstrap=fresh.bootstrap, prefix=fresh.names.prefix)
    for partition in range(2):
        logs = asyncio.run(dump_partition(fresh.bootstrap, fresh.names, partition))
        again = replay_dump(logs, configured_machine(settings, partition, 1))
        mine = {p for p, n in number.items() if n == partition}
        assert [d for d in stood.decisions if d.pilot in mine] == again.decisions
        assert len(again.decisions) > len(mine), "more than the admissions"
        assert [r for r in stood.rejected if r.partition == partition] == again.rejected


def test_the_worker_opens_no_socket_but_its_health_page(tmp_path: Path) -> None:
    """Faust's web server stays off: the only listening socket is the health page, on loopback."""
    fresh = Fresh()
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log").wait_ready()
    try:
        assert listening(worker.process.pid) == {f"0100007F:{worker.port:04X}"}
    finally:
        worker.kill()


def test_a_worker_refuses_topics_with_wrong_settings(tmp_path: Path) -> None:
    """Without the right topics the worker does not start, and names the topic and the fix."""
    fresh = Fresh(partitions=2)
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", "--partition-count", "3")
    try:
        assert worker.process.wait(90) == 1
        assert f"{fresh.names.journal}: has 2 partitions, not 3; fix:" in worker.tail()
    finally:
        worker.kill()


def listening(pid: int) -> set[str]:
    """Local addresses (as in /proc/net/tcp) on which the process listens."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(link)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1])
    return found


async def has(fresh: Fresh, reason: Reason) -> bool:
    return any(isinstance(s.value, Decision) and s.value.reason is reason for s in await fresh.seen())


async def rejections(fresh: Fresh, count: int) -> bool:
    return sum(isinstance(s.value, Rejected) for s in await fresh.seen()) >= count


async def causes(fresh: Fresh, wanted: set[str]) -> bool:
    return wanted <= {s.value.cause for s in await fresh.seen() if isinstance(s.value, Decision)}


async def stepped(fresh: Fresh, source: str) -> bool:
    """Whether a record after the event of this source exists: each codec's event is a separate death."""
    return any(
        isinstance(s.value, Decision)
        and s.value.cause.startswith(f"event:{source}#")
        and s.value.level >= Level.ESCALATE
        for s in await fresh.seen()
    )
