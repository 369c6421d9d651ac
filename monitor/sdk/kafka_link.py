"""The link over Kafka, with kafka-python.

Keys are partitioned with murmur2, as in every other Kafka client, so that telemetry, control and commands of a pilot
are in the same partition number. No topic is created here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2
from msgspec import Struct

from monitor.access.kafka_decoders import serialise_decoders
from monitor.access.kafka_handshake import require_login
from monitor.access.kafka_login import access
from monitor.errors import Unavailable
from monitor.model.signing import HEADER, KEY_HEADER
from monitor.sdk.link import BATCH, FeedName, SignedMessage

REQUEST_TIMEOUT_S = 10.0
LOOK_S = 5.0  # between two looks for a topic that did not exist when a feed was opened
TopicUse: TypeAlias = Literal["own", "shared"]
HEADERS = [("content-type", BATCH.encode())]
Client = TypeVar("Client")

serialise_decoders()


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of `key` among `partitions`, as Kafka's default partitioner computes it.

    >>> partition_of("pilot-1", 8) == partition_of("pilot-1", 8)
    True
    """
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


class LinkTopics(Struct, frozen=True):
    """Which topics a link uses. `participant`: separate topics are `<prefix>.<what>.<participant>`. `use` "own" or
    "shared" names the one kind; `None`: its separate ones where they exist, commands and permits from both kinds.
    `telemetry` replaces the telemetry topic.

    >>> LinkTopics("sandbox", "acme").candidates("commands")
    ('sandbox.commands.acme', 'sandbox.commands')
    >>> LinkTopics("sandbox", "acme", use="shared").candidates("commands")
    ('sandbox.commands',)
    """

    prefix: str
    participant: str = ""
    use: TopicUse | None = None
    telemetry: str = ""

    def candidates(self, what: Literal["telemetry", "commands", "permits"]) -> tuple[str, ...]:
        """Topics that may be used, the preferred one first."""
        if what == "telemetry" and self.telemetry:
            return (self.telemetry,)
        shared = f"{self.prefix}.{what}"
        if not self.participant or self.use == "shared":
            return (shared,)
        own = f"{shared}.{self.participant}"
        return (own,) if self.use == "own" else (own, shared)


