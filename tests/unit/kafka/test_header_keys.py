"""A header key that is not UTF-8 stops no consumer: the record is read, and judged like any other."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchBuilderPy

from monitor.kafka.crc32c import ChecksummedBatch


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


@pytest.mark.parametrize("codec", [0, 1, 3])
@pytest.mark.parametrize("bad", [(0,), (64,), (99, 163), (199,)])
def test_records_with_any_header_key_are_read(bad: tuple[int, ...], codec: int) -> None:
    """Every record of the batch arrives once and in order, compressed or not, wherever the bad keys are."""
    raw = batch(200, bad, codec)
    with pytest.raises((UnicodeDecodeError, ValueError)):
        list(DefaultRecordBatch(raw))
    read = list(ChecksummedBatch(memoryview(raw)))
    assert [(r.offset, r.key, r.value) for r in read] == [(n, b"pilot", b"%d" % n) for n in range(200)]
    assert all(read[n].headers == [("\ufffd", b"a"), ("b", b"c")] for n in bad)
    assert read[1].headers[1] == ("b", b"c")


def test_a_batch_with_utf8_keys_is_read_by_the_fast_reader_alone() -> None:
    """Ordinary batches are unchanged, also with many records."""
    raw = batch(1000, ())
    fast = [(r.offset, r.value, r.headers) for r in DefaultRecordBatch(raw)]
    assert [(r.offset, r.value, r.headers) for r in ChecksummedBatch(memoryview(raw))] == fast
