"""The time between a halt and the hard refusal: work in hand is finished or handed over, nothing new begins."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from monitor.model.records import Command

LOG = logging.getLogger("monitor.sdk")


class Drain:
    """One halt being obeyed: the `command`, and until when work in hand may go on."""

    def __init__(self, command: Command, seconds: float) -> None:
        self.command = command
        self._end = time.monotonic() + seconds
        self.over = False  # set when the halt is about to be acknowledged

    @property
    def left(self) -> float:
        """Seconds until the hard refusal, 0 after it."""
        return 0.0 if self.over else max(0.0, self._end - time.monotonic())


Hook: TypeAlias = Callable[[Drain], None] | Callable[[Drain], Awaitable[None]]


class Hooks:
    """What the service wants done at a halt. Each hook runs in a thread of its own, a coroutine function in the loop that ran
    when it was added; what one raises is logged."""

    def __init__(self) -> None:
        self._hooks: list[tuple[Hook, asyncio.AbstractEventLoop | None]] = []

    def add(self, hook: Hook) -> None:
        """Add a hook. Raises RuntimeError for a coroutine function outside a running loop."""
        loop = asyncio.get_running_loop() if inspect.iscoroutinefunction(hook) else None
        self._hooks.append((hook, loop))

    def run(self, drain: Drain) -> Callable[[], bool]:
        """Start all hooks; what is returned tells whether they are done."""
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
            LOG.error("pilot %s: an on_halt hook was not done in time", drain.command.pilot)
        except Exception:
            LOG.exception("pilot %s: an on_halt hook failed", drain.command.pilot)
