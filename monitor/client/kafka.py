"""The Kafka side of a regulator's tools: send control records, read the outcome of acts, send in bulk."""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from kafka import TopicPartition
from kafka.errors import KafkaError
from msgspec import structs

from monitor.engine.sandbox_acts import HOME
from monitor.errors import Forged, Unavailable
from monitor.lifecycle.sandbox import SUBJECT
from monitor.model.output_records import OutputRejection, judge_output
from monitor.model.signing import HEADER, Trusted, signed_output
from monitor.model.subjects import firm_of
from monitor.sdk.kafka_link import HEADERS, REQUEST_TIMEOUT_S, KafkaLink, partition_of

LOOKBACK = 10_000  # records per topic that are read to find the outcome of an earlier act
IN_FLIGHT = 1_000  # records of a bulk sender without an acknowledgement
OutcomeTopic: TypeAlias = Literal["decisions", "rejected"]


class OutcomeRecord(NamedTuple):
    """One record of a topic on which outcomes of acts appear."""

    topic: OutcomeTopic
    pilot: str
    value: bytes


def home_of(key: str, partitions: int) -> int:
    """The partition that decides on acts with this key: that of the pilot; for the sandbox and firms the first."""
    return HOME if key == SUBJECT or firm_of(key) is not None else partition_of(key, partitions)


def send_control(
    link: KafkaLink, pilot: str, body: bytes, signature: str = "", partition: int | None = None
) -> tuple[int, int]:
    """Append one record to `<prefix>.control`, in its home partition or the given one. Returns its partition and offset
    when the brokers have acknowledged it.

    Blocks up to 30 s. Raises `Unavailable`; the record may have been written even then.
    """
    topic = f"{link.prefix}.control"
    headers = [(HEADER, signature.encode())] if signature else []
    try:
        to = HOME if partition is None and (pilot == SUBJECT or firm_of(pilot) is not None) else partition
        written = link.producer().send(topic, body, key=pilot.encode(), headers=headers, partition=to).get(30)
    except KafkaError as error:
        link.close()
        raise Unavailable(f"{link.where} did not acknowledge a record for {topic}: {error!r}") from error
    return int(written.partition), int(written.offset)


class OutcomeReader:
    """Reads decisions and rejections of some pilots, starting at the end of both topics: the outcome of acts.

    Records that are no outputs of the monitor are left out; with `trusted` keys also those that none of them signed.
    A context manager. The constructor and every method block on the network and raise `Unavailable`.
    """

    def __init__(self, link: KafkaLink, pilots: Iterable[str], trusted: Trusted | None = None) -> None:
        self._link = link
        self._trusted = trusted
        self._pilots = {pilot.encode() for pilot in pilots}
        self._consumer = link.consumer()
        self.control = f"{link.prefix}.control"
        try:
            assigned = self._partitions()
            self._consumer.assign(assigned)
            ends = self._consumer.end_offsets(assigned)
            for partition in assigned:
                self._consumer.seek(partition, ends[partition])
            self._ends = dict(ends)
        except (KafkaError, OSError) as error:
            self.close()
            raise Unavailable(f"{link.where} does not respond: {error!r}") from error
        except Unavailable:
            self.close()
            raise

    def _partitions(self) -> list[TopicPartition]:
        """The partitions that hold records of these pilots."""
        found: list[TopicPartition] = []
        for name in ("decisions", "rejected"):
            topic = f"{self._link.prefix}.{name}"
            partitions = self._consumer.partitions_for_topic(topic)
            if not partitions:
                raise Unavailable(f"{self._link.where} has no topic {topic}")
            numbers = {home_of(pilot.decode(), len(partitions)) for pilot in self._pilots}
            found += [TopicPartition(topic, number) for number in sorted(numbers)]
        return found

    def before(self, until: float) -> Iterator[OutcomeRecord]:
        """Yield the last `LOOKBACK` records of each topic from before this reader was opened, oldest first.

        Ends at `until` (s, monotonic) at the latest. Afterwards `read` may return some of the same records.
        """
        try:
            first = self._consumer.beginning_offsets(list(self._ends))
            for partition, end in self._ends.items():
                self._consumer.seek(partition, max(first[partition], end - LOOKBACK))
            while time.monotonic() < until and any(self._consumer.position(p) < end for p, end in self._ends.items()):
                yield from self.read(0.2)
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._link.where} does not respond: {error!r}") from error

    def backwards(self, until: float) -> Iterator[list[bytes]]:
        """Yield the decisions from before this reader was opened in chunks of `LOOKBACK` records, newest chunk first.

        Each chunk is oldest first. Ends at `until` (s, monotonic) at the latest.
        """
        try:
            partitions = [partition for partition in self._ends if partition.topic.endswith(".decisions")]
            self._consumer.assign(partitions)
            first = self._consumer.beginning_offsets(partitions)
            ends = {partition: self._ends[partition] for partition in partitions}
            while time.monotonic() < until and any(ends[p] > first[p] for p in partitions):
                starts = {p: max(first[p], ends[p] - LOOKBACK) for p in partitions}
                for partition, start in starts.items():
                    self._consumer.seek(partition, start)
                chunk: list[bytes] = []
                while time.monotonic() < until and any(self._consumer.position(p) < ends[p] for p in partitions):
                    chunk += [record.value for record in self.read(0.2)]
                yield chunk
                ends = starts
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._link.where} does not respond: {error!r}") from error

    def act_id(self, partition: int, offset: int) -> str:
        """Return the id of the act at this position of `control`, "" when it cannot be read.

        Assigns the consumer to `control`: call no other method afterwards.
        """
        at = TopicPartition(self.control, partition)
        try:
            self._consumer.assign([at])
            self._consumer.seek(at, offset)
            for record in self._consumer.poll(timeout_ms=int(REQUEST_TIMEOUT_S * 1000), max_records=1).get(at, []):
                return str(json.loads(record.value)["id"]) if record.offset == offset else ""
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._link.where} does not respond: {error!r}") from error
        except (ValueError, KeyError, TypeError):
            pass
        return ""

    def read(self, wait: float) -> list[OutcomeRecord]:
        """Return records that arrived, blocking for at most `wait` seconds; [] when there are none."""
        try:
            batches = self._consumer.poll(timeout_ms=int(wait * 1000))
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._link.where} does not respond: {error!r}") from error
        return [
            OutcomeRecord(at.topic.rpartition(".")[2], record.key.decode(), record.value)
            for at, batch in batches.items()
            for record in batch
            if record.key in self._pilots and record.value is not None and self._believed(record)
        ]

    def _believed(self, record: Any) -> bool:
        return _believed(record, self._trusted)

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close(autocommit=False, timeout_ms=0)

    def __enter__(self) -> OutcomeReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def output_values(link: KafkaLink, topic: str, until: float, trusted: Trusted | None) -> Iterator[bytes]:
    """Yield the values of all outputs of a topic up to its present end, until `until` (s, monotonic) at the latest.
    Raises `Unavailable`."""
    consumer = link.consumer()
    try:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise Unavailable(f"{link.where} has no topic {topic}; fix: sandbox-monitor topics create")
        assigned = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(assigned)
        ends = consumer.end_offsets(assigned)
        consumer.seek_to_beginning(*assigned)
        while time.monotonic() < until and any(consumer.position(at) < ends[at] for at in assigned):
            for batch in consumer.poll(timeout_ms=200).values():
                yield from (record.value for record in batch if _believed(record, trusted))
    except (KafkaError, OSError) as error:
        raise Unavailable(f"{link.where} does not respond: {error!r}") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=0)


