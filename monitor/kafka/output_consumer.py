"""Consumes the monitor's outputs: decisions, commands, permits, evidence and rejections, deduplicated.

A record that is no output of the monitor is skipped and reported (`reader_reports.py`).

Outputs are written at least once. A consumer therefore drops duplicates (same id) and void records: a record is void if
a higher epoch precedes it in the same partition. The consumer stores its positions itself, with its own results, so
that a notary or an actor resumes from what it has durably processed and not from what it has merely read.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from monitor.access.kafka_login import access
from monitor.errors import LogBroken, Unavailable
from monitor.kafka import bounded_records
from monitor.kafka.login import problem, require_login
from monitor.kafka.partition_reader import high_waters, learn_topics
from monitor.kafka.reader_reports import ReaderReports
from monitor.kafka.reader_trust import OutputTrust, TrustedRun
from monitor.kafka.topics import ANY, LARGE, existing_partitions
from monitor.logs import EventLogger
from monitor.model.epochs import EpochFilter
from monitor.model.output_records import JudgedOutput, Output, OutputRejection, judge_output
from monitor.model.records import Command, Decision, Permit, Rejected, digest

logger = EventLogger(__name__)

DISCOVER_S = 5.0  # between two looks for new topics
LIMITED = ".rejected"  # topics whose retention is limited: a reader that was overtaken goes on at the first record kept


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


def judged(record: Any) -> JudgedOutput | OutputRejection:
    """The output in a consumer record, or why there is none. Never raises."""
    if isinstance(record, bounded_records.UnreadableRange):
        return OutputRejection.UNREADABLE
    return judge_output(record.topic, record.key, record.value, record.headers)


async def read_outputs(
    bootstrap: str,
    topics: Sequence[str],
    positions: dict[tuple[str, int], ReadPosition] | None = None,
    *,
    follow: bool = True,
    client_id: str = "sandbox-reader",
    repeats: bool = False,
    reports: ReaderReports | None = None,
    trust: OutputTrust | None = None,
) -> AsyncIterator[ConsumedOutput]:
    """Committed outputs of all partitions of `topics`, from `positions` by (topic, partition); without one, from the
    first record kept.

    A topic `<begin>.*` stands for every topic with that beginning; those that are created later are read within
    `DISCOVER_S`, from their first record.

    `repeats` includes duplicates, for consumers whose result they do not change. `follow=False` ends where the topics
    ended when reading began (after a transaction that was open then); otherwise it never ends. Order holds within a
    partition. A record that is no output of the monitor, or that `trust` refuses, is skipped, counted and logged
    (`reports`): it ends no reader. Raises `Unavailable` when no broker answers, `LogBroken` when retention deleted
    records from a position on, or a topic ends before it.
    """
    bounded_records.use()
    reports = reports or ReaderReports()
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
        await require_login(bootstrap)
        await consumer.start()
        tps = await _partitions(bootstrap, topics)
        ends = None if follow else await high_waters(bootstrap, tps)
        discovery = _Discovery(bootstrap, topics, tps) if follow else None
        reading = _Reading(consumer, dict(positions or {}), repeats, reports, trust.run() if trust else None)
        await reading.begin(tps, tps)
        async for seen in reading.outputs(ends, discovery):
            yield seen
    except KafkaError as error:
        raise problem(f"outputs cannot be read at {bootstrap}", error) from error
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


class _Reading:
    """One run of `read_outputs`: the consumer, and how far each partition was read."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        positions: dict[tuple[str, int], ReadPosition],
        repeats: bool,
        reports: ReaderReports,
        trusted: TrustedRun | None,
    ) -> None:
        self._consumer = consumer
        self._positions = positions
        self._repeats = repeats
        self._reports = reports
        self._trusted = trusted
        self._deduplicator = OutputDeduplicator()

    async def begin(self, tps: Sequence[TopicPartition], new: Sequence[TopicPartition]) -> None:
        """Go to the positions of all `tps`, of which those of the `new` ones are checked first. Raises `LogBroken`
        where the log no longer has one, or does not have it yet."""
        consumer = self._consumer
        await learn_topics(consumer._client, [tp.topic for tp in new])
        first, last = await consumer.beginning_offsets(new), await consumer.end_offsets(new)
        for tp in new:
            self._reports.watch(tp.topic)
            position = self._positions.setdefault((tp.topic, tp.partition), ReadPosition(first[tp]))
            # Compaction and markers may take the beginning of a topic; only a position that was stored can be lost.
            if 0 < position.next < first[tp] and tp.topic.endswith(LIMITED):
                logger.warning(
                    "rejections.deleted_unread",
                    stage="record",
                    topic=tp.topic,
                    partition=tp.partition,
                    first=position.next,
                    last=first[tp] - 1,
                )
            elif 0 < position.next < first[tp]:
                raise LogBroken(
                    f"{tp.topic}/{tp.partition} begins at {first[tp]}, the reader stands at {position.next}: retention "
                    "deleted records that it had not read; fix: restore them from a copy of the topic, or keep what "
                    "the reader wrote and start it with an empty directory"
                )
            if position.next > last[tp]:
                raise LogBroken(
                    f"{tp.topic}/{tp.partition} ends at {last[tp]}, the reader stands at {position.next}: the topic "
                    "was recreated, or restored from an older copy; fix: restore the newer one, or start the reader "
                    "with an empty directory"
                )
            self._positions[tp.topic, tp.partition] = ReadPosition(max(position.next, first[tp]), position.epoch)
        consumer.assign(tps)
        for tp in tps:
            consumer.seek(tp, self._positions[tp.topic, tp.partition].next)

    async def outputs(
        self, ends: dict[TopicPartition, int] | None, discovery: _Discovery | None
    ) -> AsyncIterator[ConsumedOutput]:
        """Every output that counts, up to `ends`; without them for ever, with those of topics that are discovered."""
        while ends is None or not await _ended(self._consumer, ends):
            if discovery is not None and (new := await discovery.added()):
                await self.begin(discovery.tps, new)
            fetched = await self._consumer.getmany(timeout_ms=200)
            self._reports.progress()
            if self._trusted is not None and fetched:
                await self._trusted.look(fetched)
            for tp, records in fetched.items():
                for record in records:
                    if ends is not None and record.offset >= ends[tp]:
                        break
                    output = self._output(record)
                    if output is not None:
                        yield output
            for tp in self._consumer.assignment():
                await self._report(tp, len(fetched.get(tp, ())))

    def _output(self, record: Any) -> ConsumedOutput | None:
        """The output in a record, `None` where it is skipped, void or repeated. Either way it counts as read."""
        topic, partition = record.topic, record.partition
        before = self._positions[topic, partition]
        found, after = judged(record), getattr(record, "last", record.offset) + 1
        if isinstance(found, JudgedOutput):
            found = (self._trusted.accept(record, found.epoch) if self._trusted else None) or found
        if not isinstance(found, JudgedOutput):
            self._positions[topic, partition] = ReadPosition(after, before.epoch)
            self._reports.skipped(topic, partition, record.offset, found)
            return None
        epochs = EpochFilter(before.epoch)
        counts = epochs.accepts(found.epoch) and (self._repeats or self._deduplicator.is_new(found.value))
        position = self._positions[topic, partition] = ReadPosition(after, epochs.highest)
        if not counts:
            return None
        return ConsumedOutput(topic, partition, record.offset, record.timestamp, found.epoch, found.value, position)

    async def _report(self, tp: TopicPartition, records: int) -> None:
        position = await self._consumer.position(tp)
        end = self._consumer.highwater(tp)  # records of an open transaction are part of the lag
        self._reports.read(tp.topic, tp.partition, position, max(0, (end or 0) - position), records)


async def _ended(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    return all([await consumer.position(tp) >= end for tp, end in ends.items()])
