"""Telemetry without effect, told to the firm once: in the log, and to the callbacks of `Pilot.on_rejected`.

The process that reads the permits tells. A problem (reason, field, detail) is repeated after `AGAIN_S`, if it still
occurs. Bounds: `KNOWN` problems are remembered, `WAITING` wait for the callbacks; beyond it the oldest is dropped, and
`status().problems` still has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from monitor.logs import EventLogger
from monitor.model.notice import Notice
from monitor.model.telemetry_problems import TelemetryProblem, problems_of

LOG = EventLogger("monitor.sdk")
KNOWN, WAITING = 256, 64
AGAIN_S = 3600.0
HOOK_S = 10.0  # for an asynchronous callback
ProblemHook: TypeAlias = Callable[[TelemetryProblem], None] | Callable[[TelemetryProblem], Awaitable[None]]
_Key: TypeAlias = tuple[str, str, str]


class ProblemWatch:
    """Finds in each notice what is new. `clock` (s, steady); `known` is the notice from before this process began."""

    def __init__(self, known: Notice | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[_Key, float] = {}
        self._counts: dict[str, int] = {}
        self.known(known)

    def fresh(self, notice: Notice) -> list[TelemetryProblem]:
        """The problems that occurred since the last notice and were not told within `AGAIN_S`, oldest first."""
        now, found = self._clock(), []
        for problem in reversed(problems_of(notice)):
            key = (problem.reason, problem.field, problem.detail)
            more = problem.events > self._counts.get(problem.reason, 0)
            if not more or now - self._told.get(key, -AGAIN_S) < AGAIN_S:
                continue
            self._told.pop(key, None)
            self._told[key] = now
            found.append(problem)
        while len(self._told) > KNOWN:
            del self._told[next(iter(self._told))]
        self.known(notice)
        return found

    def known(self, notice: Notice | None) -> None:
        """What this notice states was told, by this process or another one."""
        self._counts = {} if notice is None else {**notice.rejected, **notice.uncounted}


class ProblemHooks:
    """Callbacks for problems. They run one after the other in one daemon thread, so that a slow one delays nothing but
    later calls; an exception of one is logged."""

    def __init__(self, pilot: str) -> None:
        self._pilot = pilot
        self._hooks: list[tuple[ProblemHook, asyncio.AbstractEventLoop | None]] = []
        self._waiting: queue.Queue[TelemetryProblem | None] = queue.Queue(WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, hook: ProblemHook) -> None:
        """Add a callback; it gets what was told before it too. Raises RuntimeError for a coroutine function when no
        event loop is running."""
        loop = asyncio.get_running_loop() if inspect.iscoroutinefunction(hook) else None
        with self._lock:
            self._hooks.append((hook, loop))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=f"sandbox-on-rejected-{self._pilot}", daemon=True
                )
                self._thread.start()

    def tell(self, problems: list[TelemetryProblem]) -> None:
        """Hand problems to the callbacks. Does not block."""
        for problem in problems:
            self._put(problem)

    def stop(self) -> None:
        """Have the thread end after the callback that it runs. Does not block."""
        while not self._waiting.empty():
            with contextlib.suppress(queue.Empty):
                self._waiting.get_nowait()
        self._put(None)

    def _put(self, problem: TelemetryProblem | None) -> None:
        while True:
            try:
                return self._waiting.put_nowait(problem)
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._waiting.get_nowait()

    def _run(self) -> None:
        while (problem := self._waiting.get()) is not None:
            for hook, loop in list(self._hooks):
                try:
                    done: Any = hook(problem)
                    if loop is not None:
                        asyncio.run_coroutine_threadsafe(done, loop).result(HOOK_S)
                except Exception:
                    LOG.error("rejected.hook_failed", exc_info=True, pilot=self._pilot, reason=problem.reason)