def _believed(record: Any, trusted: Trusted | None) -> bool:
    """Whether a record is an output, signed by a trusted key where one is needed."""
    if isinstance(judge_output(record.topic, record.key, record.value, record.headers), OutputRejection):
        return False
    try:
        return trusted is None or bool(signed_output(trusted, record).key)
    except Forged:
        return False


class KafkaBulk:
    """`monitor.client.bulk.Bulk` over Kafka: many records in flight, in order per partition (idempotent producer).

    `participant_of` names the participant of a pilot, whose separate telemetry topic is used where it exists.
    """

    def __init__(self, link: KafkaLink, participant_of: Callable[[str], str] | None = None) -> None:
        self.link = link
        self._participant_of = participant_of
        self._links: dict[str, KafkaLink] = {}  # by participant: only for the names of their topics
        self._in_flight: deque[Any] = deque()

    def telemetry(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Bulk.telemetry`. Blocks while `IN_FLIGHT` records are not acknowledged."""
        headers = [*HEADERS, (HEADER, signature.encode())] if signature else HEADERS
        self._send(self._link_of(pilot).telemetry, pilot, body, headers)

    def _link_of(self, pilot: str) -> KafkaLink:
        participant = self._participant_of(pilot) if self._participant_of else ""
        if not participant:
            return self.link
        if participant not in self._links:
            topics = structs.replace(self.link.topics, participant=participant)
            self._links[participant] = KafkaLink(self.link.servers, topics, self.link.options)
        return self._links[participant]

    def control(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Bulk.control`. Blocks while `IN_FLIGHT` records are not acknowledged."""
        headers = [(HEADER, signature.encode())] if signature else []
        self._send(f"{self.link.prefix}.control", pilot, body, headers)

    def _send(self, topic: str, pilot: str, body: bytes, headers: list[tuple[str, bytes]]) -> None:
        producer = self.link.producer(max_in_flight_requests_per_connection=5, linger_ms=5, batch_size=262_144)
        with self._unavailable(topic):
            self._in_flight.append(producer.send(topic, body, key=pilot.encode(), headers=headers))
            while self._in_flight and (self._in_flight[0].is_done or len(self._in_flight) > IN_FLIGHT):
                self._in_flight.popleft().get(timeout=30)

    def flush(self) -> None:
        """See `Bulk.flush`."""
        with self._unavailable("flush"):
            while self._in_flight:
                self._in_flight.popleft().get(timeout=30)

    @contextlib.contextmanager
    def _unavailable(self, operation: str) -> Iterator[None]:
        try:
            yield
        except KafkaError as error:
            raise Unavailable(f"{self.link.where}, {operation}: {error!r}") from error

    def close(self) -> None:
        """See `Bulk.close`."""
        self.link.close()
