"""Holds control records of one partition until the telemetry that precedes them has been stepped.

In a backlog an act would otherwise overtake telemetry that came before it, and close periods whose data are still
waiting. It also makes recovery repeatable: an owner that lost its state steps all telemetry that an earlier owner can
have stepped before any act, so that it emits the same outputs again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from monitor.kafka.interfaces import TelemetryProgress
from monitor.model.records import Record


class ControlGate:
    """Bounded: at most `limit` records plus one batch are held. What does not fit stays in the log and is read later.

    `step` journals and steps the records that are released; it is the runner's `control`.
    """

    def __init__(self, step: Callable[[Sequence[Record]], Awaitable[None]], limit: int) -> None:
        self._step = step
        self._limit = limit
        self._barrier: tuple[int, dict[str, int]] | None = (
            None  # so many pending records wait for telemetry up to there
        )
        self.pending_control: list[Record] = []
        self.overflowed = False  # fetched records were discarded here, and have to be read from the log

    @property
    def waiting(self) -> bool:
        """Whether records wait here or in the log."""
        return bool(self.pending_control) or self.overflowed

    def hold(self, records: Sequence[Record]) -> bool:
        """Hold a batch. False when the gate is full: the batch is discarded, and `read_overflow` gets it later."""
        if len(self.pending_control) >= self._limit:
            self.overflowed = True
            return False
        self.pending_control.extend(records)
        return True

    async def release(self, progress: TelemetryProgress, active: Callable[[], bool]) -> None:
        """Step the pending records whose telemetry has been read; nothing when it has not, or when not `active()` then.

        The ends of telemetry are asked for once per group of records. Records that arrive later wait for the next
        group.
        """
        if not self.pending_control:
            return
        if self._barrier is None:
            self._barrier = len(self.pending_control), await progress.ends()
        count, ends = self._barrier
        if not await progress.reached(ends) or not active():
            return
        released, self.pending_control = self.pending_control[:count], self.pending_control[count:]
        self._barrier = None
        await self._step(released)

    async def read_overflow(
        self, read: Callable[[int, int], Awaitable[Sequence[Record]]], delivered: int, fetched: int
    ) -> list[Record]:
        """Control records from `delivered` on that were fetched (offsets below `fetched`) and discarded; empty, and no
        longer overflowed, when there are none."""
        records = list(await read(delivered, fetched)) if delivered < fetched else []
        self.overflowed = bool(records)
        return records
