"""A Log that fails on purpose: the n-th call breaks, either before it took effect or after it did.

"Failed, but it was written" is the case that naive recovery gets wrong: the owner sees an error, yet readers see the
outputs. Wrap any `Log` in a `BreakableLog`, run until `Broken`, build a fresh owner on the same store, and compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from monitor.engine.log import Checkpoint, Journalled, Log, Recovery
from monitor.errors import Stop
from monitor.model.records import JournalEntry, Outputs, Position, Record

Call: TypeAlias = Literal["claim", "telemetry", "control", "append", "write"]
When: TypeAlias = Literal["before", "after"]


class Broken(Stop):
    """The fault that a test asked for."""


class BreakableLog:
    """`log`, but call number `at` (counted from 0 over the kinds in `calls`) raises `Broken` `before` or `after` its
    effect.

    With `at=None` nothing fails and `count` tells how many calls there were to break. After the fault every further
    call raises too: a broken owner has to exit.
    """

    def __init__(
        self, log: Log, *, at: int | None, when: When = "before", calls: Sequence[Call] = ("append", "write")
    ) -> None:
        self.partition = log.partition
        self.count = 0
        self.broken = False
        self._log, self._at, self._when, self._calls = log, at, when, frozenset(calls)

    def _enter(self, call: Call) -> bool:
        """Whether this call is the one that breaks after its effect; raises when it is to break before."""
        if self.broken:
            raise Broken(f"{call} after the fault: a broken owner must exit")
        if call not in self._calls:
            return False
        mine, self.count = self.count == self._at, self.count + 1
        if mine and self._when == "before":
            self._fail(call)
        return mine

    def _fail(self, call: Call) -> None:
        self.broken = True
        raise Broken(f"call {self.count - 1} ({call}) broke {self._when} it took effect")

    async def claim(self) -> Recovery:
        last = self._enter("claim")
        result = await self._log.claim()
        if last:
            self._fail("claim")
        return result

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        last = self._enter("telemetry")
        result = await self._log.telemetry(topic, start, stop)
        if last:
            self._fail("telemetry")
        return result

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        last = self._enter("control")
        result = await self._log.control(start, stop)
        if last:
            self._fail("control")
        return result

    async def append(self, entry: JournalEntry) -> Journalled:
        last = self._enter("append")
        result = await self._log.append(entry)
        if last:
            self._fail("append")
        return result

    async def write(self, outputs: Outputs, through: Position | None, checkpoint: Checkpoint | None) -> None:
        last = self._enter("write")
        await self._log.write(outputs, through, checkpoint)
        if last:
            self._fail("write")
