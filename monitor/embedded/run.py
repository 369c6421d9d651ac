"""Runs the embedded monitor until a signal, the end of its work, or an error."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from monitor.embedded.monitor import Monitor


async def run_until_stopped(
    monitor: Monitor,
    started: Callable[[], None] = lambda: None,
    work: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ends_with_work: bool = False,
) -> None:
    """Start, call `started`, run `work` concurrently, and stop cleanly (with a checkpoint) on SIGTERM, SIGINT, an error
    of monitor or work (raised after the stop), or, if `ends_with_work`, when the work is done."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    working: asyncio.Task[None] | None = None
    try:
        await monitor.start()
        started()
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(monitor.wait()), asyncio.create_task(told.wait())}
        if work is not None:
            working = asyncio.create_task(work())
            waits.add(working)
        while waits:
            done, waits = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if working not in done or ends_with_work or len(done) > 1:
                break
        for task in waits:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await monitor.stop()
