"""On a real broker: events made to enlarge a pilot's state do not affect the worker, its next start or other pilots."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from monitor.kafka import state_keys
from monitor.model.bounds import STATE_BYTES
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Reason
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh, gathered, until
from monitor.testing.workers import Worker

pytestmark = pytest.mark.kafka


def bomb(pilot: str) -> list[bytes]:
    """512 sources with names of 200 letters, each with an exposure under number 1 and one under 9e17."""
    events, now = [], int(time.time() * 1000)
    for n in range(512):
        emitter = Emitter(f"{n:04d}{'x' * 196}", pilot)
        events += [
            emitter.exposure(now, 0.0),
            msgspec.structs.replace(emitter.exposure(now, 0.0), sequence="900000000000000000"),
        ]
    return [encode(event) for event in events]


def test_a_state_bomb_affects_one_pilot_only(tmp_path: Path) -> None:
    """The worker steps it, writes a state below the limit, recovers from it, and watches its other pilot throughout."""
    fresh, now = Fresh(), int(time.time() * 1000)
    pilots = Fleet(1, pilots=2, hours=48, start=now - 48 * 3_600_000)
    hostile, other = pilots.pilots

    async def reason(pilot: str, reason: Reason) -> bool:
        out = gathered(await fresh.seen())
        return any(d.pilot == pilot and d.reason is reason for d in out.decisions)

    async def written() -> bool:
        found = [
            r
            for r in await fresh.raw(fresh.names.state)
            if state_keys.parse(r.key)[0::2] == (state_keys.SNAPSHOT, hostile)
        ]
        return bool(found) and found[-1].value is not None and len(found[-1].value) > 20_000

    async def story() -> None:
        await fresh.send(fresh.control(pilots.admissions()))
        await until(lambda: reason(other, Reason.ADMITTED))
        await fresh.send([(fresh.telemetry, hostile.encode(), event, [], 0) for event in bomb(hostile)])
        await until(written)

    async def after() -> None:
        at = int(time.time() * 1000)
        death = Emitter("svc/1", other).incident(at, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
        await fresh.send([(fresh.telemetry, other.encode(), encode(death), [], 0)])
        await until(lambda: reason(other, Reason.HARD_RULE))
        sizes = [len(r.value or b"") for r in await fresh.raw(fresh.names.state)]
        assert max(sizes) <= STATE_BYTES

    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log")
    try:
        worker.wait_ready()
        asyncio.run(story())
        worker.kill()
        worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log").wait_ready()
        asyncio.run(after())
        assert worker.stop() == 0, worker.tail()
    finally:
        worker.kill()
