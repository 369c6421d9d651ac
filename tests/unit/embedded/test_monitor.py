"""The embedded monitor in its process, without a door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from monitor.embedded.monitor import TIME_EVERY_MS, Monitor
from monitor.embedded.store import Incoming
from monitor.testing.clock import MovingClock


@asynccontextmanager
async def begun(directory: Path, clock: MovingClock) -> AsyncIterator[Monitor]:
    """A monitor that has recovered and written the time once."""
    monitor = Monitor(directory, clock=clock)
    try:
        await monitor.runner.recover()
        await monitor._time()
        yield monitor
    finally:
        await monitor.stop()


def test_who_works_off_a_backlog_is_not_called_silent(tmp_path: Path) -> None:
    """Until telemetry is stepped to its end no `time` is journalled: then each batch tells the board that somebody
    decides."""

    async def story() -> None:
        clock = MovingClock(1_700_000_000_000)
        async with begun(tmp_path, clock) as monitor:
            clock.now += monitor.board.liveness.silent_ms + 1
            assert monitor.board.liveness.silent(clock.now) == [0]
            await monitor.store.feed([Incoming(b"{}")])
            await monitor._telemetry()
            assert monitor.board.liveness.silent(clock.now) == []

    asyncio.run(story())


def test_a_clock_set_back_delays_no_time_entry(tmp_path: Path) -> None:
    """Set back by an hour, the clock would hold up the `time` for an hour: it is written at once, then as often as
    ever."""

    async def story() -> None:
        clock = MovingClock(1_700_000_000_000)
        async with begun(tmp_path, clock) as monitor:
            clock.now -= 3_600_000
            assert monitor._next_time(clock.now) == clock.now
            await monitor._time()
            assert clock.now < monitor._next_time(clock.now) <= clock.now + TIME_EVERY_MS

    asyncio.run(story())
