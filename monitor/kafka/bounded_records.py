"""The records of a fetch, read in bounded portions, so that nothing that a firm writes stops or exhausts its reader.

aiokafka decompresses a whole batch, whatever it unpacks to, returns all that a fetch holds, and raises on what it
cannot read: the reader ends there, again after every restart. Here a batch is unpacked up to a limit, `take` returns a
portion of bounded size, and what cannot be read becomes one `UnreadableRecords` with its range of offsets. The worker,
recovery, replay and export all read through this file, so they agree on what is readable.

A wrong checksum is no such case: the broker refuses it when it is written, so it comes from a disk or the network, and
may be gone with the next fetch. It is raised as aiokafka raises it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.default_records import DefaultRecordBatch

from monitor.errors import LogBroken
from monitor.kafka import crc32c
from monitor.kafka.crc32c import HEAD, ChecksummedBatch, OldBatch
from monitor.kafka.header_keys import RecordFields, lenient_records
from monitor.kafka.unpacking import NONE, UnreadableBatch, UnreadableReason, unpack

PORTION_RECORDS = 20_000  # of one `take`, at most
# Of one `take`: no more is read of a fetch once its records have so many bytes. One record may exceed it.
PORTION_BYTES = 8 * 1024 * 1024

# A long record may hold at most so many headers: an empty header takes 2 bytes in a batch and 60 in memory.
LONG_RECORD = 16 * 1024  # bytes
LONG_RECORD_HEADERS = 256

CODEC = 0x07  # of the attributes of a batch
# Of the header of a batch: its attributes, and how many records it holds.
_ATTRIBUTES, _COUNT = slice(21, 23), slice(57, 61)
_MALFORMED = (CorruptRecordException, ValueError, IndexError, OverflowError)  # what the parser raises

Maker = Callable[[int, Any], Any]
"""Makes a record of one batch from its offset and aiokafka's record."""
MakerOf = Callable[[TopicPartition, int, int], Maker]
"""The `Maker` of a batch, by its partition, its time (ms) and the type of this time."""
MakeUnreadable = Callable[[TopicPartition, int, int, int, int, UnreadableReason], Any]
"""What stands for records that cannot be read: partition, first and last offset, time (ms), type of time, reason."""


class UnreadableRange(NamedTuple):
    """The offsets from `offset` to `last` of one batch that cannot be read. It has no key and no value: asking for them
    raises `LogBroken`, as in a topic that the monitor alone writes nothing may be unreadable."""

    topic: str
    partition: int
    offset: int
    last: int
    timestamp: int
    timestamp_type: int
    reason: UnreadableReason

    @property
    def key(self) -> bytes | None:
        """Raises `LogBroken`."""
        raise self._broken()

    @property
    def value(self) -> bytes | None:
        """Raises `LogBroken`."""
        raise self._broken()

    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """Raises `LogBroken`."""
        raise self._broken()

    def _broken(self) -> LogBroken:
        place = f"{self.topic}/{self.partition}, offsets {self.offset} to {self.last}"
        return LogBroken(f"{place}: the batch cannot be read ({self.reason})")


def consumer_records(tp: TopicPartition, stamp: int, kind: int) -> Maker:
    """Makes records as aiokafka's consumers return them."""
    topic, partition = tp

    def make(offset: int, raw: Any) -> Any:
        key, value = raw.key, raw.value
        at, of_broker = (stamp, kind) if kind else (raw.timestamp, raw.timestamp_type)
        sizes = (-1 if key is None else len(key), -1 if value is None else len(value))
        return ConsumerRecord(topic, partition, offset, at, of_broker, key, value, None, *sizes, tuple(raw.headers))

    return make


def unreadable_range(
    tp: TopicPartition, first: int, last: int, timestamp: int, timestamp_type: int, reason: UnreadableReason
) -> UnreadableRange:
    """What stands in the place of records that cannot be read."""
    return UnreadableRange(tp.topic, tp.partition, first, last, timestamp, timestamp_type, reason)


