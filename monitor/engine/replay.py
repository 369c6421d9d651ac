"""Runs charters over recorded telemetry, without a journal and without a clock: what would have been decided, and when.

A file of events holds no acts, no times at which a monitor ran, and no outages. So it is assumed
that each pilot was admitted when its cycle starts (or when the caller says), that time ran without an outage, and,
where the caller says so, that no service received commands. The result
depends on the records alone and is the same, byte for byte, however often it is made. For the record of a monitor
that ran, export its history and see `monitor/engine/history_replay.py`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from monitor.charter.control import Admission
from monitor.charter.spec import Charter
from monitor.engine.machine import Machine
from monitor.errors import ControlRefused, SetAside
from monitor.model.events import Envelope, encode, millis
from monitor.model.lenient import without_bom, without_leap_seconds
from monitor.model.records import Outputs, Record
from monitor.model.refusals import Refusal
from monitor.validate.rejections import RejectionReason

TOPIC = "telemetry"
BATCH = 10_000  # records that are stepped together
SLICE_MS = 30 * 86_400_000  # time is stepped in pieces of at most this length, so that outputs do not pile up
_BATCH = (("content-type", b"application/cloudevents-batch+json"),)


class TimedRecord(Struct, frozen=True, gc=False):
    """One record of a log, the time (ms) of the last event in it, and the pilots that it names, as far as they can be
    read."""

    record: Record
    time: int
    pilots: tuple[str, ...] = ()


class _Stamp(Struct, gc=False):
    time: datetime | None = None
    recordedtime: datetime | None = None
    subject: str = ""


_stamp = msgspec.json.Decoder(_Stamp)
_stamps = msgspec.json.Decoder(list[_Stamp])


def timed_records(events: Iterable[tuple[int, Envelope]]) -> Iterator[TimedRecord]:
    """Events, each with the moment (ms) at which it was received, as a log in the given order."""
    for offset, (received, event) in enumerate(events):
        record = Record(offset, received, event.subject.encode(), encode(event))
        yield TimedRecord(record, millis(event.time), (event.subject,))


def event_line(received: int, event: Envelope) -> bytes:
    """One line of an events file: the CloudEvent and `recordedtime`, when it was received (`received`, ms), as RFC
    3339.

    >>> from monitor.model.builders import Emitter
    >>> event_line(1500, Emitter("s", "p").gain(1000)).rpartition(b",")[2]
    b'"recordedtime":"1970-01-01T00:00:01.500000Z"}\\n'
    """
    recorded = msgspec.json.encode(datetime.fromtimestamp(received / 1000, UTC))
    return msgspec.json.encode(event)[:-1] + b',"recordedtime":' + recorded + b"}\n"


def write_lines(events: Iterable[tuple[int, Envelope]]) -> Iterator[bytes]:
    """Events as lines of an events file, which `read_lines` reads back."""
    for received, event in events:
        yield event_line(received, event)


def read_lines(file: Iterable[bytes], latest: int | None = None) -> Iterator[TimedRecord]:
    """JSON lines as a log: an event, or an array of events, on each line; empty lines are left out.

    A record's offset is its line's number less one. It counts as received at `recordedtime` (of an array: the
    latest), else at its `time`, and never before the record in front of it. Nothing can have been received after
    `latest` (ms; give the present), so that one line of the year 9999 does not move the replay there. A line
    that cannot be read, or says so, is passed on as it is, received with the record in front of it, so that it is
    rejected with its reason like any other record.
    """
    received = 0
    for offset, raw in enumerate(file):
        value = without_bom(raw.strip()).lstrip()
        if not value:
            continue
        packed = value.startswith(b"[")
        try:
            plain = without_leap_seconds(value) if b":60" in value else value
            stamps = _stamps.decode(plain) if packed else [_stamp.decode(plain)]
            times = [millis(s.time) for s in stamps if s.time is not None and s.time.tzinfo is not None]
            seen = [millis(s.recordedtime) for s in stamps if s.recordedtime is not None and s.recordedtime.tzinfo]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, ValueError):
            stamps, times, seen = [], [], []
        stamped = [at for at in seen or times if latest is None or at <= latest]
        received = max([received, *stamped])
        pilots = tuple({s.subject: None for s in stamps if s.subject})
        # With its pilot as key a record is stepped in a batch; without, it is stepped alone, with the same
        # result.
        key = stamps[0].subject.encode() if stamps and not packed and stamps[0].subject else None
        record = Record(offset, received, key, value, _BATCH if packed else ())
        yield TimedRecord(record, max(times, default=received), pilots)


class Shard(NamedTuple):
    """Part `number` (from 0) `of` so many: the pilots with a charter, in order of name, are assigned back and forth (0,
    1, 1, 0, ...), as similar pilots often stand at equal distances. Records of no pilot, and of pilots without a
    charter, are in part 0."""

    number: int
    of: int

    def dealt(self, names: Iterable[str]) -> dict[str, int]:
        """The number of the part of each of `names`."""
        turns = ((at % (2 * self.of), name) for at, name in enumerate(sorted(names)))
        return {name: min(turn, 2 * self.of - 1 - turn) for turn, name in turns}


class NotDivisible(Exception):
    """A line holds events of pilots in several shards, so that the replay cannot be divided. `offset` is the line's."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class CharterReplay:
    """Charters over a log. `admit` says when each charter's pilot is admitted: at its `cycle.start`, at the `first`
    record that names it, or at a moment (ms) that is the same for all. `service`: whether services received
    commands; without, whether a command is obeyed is not judged. `evidence`: without it, closed periods that hold
    nothing are passed over quickly and leave no evidence; decisions are the same. `batch` is how many records are
    stepped at once; it never changes what a pilot's outputs are. `shard`: admit and step only the pilots in that
    part, with the same result for each of them.

    `received` is the moment (ms) that has been reached, `events` how many valid events have been stepped.
    """

    def __init__(
        self,
        charters: Sequence[Charter],
        *,
        admit: Literal["cycle", "first"] | int = "cycle",
        service: bool = True,
        evidence: bool = True,
        batch: int = BATCH,
        shard: Shard | None = None,
    ) -> None:
        names = [c.pilot for c in charters]
        for name in names:
            if names.count(name) > 1:
                raise ControlRefused(
                    "charter.pilot", Refusal.ALREADY_ADMITTED, f"{name} has more than one charter here; name one"
                )
        self._machine = Machine(journalled=False, service=service, evidence=evidence)
        self._machine.believe_senders()  # a file of events holds no signatures
        self._charters, self._batch, self._service = charters, batch, service
        self._shard = shard or Shard(0, 1)
        self._shard_of = self._shard.dealt(names)
        self._first = {c.pilot: c for c in charters} if admit == "first" else {}
        waiting = (
            [] if admit == "first" else [(_cycle_start(c) if admit == "cycle" else int(admit), c) for c in charters]
        )
        self._waiting = sorted(waiting, key=lambda w: (w[0], w[1].pilot))
        self._admitted = 0
        self._phase = 0
        self.received = 0

    @property
    def events(self) -> int:
        """Valid events stepped."""
        return self._machine.events

    def steps(self, log: Iterable[TimedRecord], until: int | None = None) -> Iterator[Outputs]:
        """Step the log, let time run on to `until` (ms; see `replay`), and give what each step emitted, decisions in
        order of their time, those of one moment in order of their pilots' names. Raises SetAside when a charter
        is not admitted."""
        return (out for _, out in self.phases(log, until))

    def phases(self, log: Iterable[TimedRecord], until: int | None = None) -> Iterator[tuple[int, Outputs]]:
        """The same, each step with the number of its phase. Phases are cut by the whole log, so they are the same for
        all shards: the steps of one phase, merged over the shards, are what one replay of all pilots emits in it.
        There is a step for at least one phase of each `batch` records. Raises NotDivisible when a line belongs to
        several shards."""
        pending: list[Record] = []
        count = first = last = last_received = last_time = 0
        for line in log:
            at = line.record.received
            admission = self._due_at(at) or any(name in self._first for name in line.pilots)
            if count and (admission or count >= self._batch or at - first > SLICE_MS):
                yield from self._telemetry(pending, first, last)
                pending, count = [], 0
            if admission:
                yield from self._admit_until(at)
                yield from self._admit_named(line)
            if self._shard.of == 1 or self._owns(line):
                pending.append(line.record)
            first, last, count = at if not count else first, at, count + 1
            last_received, last_time = max(last_received, at), max(last_time, min(line.time, at))
        if count:
            yield from self._telemetry(pending, first, last)
        ends = (_closed(c, last_received, last_time) for c in self._charters)
        end = max([last_received, *ends]) if until is None else until
        yield from self._admit_until(end)
        yield from self._time_to(end + 1)

    def _owns(self, line: TimedRecord) -> bool:
        """Whether a line is stepped in this shard. Raises NotDivisible when more than one shard would have to step
        it."""
        named = line.pilots or _named(line.record)
        if named is None:
            raise NotDivisible(line.record.offset)
        shards = {self._shard_of.get(name, 0) for name in named} or {0}
        if len(shards) > 1:
            raise NotDivisible(line.record.offset)
        return self._shard.number in shards

    def _due_at(self, now: int) -> bool:
        return self._admitted < len(self._waiting) and self._waiting[self._admitted][0] <= now

    def _admit_until(self, now: int) -> Iterator[tuple[int, Outputs]]:
        while self._due_at(now):
            at, charter = self._waiting[self._admitted]
            yield from self._admit(charter, at)

    def _admit_named(self, line: TimedRecord) -> Iterator[tuple[int, Outputs]]:
        for name in line.pilots:
            if (charter := self._first.pop(name, None)) is not None:
                yield from self._admit(charter, line.record.received)

    def _admit(self, charter: Charter, at: int) -> Iterator[tuple[int, Outputs]]:
        yield from self._time_to(at)
        self._phase += 1
        if self._shard_of[charter.pilot] == self._shard.number:
            yield self._phase, _admit(self._machine, charter, self._admitted, at)
        self._admitted += 1

    def _telemetry(self, records: Sequence[Record], first: int, last: int) -> Iterator[tuple[int, Outputs]]:
        """Step records received from `first` to `last` (ms), with the timers of all pilots that are due before
        `last`: nothing that comes later is earlier."""
        yield from self._time_to(first)
        self._phase += 1
        out = self._machine.telemetry(TOPIC, records)
        if not self._service:  # the commands that were acknowledged are those of the recorded monitor
            out.rejected = [one for one in out.rejected if one.reason != RejectionReason.NOT_IN_FORCE]
        self.received = last
        out.extend(self._machine.time(last))
        yield self._phase, in_order(out)

    def _time_to(self, now: int) -> Iterator[tuple[int, Outputs]]:
        """Fire what is due before `now`, in pieces that are the same whatever is due."""
        while self.received < now:
            self.received = min(now, self.received + SLICE_MS) if self._admitted else now
            self._phase += 1
            due = self._machine.notify_at
            if due is not None and due < self.received:
                yield self._phase, in_order(self._machine.time(self.received))


