"""What a fetch brought, cut into the batches that producers made, each checked against its checksum once.

aiokafka reckons the checksum (CRC-32C over all that follows it in the batch) step by step, and that was a tenth of the worker's
work on packed telemetry; here the processor's own instruction does it. Who asks for the check, when, and what becomes of a
batch that fails it stays aiokafka's business: `PartitionRecords` calls `validate_crc` before it looks at any record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import google_crc32c
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record import memory_records
from aiokafka.record.default_records import DefaultRecordBatch

# Of a batch: https://kafka.apache.org/documentation/#recordbatch
LENGTH = slice(8, 12)  # of what follows these bytes
MAGIC = 16
SUMMED = 21  # what the checksum covers begins here
HEAD = 61  # bytes before the first record

# Without its compiled part the package is slower than aiokafka by far.
FAST = google_crc32c.implementation == "c"

# aiokafka's own, for batches of the formats before Kafka 0.11; taken before `use` puts ours in its place.
_AiokafkaRecords = memory_records.MemoryRecords


class ChecksummedBatch:
    """One batch: aiokafka's, but for the checksum. `data` is all of it, at least `HEAD` bytes."""

    __slots__ = ("_data", "_inner")

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._inner = DefaultRecordBatch(data)

    def validate_crc(self) -> bool:
        """Whether the batch is what its producer made."""
        if not FAST:
            return bool(self._inner.validate_crc())
        return bool(google_crc32c.value(bytes(self._data[SUMMED:])) == self._inner.crc)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inner)

    def __next__(self) -> Any:
        return next(self._inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class FetchedBatches:
    """The batches of one partition in an answer to a fetch; the last may be cut off, and is then left out."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._next = self._cut()

    def size_in_bytes(self) -> int:
        """Bytes of all batches, with one that is cut off."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        return self._next is not None

    def next_batch(self) -> Any:
        """The next whole batch, None without one. Raises `CorruptRecordException` for one that has no room for its head."""
        part, self._next = self._next, None
        if part is None:
            return None
        if len(part) > MAGIC and part[MAGIC] < 2:
            batch = _AiokafkaRecords(bytes(part)).next_batch()
        elif len(part) < HEAD:
            raise CorruptRecordException(f"a batch of {len(part)} bytes is less than its head")
        else:
            batch = ChecksummedBatch(part)
        self._next = self._cut()
        return batch

    def _cut(self) -> memoryview | None:
        """Move over the next batch and return it; None when less than a whole one is left."""
        head = self._data[self._at : self._at + LENGTH.stop]
        if len(head) < LENGTH.stop:
            return None
        stop = self._at + LENGTH.stop + max(0, int.from_bytes(head[LENGTH], "big", signed=True))
        if stop > len(self._data):
            return None
        part = self._data[self._at : stop]
        self._at = stop
        return part


def use() -> None:
    """Have every consumer of this process that starts to fetch from now on read batches so."""
    fetcher.MemoryRecords = FetchedBatches