class BatchReading:
    """One batch, read from its first record to its last. `at` is the offset after the last record that was read, `next`
    that after the batch; `failure` is why the records from `at` on cannot be read."""

    def __init__(self, batch: ChecksummedBatch | OldBatch) -> None:
        self.next: int = batch.next_offset
        # A batch of an old format holds one record, or is compressed, and then not read.
        self.at: int = batch.base_offset if isinstance(batch, ChecksummedBatch) else self.next - 1
        self.failure: UnreadableReason | None = None
        self._left = 1 << 31  # records not yet read
        self._done = 0  # records that were read
        self._whole: bytes | memoryview = b""  # the batch without compression
        self._lenient = False
        self._first = self.at, batch.first_timestamp if isinstance(batch, ChecksummedBatch) else 0
        self._body, self._place = b"", 0  # the batch without compression, where its records are to be measured
        self._size = 0  # its bytes, where they are not
        # Kafka numbers the records of a batch one by one; only compaction leaves holes. What a record says of its
        # offset is then not needed, and the broker does not check it.
        self._consecutive = False
        try:
            self._rest = self._unpacked(batch) if isinstance(batch, ChecksummedBatch) else self._legacy(batch)
        except UnreadableBatch as error:
            self.failure = error.reason
        except _MALFORMED:
            self.failure = UnreadableReason.UNREADABLE

    @property
    def exhausted(self) -> bool:
        """Whether every record that can be read was read."""
        return self.failure is not None or not self._left

    def read(self, rows: list[Any], start: int, most: int, size: int, make: Maker) -> int:
        """Append the next records with offsets from `start` on: at most `most`, and no further one once they have
        `size` bytes. Returns their bytes."""
        count, spent = self._measured(min(most, self._left), size)
        stop = self._done + count
        try:
            self._append(rows, start, stop, make)
        except _MALFORMED:
            try:
                self._use_lenient_reader()
                self._append(rows, start, stop, make)
            except _MALFORMED:
                self.failure = UnreadableReason.UNREADABLE
        # A batch of an old format does not say how many records it has.
        self._left = 0 if self._done < stop else self._left - count
        return spent

    def _append(self, rows: list[Any], start: int, stop: int, make: Maker) -> None:
        """Append records until `stop` of the batch are read."""
        for raw in islice(self._rest, stop - self._done):
            if not self._consecutive:
                if not self.at <= raw.offset < self.next:
                    raise ValueError("an offset outside of its batch")
                self.at = raw.offset
            if self.at >= start:
                rows.append(make(self.at, raw))
            self.at += 1
            self._done += 1

    def _use_lenient_reader(self) -> None:
        """Go on with the reader that takes any header key. Raises ValueError when it is used already."""
        if self._lenient or not self._whole:
            raise ValueError("no batch")
        self._lenient = True
        self._rest = lenient_records(bytes(self._whole), HEAD, self._done, *self._first)

    def _unpacked(self, batch: ChecksummedBatch) -> Iterator[Any]:
        """The records of a batch, decompressed up to the limit. Raises `UnreadableBatch`."""
        data = batch.data
        self._left = max(0, int.from_bytes(data[_COUNT], "big", signed=True))
        self._consecutive = batch.last_offset_delta == self._left - 1
        attributes = int.from_bytes(data[_ATTRIBUTES], "big")
        whole: bytes | memoryview = data
        if attributes & CODEC != NONE:
            plain = (attributes & ~CODEC).to_bytes(2, "big")
            head = b"".join((data[: _ATTRIBUTES.start], plain, data[_ATTRIBUTES.stop : HEAD]))
            whole = unpack(attributes & CODEC, bytes(data[HEAD:]), head)
        self._whole, self._size = whole, len(whole)
        if self._size > LONG_RECORD:
            self._body, self._place = bytes(whole), HEAD
        return chain(DefaultRecordBatch(memoryview(whole)))  # which takes one `iter` only

    def _legacy(self, batch: OldBatch) -> Iterator[Any]:
        """The records of a batch of a format before Kafka 0.11, which no broker writes any more. Its compression is not
        bounded, so it is not read with any."""
        if batch.compressed:
            raise UnreadableBatch(UnreadableReason.UNREADABLE)
        return chain(batch)

    def _measured(self, most: int, size: int) -> tuple[int, int]:
        """How many of the next `most` records to read now, and their bytes: at least one, and no further one once they
        have `size` bytes; none from a long one with too many headers on."""
        if not self._body:
            spent, self._size = self._size, 0
            return most, spent
        body, at, begin = self._body, self._place, self._place
        for number in range(most):
            try:
                length = body[at]
                if length < 0x80:
                    at += 1
                elif (second := body[at + 1]) < 0x80:
                    length = length & 0x7F | second << 7
                    at += 2
                else:
                    fields = RecordFields(body, at)
                    length, at = fields.unsigned(), fields.at
                if length > 2 * LONG_RECORD and headers_of(body, at) > LONG_RECORD_HEADERS:
                    self.failure = UnreadableReason.TOO_LARGE
                    return number, at - begin
            except (IndexError, ValueError):  # the parser reads up to there, and says that it is wrong
                return number + 1, at - begin
            at += length >> 1  # the sign is the lowest bit
            if at - begin >= size:
                self._place = at
                return number + 1, at - begin
        self._place = at
        return most, at - begin


def headers_of(body: bytes, at: int) -> int:
    """How many headers the record says it has, whose fields begin at `at`. Raises as `RecordFields`."""
    fields = RecordFields(body, at + 1)  # after its attributes
    fields.unsigned()  # time
    fields.unsigned()  # offset
    fields.skip()  # key
    fields.skip()  # value
    return fields.signed()


