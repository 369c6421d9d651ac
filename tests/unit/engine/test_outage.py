"""Events that are late because the monitor was unavailable are excused; events that are late anyway are not, before,
during and after the outage."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from monitor.charter.control import Admission
from monitor.charter.spec import DetectorSpec, IndicatorSpec
from monitor.console.fleet_view import FleetView
from monitor.console.pilot_page import pilot_page
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.model.records import Reason
from monitor.state.snapshots import snapshot
from monitor.testing.clock import MovingClock
from monitor.testing.memory_log import MemoryStore
from tests.unit.engine.test_machine import HOUR, T0, Bench, charter

MINUTE = 60_000
LATE = IndicatorSpec(
    name="late", kind="late_share", period="1h", reporting_delay="10m", limit=0.1, weight=1,
    detectors=(DetectorSpec("limit_e_process", "halt"),)
)  # fmt: skip
BACK = T0 + 6 * HOUR  # end of an outage of four hours


def after_outage(monkeypatch: pytest.MonkeyPatch, fast_path: bool) -> Bench:
    """A monitor right after an outage."""
    monkeypatch.setattr(Machine, "fast_path", fast_path)
    bench = Bench(LATE, journalled=True)
    bench.send(bench.emitter.exposure(T0 + 1000, 5), at=T0 + 1000)
    bench.time(T0 + 2 * HOUR)
    bench.time(BACK)
    return bench


def told(bench: Bench, of: int, at: int) -> tuple[float, float]:
    """How many of ten events of the moment `of`, received at `at`, count as late, and how many count."""

    def seen() -> tuple[float, float]:
        periods = bench.machine.pilots["p"].streams["late/"].open.values()
        return sum(p.k for p in periods), sum(p.m for p in periods)

    bench.send(bench.emitter.exposure(at, 1), at=at)
    before = seen()
    bench.send(*(bench.emitter.exposure(of, 1) for _ in range(10)), at=at)
    after = seen()
    return after[0] - before[0], after[1] - before[1]


@pytest.mark.parametrize("fast_path", [True, False], ids=["in runs", "one by one"])
def test_what_piled_up_while_we_were_away_is_not_late(monkeypatch: pytest.MonkeyPatch, fast_path: bool) -> None:
    """Events that were due before the outage are late; those due during it are excused, for as long after it as it
    lasted."""
    bench = after_outage(monkeypatch, fast_path)
    assert told(bench, T0 + MINUTE, BACK + MINUTE) == (10, 10)
    assert told(bench, T0 + 2 * HOUR, BACK + 2 * MINUTE) == (0, 10)
    assert told(bench, T0 + 2 * HOUR, BACK + 4 * HOUR) == (0, 10)
    assert told(bench, T0 + 2 * HOUR, BACK + 4 * HOUR + 1) == (10, 10)


def test_runs_and_single_events_come_to_the_same_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes; and a snapshot holds the outage."""
    states = []
    for fast_path in (True, False):
        bench = after_outage(monkeypatch, fast_path)
        for minute in range(1, 600, 30):
            told(bench, T0 + 2 * HOUR, BACK + minute * MINUTE)
        states.append(snapshot(bench.machine.pilots["p"]))
        machine = Machine()
        machine.restore({"p": states[-1]})
        assert machine.pilots["p"].outage == (T0 + 2 * HOUR, BACK)
    assert states[0] == states[1]


def test_from_when_to_when_the_monitor_was_away_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """After a restart the outage is on record, on the pilot's page, and once in the log of the process."""
    clock = MovingClock(T0)
    store = MemoryStore(clock)
    admission = msgspec.json.encode(Admission(id="a", pilot="p", author="anna", charter=charter(LATE)))
    store.feed_control(admission, received=T0, key=b"p")

    async def life(*times: int) -> None:
        runner = Runner(store.log(), clock=clock, checkpoint_every_ms=0)
        await runner.recover()
        await runner.control(await store.log().control(runner.next_control, 10))
        for at in times:
            clock.set(at)
            await runner.time()

    with caplog.at_level(logging.WARNING, "monitor.engine.runner"):
        asyncio.run(life(T0 + 10_000, T0 + 20_000))
        assert not caplog.records
        asyncio.run(life(BACK, BACK + 10_000))
        asyncio.run(life(BACK + 20_000))
    (line,) = (record.getMessage() for record in caplog.records)
    outage = "start=2026-01-05T00:00:20.000+00:00 end=2026-01-05T06:00:00.000+00:00"
    assert line == f"monitor.outage stage=detect partition=0 {outage} pilots=1"
    board = FleetView()
    board.apply(store.outputs())
    (gap,) = (d for d in board.pilots["p"].decisions if d.reason is Reason.MONITOR_GAP)
    assert (gap.finding.period_start, gap.finding.period_end) == (T0 + 20_000, BACK)
    page = pilot_page(board, "p", BACK)
    assert page is not None
    assert page.count("Monitor outage, 2026-01-05 00:00:20 to 2026-01-05 06:00:00.") == 1
