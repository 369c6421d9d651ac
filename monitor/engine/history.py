"""The history of one partition, or of some of its pilots: everything that fixes what the machine decides, as JSON
lines.

The first line is a `Header`. Each line after it is one input of the machine, in the order in which it is stepped: a
telemetry record, a control record, or a journal entry (claim, control read, time). Offsets, keys, headers and times of
reception are the original ones and values are kept byte for byte, so ids, signatures and rejections are the same on
replay. Another header begins the history of another partition. `history.md` describes the format field by field.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from monitor.engine.log import Journalled
from monitor.errors import HistoryBroken
from monitor.lifecycle.sandbox import Sandbox
from monitor.model.lenient import without_bom
from monitor.model.records import AttestedRecord, JournalEntry, Record, UnreadableRecords
from monitor.state.firm_file import ClassInForce

FORMAT = "sandbox-history/1"  # of a whole partition
OF_PILOTS = "sandbox-history/2"  # of single pilots: configurations in place of acts on the sandbox
READABLE = (FORMAT, OF_PILOTS)


class Base64(Struct, frozen=True):
    """Bytes that are not UTF-8 text."""

    base64: str


Bytes: TypeAlias = str | Base64 | None


class Header(Struct, frozen=True, kw_only=True):
    """Describes the lines after it. `pilots` empty: the whole partition. `missing` says of a log (a telemetry topic,
    `control`, `journal`) from which offset on retention still had it, where that is not 0: without its beginning
    nothing can be replayed. `keyed` and `control_topic` are settings of the machine. `not_contained` lists in words
    what is left out. `program` is the program that exported it (`monitor.files.program`); older files lack it."""

    history: str = FORMAT
    runtime: str
    partition: int
    pilots: tuple[str, ...] = ()
    keyed: bool
    control_topic: str
    missing: dict[str, int] = {}
    not_contained: tuple[str, ...] = ()
    program: str | UnsetType = UNSET


class Item(Struct, frozen=True, kw_only=True, tag_field="record"):
    """Fields of every line after the header: the offset in its log, and the log-append time (ms)."""

    offset: int
    received: int


class TelemetryLine(Item, frozen=True, kw_only=True, tag="telemetry"):
    """A telemetry record. `left_out`: places of a packed record whose events belong to pilots outside of this history;
    they stand as `null` in `value`, and a rejection of one of them is no part of the replay. `signed`: the id of the
    key that signed such a record as a whole, which was checked before."""

    topic: str
    key: Bytes = None
    headers: tuple[tuple[str, str | Base64], ...] = ()
    value: Bytes = None
    left_out: tuple[int, ...] = ()
    signed: str | UnsetType = UNSET


class ControlLine(Item, frozen=True, kw_only=True, tag="control"):
    """A control record. `withheld`: it carried the charter of another firm under the name of the pilot `key`, and was
    refused; only its time is contained. `firm_class`, in a history of single pilots: the class of the firm that is in
    force from this record on, in place of the acts that set it, which are on a partition's other pilots too."""

    key: Bytes = None
    headers: tuple[tuple[str, str | Base64], ...] = ()
    value: Bytes = None
    withheld: bool | UnsetType = UNSET
    firm_class: ClassInForce | UnsetType = UNSET


class UnreadableTelemetryLine(TelemetryLine, frozen=True, kw_only=True, tag="unreadable_telemetry"):
    """Telemetry records up to offset `last` that stand in the log and cannot be read, and the `reason`."""

    last: int
    reason: str


class UnreadableControlLine(ControlLine, frozen=True, kw_only=True, tag="unreadable_control"):
    """Control records up to offset `last` that stand in the log and cannot be read, and the `reason`."""

    last: int
    reason: str


class ConfigurationLine(Item, frozen=True, kw_only=True, tag="configuration"):
    """In a history of single pilots, in place of an act on the sandbox: the `sandbox` configuration that it put in
    force from `at` (ms) on, without names and contacts, the `digest` of the whole one, and a `commitment` to the act
    (`history_authority.py`)."""

    at: int
    sandbox: Sandbox
    digest: str
    commitment: str = ""


class JournalLine(Item, frozen=True, kw_only=True, tag="journal"):
    """A journal entry. `unbroken`: entries between the one before and this one are left out, and no two of them were
    further apart than the machine tolerates (`monitor.engine.machine.GAP_MS`)."""

    entry: JournalEntry
    unbroken: bool = False


class EndLine(Struct, frozen=True, kw_only=True, tag_field="record", tag="end"):
    """The last line: a file without it was cut short. `next`: by log, the offset after what is contained; `records`:
    how many telemetry and control records there are; `received`: the latest time of reception (ms); `digest`: SHA-256
    (hex) of all lines of the part before it, each with one LF; older files lack it."""

    next: dict[str, int]
    records: int
    received: int
    digest: str | UnsetType = UNSET


HistoryLine: TypeAlias = (
    TelemetryLine | ControlLine | UnreadableTelemetryLine | UnreadableControlLine | ConfigurationLine | JournalLine
)

_line = msgspec.json.Decoder(HistoryLine | EndLine)
_header = msgspec.json.Decoder(Header)
_encoder = msgspec.json.Encoder()
_newline = b"\n"
_CUT = "a part of the history ends without its last line: the file was cut short; fix: export it again"


