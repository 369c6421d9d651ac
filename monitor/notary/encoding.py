"""An entry's bytes: fixed for ever, length-prefixed, so that two different entries never have the same bytes.

All integers are unsigned and big-endian, all text is UTF-8:

    offset  size  field
    0       1     format version: 1, or 2 for what a person did: there the body holds commitments in the place of words
    1       1     type: 1 decision, 2 act (a decision taken by a person), 3 command
    2       2     n = length of id, then n bytes of id
            2     n = length of pilot, then n bytes of pilot
            8     at, milliseconds since 1970-01-01T00:00Z
            8     standing
            8     epoch
            2     n = length of body, then n bytes of body: the record as canonical JSON (RFC 8785)

In a body of version 2 the fields of `commitment.FIELDS` are each "" or {"commitment": 64 hex digits}. Nothing follows the
body. An entry is at most 65,535 bytes, because that is what a C2SP tlog-tiles entry bundle can carry.
Test vectors: `tests/data/ledger/entries.json`. Standard library only.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, NamedTuple

from monitor.model.canonical import parse_canonical
from monitor.notary.commitment import FIELDS, committed, get

CLEAR, COMMITTED = 1, 2
VERSIONS = (CLEAR, COMMITTED)
LONGEST = 0xFFFF
_NUMBERS = struct.Struct(">QQQ")


class EntryType(IntEnum):
    """What kind of record the body is. Numbers are never used again for something else."""

    DECISION = 1
    ACT = 2
    COMMAND = 3


class Entry(NamedTuple):
    """One record as the ledger holds it: `at` in ms, `body` canonical JSON of the whole record."""

    type: EntryType
    id: str
    pilot: str
    at: int
    standing: int
    epoch: int
    body: bytes
    version: int = CLEAR

    def record(self) -> dict[str, Any]:
        """The body as a dict. Raises ValueError when it is not canonical JSON of an object."""
        value = parse_canonical(self.body)
        if not isinstance(value, dict):
            raise ValueError("the body is not a JSON object")
        return value


class Malformed(ValueError):
    """Bytes that are no entry; `offset` (bytes from the entry's start) is where reading failed."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(problem)
        self.offset = offset


def encode(entry: Entry) -> bytes:
    """The bytes of an entry. Raises ValueError when a field does not fit (lengths, negative numbers, 65,535 bytes in all)."""
    if entry.version not in VERSIONS:
        raise ValueError(f"format version {entry.version} does not exist")
    for name in ("at", "standing", "epoch"):
        if not 0 <= getattr(entry, name) < 1 << 64:
            raise ValueError(f"{name} {getattr(entry, name)} does not fit in 64 unsigned bits")
    raw = b"".join(
        (
            bytes((entry.version, EntryType(entry.type))),
            _prefixed("id", entry.id.encode()),
            _prefixed("pilot", entry.pilot.encode()),
            _NUMBERS.pack(entry.at, entry.standing, entry.epoch),
            _prefixed("body", entry.body),
        )
    )
    if len(raw) > LONGEST:
        raise ValueError(f"the entry has {len(raw)} bytes, more than {LONGEST}")
    return raw


def decode(raw: bytes) -> Entry:
    """Read an entry's bytes. Raises Malformed with the offset when they are not exactly one entry."""
    if len(raw) < 2:
        raise Malformed(0, "an entry has at least two bytes")
    if raw[0] not in VERSIONS:
        raise Malformed(0, f"format version {raw[0]}, this reader knows {', '.join(map(str, VERSIONS))}")
    if raw[1] not in set(EntryType):
        raise Malformed(1, f"entry type {raw[1]} is not known")
    identity, at = _text(raw, 2, "id")
    pilot, at = _text(raw, at, "pilot")
    if len(raw) < at + _NUMBERS.size:
        raise Malformed(at, "ends inside at, standing, epoch")
    when, standing, epoch = _NUMBERS.unpack_from(raw, at)
    body, end = _bytes(raw, at + _NUMBERS.size, "body")
    if end != len(raw):
        raise Malformed(end, f"{len(raw) - end} bytes after the body")
    return Entry(EntryType(raw[1]), identity, pilot, when, standing, epoch, body, raw[0])


def check(raw: bytes) -> Entry:
    """Read an entry's bytes and hold the body against the fields before it. Raises Malformed."""
    entry = decode(raw)
    body_at = len(raw) - len(entry.body)
    try:
        record = entry.record()
    except ValueError as error:
        raise Malformed(body_at, f"body: {error}") from None
    for name in ("id", "pilot", "at", "standing", "epoch"):
        if record.get(name) != getattr(entry, name):
            raise Malformed(body_at, f"body says {name} {record.get(name)!r}, the entry says {getattr(entry, name)!r}")
    if entry.type != type_of(record):
        raise Malformed(body_at, f"the body is no {entry.type.name.lower()}")
    for field in FIELDS if entry.version == COMMITTED else ():
        if committed(get(record, field)) is None:
            raise Malformed(body_at, f"{field} holds no commitment, as version {COMMITTED} asks")
    return entry


def type_of(record: dict[str, Any]) -> EntryType:
    """The entry type that belongs to a record's body: commands have an `action`, acts are decisions of kind `act`."""
    if "action" in record:
        return EntryType.COMMAND
    return EntryType.ACT if record.get("kind") == "act" else EntryType.DECISION


def _prefixed(name: str, raw: bytes) -> bytes:
    if len(raw) > LONGEST:
        raise ValueError(f"{name} has {len(raw)} bytes, more than {LONGEST}")
    return len(raw).to_bytes(2, "big") + raw


def _bytes(raw: bytes, at: int, name: str) -> tuple[bytes, int]:
    if len(raw) < at + 2:
        raise Malformed(at, f"ends inside the length of {name}")
    start = at + 2
    end = start + int.from_bytes(raw[at:start], "big")
    if len(raw) < end:
        raise Malformed(at, f"{name} is said to end at byte {end}, the entry at {len(raw)}")
    return raw[start:end], end


def _text(raw: bytes, at: int, name: str) -> tuple[str, int]:
    value, end = _bytes(raw, at, name)
    try:
        return value.decode("utf-8"), end
    except UnicodeDecodeError:
        raise Malformed(at, f"{name} is not UTF-8") from None
