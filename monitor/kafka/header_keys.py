"""Reads batches whose records have header keys that are not UTF-8.

Kafka does not check them, and aiokafka ends reading at such a record, for good: it could not be passed. Here the key is
read with U+FFFD for what is not UTF-8, and the record reaches `validate` like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy

CHUNK = 64  # records taken at once from the fast reader: few, so that they stay in the cache


class _LenientBytes(bytearray):
    """Bytes whose parts decode to text whatever they hold."""

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        return _LenientBytes(part) if isinstance(at, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        """As text; what is not UTF-8 becomes U+FFFD."""
        return super().decode(encoding, "replace")


def records_of(batch: Any, data: memoryview) -> Iterator[Any]:
    """The records of a batch, through aiokafka's fast reader `batch` as far as it can read them. `data` is the whole
    batch. Raises `CorruptRecordException` for what is no batch.

    It yields no record one by one in Python, which would cost more than the check itself.
    """
    return chain.from_iterable(_chunks(batch, data))


def _chunks(batch: Any, data: memoryview) -> Iterator[Iterable[Any]]:
    records, done = chain(batch), 0  # a batch may be asked for an iterator only once
    while True:
        try:
            chunk = list(islice(records, CHUNK))
        except (CorruptRecordException, UnicodeDecodeError):
            yield islice(_lenient(data), done, None)
            return
        if not chunk:
            return
        done += len(chunk)
        yield chunk


def _lenient(data: memoryview) -> Iterator[Any]:
    batch = _DefaultRecordBatchPy(bytes(data))
    batch._maybe_uncompress()
    batch._buffer = _LenientBytes(batch._buffer)
    return iter(batch)
