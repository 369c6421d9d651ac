"""The two files of a ledger, `NAME.ledger` (the entries) and `NAME.index` (which of them were acknowledged).

Ledger: a header, then frames. Integers are unsigned and big-endian.

    header  8 bytes `SBXLEDG` + 0x01 | 2: n | n bytes subject, UTF-8 | 4: CRC-32 of all before
    or      8 bytes `SBXLEDG` + 0x02 | 2: n | n bytes subject | 2: n | n bytes log | 2: year | 4: CRC-32
    frame   4: length of the entry | 4: CRC-32 of (8: entry number from 0 | 4: length) | 32: leaf hash | the entry

The second header is that of every log but the first shard of `decisions`: `log` is `decisions` or `evidence`, `year`
that of the shard, 0 in the first shard of a log.

Index: one record of 44 bytes per entry: 8: offset just after its frame | 32: leaf hash | 4: CRC-32 of the 40 before.

A crash can leave an incomplete last frame: `torn` bytes, never acknowledged. The length has a separate checksum,
so a damaged length is never taken for a torn end. The header is never torn: a new file appears whole. Standard library
only.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from monitor.notary.encoding import LONGEST
from monitor.tlog.merkle import leaf_hash

MAGIC = b"SBXLEDG\x01"
NAMED_MAGIC = b"SBXLEDG\x02"
DECISIONS, EVIDENCE = "decisions", "evidence"
LOGS = (DECISIONS, EVIDENCE)
"""The logs of a pilot: what was decided, with commands and charters; and the evidence."""
FRAME = struct.Struct(">II32s")
_NUMBERED = struct.Struct(">QI")
_INDEXED = struct.Struct(">Q32s")
INDEX_RECORD = _INDEXED.size + 4


class Damage(Exception):
    """A file of a ledger is damaged. `entry` counts from 0 (-1: the header), `offset` in bytes from the start of the
    file; `check` is the id of the check that found it (`monitor.verifier.checks`)."""

    def __init__(self, file: Path, entry: int, offset: int, problem: str, check: str = "ledger.frames") -> None:
        super().__init__(f"{file}:{entry}:{offset}: {problem}")
        self.file, self.entry, self.offset, self.problem, self.check = file, entry, offset, problem, check


class Frame(NamedTuple):
    """One complete entry of the file: its `number`, start and end of its frame (byte offsets), its hash and bytes."""

    number: int
    start: int
    end: int
    leaf: bytes
    entry: bytes

    @property
    def entry_start(self) -> int:
        """Offset of the entry's first byte in the file."""
        return self.start + FRAME.size


class LogName(NamedTuple):
    """Which entries a ledger file holds: of which subject (a pilot, a model, a firm, the sandbox), log and shard (a
    year; 0: the first shard)."""

    subject: str
    log: str = DECISIONS
    year: int = 0

    @property
    def text(self) -> str:
        """The name as text: the subject alone for the first shard of decisions.

        >>> LogName("p").text, LogName("p", "evidence", 2027).text
        ('p', 'p (evidence, 2027)')
        """
        words = [word for word in (self.log if self.log != DECISIONS else "", str(self.year or "")) if word]
        return f"{self.subject} ({', '.join(words)})" if words else self.subject


def header(name: LogName | str) -> bytes:
    """The first bytes of a ledger file; of a subject: those of the first shard of its decisions."""
    name = LogName(name) if isinstance(name, str) else name
    if name == LogName(name.subject):
        raw = MAGIC + _prefixed(name.subject)
    else:
        raw = NAMED_MAGIC + _prefixed(name.subject) + _prefixed(name.log) + name.year.to_bytes(2, "big")
    return raw + zlib.crc32(raw).to_bytes(4, "big")


