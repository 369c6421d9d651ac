"""Record batches as a hostile producer writes them: well formed from outside, with any content."""

from __future__ import annotations

import gzip as zlib_gzip
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import cramjam
import google_crc32c
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.codec import lz4_encode
from aiokafka.protocol.produce import ProduceRequest

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    GZIP: lambda raw: zlib_gzip.compress(raw, 9),
    SNAPPY: lambda raw: bytes(cramjam.snappy.compress_raw(raw)),
    LZ4: lz4_encode,  # in independent blocks, as Kafka asks for
    ZSTD: lambda raw: bytes(cramjam.zstd.compress(raw)),
}
STAMPED = 1 << 3
_HEAD = struct.Struct(">qiibIhiqqqhii")


def varint(number: int) -> bytes:
    """A signed number of variable length."""
    number = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def record(
    place: int, value: bytes | None, key: bytes | None = b"p", headers: Sequence[tuple[bytes, bytes | None]] = ()
) -> bytes:
    """One record of a batch; header names need not be text."""
    body = b"\0\0" + varint(place)
    for part in (key, value):
        body += varint(-1) if part is None else varint(len(part)) + part
    body += varint(len(headers))
    body += b"".join(
        varint(len(name)) + name + (varint(-1) if text is None else varint(len(text)) + text) for name, text in headers
    )
    return varint(len(body)) + body


def batch(
    records: Sequence[bytes],
    *,
    offset: int = 0,
    codec: int = 0,
    count: int | None = None,
    last: int | None = None,
    packed: bytes | None = None,
    attributes: int = STAMPED,
) -> bytes:
    """A batch with a right length and checksum, whatever is in it. `packed` stands in place of the records."""
    content = CODECS[codec](b"".join(records)) if packed is None else packed
    count = len(records) if count is None else count
    last = count - 1 if last is None else last
    head = _HEAD.pack(offset, 0, 0, 2, 0, attributes | codec, last, 5_000, 5_000, -1, -1, -1, count)
    raw = bytearray(head + content)
    struct.pack_into(">i", raw, 8, len(raw) - 12)
    return summed(raw)


def summed(raw: bytearray) -> bytes:
    """A batch with its checksum."""
    struct.pack_into(">I", raw, 17, google_crc32c.value(bytes(raw[21:])))
    return bytes(raw)


def bomb(codec: int, size: int, *, offset: int = 0) -> bytes:
    """A batch of one record whose value is `size` zero bytes."""
    return batch([record(0, bytes(size))], offset=offset, codec=codec)


def hostile(random: Random, offset: int = 0) -> bytes:
    """A batch with one or more faults of structure: counts and lengths that lie, names that are no text, truncated and
    flipped bytes before and after compression, unknown codecs."""
    count = random.randrange(1, 6)
    rows = [
        record(
            place if random.random() < 0.95 else random.choice([-5, 0, 7, 1 << 30]),
            random.choice([None, b"", b"{}", random.randbytes(random.randrange(300)), b"x" * 40_000]),
            random.choice([None, b"p", random.randbytes(3)]),
            [
                (random.choice([b"ce_id", b"", b"\xff\xfe"]), random.choice([None, b"", b"v"]))
                for _ in range(random.choice([0, 0, 1, 3, 700]))
            ],
        )
        for place in range(count)
    ]
    codec = random.randrange(5)
    content = mutated(random, b"".join(rows))
    packed = CODECS[codec](content)
    if random.random() < 0.3:
        packed = mutated(random, packed)
    claimed = count if random.random() < 0.8 else random.choice([0, 1, count + 1, -1, 2**31 - 1])
    last = count - 1 if random.random() < 0.9 else random.choice([0, count, 1000])
    kind = codec if random.random() < 0.95 else random.randrange(8)
    return batch((), offset=offset, count=claimed, last=last, packed=packed, attributes=STAMPED | kind)


def mutated(random: Random, raw: bytes) -> bytes:
    """Bytes with a few flipped, cut or inserted; often as they are."""
    changed = bytearray(raw)
    for _ in range(random.choice([0, 0, 1, 2, 8])):
        at = random.randrange(len(changed) + 1)
        what = random.randrange(4)
        if what == 0:
            del changed[at:]
        elif what == 1:
            changed[at:at] = random.randbytes(random.randrange(12))
        elif at < len(changed):
            changed[at] = random.choice([0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)])
    return bytes(changed)


class RawProducer:
    """Sends batches to a broker as they are. Use as `async with`. `throttled_ms` is the longest delay that the broker
    imposed on it."""

    def __init__(self, bootstrap: str, topic: str, **login: Any) -> None:
        self.throttled_ms = 0
        self._client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=30_000, **login)
        self._topic = topic
        self._node = -1

    async def __aenter__(self) -> RawProducer:
        await self._client.bootstrap()
        await self._client.set_topics([self._topic])
        leader = self._client.cluster.leader_for_partition(TopicPartition(self._topic, 0))
        assert leader is not None
        self._node = leader
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def send(self, raw: bytes) -> int | None:
        """Append a batch to partition 0. Returns its first offset; None where the broker refuses it."""
        plain = bytearray(raw)
        plain[22] &= ~STAMPED & 0xFF  # the broker sets it
        request = ProduceRequest(None, -1, 20_000, [(self._topic, [(0, summed(plain))])])
        response = await self._client.send(self._node, request)
        self.throttled_ms = max(self.throttled_ms, response.throttle_time_ms)
        ((_, ((_, error, offset, *_),)),) = response.topics
        return None if error else int(offset)
