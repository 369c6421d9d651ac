"""The link over Kafka: the one home of kafka-python.

Keys are hashed with murmur2 as by every other client, so that telemetry, control and commands of a pilot lie in the
same partition number. Nothing creates a topic here.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from monitor.access.kafka_login import access
from monitor.errors import Unavailable
from monitor.model.signing import HEADER
from monitor.sdk.link import BATCH, Letter, Link, What

ANSWER = 10.0  # seconds
PAST = 10_000  # records of a topic that are looked through for what became of an earlier act
FLYING = 1_000  # records of a bulk sender not yet answered
HEADERS = [("content-type", BATCH.encode())]


def partition_of(key: str, partitions: int) -> int:
    """The partition of `key` among `partitions`, as Kafka's own default partitioner has it.

    >>> partition_of("pilot-1", 8) == partition_of("pilot-1", 8)
    True
    """
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


class KafkaLink:
    """Sends each batch as one record, `acks=all`, one in flight, so that order holds whatever fails."""

    def __init__(self, servers: list[str], *, telemetry: str, prefix: str, options: Mapping[str, Any]) -> None:
        self.servers = servers
        self.prefix = prefix
        self.telemetry = telemetry
        self.options = {**access(), **options}
        self._producer: KafkaProducer | None = None

    @property
    def where(self) -> str:
        """The address, for messages."""
        return f"kafka://{','.join(self.servers)}"

    def knock(self) -> None:
        """Raise `Unavailable` unless one of the servers takes a connection: kafka-python itself tries for seconds and leaves
        sockets behind when nobody answers."""
        problem: OSError | None = None
        for server in self.servers:
            host, _, port = server.rpartition(":") if ":" in server else (server, "", "9092")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
                return
            except OSError as error:
                problem = error
        raise Unavailable(f"{self.where} does not answer: {problem}")

    def producer(self, **more: Any) -> KafkaProducer:
        """The producer, made when first asked for. Raises `Unavailable` when no broker answers."""
        if self._producer is None:
            self.knock()
            settings: dict[str, Any] = {
                "bootstrap_servers": self.servers,
                "acks": "all",
                "enable_idempotence": True,
                # Its checksum is plain Python: 120,000 packed events took 9.9 s bare and 1.1 s compressed.
                "compression_type": "gzip",
                "max_in_flight_requests_per_connection": 1,
                "delivery_timeout_ms": 20_000,
                "request_timeout_ms": 8_000,
                "max_block_ms": 8_000,
                "bootstrap_timeout_ms": 5_000,
                "reconnect_backoff_max_ms": 1_000,
                "allow_auto_create_topics": False,
                "metrics_enabled": False,
            }
            try:
                self._producer = KafkaProducer(**{**settings, **self.options, **more})
            except (KafkaError, OSError) as error:
                raise Unavailable(f"{self.where} does not answer: {error}") from error
        return self._producer

    def send(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Link.send`."""
        headers = [*HEADERS, (HEADER, signature.encode())] if signature else HEADERS
        try:
            future = self.producer().send(self.telemetry, body, key=pilot.encode(), headers=headers)
            future.get(timeout=30)
        except KafkaError as error:
            self.close()  # nothing of this batch may still be in flight when it is sent again
            raise Unavailable(f"{self.where} did not take a record for {self.telemetry}: {error!r}") from error

    def control(self, pilot: str, body: bytes, signature: str = "") -> tuple[int, int]:
        """Put one record on control; returns its partition and offset. Raises `Unavailable`."""
        headers = [(HEADER, signature.encode())] if signature else []
        try:
            told = self.producer().send(f"{self.prefix}.control", body, key=pilot.encode(), headers=headers).get(30)
        except KafkaError as error:
            self.close()
            raise Unavailable(f"{self.where} did not take a record for {self.prefix}.control: {error!r}") from error
        return int(told.partition), int(told.offset)

    def consumer(self) -> KafkaConsumer:
        """A consumer of committed records without a group. Raises `Unavailable` when no broker answers."""
        self.knock()
        keep = {k: v for k, v in self.options.items() if k in KafkaConsumer.DEFAULT_CONFIG}
        try:
            return KafkaConsumer(
                **{
                    "bootstrap_servers": self.servers,
                    "group_id": None,
                    "enable_auto_commit": False,
                    "auto_offset_reset": "earliest",
                    "isolation_level": "read_committed",
                    "allow_auto_create_topics": False,
                    "request_timeout_ms": 8_000,
                    "bootstrap_timeout_ms": 5_000,
                    "reconnect_backoff_max_ms": 1_000,
                    "metrics_enabled": False,
                    **keep,
                }
            )
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self.where} does not answer: {error!r}") from error

    def feed(self, pilot: str, what: What = "commands") -> KafkaFeed:
        """See `Link.feed`."""
        return KafkaFeed(self, pilot, what)

    def close(self) -> None:
        """See `Link.close`. Does not wait for what is in flight."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=0)


class KafkaFeed:
    """The pilot's partition of the compacted topic `<prefix>.commands` or `.permits`, committed records only: commands from
    the beginning, permits from now on."""

    def __init__(self, link: KafkaLink, pilot: str, what: What) -> None:
        self._link = link
        self._pilot = pilot
        self._what = what
        self._topic = f"{link.prefix}.{what}"
        self._consumer: KafkaConsumer | None = None
        self._partition: TopicPartition | None = None
        self._end = 0
        self._complete = False

    def want(self, nonce: str) -> None:
        """See `Feed.want`: all permits of the pilot are read."""

    @property
    def complete(self) -> bool:
        """True once the position has passed the end that the partition had when the feed was opened."""
        return self._complete

    def _connect(self) -> KafkaConsumer:
        if self._consumer is not None:
            return self._consumer
        consumer = self._link.consumer()
        try:
            partitions = consumer.partitions_for_topic(self._topic)
            if not partitions:
                raise Unavailable(f"{self._link.where} has no topic {self._topic}")
            self._partition = TopicPartition(self._topic, partition_of(self._pilot, len(partitions)))
            consumer.assign([self._partition])
            if self._what == "commands":
                consumer.seek_to_beginning(self._partition)
            else:
                consumer.seek_to_end(self._partition)
            self._end = consumer.end_offsets([self._partition])[self._partition]
        except (KafkaError, OSError) as error:
            consumer.close(autocommit=False, timeout_ms=0)
            raise Unavailable(f"{self._link.where} does not answer: {error!r}") from error
        except Unavailable:
            consumer.close(autocommit=False, timeout_ms=0)
            raise
        self._consumer = consumer
        return consumer

    def poll(self, after: int, wait: float) -> list[Letter]:
        """See `Feed.poll`."""
        consumer = self._connect()
        try:
            batches = consumer.poll(timeout_ms=int((wait if self._complete else min(wait, 0.2)) * 1000))
            if not self._complete:
                at = consumer.position(self._partition, timeout_ms=int(ANSWER * 1000))
                self._complete = at is not None and at >= self._end
        except (KafkaError, OSError) as error:
            self.close()
            raise Unavailable(f"{self._link.where} does not answer: {error!r}") from error
        return [
            Letter(record.value, _signature(record.headers))
            for batch in batches.values()
            for record in batch
            if record.key == self._pilot.encode() and record.value is not None
        ]

    def close(self) -> None:
        """See `Feed.close`. A closed feed reads from the beginning when it is polled again."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            consumer.close(autocommit=False, timeout_ms=0)