def in_order(out: Outputs) -> Outputs:
    """The outputs of a step in the order in which they are shown: rejections by record, decisions and commands by
    time and pilot. What one pilot got keeps its order."""
    out.rejected.sort(key=lambda rejected: rejected.offset)
    out.decisions.sort(key=lambda decision: (decision.at, decision.pilot))
    out.commands.sort(key=lambda command: (command.at, command.pilot))
    return out


def merged(shards: Sequence[Iterator[tuple[int, Outputs]]]) -> Iterator[tuple[int, Outputs]]:
    """The phases of several shards of one replay as one replay of all pilots emits them. Reads each shard at most one
    step ahead."""
    for phase, steps in groupby(heapq.merge(*shards, key=itemgetter(0)), key=itemgetter(0)):
        out = Outputs()
        for _, step in steps:
            out.extend(step)
        yield phase, in_order(out)


class _Named(Struct, gc=False):
    subject: str = ""


_subject = msgspec.json.Decoder(_Named)


def _named(record: Record) -> tuple[str, ...] | None:
    """The pilot of a record whose times cannot be read, as far as it can be known; `None` if it may hold events of
    several."""
    if record.headers:
        return None
    try:
        return (_subject.decode(record.value or b"").subject,)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()  # no JSON object that names a pilot: rejected whatever its pilot


