"""Reading what the monitor put out: decisions, commands, permits, evidence, rejections - each taking effect once.

Outputs are written at least once. A reader therefore drops what it has seen (same id) and what is void: a record is
void if a higher epoch precedes it in the same partition. Position and epochs are the reader's own to keep, so that a
notary or an actor continues where it durably stands, not where it happened to have read to.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeAlias

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from monitor.access.kafka_login import access
from monitor.errors import LogBroken, Unavailable
from monitor.kafka.partition_reader import high_waters
from monitor.kafka.topics import LARGE, partition_count
from monitor.model.epochs import EpochFilter
from monitor.model.records import Closed, Command, Decision, Evidence, Permit, Rejected, digest

Output: TypeAlias = Decision | Command | Permit | Evidence | Closed | Rejected

TYPES: dict[bytes, type[Any]] = {
    b"decision": Decision,
    b"command": Command,
    b"permit": Permit,
    b"evidence": Evidence,
    b"closed": Closed,
    b"rejected": Rejected,
}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in TYPES.items()}


class ReadPosition(Struct, frozen=True):
    """Where a reader goes on in one partition: the next offset, and the highest epoch seen before it."""

    next: int = 0
    epoch: int = 0


class ConsumedOutput(Struct, frozen=True):
    """One output as read, and the `position` to store once it has taken effect."""

    topic: str
    partition: int
    offset: int
    received: int  # ms
    epoch: int
    value: Output
    position: ReadPosition


class OutputDeduplicator:
    """Drops void records and repeats. Remembers the last `window` ids; older repeats cannot come back, as a new owner
    puts out again at most what its predecessor wrote after its last checkpoint."""

    def __init__(self, window: int = 100_000) -> None:
        self._window = window
        self._ids: OrderedDict[str, None] = OrderedDict()

    def takes(self, value: Output) -> bool:
        """Whether this record, which is in force, is no repeat; remembers its id if so."""
        name = identity(value)
        if name in self._ids:
            return False
        self._ids[name] = None
        if len(self._ids) > self._window:
            self._ids.popitem(last=False)
        return True


def identity(value: Output) -> str:
    """What makes two outputs the same one: the id where there is one, else everything but the epoch."""
    if isinstance(value, (Decision, Command, Rejected)):
        return value.id
    if isinstance(value, Permit):
        return digest("permit", value.pilot, value.standing, value.nonce)
    return digest("evidence", msgspec.json.encode(value))


def decode(record: Any) -> tuple[int, Output]:
    """Epoch and value of a consumer record. Raises `LogBroken` for what the monitor cannot have written."""
    headers = dict(record.headers)
    decoder = _DECODERS.get(headers.get("type", b""))
    if decoder is None or record.value is None:
        raise LogBroken(f"{record.topic}/{record.partition}/{record.offset} is no output of the monitor")
    try:
        return int(headers["epoch"]), decoder.decode(record.value)
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        raise LogBroken(f"{record.topic}/{record.partition}/{record.offset}: {error}") from error


async def read_outputs(
    bootstrap: str,
    topics: Sequence[str],
    places: dict[tuple[str, int], ReadPosition] | None = None,
    *,
    follow: bool = True,
    client_id: str = "sandbox-reader",
    repeats: bool = False,
) -> AsyncIterator[ConsumedOutput]:
    """Committed outputs of all partitions of `topics`, from `places` ((topic, partition) -> place; missing: the first
    kept).

    `repeats` gives what was put out again too, for readers that such a thing changes nothing of. `follow=False` ends
    where the topics ended when reading began (waiting for a transaction then open); else it goes on for ever. Order
    holds within a partition. Raises `Unavailable` when no broker answers, `LogBroken` when retention overtook a place
    or a topic ends before one.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=LARGE,
        fetch_max_wait_ms=200,
        **access(),
    )
    try:
        await consumer.start()
        tps = [TopicPartition(t, p) for t in topics for p in range(await partition_count(bootstrap, t))]
        ends = None if follow else await high_waters(bootstrap, tps)
        async for seen in _read(consumer, tps, dict(places or {}), ends, repeats):
            yield seen
    except KafkaError as error:
        raise Unavailable(f"outputs cannot be read at {bootstrap}: {error!r}") from error
    finally:
        await consumer.stop()


async def _read(
    consumer: AIOKafkaConsumer,
    tps: Sequence[TopicPartition],
    places: dict[tuple[str, int], ReadPosition],
    ends: dict[TopicPartition, int] | None,
    repeats: bool,
) -> AsyncIterator[ConsumedOutput]:
    sieve = OutputDeduplicator()
    consumer.assign(tps)
    first, last = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    for tp in tps:
        place = places.setdefault((tp.topic, tp.partition), ReadPosition(first[tp]))
        # Compaction and transaction markers may take the beginning of a topic; only a place that was read to can be lost.
        if 0 < place.next < first[tp]:
            raise LogBroken(
                f"{tp.topic}/{tp.partition} begins at {first[tp]}, the reader stands at {place.next}: retention took what it had "
                "not read; fix: restore those records from a copy of the topic, or keep what the reader wrote and start it with "
                "an empty directory"
            )
        if place.next > last[tp]:
            raise LogBroken(
                f"{tp.topic}/{tp.partition} ends at {last[tp]}, the reader stands at {place.next}: the topic was recreated, or restored "
                "from an older copy; fix: restore the newer one, or start the reader with an empty directory"
            )
        consumer.seek(tp, max(place.next, first[tp]))
    while ends is None or not await _ended(consumer, ends):
        for tp, records in (await consumer.getmany(timeout_ms=200)).items():
            for record in records:
                if ends is not None and record.offset >= ends[tp]:
                    break
                if record.value is None:  # a tombstone of a compacted topic says nothing to a reader
                    continue
                epoch, value = decode(record)
                before = places[(tp.topic, tp.partition)]
                epochs = EpochFilter(before.epoch)
                counts = epochs.accepts(epoch) and (repeats or sieve.takes(value))
                after = ReadPosition(record.offset + 1, epochs.highest)
                places[(tp.topic, tp.partition)] = after
                if counts:
                    yield ConsumedOutput(tp.topic, tp.partition, record.offset, record.timestamp, epoch, value, after)


async def _ended(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    return all([await consumer.position(tp) >= end for tp, end in ends.items()])
