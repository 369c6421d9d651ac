"""Which records of the monitor's own topics are believed: signed by a trusted key at their place, and each only once.

A deployment that got its key later has older records without signatures. The claim of its first signing owner says up
to which offset of each topic they stand (`Claim.signed_from`); later claims repeat it. From there on a record without a
valid signature is refused, so that stripping signatures gains nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from monitor.errors import Forged, LogBroken
from monitor.kafka.bounded_records import UnreadableRange
from monitor.kafka.journal_records import journal_entry
from monitor.kafka.partition_reader import PartitionReader
from monitor.model.output_records import OutputRejection
from monitor.model.records import Claim, JournalEntry
from monitor.model.signing import OUTPUT_HEADER, OutputKind, Place, Trusted, signed_output

FIRST_WINDOW = 200  # offsets before the end of a journal that are read first; markers take about half of them


class Numbers:
    """Numbers of one topic and partition, in order: recognizes a signed record that was read before."""

    __slots__ = ("epoch", "number")

    def __init__(self, epoch: int = 0, number: int = 0) -> None:
        self.epoch, self.number = epoch, number

    def accepts(self, place: Place) -> bool:
        """Return whether the record is new; if so it is the newest from now on. Of an older epoch, it is not."""
        if (place.epoch, place.number) <= (self.epoch, self.number):
            return False
        self.epoch, self.number = place.epoch, place.number
        return True


class RecordTrust:
    """Judges records of one partition. `keys` None: all are believed. `signed_from` None: no record was signed yet."""

    def __init__(self, keys: Trusted | None, signed_from: Mapping[str, int] | None) -> None:
        self.keys = keys
        self.signed_from = signed_from

    def key_of(self, record: Any, numbers: Numbers | None = None, *, kind: OutputKind | None = None) -> str:
        """The id of the key that signed a consumer record; "" where no signature is needed. Raises Forged.

        `numbers` are those of the topic; without them copies are not recognized. `kind` is what the record must be.
        """
        if self.keys is None or self.signed_from is None or record.offset < self.signed_from.get(record.topic, 0):
            return ""
        found = signed_output(self.keys, record)
        if kind is not None and found.place.kind != kind:
            raise Forged("type", OutputRejection.WRONG_TOPIC, f"a {found.place.kind} where a {kind} belongs")
        if numbers is not None and not numbers.accepts(found.place):
            raise Forged(
                "number", OutputRejection.REPLAYED, f"{found.place.epoch}/{found.place.number} was read before"
            )
        return found.key


def believed(keys: Trusted | None, record: Any) -> JournalEntry | None:
    """The entry of a journal record, None when it cannot be read or is not signed by one of the keys (None: any)."""
    try:
        if isinstance(record, UnreadableRange):
            return None
        if keys is not None and signed_output(keys, record).place.kind != "journal":
            return None
        entry = journal_entry(record)
    except (Forged, LogBroken):
        return None
    return None if entry is None else entry.entry


def believed_or_older(trust: RecordTrust, record: Any) -> JournalEntry | None:
    """The entry of a journal record that is signed, or from before entries had to be; else None."""
    if isinstance(record, UnreadableRange):
        return None
    try:
        trust.key_of(record, kind="journal")
        entry = journal_entry(record)
    except (Forged, LogBroken):
        return None
    return None if entry is None else entry.entry


class JournalSearch:
    """Finds claims in one partition's journal with few reads: epochs rise along it. `believe` gives the entry of a
    record, None where it does not count."""

    def __init__(
        self, reader: PartitionReader, topic: str, partition: int, believe: Callable[[Any], JournalEntry | None]
    ) -> None:
        self._reader, self._topic, self._partition, self._believe = reader, topic, partition, believe

    async def last_claim(self) -> Claim | None:
        """The claim of the newest believed entry; None when no entry is believed. Raises Unavailable, LogBroken."""
        last = await self._last()
        if last is None:
            return None
        found = await self.first_of(last.epoch)
        if isinstance(found, Claim):
            return found
        async for row in self._reader.all(self._topic, self._partition):  # entries out of order: look at each
            entry = self._believe(row)
            if isinstance(entry, Claim):
                found = entry
        return found if isinstance(found, Claim) else None

    async def newest_epochs(self) -> set[int]:
        """The epochs of the believed ones among the last entries."""
        first, end = await self._reader.bounds(self._topic, self._partition)
        rows = [self._believe(row) async for row in self._rows(max(first, end - FIRST_WINDOW), end)]
        return {entry.epoch for entry in rows if entry is not None}

    async def first_of(self, epoch: int) -> JournalEntry | None:
        """The first believed entry of this epoch, which is its claim; None when there is none."""
        low, high = await self._reader.bounds(self._topic, self._partition)
        end = high
        while low < high:
            middle = (low + high) // 2
            found = await self._from(middle, high)
            if found is None or found[1].epoch >= epoch:
                high = middle
            else:
                low = found[0] + 1
        first = await self._from(low, end)
        return first[1] if first is not None and first[1].epoch == epoch else None

    async def _last(self) -> JournalEntry | None:
        first, end = await self._reader.bounds(self._topic, self._partition)
        window, stop = FIRST_WINDOW, end
        while stop > first:
            start = max(first, stop - window)
            entry = self._newest([row async for row in self._rows(start, stop)])
            if entry is not None:
                return entry
            window, stop = 4 * window, start
        return None

    def _newest(self, rows: Sequence[Any]) -> JournalEntry | None:
        for row in reversed(rows):
            entry = self._believe(row)
            if entry is not None:
                return entry
        return None

    async def _from(self, start: int, stop: int) -> tuple[int, JournalEntry] | None:
        """The first believed entry from `start` on, before `stop`, with its offset."""
        async for row in self._rows(start, stop):
            entry = self._believe(row)
            if entry is not None:
                return row.offset, entry
        return None

    async def _rows(self, start: int, stop: int) -> AsyncIterator[Any]:
        at = start
        while at < stop:
            rows, at = await self._reader.chunk(self._topic, self._partition, at, stop)
            for row in rows:
                yield row


def foreign_key(record: Any) -> str:
    """The id of the key that claims to have signed a record; "" for an unsigned one."""
    text: bytes = dict(record.headers).get(OUTPUT_HEADER) or b""
    return text.decode(errors="replace").partition(":")[0][:16]


def require_known(topic: str, partition: int, keys: Trusted, records: Sequence[Any]) -> None:
    """Raise LogBroken when the newest of these journal records is signed by a key that is not trusted, and none is
    signed by one that is."""
    if any(believed(keys, row) is not None for row in records):
        return
    strangers = sorted({foreign_key(row) for row in records} - {""})
    if strangers:
        raise LogBroken(
            f"{topic}/{partition} is signed by {', '.join(strangers[:3])}, which is not trusted here; fix: give its "
            "public key as --trust-key, or the right --key-file"
        )
