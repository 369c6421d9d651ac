"""What a firm may read of its pilot on Kafka without a gateway: the newest command and permit on its topics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from kafka import TopicPartition
from kafka.errors import KafkaError
from msgspec import Struct

from monitor.errors import Unavailable
from monitor.model.notice import Notice
from monitor.model.records import Command, Permit
from monitor.sdk.kafka_link import KafkaLink, partition_of

LOOKBACK = 5_000  # records of each topic that are searched for those of the pilot


class OwnRecords(Struct, frozen=True, kw_only=True):
    """The newest command, None where there is none; what the newest permit says of the pilot's telemetry, and when it
    was sent (ms), None where none of the pilot is kept."""

    command: Command | None = None
    notice: Notice | None = None
    heard: int | None = None


def own_records(link: KafkaLink, pilot: str, wait: float) -> OwnRecords:
    """Read the topics of the link's participant, for at most `wait` s. The records are not verified: the SDK of the
    service does that. Raises `Unavailable`."""
    until, consumer = time.monotonic() + wait, link.consumer()
    command: Command | None = None
    permit: tuple[Permit, int] | None = None
    try:
        for record in _records(consumer, link.topics.candidates("commands"), pilot, until):
            found = _decoded(record.value, Command)
            if found is not None and (command is None or found.standing >= command.standing):
                command = found
        for record in _records(consumer, link.topics.candidates("permits"), pilot, until):
            granted = _decoded(record.value, Permit)
            if granted is not None and (permit is None or record.timestamp >= permit[1]):
                permit = (granted, record.timestamp)
    except (KafkaError, OSError) as error:
        raise Unavailable(f"{link.where} does not respond: {error!r}") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=0)
    if permit is None:
        return OwnRecords(command=command)
    return OwnRecords(command=command, notice=permit[0].notice or Notice(), heard=permit[1])


def _records(consumer: Any, topics: Iterable[str], pilot: str, until: float) -> Iterator[Any]:
    """The last records of a pilot on those topics that exist, in the order of each partition."""
    assigned = [
        TopicPartition(topic, partition_of(pilot, len(numbers)))
        for topic in topics
        if (numbers := consumer.partitions_for_topic(topic))
    ]
    if not assigned:
        raise Unavailable(f"there is no topic {' or '.join(topics)} that this login may read")
    consumer.assign(assigned)
    ends, first = consumer.end_offsets(assigned), consumer.beginning_offsets(assigned)
    for at in assigned:
        consumer.seek(at, max(first[at], ends[at] - LOOKBACK))
    while time.monotonic() < until and any(consumer.position(at) < ends[at] for at in assigned):
        for batch in consumer.poll(timeout_ms=200).values():
            yield from (one for one in batch if one.key == pilot.encode() and one.value is not None)


def _decoded(raw: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
