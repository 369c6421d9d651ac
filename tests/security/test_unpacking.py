"""What a record batch unpacks to is bounded, and no batch stops its reader: what cannot be read is rejected."""

from __future__ import annotations

import tracemalloc
from random import Random

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher

from monitor.engine.machine import Machine
from monitor.kafka import faust_hooks
from monitor.kafka.bounded_records import (
    LONG_RECORD_HEADERS,
    PORTION_BYTES,
    BoundedRecords,
    consumer_records,
    unreadable_range,
)
from monitor.kafka.crc32c import FetchedBatches
from monitor.kafka.partition_reader import to_records
from monitor.kafka.unpacking import UNPACKED_BYTES
from monitor.model.records import Record, UnreadableRecords
from tests.security.batches import CODECS, GZIP, LZ4, SNAPPY, ZSTD, batch, bomb, hostile, record
from tests.security.goals import Goal
from tests.strength import examples

TOPIC = TopicPartition("sandbox.telemetry", 0)
MIB = 1024 * 1024


def reading(data: bytes, start: int = 0, *, live: bool = True) -> BoundedRecords:
    """The records of a fetch, as the worker reads them, or (not `live`) as recovery and replay do."""
    found = BoundedRecords(TOPIC, FetchedBatches(data), [], start, None, None, True, fetcher.READ_COMMITTED)
    found.maker_of = faust_hooks.records_of if live else consumer_records
    found.unreadable = faust_hooks.unreadable_records if live else unreadable_range
    return found


def read(
    data: bytes, start: int = 0, *, live: bool = True, most: int = 20_000, size: int = PORTION_BYTES
) -> list[Record]:
    """All of them, taken in portions."""
    found, rows = reading(data, start, live=live), []
    while portion := found.take(most, size):
        rows += portion
    return rows if live else to_records(rows)


def offsets(rows: list[Record]) -> list[int]:
    """The offsets that the rows cover."""
    return [at for row in rows for at in range(row.offset, row.next)]


@pytest.mark.parametrize("codec", [c for c in CODECS if c])
def test_a_batch_beyond_the_limit_is_rejected_as_a_whole(codec: int, goal: Goal) -> None:
    """A small batch that unpacks to 256 MiB takes no more memory than the limit, and each of its offsets is rejected as
    `too_large`; the batches around it are read."""
    good = batch([record(0, b"{}")], codec=codec)
    data = good + bomb(codec, 256 * MIB, offset=1) + batch([record(0, b"[]")], offset=2, codec=codec)
    tracemalloc.start()
    try:
        rows = read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [(row.offset, row.value) for row in rows] == [(0, b"{}"), (1, None), (2, b"[]")]
    assert isinstance(rows[1], UnreadableRecords)
    assert (rows[1].reason, rows[1].last) == ("too_large", 1)
    name = {GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}[codec]
    # The buffer, what was unpacked, and the batch itself, of which snappy makes a twentieth.
    goal(f"unpacking-memory-{name}-mib", peak / MIB, (2 * UNPACKED_BYTES + 3 * len(data)) / MIB)


def test_a_batch_at_the_limit_is_read() -> None:
    """The limit is of the whole batch, and inclusive."""
    over = len(record(0, bytes(UNPACKED_BYTES - 100))) - (UNPACKED_BYTES - 100)
    for size, readable in ((UNPACKED_BYTES - over, True), (UNPACKED_BYTES - over + 1, False)):
        (row,) = read(bomb(GZIP, size))
        assert isinstance(row, UnreadableRecords) is not readable


def test_a_fetch_is_taken_in_portions() -> None:
    """No portion has more bytes than its size and one record, whatever a fetch unpacks to."""
    data = b"".join(bomb(GZIP, 3 * MIB, offset=at) for at in range(40))
    found = reading(data)
    taken = []
    while portion := found.take(20_000, 4 * MIB):
        assert sum(len(row.value or b"") for row in portion) <= 6 * MIB
        taken += portion
    assert offsets(taken) == list(range(40))


def test_a_long_record_of_headers_is_not_made() -> None:
    """An empty header takes two bytes in a batch and 60 in memory: a long record with more than the limit is rejected,
    with those after it; those before it are read."""
    many = record(1, b"{}", headers=[(b"", None)] * 1_000_000)
    rows = read(batch([record(0, b"{}"), many, record(2, b"{}")], codec=GZIP))
    assert [(row.offset, row.next) for row in rows] == [(0, 1), (1, 3)]
    assert isinstance(rows[1], UnreadableRecords)
    assert rows[1].reason == "too_large"
    most = record(1, bytes(50_000), headers=[(b"", None)] * LONG_RECORD_HEADERS)
    assert len(read(batch([record(0, b"{}"), most]))) == 2


def test_the_readable_part_of_a_batch_is_read() -> None:
    """A record without a form ends its batch: those before it are read, and it is rejected with those after it."""
    rows = read(batch([record(0, b"{}"), b"\x08\0\0\x02\xff\xff", record(2, b"{}")]))
    assert [(type(row), row.offset, row.next) for row in rows] == [(Record, 0, 1), (UnreadableRecords, 1, 3)]
    out = Machine(keyed=True).telemetry(TOPIC.topic, rows)
    assert [r.offset for r in out.rejected] == [0, 1]
    assert out.rejected[1].reason == "unreadable_batch"
    assert "Offsets 1 to 2:" in out.rejected[1].detail


def test_offsets_that_lie_change_no_position() -> None:
    """What a record says of its offset is not believed: a batch has consecutive offsets."""
    rows = read(batch([record(1 << 30, b"a"), record(-7, b"b"), record(0, b"c")], offset=10))
    assert [(row.offset, row.value) for row in rows] == [(10, b"a"), (11, b"b"), (12, b"c")]


def test_no_batch_stops_its_reader(goal: Goal) -> None:
    """Of batches with any fault of structure every offset is read or rejected, once and in order; the worker, recovery
    from any offset, and replay in portions of any size agree byte for byte; the machine rejects what it is given."""
    random, attempts, unreadable, differences = Random(5), examples(1_500, 100_000), 0, 0
    for number in range(attempts):
        data = hostile(random, offset=7) + batch([record(0, b"{}")], offset=2_000)
        rows = read(data)
        unreadable += isinstance(rows[0], UnreadableRecords)
        covered = offsets(rows)
        assert covered == sorted(set(covered)), number
        assert covered[-1] == 2_000, number
        start = random.choice([row.offset for row in rows])
        same = (
            read(data, live=False) == rows
            and read(data, most=1, size=1) == rows
            and read(data, start) == [row for row in rows if row.offset >= start]
        )
        differences += not same
        out = Machine(keyed=True).telemetry(TOPIC.topic, rows)
        assert {r.offset for r in out.rejected} == {row.offset for row in rows}, number
    assert unreadable > attempts / 50
    goal("unpacking-fuzzed-batches", attempts, attempts, least=True, note=f"{unreadable} unreadable from the first")
    goal("unpacking-live-replay-differences", differences, 0)
