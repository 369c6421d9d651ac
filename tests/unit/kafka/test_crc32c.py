"""A fetch response is split into batches as aiokafka does, and a batch with a wrong checksum is refused."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable

import google_crc32c
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from monitor.kafka import bounded_records, crc32c
from monitor.kafka.bounded_records import BoundedRecords

NAMES = ("base_offset", "next_offset", "producer_id", "is_control_batch", "is_transactional", "crc", "max_timestamp")


def made(offset: int = 0, *, count: int = 3, codec: int = 0) -> bytes:
    """A batch of `count` records from `offset` on, stamped by the broker."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 100_000)
    for i in range(count):
        builder.append(i, 5_000 + i, b"p", b"x" * 200 + bytes([i]), [("ce_id", b"1")])
    raw = builder.build()
    struct.pack_into(">q", raw, 0, offset)
    raw[22] |= 1 << 3
    struct.pack_into(">I", raw, 17, google_crc32c.value(bytes(raw[21:])))
    return bytes(raw)


def unpacked(data: bytes | memoryview) -> list[tuple[object, ...]]:
    """The records of a fetch, as the worker's fetcher unpacks them."""
    found = BoundedRecords(
        TopicPartition("t", 0), crc32c.FetchedBatches(data), [], 0, None, None, True, fetcher.READ_COMMITTED
    )
    return [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in found]


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_batches_are_cut_and_read_as_aiokafka_does(codec: int) -> None:
    """Batches, records and attributes equal aiokafka's for every codec; a truncated batch is left out."""
    data = made(0, codec=codec) + made(3, count=1, codec=codec) + made(4, codec=codec)[:-1]
    ours, theirs = crc32c.FetchedBatches(data), MemoryRecords(data)
    assert ours.size_in_bytes() == theirs.size_in_bytes() == len(data)
    offsets = []
    while theirs.has_next():
        assert ours.has_next()
        mine, other = ours.next_batch(), theirs.next_batch()
        assert mine.validate_crc()
        assert other.validate_crc()
        assert [getattr(mine, name) for name in NAMES] == [getattr(other, name) for name in NAMES]
        rows = [
            [(r.offset, r.timestamp, r.timestamp_type, r.key, r.value, r.headers) for r in b] for b in (mine, other)
        ]
        assert rows[0] == rows[1]
        offsets += [row[0] for row in rows[0]]
    assert offsets == [0, 1, 2, 3]
    assert not ours.has_next()
    assert ours.next_batch() is None


@pytest.mark.parametrize("form", [bytes, bytearray, lambda data: memoryview(bytearray(b"--" + data))[2:]])
def test_any_buffer_will_do(form: Callable[[bytes], bytes]) -> None:
    """The data may lie at any offset of any buffer."""
    assert unpacked(form(made())) == unpacked(made())
    assert len(unpacked(made())) == 3


@pytest.mark.parametrize("fast", [True, False])
def test_a_flipped_bit_is_refused(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch with one bit changed, in the covered part or in the checksum itself, is not read."""
    monkeypatch.setattr(crc32c, "FAST", fast)
    good = made()
    assert len(unpacked(good)) == 3
    for byte in [17, *range(21, len(good), 7), len(good) - 1]:
        bad = bytearray(good)
        bad[byte] ^= 1 << byte % 8
        assert not crc32c.FetchedBatches(bytes(bad)).next_batch().validate_crc()
        with pytest.raises(CorruptRecordException, match="Invalid CRC"):
            unpacked(bytes(bad))


def test_records_before_a_bad_batch_are_read() -> None:
    """A batch is checked when it is reached, before any of its records is returned."""
    bad = bytearray(made(3))
    bad[-1] ^= 1
    found = BoundedRecords(
        TopicPartition("t", 0), crc32c.FetchedBatches(made() + bad), [], 0, None, None, True, fetcher.READ_COMMITTED
    )
    assert [next(found).offset for _ in range(3)] == [0, 1, 2]
    with pytest.raises(CorruptRecordException):
        next(found)
    assert found.next_fetch_offset == 3


@pytest.mark.parametrize("length", [-1, -(2**31), 0, 10, 48])
def test_a_batch_without_room_for_its_head_is_refused(length: int) -> None:
    """An impossible length ends reading; it does not lead outside the batch or back to its start."""
    data = bytearray(made())
    struct.pack_into(">i", data, 8, length)
    with pytest.raises(CorruptRecordException):
        crc32c.FetchedBatches(bytes(data)).next_batch()


@pytest.mark.parametrize("magic", [0, 1])
def test_batches_of_old_formats_are_left_to_aiokafka(magic: int) -> None:
    """Batches of formats before Kafka 0.11 are read and checked by aiokafka."""
    builder = LegacyRecordBatchBuilder(magic, 0, 1000)
    builder.append(0, 5_000 if magic else None, b"p", b"one")
    raw = bytes(builder.build())
    assert [row[0] for row in unpacked(raw)] == [0]
    with pytest.raises(CorruptRecordException):
        unpacked(raw[:-1] + b"x")


@pytest.mark.parametrize("magic", [0, 1])
def test_compressed_batches_of_old_formats_are_rejected(magic: int) -> None:
    """No broker writes them any more, and what they unpack to is not bounded."""
    builder = LegacyRecordBatchBuilder(magic, 1, 1000)
    for offset in range(3):
        builder.append(offset, 5_000, b"p", b"one" * 50)
    (row,) = BoundedRecords(
        TopicPartition("t", 0), crc32c.FetchedBatches(bytes(builder.build())), [], 0, None, None, True, 1
    ).take()
    assert (row.last, row.reason) == (0, "unreadable_batch")


def test_the_fetcher_reads_and_checks_through_the_name_that_is_replaced() -> None:
    """aiokafka splits a fetch with `MemoryRecords` and checks each batch before its first record unless told
    otherwise; the worker does not tell it otherwise."""
    bounded_records.use()
    assert fetcher.MemoryRecords is crc32c.FetchedBatches
    assert fetcher.PartitionRecords is BoundedRecords
    assert "records = MemoryRecords(part_data[-1])" in inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "partition_records = PartitionRecords(" in inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "records = res_or_error.getall(max_records)" in inspect.getsource(fetcher.Fetcher.fetched_records)
    assert inspect.signature(fetcher.Fetcher).parameters["check_crcs"].default is True


def test_the_checksum_is_computed_by_the_processor() -> None:
    """The locked package has its compiled extension."""
    assert crc32c.FAST


def test_the_header_length_is_right() -> None:
    """A batch without records is its header."""
    raw = bytes(DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1000).build())
    assert len(raw) == crc32c.HEAD
    assert DefaultRecordBatch(memoryview(raw)).magic == 2
