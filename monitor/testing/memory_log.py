"""The Log protocol in memory: a store that outlives its owners, so that a test can kill one and let the next claim.

`MemoryStore` is what a broker or a database file would be; `MemoryLog` is one owner's hold on one partition of it. The
pair keeps every promise of `monitor.log` and meets the same contract suite as the stores that reach a disk. Time comes
from the caller: `received` is given with each fed record, and journal appends read the store's clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec
from msgspec import UNSET

from monitor.engine.log import Checkpoint, Journalled, Recovery
from monitor.errors import Fenced
from monitor.kafka.journal_records import fruitless_claims
from monitor.model.records import RULES, Claim, JournalEntry, Outputs, Position, Record
from monitor.testing.clock import MovingClock

_ENTRIES: msgspec.json.Decoder[JournalEntry] = msgspec.json.Decoder(JournalEntry)


def _frozen(entry: JournalEntry) -> JournalEntry:
    """A copy that shares nothing with the caller's, as bytes on a disk would share nothing."""
    return _ENTRIES.decode(msgspec.json.encode(entry))


class _Topic:
    """Records in offset order; `next` may be beyond the last one, because stores leave holes."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.next = 0

    def add(self, record: Record) -> int:
        self.records.append(record)
        self.next = record.offset + 1
        return record.offset

    def read(self, start: int, stop: int, limit: int) -> list[Record]:
        low, high = 0, len(self.records)
        while low < high:  # first record at or after `start`
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.records[middle].offset < start else (low, middle)
        chunk = self.records[low : low + limit]
        while chunk and chunk[-1].offset >= stop:
            chunk.pop()
        return chunk


class _Partition:
    """One partition of every topic."""

    def __init__(self) -> None:
        self.telemetry: defaultdict[str, _Topic] = defaultdict(_Topic)
        self.control = _Topic()
        self.journal: list[Journalled] = []
        self.epoch = 0
        self.states: dict[str, bytes] = {}
        self.watermark = Position()
        self.through: Position | None = None
        self.outputs = Outputs()


class MemoryStore:
    """All partitions of all topics. `clock` stamps journal entries (ms); it is read once per append.

    >>> store = MemoryStore(MovingClock(5_000))
    >>> store.feed("telemetry", b"{}", received=4_990)
    0
    """

    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        self.clock: Callable[[], int] = clock if clock is not None else MovingClock()
        self._partitions: defaultdict[int, _Partition] = defaultdict(_Partition)

    def log(self, partition: int = 0, *, owner: str = "", chunk: int = 500) -> MemoryLog:
        """A new owner, not yet claimed. `chunk` is the most records one read returns."""
        return MemoryLog(self, self._partitions[partition], partition, owner, chunk)

    def feed(
        self,
        topic: str,
        value: bytes | None,
        *,
        received: int,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int = 0,
    ) -> int:
        """Append one telemetry record; returns its offset."""
        log = self._partitions[partition].telemetry[topic]
        return log.add(Record(log.next, received, key, value, tuple(headers)))

    def feed_control(
        self,
        value: bytes | None,
        *,
        received: int,
        key: bytes | None = None,
        headers: tuple[tuple[str, bytes], ...] = (),
        partition: int = 0,
    ) -> int:
        """Append one control record; returns its offset."""
        log = self._partitions[partition].control
        return log.add(Record(log.next, received, key, value, headers))

    def leave_hole(self, topic: str = "", *, size: int = 1, partition: int = 0) -> None:
        """Skip `size` offsets of a telemetry topic (of control when `topic` is empty), as compaction and markers do."""
        of = self._partitions[partition]
        (of.telemetry[topic] if topic else of.control).next += size

    def forge(self, entry: JournalEntry, *, partition: int = 0) -> Journalled:
        """Append to the journal past every fence: what a store without one may hold."""
        return self._append(self._partitions[partition], entry)

    def telemetry_end(self, topic: str, partition: int = 0) -> int:
        """The offset the next record of a telemetry topic will get."""
        return self._partitions[partition].telemetry[topic].next

    def control_end(self, partition: int = 0) -> int:
        """The offset the next control record will get."""
        return self._partitions[partition].control.next

    def outputs(self, partition: int = 0) -> Outputs:
        """Everything readers have been shown so far, in order (a copy)."""
        all_of = self._partitions[partition].outputs
        return Outputs(
            list(all_of.rejected),
            list(all_of.decisions),
            list(all_of.commands),
            list(all_of.permits),
            list(all_of.evidence),
            list(all_of.shadows),
        )

    def journal(self, partition: int = 0) -> tuple[Journalled, ...]:
        """The whole journal, void entries too."""
        return tuple(self._partitions[partition].journal)

    def saved_state(self, partition: int = 0) -> tuple[dict[str, bytes], Position, Position | None]:
        """What recovery would find now: states, watermark, `through` (a copy)."""
        of = self._partitions[partition]
        return dict(of.states), _copied(of.watermark), None if of.through is None else _copied(of.through)

    def restore_state(self, kept: tuple[dict[str, bytes], Position, Position | None], partition: int = 0) -> None:
        """Lose what was kept since then: the state as it would be had its log ended earlier."""
        of = self._partitions[partition]
        of.states, of.watermark, of.through = dict(kept[0]), kept[1], kept[2]

    def inputs(self, partition: int = 0) -> tuple[dict[str, list[Record]], list[Record]]:
        """Every record of every telemetry topic, and of control."""
        of = self._partitions[partition]
        return {topic: list(t.records) for topic, t in sorted(of.telemetry.items())}, list(of.control.records)

    def _append(self, of: _Partition, entry: JournalEntry) -> Journalled:
        last = of.journal[-1].received if of.journal else 0
        kept = Journalled(len(of.journal), max(self.clock(), last), _frozen(entry))
        if isinstance(entry, Claim):
            of.epoch = max(of.epoch, entry.epoch)
        of.journal.append(kept)
        return kept


class MemoryLog:
    """One owner of one partition; see `monitor.engine.log.Log` for the contract of each method."""

    def __init__(self, store: MemoryStore, of: _Partition, partition: int, owner: str, chunk: int) -> None:
        self.partition = partition
        self._store, self._of, self._owner, self._chunk = store, of, owner, chunk
        self._epoch = 0

    async def claim(self) -> Recovery:
        of = self._of
        self._epoch = of.epoch + 1
        self._store._append(of, Claim(epoch=self._epoch, owner=self._owner, rules=RULES))
        fruitless = fruitless_claims(of.journal) - 1
        return Recovery(self._epoch, of.watermark, of.through, dict(of.states), self._valid_journal(), fruitless)

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        return self._of.telemetry[topic].read(start, stop, self._chunk)

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        return self._of.control.read(start, stop, self._chunk)

    async def append(self, entry: JournalEntry) -> Journalled:
        self._check_fence()
        return self._store._append(self._of, entry)

    async def write(self, outputs: Outputs, through: Position | None, checkpoint: Checkpoint | None) -> None:
        self._check_fence()
        if outputs and through is None:
            raise ValueError("outputs without the position they came from could not be recovered")
        of = self._of
        of.outputs.rejected += outputs.rejected
        of.outputs.decisions += outputs.decisions
        of.outputs.commands += outputs.commands
        of.outputs.permits += outputs.permits
        of.outputs.evidence += outputs.evidence
        of.outputs.shadows += outputs.shadows
        if through is not None:
            of.through = _copied(through)
        if checkpoint is not None:
            for pilot, state in checkpoint.states.items():
                if state is None:
                    of.states.pop(pilot, None)
                else:
                    of.states[pilot] = state
            of.watermark = _copied(checkpoint.watermark)

    def _check_fence(self) -> None:
        if self._epoch != self._of.epoch or self._epoch == 0:
            raise Fenced(f"partition {self.partition}: epoch {self._epoch} is not the owner, {self._of.epoch} is")

    def _valid_journal(self) -> tuple[Journalled, ...]:
        highest, kept = 0, []
        for journalled in self._of.journal:
            if journalled.entry.epoch < highest:
                continue
            highest = journalled.entry.epoch
            if journalled.offset >= self._of.watermark.journal:
                kept.append(journalled)
        return tuple(kept)


def _copied(position: Position) -> Position:
    begun = position.begun if position.begun is UNSET else dict(position.begun)
    return Position(dict(position.telemetry), position.control, position.journal, begun)
