"""Foreign records for every topic of the monitor: what anybody who may write to a topic can leave there."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
from kafka import KafkaProducer

from monitor.kafka.topics import TopicNames
from monitor.model.records import Level
from monitor.testing.kafka import Sent
from monitor.testing.records import decision

TYPES = (b"decision", b"command", b"permit", b"evidence", b"closed", b"rejected", b"journal", b"verdict", b"")
EPOCHS = (b"1", b"0", b"-1", b"9" * 300, b"1e9", b"", b"\xff", b" 7")


class RawKey(str):
    """A header key that is sent as bytes that are not UTF-8."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


def values(rng: random.Random) -> Iterator[bytes | None]:
    """Values of every kind, without end."""
    whole = msgspec.json.encode(decision(1, "stranger"))
    while True:
        yield from (
            None,
            b"",
            rng.randbytes(rng.randrange(1, 300)),
            b"{}",
            b"[]",
            b"null",
            b'{"type":"claim"}',
            b'{"type":"time","epoch":"x","telemetry_next":{},"control_next":0}',
            b"[" * 5_000,
            b'{"id":' + b"9" * 3_000 + b"}",
            whole[: rng.randrange(1, len(whole))],
            whole.replace(b'"standing":1', b'"standing":%d' % rng.choice((-1, 1 << 62, 1 << 90))),
            whole.replace(b'"at":', b'"at":9999999999'),
            b"x" * 600_000,
        )


def garbage(topic: str, count: int, seed: int, partitions: int = 1) -> list[Sent]:
    """`count` foreign records for a topic, reproducible. None of them is a well-formed record of the monitor."""
    rng = random.Random(f"{seed}/{topic}")
    found: list[Sent] = []
    for value in values(rng):
        headers = [("content-type", b"application/json"), ("type", rng.choice(TYPES)), ("epoch", rng.choice(EPOCHS))]
        if rng.random() < 0.3:
            headers = rng.choice(([], [("type", b"")], [(RawKey("x"), b"y")], headers[:2], headers[2:]))
        key = rng.choice((b"" if value is None else None, b"", b"stranger", b"\xff\xfe", rng.randbytes(20)))
        found.append((topic, key, value, headers, rng.randrange(partitions)))
        if len(found) == count:
            return found
    return found


def forged(topic: str) -> list[Sent]:
    """Decisions of the right form that fit in no ledger: they name a later standing than the pilot has."""
    headers = [("content-type", b"application/json"), ("type", b"decision"), ("epoch", b"1")]
    row = decision(10_000, "pilot-0002", level=Level.NORMAL, id="forged")
    return [(topic, b"pilot-0002", msgspec.json.encode(row), headers, 0)]


def output_topics(names: TopicNames) -> tuple[str, ...]:
    """The topics that readers of outputs read."""
    return names.decisions, names.evidence, names.rejected


def send(bootstrap: str, records: list[Sent]) -> None:
    """Append records whose header keys may be any bytes; returns once all are acknowledged."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, max_request_size=8 << 20, linger_ms=5)
    try:
        sent = [producer.send(t, value, key, list(headers), partition) for t, key, value, headers, partition in records]
        for one in sent:
            one.get(60)
    finally:
        producer.close()