def _signature(headers: list[tuple[str, bytes]]) -> str:
    return next((value.decode(errors="replace") for name, value in headers if name == HEADER and value), "")


class KafkaAnswers:
    """Decisions and rejections of some pilots, from now on: what tells a sender what became of an act. Use it in a `with`."""

    def __init__(self, link: KafkaLink, pilots: Iterable[str]) -> None:
        self._link = link
        self._pilots = {pilot.encode() for pilot in pilots}
        self._consumer = link.consumer()
        self.control = f"{link.prefix}.control"
        try:
            assigned: list[TopicPartition] = []
            for what in ("decisions", "rejected"):
                topic = f"{link.prefix}.{what}"
                partitions = self._consumer.partitions_for_topic(topic)
                if not partitions:
                    raise Unavailable(f"{link.where} has no topic {topic}")
                numbers = {partition_of(pilot.decode(), len(partitions)) for pilot in self._pilots}
                assigned += [TopicPartition(topic, number) for number in sorted(numbers)]
            self._consumer.assign(assigned)
            ends = self._consumer.end_offsets(assigned)
            for place in assigned:
                self._consumer.seek(place, ends[place])
            self._ends = dict(ends)
        except (KafkaError, OSError) as error:
            self.close()
            raise Unavailable(f"{link.where} does not answer: {error!r}") from error
        except Unavailable:
            self.close()
            raise

    def before(self, until: float) -> Iterator[tuple[str, str, bytes]]:
        """What `read` would have given before this was opened, of the last `PAST` records of each topic, oldest first. Ends at
        `until` (s, monotonic) at the latest; afterwards `read` says some of it again."""
        try:
            first = self._consumer.beginning_offsets(list(self._ends))
            for place, end in self._ends.items():
                self._consumer.seek(place, max(first[place], end - PAST))
            while time.monotonic() < until and any(self._consumer.position(p) < end for p, end in self._ends.items()):
                yield from self.read(0.2)
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._link.where} does not answer: {error!r}") from error

    def backwards(self, until: float) -> Iterator[list[bytes]]:
        """The decisions of these pilots that stood there when this was opened, `PAST` records of the topic at a time,
        the newest of these first; each list oldest first. Ends at `until` (s, monotonic) at the latest."""
        try:
            places = [place for place in self._ends if place.topic.endswith(".decisions")]
            self._consumer.assign(places)
            first = self._consumer.beginning_offsets(places)
            ends = {place: self._ends[place] for place in places}
            while time.monotonic() < until and any(ends[place] > first[place] for place in places):
                starts = {place: max(first[place], ends[place] - PAST) for place in places}
                for place, start in starts.items():
                    self._consumer.seek(place, start)
                found: list[bytes] = []
                while time.monotonic() < until and any(self._consumer.position(p) < ends[p] for p in places):
                    found += [raw for _, _, raw in self.read(0.2)]
                yield found
                ends = starts
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._link.where} does not answer: {error!r}") from error

    def act(self, partition: int, offset: int) -> str:
        """The id of the act that stands there on control, empty when it cannot be read. Nothing else is read afterwards."""
        place = TopicPartition(self.control, partition)
        try:
            self._consumer.assign([place])
            self._consumer.seek(place, offset)
            for record in self._consumer.poll(timeout_ms=int(ANSWER * 1000), max_records=1).get(place, []):
                return str(json.loads(record.value)["id"]) if record.offset == offset else ""
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._link.where} does not answer: {error!r}") from error
        except (ValueError, KeyError, TypeError):
            pass
        return ""

    def read(self, wait: float) -> list[tuple[str, str, bytes]]:
        """What came within `wait` seconds: (`decisions` or `rejected`, pilot, record)."""
        try:
            batches = self._consumer.poll(timeout_ms=int(wait * 1000))
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._link.where} does not answer: {error!r}") from error
        return [
            (place.topic.rpartition(".")[2], record.key.decode(), record.value)
            for place, batch in batches.items()
            for record in batch
            if record.key in self._pilots and record.value is not None
        ]

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close(autocommit=False, timeout_ms=0)

    def __enter__(self) -> KafkaAnswers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class KafkaBulk:
    """Many records in flight, in order per partition: the idempotent producer keeps it. See `monitor.client.bulk.Bulk`."""

    def __init__(self, link: Link) -> None:
        assert isinstance(link, KafkaLink)
        self.link = link
        self._flying: deque[Any] = deque()

    def telemetry(self, pilot: str, body: bytes) -> None:
        """See `Bulk.telemetry`."""
        self._send(self.link.telemetry, pilot, body, HEADERS)

    def control(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Bulk.control`."""
        headers = [(HEADER, signature.encode())] if signature else []
        self._send(f"{self.link.prefix}.control", pilot, body, headers)

    def _send(self, topic: str, pilot: str, body: bytes, headers: list[tuple[str, bytes]]) -> None:
        producer = self.link.producer(max_in_flight_requests_per_connection=5, linger_ms=5, batch_size=262_144)
        with self._told(topic):
            self._flying.append(producer.send(topic, body, key=pilot.encode(), headers=headers))
            while self._flying and (self._flying[0].is_done or len(self._flying) > FLYING):
                self._flying.popleft().get(timeout=30)

    def flush(self) -> None:
        """See `Bulk.flush`."""
        with self._told("flush"):
            while self._flying:
                self._flying.popleft().get(timeout=30)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except KafkaError as error:
            raise Unavailable(f"{self.link.where}, {what}: {error!r}") from error

    def close(self) -> None:
        """See `Bulk.close`."""
        self.link.close()
