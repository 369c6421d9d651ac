"""Digests of the events under the last sequence numbers of a source: tell a repeat from another event of one number.
Pure.

A digest has 16 bits and covers all that the sender chose: id, type, time and payload. Two different events have the
same digest by chance in 1 of 65,533 cases. What is stored depends neither on how events were batched, nor on the
process.
"""

from __future__ import annotations

import sys
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol
from zlib import crc32

import msgspec

from monitor.model.bounds import seen_kept
from monitor.model.events import EVENT_TYPES, Envelope

RECENT_SOURCES = 256  # sources of a partition whose last records may be held in memory
PENDING_BYTES = 64 * 1024  # bytes of events of one source whose digests are not computed yet
NO_DIGEST = 0  # no event was seen under this number, or its digest is not remembered
ANY_DIGEST = 0xFFFF  # an event was seen, its digest was not kept: a snapshot of an older version

_encode = msgspec.msgpack.Encoder().encode
_Columns = tuple[list[int], list[msgspec.Raw], list[msgspec.Raw], list[msgspec.Raw]]
_columns = msgspec.msgpack.Decoder(_Columns)
_CODES = {kind: crc32(tag.encode()) for tag, kind in EVENT_TYPES.items()}


def digest_of(event: Envelope) -> int:
    """The 16-bit digest of one event."""
    data = _encode(event.data)  # type: ignore[attr-defined]
    return _digest(_CODES[type(event)], _encode(event.id), _encode(event.time), data)


def _digest(code: int, name: bytes, time: bytes, data: bytes) -> int:
    found = crc32(data, crc32(time, crc32(name, code))) & 0xFFFF
    return 1 if found == NO_DIGEST else 0xFFFE if found == ANY_DIGEST else found


class DeferredEvents(Protocol):
    """Events that can be decoded again from the bytes of their records."""

    @property
    def size(self) -> int:
        """How many bytes are held."""

    def __call__(self) -> list[Envelope]:
        """The events, in order."""


class SequenceDigests:
    """Digests of the last numbers of one source, up to its highest. They are computed when first read; until then
    events are held as bytes, since most digests are never read. Encoding many events at once costs a third of a digest
    of each, and holding the records that they were decoded from costs nothing."""

    __slots__ = ("_count", "_digests", "_keep", "_size", "_waiting")

    def __init__(self, raw: bytes = b"") -> None:
        self._digests = array("H")
        self._digests.frombytes(raw)
        if sys.byteorder == "big":
            self._digests.byteswap()
        self._keep = seen_kept(0)
        self._waiting: list[tuple[int, int, bytes | DeferredEvents]] = []  # how many events, their bytes, themselves
        self._count = self._size = 0

    def __len__(self) -> int:
        return min(len(self._digests) + self._count, self._keep)

    def add(self, events: Sequence[Envelope], keep: int, later: DeferredEvents | None = None) -> None:
        """Add `events` under the next numbers; `keep` numbers are remembered from now on. `later` decodes those of the
        events that are remembered again."""
        count = min(len(events), keep)
        held = _packed(events[-count:]) if later is None else later
        size = len(held) if isinstance(held, bytes) else held.size
        waiting = self._waiting
        waiting.append((count, size, held))
        self._keep = keep
        self._count += count
        self._size += size
        while self._count - waiting[0][0] >= keep:
            dropped = waiting.pop(0)
            self._count -= dropped[0]
            self._size -= dropped[1]
        if self._size > PENDING_BYTES:
            self.settle()

    def pack(self) -> None:
        """Replace held records by the bytes of their events, so that the records can be freed."""
        for place, (count, _, held) in enumerate(self._waiting):
            if not isinstance(held, bytes):
                raw = _packed(held())
                self._waiting[place] = (count, len(raw), raw)
        self._size = sum([size for _, size, _ in self._waiting])

    def skip(self, count: int, keep: int) -> None:
        """The next `count` numbers are missing."""
        self.settle()
        self._keep = keep
        self._digests.extend([NO_DIGEST] * min(count, keep))
        self._trim()

    def at(self, back: int) -> int:
        """The digest of the number that lies `back` below the highest, `NOTHING` or `ANYTHING`."""
        self.settle()
        return self._digests[-1 - back] if back < len(self._digests) else NO_DIGEST

    def put(self, back: int, event: Envelope) -> None:
        """An event was received under a number that lies `back` below the highest."""
        self.settle()
        if back < len(self._digests):
            self._digests[-1 - back] = digest_of(event)

    def keep(self, count: int) -> None:
        """Remember at most `count` numbers from now on."""
        self.settle()
        self._keep = count
        self._trim()

    def raw(self) -> bytes:
        """Two bytes for each number in ascending order, little-endian."""
        self.settle()
        if sys.byteorder == "little":
            return self._digests.tobytes()
        swapped = array("H", self._digests)
        swapped.byteswap()
        return swapped.tobytes()

    def settle(self) -> None:
        """Compute all digests that are pending."""
        if not self._waiting:
            return
        for _, _, held in self._waiting:
            found = map(_digest, *_columns.decode(held)) if isinstance(held, bytes) else map(digest_of, held())
            self._digests.extend(found)
        self._waiting = []
        self._count = self._size = 0
        self._trim()

    def _trim(self) -> None:
        if len(self._digests) > self._keep:
            del self._digests[: -self._keep]


def _packed(events: Sequence[Envelope]) -> bytes:
    if len(events) == 1:
        (event,) = events
        return _encode(([_CODES[type(event)]], [event.id], [event.time], [event.data]))  # type: ignore[attr-defined]
    return _encode(
        (
            [_CODES[type(event)] for event in events],
            [event.id for event in events],
            [event.time for event in events],
            [event.data for event in events],  # type: ignore[attr-defined]
        )
    )


class RecentSources:
    """The sources of one partition that were heard last, at most `most`. Records are held of these only: with more
    sources, records would be decoded again each time, which costs more than it saves."""

    __slots__ = ("_last", "_most", "_sources")

    def __init__(self, most: int = RECENT_SOURCES) -> None:
        self._most = most
        self._sources: OrderedDict[SequenceDigests, None] = OrderedDict()
        self._last: SequenceDigests | None = None

    def heard(self, seen: SequenceDigests) -> bool:
        """Events of a source are about to be added. Returns whether it was already one of the last."""
        if seen is self._last:
            return True
        self._last = seen
        if seen in self._sources:
            self._sources.move_to_end(seen)
            return True
        self._sources[seen] = None
        if len(self._sources) > self._most:
            self._sources.popitem(last=False)[0].pack()
        return False


def before_digests(high: int, missing: Sequence[tuple[int, int, int]], keep: int) -> SequenceDigests:
    """The digests for a source of an older snapshot, which knew which numbers were seen, not the events under them."""
    count = min(keep, max(high, 0) + 1)
    digests = [ANY_DIGEST] * count
    for first, last, _ in missing:
        for number in range(max(first, high - count + 1), min(last, high) + 1):
            digests[count - 1 - (high - number)] = NO_DIGEST
    return SequenceDigests(b"".join([each.to_bytes(2, "little") for each in digests]))