def telemetry_line(topic: str, record: Record, left_out: tuple[int, ...] = ()) -> TelemetryLine:
    """A telemetry record as a line."""
    if isinstance(record, UnreadableRecords):
        return UnreadableTelemetryLine(
            offset=record.offset, received=record.received, topic=topic, last=record.last, reason=record.reason
        )
    return TelemetryLine(
        offset=record.offset,
        received=record.received,
        topic=topic,
        key=_pack(record.key),
        headers=_packed(record),
        value=_pack(record.value),
        left_out=left_out,
        signed=record.signed if isinstance(record, AttestedRecord) else UNSET,
    )


def control_line(record: Record) -> ControlLine:
    """A control record as a line."""
    if isinstance(record, UnreadableRecords):
        return UnreadableControlLine(
            offset=record.offset, received=record.received, last=record.last, reason=record.reason
        )
    return ControlLine(
        offset=record.offset,
        received=record.received,
        key=_pack(record.key),
        headers=_packed(record),
        value=_pack(record.value),
    )


def journal_line(row: Journalled, unbroken: bool = False) -> JournalLine:
    """A journal entry as a line."""
    return JournalLine(offset=row.offset, received=row.received, entry=row.entry, unbroken=unbroken)


def record_of(line: TelemetryLine | ControlLine) -> Record:
    """The record of a line, byte for byte as the log had it. Raises HistoryBroken for invalid base64."""
    if isinstance(line, (UnreadableTelemetryLine, UnreadableControlLine)):
        return UnreadableRecords(line.offset, line.received, None, None, last=line.last, reason=line.reason)
    headers = tuple((name, _unpack(value) or b"") for name, value in line.headers)
    if isinstance(line, TelemetryLine) and line.signed:
        key, value = _unpack(line.key), _unpack(line.value)
        return AttestedRecord(line.offset, line.received, key, value, headers, signed=line.signed)
    return Record(line.offset, line.received, _unpack(line.key), _unpack(line.value), headers)


class PartSums:
    """Whether each part of a file is as it was exported: give it every line in order. `changed` has a sentence for each
    part that is not. A digest detects accidents and careless edits; with an edit of the
    file the digest can be replaced too."""

    def __init__(self) -> None:
        self.changed: list[str] = []
        self._sum = hashlib.sha256()
        self._part = self._records = 0

    def add(self, raw: bytes, line: Header | HistoryLine | EndLine) -> None:
        """Take a line: its bytes, and what they say."""
        if isinstance(line, EndLine):
            self._end(line)
            return
        if isinstance(line, Header):
            self._sum, self._records, self._part = hashlib.sha256(), 0, line.partition
        self._sum.update(raw.rstrip(b"\r\n") + _newline)
        self._records += not isinstance(line, Header | JournalLine)

    def _end(self, line: EndLine) -> None:
        if line.records != self._records:
            self.changed.append(
                f"partition {self._part}: {line.records} records were exported, the file has {self._records}"
            )
        elif line.digest and line.digest != self._sum.hexdigest():
            self.changed.append(f"partition {self._part}: its lines are not those that were exported")


def encode(line: Header | HistoryLine | EndLine) -> bytes:
    """One line of the file, its line break included."""
    return _encoder.encode(line) + _newline


def begins_history(line: bytes) -> bool:
    """Whether the first line of a file says that it is a history, of whatever version."""
    return line.lstrip().startswith(b'{"history":')


def decode(lines: Iterable[bytes], sums: PartSums | None = None) -> Iterator[Header | HistoryLine | EndLine]:
    """The lines of a file; `sums` is given each of them. Raises HistoryBroken with the number of the line that cannot
    be read, for another format, and for a file that was cut short."""
    found: Header | HistoryLine | EndLine | None = None
    for number, raw in enumerate(lines, 1):
        raw = without_bom(raw) if number == 1 else raw
        if not raw.strip():
            continue
        try:
            after = found
            found = _header.decode(raw) if begins_history(raw) else _line.decode(raw)
        except msgspec.MsgspecError as error:
            raise HistoryBroken(f"line {number}: {error}; fix: export the history again") from error
        if isinstance(found, Header) and found.history not in READABLE:
            read = " and ".join(READABLE)
            raise HistoryBroken(f"line {number}: format {found.history!r}, this version reads {read}")
        if isinstance(found, Header) is (after is not None and not isinstance(after, EndLine)):
            raise HistoryBroken(f"line {number}: {_CUT}")
        if sums is not None:
            sums.add(raw, found)
        yield found
    if not isinstance(found, EndLine):
        raise HistoryBroken(_CUT)


def _packed(record: Record) -> tuple[tuple[str, str | Base64], ...]:
    return tuple((name, _pack(value) or "") for name, value in record.headers)


def _pack(raw: bytes | None) -> Bytes:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Base64(b64encode(raw).decode())


def _unpack(value: Bytes) -> bytes | None:
    if isinstance(value, Base64):
        try:
            return b64decode(value.base64, validate=True)
        except ValueError as error:
            raise HistoryBroken(f"not base64: {error}") from error
    return None if value is None else value.encode()
