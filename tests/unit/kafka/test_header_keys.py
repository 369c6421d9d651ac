"""A header key that is not UTF-8 stops no consumer: the record is read, and judged like any other."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchBuilderPy

from monitor.kafka.bounded_records import BoundedRecords
from monitor.kafka.crc32c import FetchedBatches


class _RawKey(str):
    """A header key that is sent as the byte FF, which no UTF-8 text contains."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff"


def batch(records: int, bad: tuple[int, ...], codec: int = 0) -> bytes:
    """A batch as a producer sends it; the records in `bad` have the header key FF."""
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, 1 << 20)
    for number in range(records):
        key = _RawKey("x") if number in bad else "content-type"
        builder.append(number, 1, b"pilot", b"%d" % number, [(key, b"a"), ("b", b"c")])
    return bytes(builder.build())


def records(raw: bytes, portion: int = 1000) -> list[Any]:
    """The records of a batch, taken in portions."""
    found = BoundedRecords(TopicPartition("t", 0), FetchedBatches(raw), [], 0, None, None, True, fetcher.READ_COMMITTED)
    rows: list[Any] = []
    while some := found.take(portion):
        rows += some
    return rows


@pytest.mark.parametrize("codec", [0, 1, 3])
@pytest.mark.parametrize("bad", [(0,), (64,), (99, 163), (199,)])
def test_records_with_any_header_key_are_read(bad: tuple[int, ...], codec: int) -> None:
    """Every record of the batch arrives once and in order, compressed or not, wherever the bad keys are."""
    raw = batch(200, bad, codec)
    with pytest.raises((UnicodeDecodeError, ValueError)):
        list(DefaultRecordBatch(raw))
    read = records(raw)
    assert read == records(raw, portion=7)
    assert [(r.offset, r.key, r.value) for r in read] == [(n, b"pilot", b"%d" % n) for n in range(200)]
    assert all(read[n].headers == (("\ufffd", b"a"), ("b", b"c")) for n in bad)
    assert read[1].headers[1] == ("b", b"c")


def test_a_batch_with_utf8_keys_is_read_by_the_fast_reader_alone() -> None:
    """Ordinary batches are unchanged, also with many records."""
    raw = batch(1000, ())
    fast = [(r.offset, r.value, tuple(r.headers)) for r in DefaultRecordBatch(raw)]
    assert [(r.offset, r.value, r.headers) for r in records(raw)] == fast
