"""Follows the journals of partitions from near their ends: what their owners do, seen from outside.

A claim alone is no sign of life. An owner that works writes a `time` or `control` entry at least every ten seconds; one
that crashes again and again writes claims alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from monitor.engine.log import Journalled
from monitor.errors import LogBroken
from monitor.kafka.journal_records import TAIL, claims_at_end, journal_entry
from monitor.kafka.output_trust import believed
from monitor.kafka.partition_reader import PartitionReader
from monitor.model.records import Claim
from monitor.model.signing import Trusted

CLAIMS_KEPT = 50
LOOP_CLAIMS = 3  # processes in a row without a step from which on a partition is in a crash loop,
LOOP_MS = 8_000  # if they span so long: several workers that start together claim within seconds


class PartitionTail(Struct):
    """One partition: the offset after the last entry read, the last step (its offset and time, `None`: none was seen),
    and the claims after it."""

    at: int | None = None
    step: int | None = None
    stepped_at: int | None = None  # ms
    claims: list[Journalled] = []

    def feed(self, rows: Iterable[Journalled]) -> bool:
        """Take the next entries; returns whether a step is among them."""
        steps = [row for row in rows if not isinstance(row.entry, Claim)]
        if steps:
            self.step, self.stepped_at = steps[-1].offset, steps[-1].received
        self.claims = claims_at_end([*([] if steps else self.claims), *rows])[-CLAIMS_KEPT:]
        return bool(steps)

    @property
    def crash_loop(self) -> bool:
        """Whether owners end again and again before they make a step."""
        claims = self.claims
        return len(claims) >= LOOP_CLAIMS and claims[-1].received - claims[0].received >= LOOP_MS

    @property
    def next(self) -> dict[str, int]:
        """Where the last owner that made no step began: the next offset of each telemetry topic."""
        entry = self.claims[-1].entry if self.claims else None
        return dict(entry.start.next) if isinstance(entry, Claim) and entry.start else {}


class JournalTails:
    """The journals of all partitions of `topic`. `on_foreign` is called with partition and offset of each record that
    no owner wrote; with `keys`, an owner is one of these keys."""

    def __init__(
        self,
        topic: str,
        on_foreign: Callable[[int, int], None] = lambda partition, offset: None,
        keys: Trusted | None = None,
    ) -> None:
        self._topic = topic
        self._keys = keys
        self._on_foreign = on_foreign
        self.of: dict[int, PartitionTail] = {}

    async def look(self, reader: PartitionReader, partition: int) -> bool:
        """Read what is new in a partition, the first time its last `TAIL` offsets. Returns whether there was a step.

        Raises `Unavailable`, or `LogBroken` when the topic is missing.
        """
        first, end = await reader.bounds(self._topic, partition)
        tail = self.of.setdefault(partition, PartitionTail())
        at = max(first, end - TAIL if tail.at is None else min(tail.at, end))
        stepped = False
        while at < end:
            rows, at = await reader.chunk(self._topic, partition, at, end)
            stepped |= tail.feed([entry for raw in rows if (entry := self._entry(raw)) is not None])
        tail.at = end
        return stepped

    def _entry(self, raw: object) -> Journalled | None:
        try:
            entry = journal_entry(raw)
        except LogBroken:  # an entry of a newer version: its writer works
            return None
        if entry is None or (self._keys is not None and believed(self._keys, raw) is None):
            self._on_foreign(raw.partition, raw.offset)  # type: ignore[attr-defined]
            return None
        return entry
