"""Draining: the time between a halt and its acknowledgement, in which running work ends and no new work begins."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from monitor.logs import EventLogger
from monitor.model.records import Command

LOG = EventLogger("monitor.sdk")


class Drain:
    """One halt that is being enforced: its `command`, and how long running work may go on."""

    def __init__(self, command: Command, seconds: float) -> None:
        self.command = command
        self._end = time.monotonic() + seconds
        self.over = False  # set just before the halt is acknowledged

    @property
    def left(self) -> float:
        """Seconds until running work must have ended; 0 afterwards."""
        return 0.0 if self.over else max(0.0, self._end - time.monotonic())


Hook: TypeAlias = Callable[[Drain], None] | Callable[[Drain], Awaitable[None]]


class Hooks:
    """Callbacks at a halt. A function runs in its own thread, a coroutine function in the event loop that was running
    when it was added. An exception of one is logged."""

    def __init__(self) -> None:
        self._hooks: list[tuple[Hook, asyncio.AbstractEventLoop | None]] = []

    def add(self, hook: Hook) -> None:
        """Add a hook. Raises RuntimeError for a coroutine function when no event loop is running."""
        loop = asyncio.get_running_loop() if inspect.iscoroutinefunction(hook) else None
        self._hooks.append((hook, loop))

    def run(self, drain: Drain) -> Callable[[], bool]:
        """Start all hooks and return a function that tells whether all have ended. Does not block."""
        threads = [
            threading.Thread(target=self._one, args=(hook, loop, drain), name="sandbox-on-halt", daemon=True)
            for hook, loop in self._hooks
        ]
        for thread in threads:
            thread.start()
        return lambda: not any(thread.is_alive() for thread in threads)

    @staticmethod
    def _one(hook: Hook, loop: asyncio.AbstractEventLoop | None, drain: Drain) -> None:
        try:
            done: Any = hook(drain)
            if loop is not None:
                asyncio.run_coroutine_threadsafe(done, loop).result(drain.left)
        except TimeoutError:
            LOG.error("halt.hook_timed_out", stage="act", pilot=drain.command.pilot, command=drain.command.id)
        except Exception:
            LOG.error(
                "halt.hook_failed", stage="act", exc_info=True, pilot=drain.command.pilot, command=drain.command.id
            )
