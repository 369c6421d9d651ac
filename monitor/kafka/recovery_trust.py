"""Which journal entries and state records a recovering owner believes.

With a key, only records that its own or another trusted key signed, each once. Without a key, all that an owner can
have written. Others are skipped, counted and logged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import UNSET

from monitor.engine.log import Journalled
from monitor.errors import Forged
from monitor.kafka import state_keys
from monitor.kafka.bounded_records import UnreadableRange
from monitor.kafka.journal_records import journal_entry
from monitor.kafka.output_trust import JournalSearch, Numbers, RecordTrust, believed, foreign_key, require_known
from monitor.kafka.partition_reader import PartitionReader
from monitor.logs import EventLogger
from monitor.model.output_records import HIGHEST_EPOCH
from monitor.model.signing import Trusted

logger = EventLogger(__name__)
LOOK_BACK = 200  # journal offsets before the watermark whose numbers are known, so that no copy of them passes
LOGGED = 5  # skipped records of one topic that are logged one by one


class RecoveryTrust:
    """Judges what one claim reads. Call `begin` first. `keys` None: everything is believed."""

    def __init__(
        self,
        keys: Trusted | None,
        journal: str,
        partition: int,
        *,
        ignored: frozenset[str] = frozenset(),
        on_foreign: Callable[[str, int, int], None] = lambda topic, partition, offset: None,
    ) -> None:
        self.before: list[Journalled] = []  # entries before the first one that was asked for
        self._ignored = ignored
        self._on_foreign = on_foreign
        self.skipped: Counter[str] = Counter()
        self.signed_from: dict[str, int] | None = None  # as the newest believed claim says; None: nothing was signed
        self._keys, self._topic, self._partition = keys, journal, partition
        self._judge = RecordTrust(None, None)
        self._entries, self._start = Numbers(), 0
        self._last: dict[str, int] = {}  # offset of the last record skipped of a topic

    async def begin(self, reader: PartitionReader) -> None:
        """Learn from where on records are signed. Raises LogBroken when another key has signed them so far."""
        first, end = await reader.bounds(self._topic, self._partition)
        newest = [row async for row in reader.all(self._topic, self._partition, max(first, end - LOOK_BACK))]
        if self._keys is None:
            if newest and foreign_key(newest[-1]):
                logger.error(
                    "outputs.no_longer_signed",
                    partition=self._partition,
                    key=foreign_key(newest[-1]),
                    detail="earlier owners signed; readers with trusted keys refuse what this one writes; "
                    "fix: give --key-file",
                )
            return
        claim = await JournalSearch(reader, self._topic, self._partition, partial(believed, self._keys)).last_claim()
        if claim is None:
            require_known(self._topic, self._partition, self._keys, newest)
        elif claim.signed_from is not UNSET:
            self.signed_from = claim.signed_from
        self._judge = RecordTrust(self._keys, self.signed_from)

    async def warm_up(self, reader: PartitionReader, start: int) -> int:
        """Return from where on to read the journal for entries from `start` on."""
        self._start = start
        first, _ = await reader.bounds(self._topic, self._partition)
        return max(first, start - LOOK_BACK)

    def journal(self, record: Any) -> list[Journalled]:
        """The entry of a journal record; [] when it is not believed, or no owner can have written it. Raises LogBroken
        for an entry of a newer version."""
        if f"{record.topic}/{record.partition}/{record.offset}" in self._ignored:
            return []
        if isinstance(record, UnreadableRange):
            return self.foreign(record)
        try:
            self._judge.key_of(record, self._entries, kind="journal")
        except Forged as error:
            return self._skip(record, str(error), [])
        entry = journal_entry(record)
        if entry is None:
            return self.foreign(record)
        if record.offset < self._start:
            self.before.append(entry)
            return []
        return [entry]

    def state(self, record: Any) -> bool:
        """Whether a record of the state topic is believed."""
        if isinstance(record, UnreadableRange):
            self.foreign(record)
            return False
        try:
            self._judge.key_of(record, kind="state")
            _, epoch, _ = state_keys.parse(record.key or b"")
        except (Forged, ValueError) as error:
            self._skip(record, str(error), [])
            return False
        if not 0 <= epoch <= HIGHEST_EPOCH:
            self._skip(record, f"epoch {epoch} is out of range", [])
            return False
        return True

    def foreign(self, record: Any) -> list[Journalled]:
        """Note a record that no owner can have written; returns no entry."""
        return self._skip(record, "no owner can have written it", [])

    def _skip(self, record: Any, why: str, nothing: list[Journalled]) -> list[Journalled]:
        if record.offset <= self._last.get(record.topic, -1):
            return nothing  # the end of the journal is read twice
        self._last[record.topic] = record.offset
        self.skipped[record.topic] += 1
        self._on_foreign(record.topic, record.partition, record.offset)
        if self.skipped[record.topic] <= LOGGED:
            logger.error(
                "outputs.not_believed",
                stage="validate",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=why,
            )
        return nothing
