"""Selects from a partition's history what concerns some pilots, and nothing of any other.

The selection holds the records of these pilots, byte for byte, and of the journal what their results depend on: claims,
every gap in time, and the last `time` before each of their records. Events of other pilots in the same packed record
are replaced by `null`, so that places stay what they were. Pure; memory does not grow with the history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec
from msgspec import UNSET, Struct, structs

from monitor.charter.control import ControlBase
from monitor.engine.history import (
    ConfigurationLine,
    ControlLine,
    Header,
    HistoryLine,
    JournalLine,
    TelemetryLine,
    record_of,
    telemetry_line,
)
from monitor.engine.history_authority import AuthorityFollower
from monitor.engine.history_replay import HistoryReplay
from monitor.engine.machine import GAP_MS
from monitor.engine.sandbox_acts import HOME
from monitor.lifecycle.firm_acts import ACTS_ON_FIRM
from monitor.lifecycle.sandbox import SUBJECT
from monitor.model.records import AttestedRecord, Claim, ControlRead, Record, Rejected, Skipped, TimeRead
from monitor.state.firm_file import ClassInForce
from monitor.validate.parse import mode_of, validate_control

BATCH = 256  # records that are stepped together: some 10 ms, as a gateway does something else in between


class PilotSelection:
    """Feed it every line of a partition's history in order, then `rest`; the lines that it yields are the history of
    `pilots`.

    `redacted` counts packed records of which something was left out, `attested` those of them that are signed: the
    signature is of the whole bytes, so it is checked here, and the line names the key. `keyed` as in `Header`.

    Whether the partition that decides on the sandbox accepts a change depends on the halts of all its pilots, so there
    every line is replayed.
    """

    def __init__(self, pilots: frozenset[str], partition: int = HOME, *, keyed: bool = True) -> None:
        self.pilots = pilots
        self._whole = HistoryReplay(batch=BATCH) if partition == HOME else None
        if self._whole is not None:
            whole = Header(runtime="", partition=partition, keyed=keyed, control_topic="control")
            deque(self._whole.steps([whole]), maxlen=0)
        self.redacted = 0
        self.attested = 0
        self._owners: dict[str, str] = {}  # telemetry topic to participant
        self._authority = AuthorityFollower(partition)
        self._times = _Times()
        self._classes: dict[str, ClassInForce] = {}  # that were written, by firm

    def feed(self, line: HistoryLine) -> Iterator[HistoryLine]:
        """Yields the lines to write after this one was read."""
        outputs = () if self._whole is None else tuple(self._whole.steps([line]))
        if isinstance(line, JournalLine):
            yield from self._journal(line)
            return
        kept: HistoryLine | None
        if isinstance(line, TelemetryLine):
            kept = self._telemetry(line)
        else:
            decided = self._whole is None or any(one.pilot == SUBJECT for out in outputs for one in out.decisions)
            kept = line if isinstance(line, ConfigurationLine) else self._control(line, decided)
        if kept is not None:
            yield from self._times.before_record()
            yield kept

    def rest(self) -> Iterator[HistoryLine]:
        """Yields the lines that are still to be written at the end of the history."""
        yield from self._times.flush()

    def _journal(self, line: JournalLine) -> Iterator[HistoryLine]:
        entry = line.entry
        if isinstance(entry, Claim):
            self._owners = entry.owners
            self._authority.claim(entry)
            yield from self._times.flush()
            # Host names and the names of other firms are confidential.
            kept = Claim(
                entry.epoch,
                admitters=entry.admitters,
                open_mode=entry.open_mode,
                rules=entry.rules,
                program=entry.program,
            )
            yield structs.replace(line, entry=kept)
        elif isinstance(entry, TimeRead):
            yield from self._times.feed(structs.replace(line, entry=TimeRead(entry.epoch, {}, 0)))
        elif isinstance(entry, Skipped):
            firms = {self._authority.firm(pilot) for pilot in self.pilots}
            skipped = entry.keys or {}
            lost = {
                topic: gone
                for topic, gone in entry.lost.items()
                if self._owners.get(topic) in (None, *firms) and skipped.get(topic, "") in ("", *self.pilots)
            }
            keys = {topic: key for topic, key in skipped.items() if topic in lost}
            yield from self._times.flush()
            aside = tuple(pilot for pilot in entry.aside if pilot in self.pilots)
            yield structs.replace(line, entry=Skipped(entry.epoch, {}, 0, lost, aside or UNSET, keys or UNSET))
        else:
            assert isinstance(entry, ControlRead)  # it only orders control, and so does the place of each line

    def _control(self, line: ControlLine, decided: bool) -> ControlLine | ConfigurationLine | None:
        """The line to write; `decided` False: if it holds an act on the sandbox, that was refused."""
        record = record_of(line)
        act = validate_control(record, "control", 0, secret=b"")
        if isinstance(act, Rejected):  # it has no effect
            named, key = _named(record.value), _text(record.key)
            return line if (named or key) in self.pilots and (key is None or key in self.pilots) else None
        if act.pilot == SUBJECT:
            return self._authority.configuration(act, line) if decided else None
        if isinstance(act, ACTS_ON_FIRM):
            self._authority.firm_act(act, line)
            return None
        shown = self._authority.shown(act, line)
        return self._with_class(act, shown) if act.pilot in self.pilots else None

    def _with_class(self, act: ControlBase, line: ControlLine | None) -> ControlLine | None:
        """The line with the class of the firm, where that is another one than before."""
        found = self._authority.in_force(act)
        if line is None or found is None or self._classes.get(found.firm) == found:
            return line
        self._classes[found.firm] = found
        return structs.replace(line, firm_class=found)

    def _telemetry(self, line: TelemetryLine) -> TelemetryLine | None:
        record = record_of(line)
        key = _text(record.key)
        if key is not None and key not in self.pilots:
            return None
        subjects = _subjects(record)
        if key is not None:
            subjects = [subject or key for subject in subjects]
        if not any(subject in self.pilots for subject in subjects):
            return None if key is None else self._emptied(line, record, len(subjects))
        owner = self._owners.get(line.topic)
        if owner is not None and any((self._authority.firm(s or "") or owner) != owner for s in subjects):
            return None  # written by another firm under this pilot's name: rejected, and that firm's data
        out = tuple(place for place, subject in enumerate(subjects) if subject not in self.pilots)
        return self._without(line, record, out) if out else line

    def _without(self, line: TelemetryLine, record: Record, out: tuple[int, ...]) -> TelemetryLine:
        parts = _parts.decode(record.value or b"")
        null = msgspec.Raw(b"null")
        value = msgspec.json.encode([null if place in out else part for place, part in enumerate(parts)])
        self._count(record)
        made = Record(record.offset, record.received, record.key, value, record.headers)
        if signed := self._authority.signed_by(record, self.pilots):
            self.attested += 1
            made = AttestedRecord(*structs.astuple(made), signed=signed)
        return telemetry_line(line.topic, made, out)

    def _emptied(self, line: TelemetryLine, record: Record, events: int) -> TelemetryLine:
        """A record under this pilot's key that is only about others: its place in the log, without its value."""
        self._count(record)
        made = Record(record.offset, record.received, record.key, None)
        return telemetry_line(line.topic, made, tuple(range(max(events, 1))))

    def _count(self, record: Record) -> None:
        self.redacted += 1


