"""The embedded monitor in its process, without a door."""

from __future__ import annotations

import asyncio
from pathlib import Path

from monitor.embedded.process import Monitor
from monitor.embedded.store import Incoming
from monitor.testing.clock import MovingClock


def test_who_works_off_a_backlog_is_not_called_silent(tmp_path: Path) -> None:
    """Until telemetry is stepped to its end no `time` is journalled: then each batch tells the board that somebody decides."""

    async def story() -> None:
        clock = MovingClock(1_700_000_000_000)
        monitor = Monitor(tmp_path, clock=clock)
        try:
            await monitor.runner.recover()
            await monitor._time()
            clock.now += monitor.board.worker.silent_ms + 1
            assert monitor.board.worker.silent(clock.now) == [0]
            await monitor.store.feed([Incoming(b"{}")])
            await monitor._telemetry()
            assert monitor.board.worker.silent(clock.now) == []
        finally:
            await monitor.stop()

    asyncio.run(story())
