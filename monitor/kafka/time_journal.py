"""Writes `time` entries to the journal of one partition: when a timer is due, and at least every so often.

A `time` entry says that telemetry has been read to its end, so that a missing heartbeat means silence. A backlog must
never look like silence: the end moves while records arrive, so the ends are asked for, and once they are reached within
CLOSE_ENOUGH_S, telemetry counts as read. Taking longer means a backlog, and the ends are asked for again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from monitor.kafka.interfaces import TelemetryProgress

CLOSE_ENOUGH_S = 0.5  # ends asked for longer ago do not prove that telemetry is read to its end
TIMER_EVERY_S = 0.1  # between two entries while timers are due


class _Timed(Protocol):
    @property
    def notify_at(self) -> int | None: ...
    async def time(self) -> None: ...


class TimeJournal:
    """`every` is the longest time between two entries (s). `now_ms` is the journal's clock; intervals are measured on
    `monotonic` (s), because the broker's clock may jump. `fired` is called with how late a due timer fired (s)."""

    def __init__(
        self,
        runner: _Timed,
        every: float,
        *,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        fired: Callable[[float], None],
    ) -> None:
        self._runner = runner
        self._every = every
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._fired = fired
        self._written_at = -math.inf
        self._asked: tuple[float, dict[str, int]] | None = None  # when the ends were asked for, and what they were

    def wait(self) -> float | None:
        """Seconds until the next timer is due (negative: overdue); None without a timer."""
        at = self._runner.notify_at
        return None if at is None else (at - self._now_ms()) / 1000

    @property
    def due(self) -> bool:
        """Whether an entry is due: one was not written for `every` seconds, or a timer is overdue."""
        wait = self.wait()
        every = TIMER_EVERY_S if wait is not None and wait <= 0 else self._every
        return self._monotonic() - self._written_at >= every

    async def write_if_due(self, progress: TelemetryProgress, active: Callable[[], bool]) -> bool:
        """Append an entry if one is due, telemetry is read to its end and `active()`; returns whether it was."""
        now, timer = self._now_ms(), self._runner.notify_at
        overdue = now - timer if timer is not None and now >= timer else None
        if not self.due:
            self._asked = None
            return False
        if not await self._read_to_end(progress) or not active():
            return False
        await self._runner.time()
        if overdue is not None:
            self._fired(overdue / 1000)
        self._written_at = self._monotonic()
        return True

    async def _read_to_end(self, progress: TelemetryProgress) -> bool:
        if self._asked is None or self._monotonic() - self._asked[0] > CLOSE_ENOUGH_S:
            asked_at = self._monotonic()  # before the request: the answer may be older than its arrival
            self._asked = asked_at, await progress.ends()
        if not await progress.reached(self._asked[1]):
            return False
        self._asked = None
        return True
