"""Which outputs the readers of one process believe.

With trusted keys: what such a key signed, once, and records from before the deployment had a key. Without keys (open
mode) nothing proves who wrote a record, but an owner claims its epoch in the journal before it writes anything else: a
record whose epoch has no claim is refused, so that a forged epoch does not make the real records void.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from aiokafka import TopicPartition
from msgspec import UNSET

from monitor.errors import Forged, LogBroken, Unavailable
from monitor.kafka.bounded_records import UnreadableRange
from monitor.kafka.output_trust import JournalSearch, Numbers, RecordTrust, believed, believed_or_older, foreign_key
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.topics import TopicNames, partition_count
from monitor.model.output_records import OutputRejection
from monitor.model.signing import OUTPUT_HEADER, Trusted

T = TypeVar("T")
MAX_EPOCHS = 100_000  # of one partition that are remembered as claimed
UNSIGNED_EVERY_S = 10.0  # between two looks for the first signed claim of a partition
LOOK_BACK = 1_000  # records before the position of a run in which the newest signed one is looked for


class OutputTrust:
    """What the readers of one process believe, and what they know of the journals. `keys` None: open mode.

    Call `close` at the end. One event loop uses it; looking up waits for the broker.
    """

    def __init__(self, bootstrap: str, names: TopicNames, keys: Trusted | None = None) -> None:
        self.keys = keys
        self._bootstrap, self._topic = bootstrap, names.journal
        self._reader: PartitionReader | None = None
        self._journals: dict[int, _Journal] = {}
        self._using = asyncio.Lock()

    async def require_signing(self) -> None:
        """Raise LogBroken when trusted keys are set and the owner of a partition does not sign with one of them, as far
        as its journal tells: what it writes would be refused."""
        if self.keys is None:
            return
        for partition in range(await partition_count(self._bootstrap, self._topic)):
            async with self._using:
                stranger = await (await self._journal(partition)).stranger()
            if stranger is not None:
                raise LogBroken(
                    f"the worker of partition {partition} {stranger}, so its outputs would be refused; fix: start the "
                    "workers with --key-file, and give its public key (`sandbox-monitor keys show`) as --trust-key"
                )

    def run(self) -> TrustedRun:
        """Judge one run over outputs, in order."""
        return TrustedRun(self)

    async def claimed(self, partition: int, epoch: int, look: int) -> bool:
        """Whether the journal has a believed entry of this epoch. Looks once per `look` (a number of the caller's
        fetch) for new entries. Raises Unavailable."""
        async with self._using:
            return await self._retried(partition, lambda journal: journal.claimed(epoch, look))

    async def signed_from(self, partition: int, topic: str) -> int:
        """The offset from which on records of a topic must be signed; 0 without a signed claim. Raises Unavailable."""
        async with self._using:
            found = await self._retried(partition, lambda journal: journal.signed_from())
        return 0 if found is None else found.get(topic, 0)

    async def numbers_before(self, topic: str, partition: int, offset: int) -> Numbers:
        """The newest place that a trusted key signed among the last `LOOK_BACK` records before `offset`: a run that
        begins there recognizes copies of what earlier runs read. Raises Unavailable."""
        async with self._using:
            return await self._retried(partition, lambda _: self._numbers_before(topic, partition, offset))

    async def _numbers_before(self, topic: str, partition: int, offset: int) -> Numbers:
        numbers, reader = Numbers(), self._reader
        assert reader is not None
        first, _ = await reader.bounds(topic, partition)
        at = max(first, offset - LOOK_BACK)
        while at < offset:
            rows, at = await reader.chunk(topic, partition, at, offset)
            for row in rows:
                if not isinstance(row, UnreadableRange):
                    with contextlib.suppress(Forged):
                        RecordTrust(self.keys, {}).key_of(row, numbers)
        return numbers

    async def _retried(self, partition: int, ask: Callable[[_Journal], Awaitable[T]]) -> T:
        """A journal that cannot be read now is read again later, by a new connection."""
        try:
            return await ask(await self._journal(partition))
        except (LogBroken, Unavailable) as error:
            await self.close()
            raise Unavailable(f"{self._topic} cannot be read: {error}") from error

    async def close(self) -> None:
        """Disconnect; a later look connects again."""
        reader, self._reader, self._journals = self._reader, None, {}
        if reader is not None:
            await reader.stop()

    async def _journal(self, partition: int) -> _Journal:
        if self._reader is None:
            reader = PartitionReader(self._bootstrap, client_id="sandbox-trust")
            await reader.start()
            self._reader = reader
        if partition not in self._journals:
            self._journals[partition] = _Journal(self._reader, self._topic, partition, self.keys)
        return self._journals[partition]


class _Journal:
    """What is known of the journal of one partition."""

    def __init__(self, reader: PartitionReader, topic: str, partition: int, keys: Trusted | None) -> None:
        self._reader, self._topic, self._partition, self._keys = reader, topic, partition, keys
        self._epochs: set[int] = set()
        self._scanned: int | None = None  # up to where every entry was read; None: only parts were
        self._look = -1
        self._signed_from: dict[str, int] | None = None
        self._asked = 0.0

    async def stranger(self) -> str | None:
        """What the newest owner does instead of signing with a trusted key; None when it does, and without an owner."""
        if await self.signed_from() is not None:
            return None
        first, end = await self._reader.bounds(self._topic, self._partition)
        rows = [r async for r in self._reader.all(self._topic, self._partition, max(first, end - 10))]
        if not rows:
            return None
        key = foreign_key(rows[-1])
        return f"signs with the key {key}, which is not trusted here" if key else "does not sign"

    async def signed_from(self) -> dict[str, int] | None:
        now = asyncio.get_running_loop().time()
        recent = self._asked and now - self._asked < UNSIGNED_EVERY_S
        if self._keys is None or self._signed_from is not None or recent:
            return self._signed_from
        self._asked = now
        search = JournalSearch(self._reader, self._topic, self._partition, partial(believed, self._keys))
        claim = await search.last_claim()
        if claim is not None and claim.signed_from is not UNSET:
            self._signed_from = claim.signed_from
        return self._signed_from

    async def claimed(self, epoch: int, look: int) -> bool:
        if epoch in self._epochs or (self._look == look and self._scanned is not None):
            return epoch in self._epochs
        believe = partial(believed_or_older, RecordTrust(self._keys, await self.signed_from()))
        if self._scanned is None:  # first the quick ways: the newest entries, and a search
            search = JournalSearch(self._reader, self._topic, self._partition, believe)
            if epoch in await search.newest_epochs() or await search.first_of(epoch) is not None:
                self._epochs.add(epoch)
                return True
        await self._scan(believe)
        self._look = look
        return epoch in self._epochs

    async def _scan(self, believe: Any) -> None:
        """Read every entry that was not read yet: entries may be out of order where anybody can write."""
        first, end = await self._reader.bounds(self._topic, self._partition)
        async for row in self._reader.all(self._topic, self._partition, max(first, self._scanned or 0)):
            entry = believe(row)
            if entry is not None and len(self._epochs) < MAX_EPOCHS:
                self._epochs.add(entry.epoch)
        self._scanned = end


class TrustedRun:
    """Judges the records of one run over outputs: first `look` at what was fetched, then `accept` each in order."""

    def __init__(self, trust: OutputTrust) -> None:
        self._trust = trust
        self._looks = 0
        self._numbers: dict[tuple[str, int], Numbers] = {}
        self._unsigned: dict[tuple[str, int], int] = {}  # from where on records must be signed, where it was asked for
        self._claimed: dict[int, set[int]] = {}  # by partition

    async def look(self, fetched: dict[TopicPartition, Sequence[Any]]) -> None:
        """Look up in the journal what `accept` needs for these records. Raises Unavailable, LogBroken."""
        self._looks += 1
        for tp, records in fetched.items():
            if self._trust.keys is not None and records and (tp.topic, tp.partition) not in self._numbers:
                found = await self._trust.numbers_before(tp.topic, tp.partition, records[0].offset)
                self._numbers[tp.topic, tp.partition] = found
            unsigned = [r for r in records if self._trust.keys is None or not _has_signature(r)]
            if not unsigned:
                continue
            if self._trust.keys is not None:
                self._unsigned[tp.topic, tp.partition] = await self._trust.signed_from(tp.partition, tp.topic)
            known = self._claimed.setdefault(tp.partition, set())
            for epoch in {epoch_of(r) for r in unsigned} - known:
                if await self._trust.claimed(tp.partition, epoch, self._looks):
                    known.add(epoch)

    def accept(self, record: Any, epoch: int) -> OutputRejection | None:
        """Why a record of this epoch is refused; None when it is believed."""
        keys, place = self._trust.keys, (record.topic, record.partition)
        if keys is not None and (_has_signature(record) or record.offset >= self._unsigned.get(place, 0)):
            try:
                RecordTrust(keys, {}).key_of(record, self._numbers[place])
            except Forged as error:
                return OutputRejection(error.reason)
            return None
        if epoch not in self._claimed.get(record.partition, ()):
            return OutputRejection.EPOCH_NOT_CLAIMED
        return None


def _has_signature(record: Any) -> bool:
    return any(name == OUTPUT_HEADER for name, _ in record.headers)


def epoch_of(record: Any) -> int:
    """The epoch of a record; 0 where it has none (it is no output then)."""
    raw = next((value for name, value in record.headers if name == "epoch"), b"") or b""
    return int(raw) if raw.isdigit() and len(raw) <= 16 else 0