class KafkaLink:
    """Sends each batch as one record with `acks=all`, one in flight, so that a failure never changes the order."""

    def __init__(self, servers: list[str], topics: LinkTopics, options: Mapping[str, Any]) -> None:
        self.servers = servers
        self.topics = topics
        self.prefix = topics.prefix
        self.options = {**access(), **options}
        self._telemetry: str | None = None
        self._producer: KafkaProducer | None = None

    @property
    def where(self) -> str:
        """The address, for messages."""
        return f"kafka://{','.join(self.servers)}"

    @property
    def telemetry(self) -> str:
        """The topic that telemetry is sent to. Chosen once, so that the events of one source stay in order. Raises
        `Unavailable` when no broker responds, or no such topic exists."""
        if self._telemetry is None:
            candidates = self.topics.candidates("telemetry")
            self._telemetry = candidates[0] if len(candidates) == 1 else self._first_of(candidates)
        return self._telemetry

    def _first_of(self, candidates: Sequence[str]) -> str:
        consumer = self.consumer()
        try:
            there = consumer.topics()
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self.where} does not respond: {error!r}") from error
        finally:
            consumer.close(autocommit=False, timeout_ms=0)
        found = next((topic for topic in candidates if topic in there), None)
        if found is None:
            raise Unavailable(f"{self.where} has no topic {' or '.join(candidates)}")
        return found

    def require_reachable(self) -> None:
        """Raise `Unavailable` unless one of the servers answers, Refused when it does not take the login.

        kafka-python itself would retry for seconds and leak sockets when no server accepts a connection.
        """
        require_login(self.servers, self.options, reauthenticates=True)

    def producer(self, **more: Any) -> KafkaProducer:
        """Return the producer, created on first use. Raises `Unavailable` when no broker responds."""
        if self._producer is None:
            self.require_reachable()
            settings: dict[str, Any] = {
                "bootstrap_servers": self.servers,
                "acks": "all",
                "enable_idempotence": True,
                # kafka-python computes checksums in Python: 120,000 packed events took 9.9 s plain, 1.1 s compressed.
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
                self._producer = _made(KafkaProducer, {**settings, **self.options, **more})
            except (KafkaError, OSError) as error:
                raise Unavailable(f"{self.where} does not respond: {error}") from error
        return self._producer

    def send(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Link.send`."""
        headers = [*HEADERS, (HEADER, signature.encode())] if signature else HEADERS
        topic = self.telemetry
        try:
            future = self.producer().send(topic, body, key=pilot.encode(), headers=headers)
            future.get(timeout=30)
        except KafkaError as error:
            self.close()  # this batch must not be in flight any more when it is retried
            raise Unavailable(f"{self.where} did not acknowledge a record for {topic}: {error!r}") from error

    def consumer(self) -> KafkaConsumer:
        """Return a consumer of committed records without a group. Raises `Unavailable` when no broker responds."""
        self.require_reachable()
        keep = {k: v for k, v in self.options.items() if k in KafkaConsumer.DEFAULT_CONFIG}
        try:
            return _made(
                KafkaConsumer,
                {
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
                },
            )
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self.where} does not respond: {error!r}") from error

    def feed(self, pilot: str, what: FeedName = "commands") -> KafkaFeed:
        """See `Link.feed`."""
        return KafkaFeed(self, pilot, what)

    def close(self) -> None:
        """See `Link.close`. Does not wait for records in flight."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=0)


class KafkaFeed:
    """The pilot's partition of the compacted topics of commands (from the beginning) or permits (from now on).

    Reads committed records only. Where both the participant's own topic and the shared one may be used, both are read:
    the highest standing counts, so no command is missed while the monitor moves from one to the other. A topic that is
    created later is read within `LOOK_S`.
    """

    def __init__(self, link: KafkaLink, pilot: str, what: FeedName) -> None:
        self._link = link
        self._pilot = pilot
        self._what = what
        self._topics = link.topics.candidates(what)
        self._consumer: KafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []
        self._ends: dict[TopicPartition, int] = {}
        self._looked = 0.0
        self._complete = False

    def want(self, nonce: str) -> None:
        """See `Feed.want`. Does nothing: all permits of the pilot are read."""

    @property
    def complete(self) -> bool:
        """True once the positions have reached the ends that the partitions had when the feed was opened."""
        return self._complete

    def _connect(self) -> KafkaConsumer:
        if self._consumer is not None:
            return self._consumer
        consumer = self._link.consumer()
        try:
            self._partitions, self._ends = [], {}
            self._add(consumer, self._existing(consumer))
            if not self._partitions:
                raise Unavailable(f"{self._link.where} has no topic {' or '.join(self._topics)}")
        except (KafkaError, OSError) as error:
            consumer.close(autocommit=False, timeout_ms=0)
            raise Unavailable(f"{self._link.where} does not respond: {error!r}") from error
        except Unavailable:
            consumer.close(autocommit=False, timeout_ms=0)
            raise
        self._consumer = consumer
        return consumer

    def _existing(self, consumer: KafkaConsumer) -> list[TopicPartition]:
        """The pilot's partition of each topic that exists and is not read yet."""
        self._looked = time.monotonic()
        known = {partition.topic for partition in self._partitions}
        return [
            TopicPartition(topic, partition_of(self._pilot, len(partitions)))
            for topic in self._topics
            if topic not in known and (partitions := consumer.partitions_for_topic(topic))
        ]

    def _add(self, consumer: KafkaConsumer, new: list[TopicPartition]) -> None:
        """Read these partitions too; the positions of the others stay."""
        if not new:
            return
        at = {partition: consumer.position(partition) for partition in self._partitions}
        self._partitions += new
        consumer.assign(self._partitions)
        for partition, offset in at.items():
            consumer.seek(partition, offset)
        if self._what == "commands":
            consumer.seek_to_beginning(*new)
        else:
            consumer.seek_to_end(*new)
        self._ends |= consumer.end_offsets(new)

    def _look_for_more(self, consumer: KafkaConsumer) -> None:
        if len(self._partitions) < len(self._topics) and time.monotonic() - self._looked >= LOOK_S:
            self._add(consumer, self._existing(consumer))

    def _reached(self, consumer: KafkaConsumer, partition: TopicPartition) -> bool:
        at = consumer.position(partition, timeout_ms=int(REQUEST_TIMEOUT_S * 1000))
        return at is not None and at >= self._ends[partition]

    def poll(self, after: int, wait: float) -> list[SignedMessage]:
        """See `Feed.poll`."""
        consumer = self._connect()
        try:
            self._look_for_more(consumer)
            batches = consumer.poll(timeout_ms=int((wait if self._complete else min(wait, 0.2)) * 1000))
            if not self._complete:
                self._complete = all(self._reached(consumer, partition) for partition in self._partitions)
        except (KafkaError, OSError) as error:
            self.close()
            raise Unavailable(f"{self._link.where} does not respond: {error!r}") from error
        return [
            SignedMessage(record.value, _header(record.headers, HEADER), _header(record.headers, KEY_HEADER))
            for batch in batches.values()
            for record in batch
            if record.key == self._pilot.encode() and record.value is not None
        ]

    def close(self) -> None:
        """See `Feed.close`. A closed feed starts from the beginning when it is polled again."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            consumer.close(autocommit=False, timeout_ms=0)


def _made(kind: Callable[..., Client], settings: Mapping[str, Any]) -> Client:
    """Return a new client of `kind`. One whose constructor raises is ended: kafka-python would leave its thread and
    sockets behind, a few more with each attempt of an outage."""
    connections: list[Any] = []
    open_connection = settings.get("kafka_client", KafkaConsumer.DEFAULT_CONFIG["kafka_client"])

    def connect(**given: Any) -> Any:
        connections.append(open_connection(**given))
        return connections[-1]

    try:
        return kind(**{**settings, "kafka_client": connect})
    except BaseException:
        for connection in connections:
            connection.close()
        raise


def _header(headers: list[tuple[str, bytes]], wanted: str) -> str:
    return next((value.decode(errors="replace") for name, value in headers if name == wanted and value), "")