class _Times:
    """Selects the `time` entries that have to be kept.

    A timer gives the same result at whichever `time` it fires, as long as the monitor was available: so an entry may be
    left out if the one after it is kept and no record stands between them. Around a gap, or a clock that was set back,
    entries are kept as they are: how long the gap was, and when it ended, is in the record.
    """

    def __init__(self) -> None:
        self._seen: int | None = None  # of the last entry (ms)
        self._pending: JournalLine | None = None
        self._skipped = False  # since the last entry that was written
        self._exact = 0  # entries still to be written as they are
        self._records = False

    def feed(self, line: JournalLine) -> Iterator[HistoryLine]:
        """Take the next entry."""
        step = 0 if self._seen is None else line.received - self._seen
        self._seen = line.received if self._seen is None else max(self._seen, line.received)
        if not self._records:  # nothing is admitted yet: only the last one matters
            self._pending = line
            return
        if step > GAP_MS or step < 0:
            yield from self.flush()
            yield line
            self._exact = 1
        elif self._exact:
            yield line
            self._exact -= step > 0
        else:
            self._skipped = self._skipped or self._pending is not None
            self._pending = line

    def before_record(self) -> Iterator[HistoryLine]:
        """A record is written next."""
        yield from self.flush()
        self._records = True

    def flush(self) -> Iterator[HistoryLine]:
        """Write the last entry, if it is not written yet."""
        if self._pending is not None:
            yield structs.replace(self._pending, unbroken=True) if self._skipped else self._pending
        self._pending, self._skipped = None, False


class _Subject(Struct):
    subject: str = ""


class _Pilot(Struct):
    pilot: str = ""


_parts = msgspec.json.Decoder(list[msgspec.Raw])
_subject = msgspec.json.Decoder(_Subject)
_pilot = msgspec.json.Decoder(_Pilot)


def _subjects(record: Record) -> list[str]:
    """The pilot that each event of a record names; "" where it cannot be read."""
    value, mode = record.value or b"", mode_of(record)
    if mode == "binary":
        return [_text(dict(record.headers).get("ce_subject")) or ""]
    if mode != "batch":
        return [_subject_of(value)]
    try:
        return [_subject_of(bytes(part)) for part in _parts.decode(value)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [""]


def _subject_of(part: bytes) -> str:
    try:
        return _subject.decode(part).subject
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _named(value: bytes | None) -> str:
    try:
        return _pilot.decode(value or b"").pilot
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "surrogateescape")
