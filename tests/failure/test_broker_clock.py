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
from monitor.testing.fork_server import Child, ForkServer, Order
from monitor.testing.history.clusters import QUICK
from monitor.testing.kafka import Fresh, until
from monitor.testing.wallclock import WallClock

pytestmark = pytest.mark.kafka
HOUR = 3600


class Setup:
    """One pilot that has to be heard every minute, beats four times a second, and one worker that writes the time as
    often."""

    def __init__(self, fresh: Fresh, fork_server: ForkServer, log: Path) -> None:
        self.fresh, self.fork_server, self.log = fresh, fork_server, log
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
        return await self.fork_server.fork(
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

    async def scenario(setup: Setup) -> None:
        await setup.fresh.send(setup.fresh.control([setup.admission]))
        child = await setup.work()
        await until(lambda: setup.time_at(0), 20)
        await setup.beat(0.6)
        for seconds in (hour, 0):
            clock.move(seconds)
            await setup.beat(0.6)
            await until(lambda s=seconds: setup.time_at(s), 20)  # type: ignore[misc]
            await until(setup.stepped, 20)
            if seconds == hour:
                child.signal(signal.SIGKILL)
                await child.exited(5)
                child = await setup.work()
        await until(setup.stepped, 20)
        assert child.running, setup.log.read_text()
        child.signal(signal.SIGTERM)
        assert await child.exited(20) == 0

    with (
        KafkaBroker(tmp_path / "broker", settings=QUICK, environment=clock.environment) as broker,
        ForkServer() as fork_server,
    ):
        setup = Setup(Fresh(bootstrap=broker.bootstrap), fork_server, tmp_path / "worker.log")
        asyncio.run(scenario(setup))
        raw = asyncio.run(setup.fresh.raw(setup.fresh.names.decisions))
        rejected = [s.value for s in asyncio.run(setup.fresh.seen()) if isinstance(s.value, Rejected)]
    decisions = [msgspec.json.decode(r.value, type=Decision) for r in raw]
    assert len({d.id for d in decisions}) == len(decisions)
    flagged = [d.unknown for d in decisions if d.kind == "flag"]
    assert "monitor_gap" in flagged
    assert "silence" not in flagged
    assert {d.level for d in decisions} <= {Level.NORMAL}
    assert {r.reason for r in rejected} == ({"time_in_future"} if hour < 0 else set())
    assert [d.at for d in decisions] == sorted(d.at for d in decisions)
