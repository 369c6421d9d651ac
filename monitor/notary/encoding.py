"""The bytes of an entry: never changed, length-prefixed, so that two different entries never have the same bytes.

All integers are unsigned and big-endian, all text is UTF-8:

    offset  size  field
    0       1     format version: 1; 2 for acts of people: the body then holds commitments instead of text; 3 for
                  records that are neither decisions nor commands
    1       1     type: 1 decision, 2 act (a decision taken by a person), 3 command; of version 3: 4 charter,
                  5 evidence, 6 beginning of a shard
    2       2     n = length of id, then n bytes of id
            2     n = length of pilot, then n bytes of pilot
            8     at, milliseconds since 1970-01-01T00:00Z
            8     standing
            8     epoch
            2     n = length of body, then n bytes of body: the record as canonical JSON (RFC 8785)

In a body of version 2 the fields of `commitment.FIELDS` are each "" or {"commitment": 64 hex digits}; `typed.py` checks
bodies of version 3. Nothing follows the body. An entry is at most 65,535 bytes, because that is what a C2SP tlog-tiles
entry bundle can carry. Test vectors: `tests/data/ledger`. Standard library only."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, NamedTuple

from monitor.model.canonical import parse_canonical
from monitor.notary.commitment import FIELDS, committed, get
from monitor.notary.typed import KINDS, body_problem

CLEAR, COMMITTED, TYPED = 1, 2, 3
VERSIONS = (CLEAR, COMMITTED, TYPED)
LONGEST = 0xFFFF
_NUMBERS = struct.Struct(">QQQ")


class EntryType(IntEnum):
    """The kind of record in the body. A number is never reused for another meaning."""

    DECISION = 1
    ACT = 2
    COMMAND = 3
    CHARTER = 4
    EVIDENCE = 5
    SHARD = 6

    @property
    def typed(self) -> bool:
        """Whether version 3 has it: such entries are no decisions and share no standing with them."""
        return self in _TYPED_ONLY

    @property
    def numbered(self) -> bool:
        """Whether it is a decision, which has its own standing."""
        return self in _NUMBERED

    @property
    def track(self) -> EntryType:
        """The first type of those whose standings and epochs follow one order: decisions and acts; commands; what
        version 3 has."""
        return _TRACKS[self]


_TYPES = {kind.value: kind for kind in EntryType}
_NUMBERED = frozenset({EntryType.DECISION, EntryType.ACT})
_TYPED_ONLY = frozenset(EntryType) - _NUMBERED - {EntryType.COMMAND}
_TRACKS = {
    kind: EntryType.DECISION if kind in _NUMBERED else EntryType.CHARTER if kind in _TYPED_ONLY else kind
    for kind in EntryType
}


class Entry(NamedTuple):
    """One record in the ledger: `at` in ms, `body` canonical JSON of the whole record."""

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
    """Bytes that are not an entry; `offset` (bytes from the start of the entry) is where decoding failed."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(problem)
        self.offset = offset


def encode(entry: Entry) -> bytes:
    """The bytes of an entry. Raises ValueError when a field is out of range or the entry exceeds 65,535 bytes."""
    if entry.version not in VERSIONS:
        raise ValueError(f"format version {entry.version} does not exist")
    if EntryType(entry.type).typed != (entry.version == TYPED):
        raise ValueError(f"format version {entry.version} has no entry of type {entry.type}")
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
    """Decode an entry. Raises Malformed with the offset when the bytes are not exactly one entry."""
    if len(raw) < 2:
        raise Malformed(0, "an entry has at least two bytes")
    if raw[0] not in VERSIONS:
        raise Malformed(0, f"format version {raw[0]}, this reader knows {', '.join(map(str, VERSIONS))}")
    kind = _TYPES.get(raw[1])
    if kind is None:
        raise Malformed(1, f"entry type {raw[1]} is not known")
    if kind.typed != (raw[0] == TYPED):
        raise Malformed(1, f"format version {raw[0]} has no entry of type {raw[1]}")
    whole = _whole(raw, kind)
    if whole is not None:
        return whole
    identity, at = _text(raw, 2, "id")
    pilot, at = _text(raw, at, "pilot")
    if len(raw) < at + _NUMBERS.size:
        raise Malformed(at, "ends inside at, standing, epoch")
    when, standing, epoch = _NUMBERS.unpack_from(raw, at)
    body, end = _bytes(raw, at + _NUMBERS.size, "body")
    if end != len(raw):
        raise Malformed(end, f"{len(raw) - end} bytes after the body")
    return Entry(kind, identity, pilot, when, standing, epoch, body, raw[0])


def _whole(raw: bytes, kind: EntryType) -> Entry | None:
    """Fast path of `decode`: the entry where its lengths fit, `None` where the slow path says what is wrong."""
    size = len(raw)
    if size < 4 or (pilot := 4 + (raw[2] << 8 | raw[3])) + 2 > size:
        return None
    numbers = pilot + 2 + (raw[pilot] << 8 | raw[pilot + 1])
    body = numbers + _NUMBERS.size + 2
    if body > size or body + (raw[body - 2] << 8 | raw[body - 1]) != size:
        return None
    try:
        identity, owner = raw[4:pilot].decode(), raw[pilot + 2 : numbers].decode()
    except UnicodeDecodeError:
        return None
    when, standing, epoch = _NUMBERS.unpack_from(raw, numbers)
    return Entry(kind, identity, owner, when, standing, epoch, raw[body:], raw[0])


def check(raw: bytes) -> Entry:
    """Decode an entry and compare its body with the fields before it. Raises Malformed."""
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
        raise Malformed(body_at, f"the body is not a {entry.type.name.lower()}")
    for field in FIELDS if entry.version == COMMITTED else ():
        if committed(get(record, field)) is None:
            raise Malformed(body_at, f"{field} must hold a commitment in version {COMMITTED}")
    if entry.version == TYPED and (wrong := body_problem(record)):
        raise Malformed(body_at, f"{entry.type.name.lower()}: {wrong}")
    return entry


def type_of(record: dict[str, Any]) -> EntryType:
    """The entry type of a record: commands have an `action`, acts are decisions of kind `act`, `typed.KINDS` are
    records of version 3."""
    if "action" in record:
        return EntryType.COMMAND
    kind = record.get("kind")
    if kind in KINDS:
        return EntryType[str(kind).upper()]
    return EntryType.ACT if kind == "act" else EntryType.DECISION


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
        raise Malformed(at, f"{name} should end at byte {end}, the entry ends at {len(raw)}")
    return raw[start:end], end


def _text(raw: bytes, at: int, name: str) -> tuple[str, int]:
    value, end = _bytes(raw, at, name)
    try:
        return value.decode("utf-8"), end
    except UnicodeDecodeError:
        raise Malformed(at, f"{name} is not UTF-8") from None