def _prefixed(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def frame(number: int, entry: bytes) -> bytes:
    """The bytes that append entry `number`."""
    return FRAME.pack(len(entry), _length_check(number, len(entry)), leaf_hash(entry)) + entry


def index_record(end: int, leaf: bytes) -> bytes:
    """The index record of one acknowledged entry."""
    raw = _INDEXED.pack(end, leaf)
    return raw + zlib.crc32(raw).to_bytes(4, "big")


def _length_check(number: int, length: int) -> int:
    return zlib.crc32(_NUMBERED.pack(number, length))


def read_index(path: Path) -> list[tuple[int, bytes]]:
    """(end offset, leaf hash) of each acknowledged entry; empty without an index.

    The index is not fsynced: a power failure may leave an incomplete or zero-filled end, which is ignored. Raises
    Damage on anything else."""
    raw = path.read_bytes() if path.exists() else b""
    whole = len(raw) - len(raw) % INDEX_RECORD
    records: list[tuple[int, bytes]] = []
    for at in range(0, whole, INDEX_RECORD):
        end, leaf = _INDEXED.unpack_from(raw, at)
        if index_record(end, leaf) != raw[at : at + INDEX_RECORD]:
            if not any(raw[at:]):
                break
            raise Damage(path, len(records), at, "the index record does not match its checksum", "ledger.index")
        records.append((end, leaf))
    return records


class LedgerReader:
    """Reads one ledger file from front to back in bounded memory; after the last frame `end` and `torn` are set.

    `name` is what the header says, `subject` whose entries it holds. `torn` counts the bytes after `end` that are the
    beginning of an entry. Raises Damage on anything that is neither a sound header or entry nor such a beginning.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.torn = 0
        self._file = file
        self.first = 0  # the number of the frame at which the iteration begins
        self.name = self._read_header()
        self.subject = self.name.subject

    def _read_header(self) -> LogName:
        magic = self._file.read(len(MAGIC))
        if magic not in (MAGIC, NAMED_MAGIC):
            raise self._bad_header(0, "this is not a ledger of format 1 or 2")
        raw = magic + self._field()
        named = magic == NAMED_MAGIC
        if named:
            raw += self._field() + self._file.read(2)
        check = self._file.read(4)
        if len(check) < 4 or zlib.crc32(raw) != int.from_bytes(check, "big"):
            raise self._bad_header(len(MAGIC), "the header does not match its checksum")
        self.end = len(raw) + 4
        split = 10 + int.from_bytes(raw[8:10], "big")
        try:
            subject, log = raw[10:split].decode("utf-8"), raw[split + 2 : -2].decode("utf-8") if named else DECISIONS
        except UnicodeDecodeError:
            raise self._bad_header(len(MAGIC), "the subject is not UTF-8") from None
        name = LogName(subject, log, int.from_bytes(raw[-2:], "big") if named else 0)
        if log not in LOGS or (named and name == LogName(subject)):
            raise self._bad_header(len(MAGIC), f"the header names the log {log!r}, year {name.year}")
        return name

    def _bad_header(self, offset: int, problem: str) -> Damage:
        return Damage(self.path, -1, offset, problem, "ledger.header")

    def _field(self) -> bytes:
        length = self._file.read(2)
        return length + self._file.read(int.from_bytes(length, "big"))

    def __iter__(self) -> Iterator[Frame]:
        number = self.first
        while head := self._file.read(FRAME.size):
            if len(head) >= 8:
                length, check = struct.unpack_from(">II", head)
                if check != _length_check(number, length) or length > LONGEST:
                    raise Damage(self.path, number, self.end, "the frame's length does not match its checksum")
            if len(head) < FRAME.size:
                self.torn = len(head)
                return
            leaf = head[8:]
            entry = self._file.read(length)
            if len(entry) < length:
                self.torn = len(head) + len(entry)
                return
            if leaf_hash(entry) != leaf:
                raise Damage(
                    self.path, number, self.end + 8, "the entry does not match its leaf hash", "ledger.leaf-hash"
                )
            start, self.end = self.end, self.end + FRAME.size + length
            yield Frame(number, start, self.end, leaf, entry)
            number += 1


def checked_frames(reader: LedgerReader, index: list[tuple[int, bytes]]) -> Iterator[Frame]:
    """The frames of `reader`, each compared with the index. Raises Damage, at the end also for missing acknowledged
    ones.

    Read the index before opening the ledger, so that a ledger that is being written is never taken for a damaged one.
    """
    count = 0
    for item in reader:
        if item.number < len(index) and index[item.number] != (item.end, item.leaf):
            problem = "the index says another entry was acknowledged here"
            raise Damage(reader.path, item.number, item.start, problem, "ledger.index")
        count += 1
        yield item
    if count < len(index):
        problem = (
            f"{len(index)} entries were acknowledged, {count} are here: the ledger was cut; fix: restore the newer "
            f"copy, or see "
            "`sandbox-monitor ledger rebuild`"
        )
        raise Damage(reader.path, count, reader.end, problem, "ledger.acknowledged")
