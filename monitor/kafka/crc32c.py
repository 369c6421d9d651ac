"""Record batches of a fetch, each checked against its checksum (CRC-32C) by the processor's own instruction.

aiokafka computes the checksum in software, which took a tenth of the worker's time on packed telemetry. When a batch is
checked, and what happens to one that fails, stays with aiokafka: `PartitionRecords` calls `validate_crc` before it
reads any record.
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
LENGTH = slice(8, 12)  # number of bytes that follow it
MAGIC = 16
SUMMED = 21  # the checksum covers the batch from here on
_OLD_ATTRIBUTES = 17  # of a batch before Kafka 0.11
HEAD = 61  # bytes before the first record

# Without its compiled extension the package is much slower than aiokafka.
FAST = google_crc32c.implementation == "c"

# aiokafka's own, for batches of the formats before Kafka 0.11; taken before `use` puts ours in its place.
_AiokafkaRecords = memory_records.MemoryRecords


class ChecksummedBatch:
    """One batch: aiokafka's, except for the checksum. `data` is the whole batch, at least `HEAD` bytes."""

    __slots__ = ("_data", "_inner")

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._inner = DefaultRecordBatch(data)

    @property
    def data(self) -> memoryview:
        """The whole batch, its header included."""
        return self._data

    def validate_crc(self) -> bool:
        """Whether the batch arrived as its producer wrote it."""
        if not FAST:
            return bool(self._inner.validate_crc())
        return bool(google_crc32c.value(bytes(self._data[SUMMED:])) == self._inner.crc)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inner)

    def __next__(self) -> Any:
        return next(self._inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class OldBatch:
    """A batch of a format before Kafka 0.11: aiokafka's. `compressed`: its records are compressed."""

    max_timestamp = timestamp_type = 0  # each record has a time, or none

    def __init__(self, data: bytes) -> None:
        self._inner = _AiokafkaRecords(data).next_batch()
        self.compressed = bool(data[_OLD_ATTRIBUTES] & 0x07)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class FetchedBatches:
    """The batches of one partition in a fetch response. The last one may be truncated, and is then left out."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._next = self._cut()

    def size_in_bytes(self) -> int:
        """Bytes of all batches, a truncated one included."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether there is another complete batch."""
        return self._next is not None

    def next_batch(self) -> Any:
        """The next complete batch, or None. Raises `CorruptRecordException` for one that is shorter than its header."""
        part, self._next = self._next, None
        if part is None:
            return None
        if len(part) > MAGIC and part[MAGIC] < 2:
            batch: OldBatch | ChecksummedBatch = OldBatch(bytes(part))
        elif len(part) < HEAD:
            raise CorruptRecordException(f"a batch of {len(part)} bytes is less than its head")
        else:
            batch = ChecksummedBatch(part)
        self._next = self._cut()
        return batch

    def _cut(self) -> memoryview | None:
        """Advance past the next batch and return it; None when what is left is incomplete."""
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
    """Make every consumer of this process that starts fetching from now on use `FetchedBatches`."""
    fetcher.MemoryRecords = FetchedBatches