def replay_charters(
    charters: Sequence[Charter], log: Iterable[TimedRecord], *, until: int | None = None, batch: int = BATCH
) -> Iterator[Outputs]:
    """Admit each charter's pilot when its cycle starts, step the log, and let time run on; yields what each step
    emitted.

    The replay goes on to `until` (ms); without it, to the moment at which every period that was over at the last
    record has closed, or only to the last record where a charter watches for silence, since the end of a file is no
    silence. Raises ControlRefused when a charter is not admitted (a repeated pilot, an unusable detector).
    """
    return CharterReplay(charters, batch=batch).steps(log, until)


def _admit(machine: Machine, charter: Charter, number: int, at: int) -> Outputs:
    act = Admission(
        id=f"admission/{charter.pilot}/{charter.version}",
        pilot=charter.pilot,
        author=charter.authorities[0].id,
        charter=charter,
    )
    record = Record(number, at, charter.pilot.encode(), msgspec.json.encode(act))
    out = machine.control(record)
    for refused in out.rejected:
        raise SetAside(refused.field, refused.reason, refused.detail)
    return out


def _cycle_start(charter: Charter) -> int:
    return millis(datetime.fromisoformat(charter.cycle.start).replace(tzinfo=UTC))


def _closed(charter: Charter, last_received: int, last_time: int) -> int:
    """When every period that was over at the last record, and can hold an event of `last_time` or before, has closed
    (ms)."""
    if any(spec.kind == "silence" for spec in charter.indicators):
        return last_received
    closes = [last_received]
    for spec in charter.indicators:
        grid = spec.grid()
        whole = grid.index(last_time) + (grid.start(grid.index(last_time) + 1) <= last_received + 1)
        closes.append(spec.delay().after(grid.start(whole)))
    return max(closes)
