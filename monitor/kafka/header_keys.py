"""Reads records whose header keys are not UTF-8.

Kafka does not check them, and aiokafka's fast reader ends at such a record, for good: it could not be passed. Here the
key is read with U+FFFD for what is not UTF-8, and the record reaches `validate` like any other. aiokafka's own slow
reader is no help: it reads beyond the end of a batch whose lengths lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class LenientRecord(NamedTuple):
    """A record as aiokafka's readers return it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp_type: int = 0  # asked for where the batch has no log-append time


class RecordFields:
    """Reads the fields of records from bytes. Every method raises ValueError for what has no such form, IndexError at
    the end."""

    def __init__(self, body: bytes, at: int) -> None:
        self._body = body
        self.at = at

    def unsigned(self) -> int:
        """A number of variable length, of at most 64 bits."""
        number = shift = 0
        while shift < 70:
            byte = self._body[self.at]
            self.at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
        raise ValueError("a number of more than 10 bytes")

    def signed(self) -> int:
        """The same with a sign, which is the lowest bit."""
        number = self.unsigned()
        return number >> 1 ^ -(number & 1)

    def part(self) -> bytes | None:
        """Bytes with their length before them; None for a negative one."""
        length = self.signed()
        if length < 0:
            return None
        if length > len(self._body) - self.at:
            raise IndexError("a length beyond the end")
        start, self.at = self.at, self.at + length
        return self._body[start : self.at]

    def skip(self) -> None:
        """Move past bytes with their length before them."""
        length = self.signed()
        self.at += max(0, length)

    def record(self, offset: int, timestamp: int) -> LenientRecord:
        """The next record of a batch that begins at these."""
        length = self.signed()
        stop = self.at + length
        self.at += 1  # attributes
        timestamp += self.signed()
        offset += self.signed()
        key, value = self.part(), self.part()
        count = self.signed()
        if count < 0:
            raise ValueError("a negative number of headers")
        headers: list[tuple[str, bytes | None]] = []
        for _ in range(count):
            name = self.part()
            if name is None:
                raise ValueError("a header without a name")
            headers.append((name.decode("utf-8", "replace"), self.part()))
        if self.at != stop:
            raise ValueError("a record of another length than it says")
        return LenientRecord(offset, timestamp, key, value, headers)


def lenient_records(body: bytes, at: int, done: int, offset: int, timestamp: int) -> Iterator[LenientRecord]:
    """The records of a batch without its first `done`. They begin at `at` of `body`; `offset` and `timestamp` are the
    batch's first. Raises as `RecordFields`. It takes ten times as long as the fast reader."""
    fields = RecordFields(body, at)
    for _ in range(done):
        fields.skip()
    while True:
        yield fields.record(offset, timestamp)