class BoundedRecords:
    """The records of one partition in a fetch, in place of aiokafka's `PartitionRecords`. `maker_of` and `unreadable`
    make what `take` returns; `next_fetch_offset` is where the next fetch begins, `ended` says that all was taken."""

    maker_of: MakerOf = staticmethod(consumer_records)
    unreadable: MakeUnreadable = staticmethod(unreadable_range)
    portion_bytes = PORTION_BYTES  # of one `getall`

    def __init__(
        self,
        tp: TopicPartition,
        records: Any,
        aborted_transactions: Iterable[tuple[int, int]] | None,
        fetch_offset: int,
        key_deserializer: None,
        value_deserializer: None,
        check_crcs: bool,
        isolation_level: int,
    ) -> None:
        self.next_fetch_offset = fetch_offset
        self.ended = False
        self._partition, self._batches = tp, records
        self._checked, self._committed = check_crcs, isolation_level == fetcher.READ_COMMITTED
        self._aborts = deque(sorted(aborted_transactions or (), key=itemgetter(1)))  # producer, first offset
        self._aborting: set[int] = set()  # producers whose transaction was aborted
        self._open_batch: BatchReading | None = None
        self._make: Maker = lambda offset, raw: raw
        self._stamp = self._kind = 0
        self._corrupt: CorruptRecordException | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        rows = self.take(1, 1)
        if not rows:
            raise StopIteration
        return rows[0]

    def take(self, most: int = PORTION_RECORDS, size: int = PORTION_BYTES) -> list[Any]:
        """The next records, at least one unless all were taken, at most `most`, and no further one once they have
        `size` bytes. Raises `CorruptRecordException` for a wrong checksum, once what precedes it was taken."""
        rows: list[Any] = []
        while (not rows or (len(rows) < most and size > 0)) and (self._open_batch is not None or self._begin_batch()):
            if self._open_batch is not None:
                size -= self._take_from(self._open_batch, rows, most - len(rows), size)
        if not rows and self._corrupt is not None:
            raise self._corrupt
        return rows

    def _begin_batch(self) -> bool:
        """Begin the next batch. False after the last, and at one with a wrong checksum."""
        if self._corrupt is not None or self.ended:
            return False
        try:
            batch = self._visible_batch()
        except CorruptRecordException as error:
            self._corrupt = error
            return False
        if batch is None:
            self.ended = True
            return False
        self._open_batch, self._stamp, self._kind = BatchReading(batch), batch.max_timestamp, batch.timestamp_type
        self._make = self.maker_of(self._partition, self._stamp, self._kind)
        return True

    def _take_from(self, reading: BatchReading, rows: list[Any], most: int, size: int) -> int:
        start, spent = self.next_fetch_offset, 0
        if not reading.exhausted:
            spent = reading.read(rows, start, most, size, self._make)
            self.next_fetch_offset = max(start, reading.at)
        if reading.exhausted:
            self._open_batch = None
            # Reading may begin inside of a batch; what was before is not asked for.
            why, first, last = reading.failure, max(reading.at, start), reading.next - 1
            if why is not None and first <= last:
                rows.append(self.unreadable(self._partition, first, last, self._stamp, self._kind, why))
            self.next_fetch_offset = max(start, reading.next)
        return spent

    def _visible_batch(self) -> Any:
        """The next batch of records whose transaction, if any, was not aborted; None after the last. Raises
        `CorruptRecordException`. Does what aiokafka's `_unpack_records` does."""
        while self._batches.has_next():
            batch = self._batches.next_batch()
            if self._checked and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._partition}")
            if batch.is_control_batch:
                if self._committed and self._aborts_transaction(batch):
                    self._aborting.discard(batch.producer_id)
            elif not self._aborted(batch):
                return batch
            self.next_fetch_offset = batch.next_offset
        return None

    def _aborted(self, batch: Any) -> bool:
        if not self._committed or batch.producer_id is None:
            return False
        while self._aborts and self._aborts[0][1] <= batch.base_offset:
            self._aborting.add(self._aborts.popleft()[0])
        return bool(batch.is_transactional) and batch.producer_id in self._aborting

    def _aborts_transaction(self, control: Any) -> bool:
        """Whether a control batch, which only a broker writes, is the marker of an aborted transaction."""
        self._aborted(control)
        record = next(control, None)
        return record is not None and ControlRecord.parse(record.key) == ABORT_MARKER


class PortionedResult(fetcher.FetchResult):  # type: ignore[misc]
    """What was fetched of one partition, until it is taken."""

    def getall(self, max_records: int | None = None) -> list[Any]:
        """The next portion; see `BoundedRecords.take`."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        records: BoundedRecords = self._partition_records
        try:
            rows: list[Any] = records.take(min(max_records or PORTION_RECORDS, PORTION_RECORDS), records.portion_bytes)
        except BaseException:
            self._partition_records: Any = None  # fetched again
            raise
        self._update_position()
        if records.ended:
            self._partition_records = None
        return rows


def use() -> None:
    """Make every consumer of this process that starts fetching from now on read in bounded portions."""
    crc32c.use()
    fetcher.PartitionRecords = BoundedRecords
    fetcher.FetchResult = PortionedResult
