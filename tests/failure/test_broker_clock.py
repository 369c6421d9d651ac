"""The clock of the broker's machine is set an hour ahead and an hour behind: nothing is lost or decided twice, and it
is never taken for silence of a firm."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import Admission
from monitor.errors import Unavailable
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.records import Decision, JournalEntry, Level, Rejected, TimeRead
from monitor.simulation.fleet import Fleet
from monitor.testing.broker import KafkaBroker
from monitor.testing.fork_server import Child, Nursery, Order
from monitor.testing.history.site import QUICK
from monitor.testing.kafka import Fresh, until
from monitor.testing.wallclock import WallClock

pytestmark = pytest.mark.kafka
HOUR = 3600


class World:
    """One pilot that has to be heard every minute, beats four times a second, and one worker that writes the time as
    often."""

    def __init__(self, fresh: Fresh, nursery: Nursery, log: Path) -> None:
        self.fresh, self.nursery, self.log = fresh, nursery, log
        fleet = Fleet(3, pilots=1, scenarios=["calm"], start=int(time.time() * 1000), hours=1, period="1h")
        (admission,) = fleet.admissions()
        assert isinstance(admission, Admission)
        silence = next(i for i in admission.charter.indicators if i.kind == "silence")
        charter = structs.replace(  # it is unknown for no other reason, at any time of day
            admission.charter, indicators=(structs.replace(silence, params={"every": "60s"}),)
        )
        self.admission = structs.replace(admission, charter=charter)
        self.pilot = fleet.pilots[0]
        self.emitter = Emitter("s/1", self.pilot)
        self.beats = 0

    async def work(self) -> Child:
        return await self.nursery.fork(
            Order(bootstrap=self.fresh.bootstrap, prefix=self.fresh.names.prefix, log=str(self.log), time_every_ms=250)
        )

    async def beat(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            beat = encode(self.emitter.heartbeat(int(time.time() * 1000)))
            await self.fresh.send([(self.fresh.telemetry, self.pilot.encode(), beat, (), 0)])
            self.beats += 1
            await asyncio.sleep(0.25)

    async def times(self) -> list[int]:
        """When each `time` entry was written, by the broker's clock (s)."""
        rows = [(r.timestamp, msgspec.json.decode(r.value, type=JournalEntry)) for r in await self.raw()]
        return [stamp // 1000 for stamp, entry in rows if isinstance(entry, TimeRead)]

    async def raw(self) -> list[object]:
        return await self.fresh.raw(self.fresh.names.journal)

    async def stepped(self) -> bool:
        """Whether a `time` entry exists after every heartbeat."""
        entries = [msgspec.json.decode(r.value, type=JournalEntry) for r in await self.raw()]  # type: ignore[attr-defined]
        reached = [e.telemetry_next.get(self.fresh.telemetry, 0) for e in entries if isinstance(e, TimeRead)]
        return bool(reached) and reached[-1] >= self.beats

    async def time_at(self, seconds: int) -> bool:
        """Whether the last `time` entry is of a clock so far ahead."""
        times = await self.times()
        return bool(times) and abs(times[-1] - time.time() - seconds) < 60


@pytest.mark.long
@pytest.mark.parametrize("hour", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_a_broker_whose_clock_is_set_is_not_a_silent_firm(tmp_path: Path, hour: int) -> None:
    """Wrong and right again, with the worker killed in between: every heartbeat is stepped, those that seem to come
    from the future are rejected by name, the jump is flagged as the monitor's own fault, and no decision is doubled."""
    try:
        clock = WallClock(tmp_path / "clock")
    except Unavailable as error:
        pytest.skip(str(error))

    async def story(world: World) -> None:
        await world.fresh.send(world.fresh.control([world.admission]))
        child = await world.work()
        await until(lambda: world.time_at(0), 20)
        await world.beat(0.6)
        for seconds in (hour, 0):
            clock.move(seconds)
            await world.beat(0.6)
            await until(lambda s=seconds: world.time_at(s), 20)  # type: ignore[misc]
            await until(world.stepped, 20)
            if seconds == hour:
                child.signal(signal.SIGKILL)
                await child.gone(5)
                child = await world.work()
        await until(world.stepped, 20)
        assert child.running, world.log.read_text()
        child.signal(signal.SIGTERM)
        assert await child.gone(20) == 0

    with (
        KafkaBroker(tmp_path / "broker", settings=QUICK, environment=clock.environment) as broker,
        Nursery() as nursery,
    ):
        world = World(Fresh(bootstrap=broker.bootstrap), nursery, tmp_path / "worker.log")
        asyncio.run(story(world))
        raw = asyncio.run(world.fresh.raw(world.fresh.names.decisions))
        rejected = [s.value for s in asyncio.run(world.fresh.seen()) if isinstance(s.value, Rejected)]
    decisions = [msgspec.json.decode(r.value, type=Decision) for r in raw]
    assert len({d.id for d in decisions}) == len(decisions)
    flagged = [d.unknown for d in decisions if d.kind == "flag"]
    assert "monitor_gap" in flagged
    assert "silence" not in flagged
    assert {d.level for d in decisions} <= {Level.NORMAL}
    assert {r.reason for r in rejected} == ({"time_in_future"} if hour < 0 else set())
    assert [d.at for d in decisions] == sorted(d.at for d in decisions)
