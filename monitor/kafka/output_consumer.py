"""Consumes the monitor's outputs: decisions, commands, permits, evidence and rejections, deduplicated.

Outputs are written at least once. A consumer therefore drops duplicates (same id) and void records: a record is void if
a higher epoch precedes it in the same partition. The consumer stores its positions itself, with its own results, so
that a notary or an actor resumes from what it has durably processed and not from what it has merely read.
"""

from __future__ import annotations

import time
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
from monitor.kafka.topics import ANY, LARGE, existing_partitions
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
DISCOVER_S = 5.0

_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in TYPES.items()}


class ReadPosition(Struct, frozen=True):
    """Where a consumer resumes in one partition: the next offset, and the highest epoch before it."""

    next: int = 0
    epoch: int = 0


class ConsumedOutput(Struct, frozen=True):
    """One output, and the `position` to store once it has been processed."""

    topic: str
    partition: int
    offset: int
    received: int  # ms
    epoch: int
    value: Output
    position: ReadPosition


class OutputDeduplicator:
    """Recognizes duplicates by their ids, of which it remembers the last `window`. An older duplicate cannot occur: a
    new owner emits again at most what its predecessor wrote after its last checkpoint."""

    def __init__(self, window: int = 100_000) -> None:
        self._window = window
        self._ids: OrderedDict[str, None] = OrderedDict()

    def is_new(self, value: Output) -> bool:
        """Whether this output, which is not void, is new; remembers its id if so."""
        name = identity(value)
        if name in self._ids:
            return False
        self._ids[name] = None
        if len(self._ids) > self._window:
            self._ids.popitem(last=False)
        return True


def identity(value: Output) -> str:
    """What identifies an output: its id where it has one, else everything except the epoch."""
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
        raise LogBroken(f"{record.topic}/{record.partition}/{record.offset} is not an output of the monitor")
    try:
        return int(headers["epoch"]), decoder.decode(record.value)
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        raise LogBroken(f"{record.topic}/{record.partition}/{record.offset}: {error}") from error


async def read_outputs(
    bootstrap: str,
    topics: Sequence[str],
    positions: dict[tuple[str, int], ReadPosition] | None = None,
    *,
    follow: bool = True,
    client_id: str = "sandbox-reader",
    repeats: bool = False,
) -> AsyncIterator[ConsumedOutput]:
    """Committed outputs of all partitions of `topics`, from `positions` by (topic, partition); without one, from the
    first record kept.

    A topic `<begin>.*` stands for every topic with that beginning; those that are created later are read within
    `DISCOVER_S`, from their first record.

    `repeats` includes duplicates, for consumers whose result they do not change. `follow=False` ends where the topics
    ended when reading began (after a transaction that was open then); otherwise it never ends. Order holds within a
    partition. Raises `Unavailable` when no broker answers, `LogBroken` when retention deleted records from a position
    on, or a topic ends before it.
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
        tps = await _partitions(bootstrap, topics)
        ends = None if follow else await high_waters(bootstrap, tps)
        at = dict(positions or {})
        await _begin(consumer, tps, tps, at)
        discovery = _Discovery(bootstrap, topics, tps) if follow else None
        async for seen in _read(consumer, at, ends, repeats, discovery):
            yield seen
    except KafkaError as error:
        raise Unavailable(f"outputs cannot be read at {bootstrap}: {error!r}") from error
    finally:
        await consumer.stop()


async def _partitions(bootstrap: str, topics: Sequence[str]) -> list[TopicPartition]:
    counts = await existing_partitions(bootstrap, topics)
    return [TopicPartition(topic, p) for topic, count in counts.items() for p in range(count)]


class _Discovery:
    """Looks for topics that were created since: every `DISCOVER_S`, where the topics to read allow it."""

    def __init__(self, bootstrap: str, topics: Sequence[str], tps: Sequence[TopicPartition]) -> None:
        self._bootstrap, self._topics, self.tps = bootstrap, topics, list(tps)
        self._open = any(topic.endswith(ANY) for topic in topics)
        self._looked = time.monotonic()

    async def added(self) -> list[TopicPartition]:
        """New partitions since the last call, which are in `tps` from now on. During an outage: none."""
        if not self._open or time.monotonic() - self._looked < DISCOVER_S:
            return []
        try:
            found = await _partitions(self._bootstrap, self._topics)
        except (Unavailable, LogBroken, KafkaError):
            found = []
        self._looked = time.monotonic()
        new = sorted(set(found) - set(self.tps))
        self.tps += new
        return new


async def _begin(
    consumer: AIOKafkaConsumer,
    tps: Sequence[TopicPartition],
    new: Sequence[TopicPartition],
    positions: dict[tuple[str, int], ReadPosition],
) -> None:
    """Assign all `tps`, each at its position; those that are `new` are checked against the log first."""
    first, last = await consumer.beginning_offsets(new), await consumer.end_offsets(new)
    for tp in new:
        position = positions.setdefault((tp.topic, tp.partition), ReadPosition(first[tp]))
        # Compaction and markers may take the beginning of a topic; only a position that was stored can be lost.
        if 0 < position.next < first[tp]:
            raise LogBroken(
                f"{tp.topic}/{tp.partition} begins at {first[tp]}, the reader stands at {position.next}: retention "
                "deleted records that it had not read; fix: restore them from a copy of the topic, or keep what the "
                "reader wrote and start it with an empty directory"
            )
        if position.next > last[tp]:
            raise LogBroken(
                f"{tp.topic}/{tp.partition} ends at {last[tp]}, the reader stands at {position.next}: the topic was "
                "recreated, or restored from an older copy; fix: restore the newer one, or start the reader with an "
                "empty directory"
            )
        positions[(tp.topic, tp.partition)] = ReadPosition(max(position.next, first[tp]), position.epoch)
    consumer.assign(tps)
    for tp in tps:
        consumer.seek(tp, positions[(tp.topic, tp.partition)].next)


async def _read(
    consumer: AIOKafkaConsumer,
    positions: dict[tuple[str, int], ReadPosition],
    ends: dict[TopicPartition, int] | None,
    repeats: bool,
    discovery: _Discovery | None,
) -> AsyncIterator[ConsumedOutput]:
    deduplicator = OutputDeduplicator()
    while ends is None or not await _ended(consumer, ends):
        if discovery is not None and (new := await discovery.added()):
            await _begin(consumer, discovery.tps, new, positions)
        for tp, records in (await consumer.getmany(timeout_ms=200)).items():
            for record in records:
                if ends is not None and record.offset >= ends[tp]:
                    break
                if record.value is None:  # a tombstone of a compacted topic carries no output
                    continue
                epoch, value = decode(record)
                before = positions[(tp.topic, tp.partition)]
                epochs = EpochFilter(before.epoch)
                counts = epochs.accepts(epoch) and (repeats or deduplicator.is_new(value))
                after = ReadPosition(record.offset + 1, epochs.highest)
                positions[(tp.topic, tp.partition)] = after
                if counts:
                    yield ConsumedOutput(tp.topic, tp.partition, record.offset, record.timestamp, epoch, value, after)


async def _ended(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    return all([await consumer.position(tp) >= end for tp, end in ends.items()])
