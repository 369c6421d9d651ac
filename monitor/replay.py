"""Runs charters over recorded telemetry, without a journal and without a clock: what would have been decided, and when.

A log that has no journal is replayed as if a `time` entry stood at each due time. So a replay of a file gives what the
running monitor would have given for the same records, and gives it again, byte for byte, whenever it is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import BinaryIO

import msgspec
from msgspec import Struct

from monitor.charter import Charter
from monitor.control import Admission
from monitor.errors import ControlRefused
from monitor.lenient import without_bom, without_leap_seconds
from monitor.machine import Machine
from monitor.model import Outputs, Record
from monitor.telemetry import Envelope, encode, millis

TOPIC = "telemetry"
_BATCH = (("content-type", b"application/cloudevents-batch+json"),)


class Line(Struct, frozen=True, gc=False):
    """One record of a log and the time (ms) of the last event in it, as far as that can be read."""

    record: Record
    time: int


class _Stamp(Struct, gc=False):
    time: datetime | None = None
    recordedtime: datetime | None = None


_stamp = msgspec.json.Decoder(_Stamp)
_stamps = msgspec.json.Decoder(list[_Stamp])


def lines(events: Iterable[tuple[int, Envelope]]) -> Iterator[Line]:
    """Events, each with the moment (ms) at which it was received, as a log in the given order."""
    for offset, (received, event) in enumerate(events):
        yield Line(Record(offset, received, event.subject.encode(), encode(event)), millis(event.time))


def write_lines(events: Iterable[tuple[int, Envelope]]) -> Iterator[bytes]:
    """The same as JSON lines: each event with `recordedtime`, the moment at which it was received (CloudEvents extension)."""
    for received, event in events:
        at = datetime.fromtimestamp(received / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        yield msgspec.json.encode({**msgspec.to_builtins(event), "recordedtime": at}) + b"\n"


def read_lines(file: BinaryIO, latest: int | None = None) -> Iterator[Line]:
    """JSON lines as a log: an event, or an array of events, on each line; empty lines are left out.

    A record's offset is its line's number less one. It counts as received at `recordedtime` (of an array: the latest), else at
    its `time`, and never before the record in front of it. Nothing can have been received after `latest` (ms; give the present),
    so that one line that says the year 9999 does not carry the replay there. A line that cannot be read, or says so, is passed on as it is, received with
    the record in front of it, so that it is rejected with its reason like any other record.
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
            times, seen = [], []
        stamped = [at for at in seen or times if latest is None or at <= latest]
        received = max([received, *stamped])
        yield Line(Record(offset, received, None, value, _BATCH if packed else ()), max(times, default=received))


def replay(
    charters: Sequence[Charter], log: Iterable[Line], *, until: int | None = None, batch: int = 1
) -> Iterator[Outputs]:
    """Admit each charter's pilot when its cycle starts, step the log, and let time run on; yields what each step put out.

    The replay goes on to `until` (ms); without it, to the moment at which every period that was over at the last record has
    closed, or only to the last record where a charter watches for silence, since the end of a file is no silence. `batch` is how many
    records are handed to the machine at once; it never changes what a pilot's outputs are. Raises ControlRefused when a
    charter is not admitted (a repeated pilot, an unusable detector).
    """
    names = [c.pilot for c in charters]
    for name in names:
        if names.count(name) > 1:
            raise ControlRefused(
                "charter.pilot", "already_admitted", f"{name} has more than one charter here; name one"
            )
    machine = Machine(journalled=False)
    waiting = sorted(charters, key=lambda c: (_cycle_start(c), c.pilot))
    admitted = 0
    pending: list[Record] = []
    last_received = last_time = 0

    def admit_until(now: int) -> Iterator[Outputs]:
        nonlocal admitted
        while admitted < len(waiting) and _cycle_start(waiting[admitted]) <= now:
            charter = waiting[admitted]
            yield from _time_to(machine, _cycle_start(charter))
            yield _admit(machine, charter, admitted)
            admitted += 1

    for line in log:
        at = line.record.received
        due = machine.notify_at
        admission = admitted < len(waiting) and _cycle_start(waiting[admitted]) <= at
        if pending and (len(pending) >= batch or admission or (due is not None and due < at)):
            yield machine.telemetry(TOPIC, pending)
            pending = []
        if admission:
            yield from admit_until(at)
        if not pending:
            yield from _time_to(machine, at)
        pending.append(line.record)
        last_received, last_time = max(last_received, at), max(last_time, min(line.time, at))
    if pending:
        yield machine.telemetry(TOPIC, pending)
    end = (
        until if until is not None else max([last_received, *(_closed(c, last_received, last_time) for c in charters)])
    )
    yield from admit_until(end)
    yield from _time_to(machine, end + 1)


def _admit(machine: Machine, charter: Charter, number: int) -> Outputs:
    act = Admission(
        id=f"admission/{charter.pilot}/{charter.version}",
        pilot=charter.pilot,
        author=charter.authorities[0].id,
        charter=charter,
    )
    record = Record(number, _cycle_start(charter), charter.pilot.encode(), msgspec.json.encode(act))
    out = machine.control(record)
    for refused in out.rejected:
        raise ControlRefused(refused.field, refused.reason, refused.detail)
    return out


def _time_to(machine: Machine, now: int) -> Iterator[Outputs]:
    """A `time` just after each due time before `now`."""
    while (due := machine.notify_at) is not None and due < now:
        yield machine.time(due + 1)


def _cycle_start(charter: Charter) -> int:
    return millis(datetime.fromisoformat(charter.cycle.start).replace(tzinfo=UTC))


def _closed(charter: Charter, last_received: int, last_time: int) -> int:
    """When every period that was over at the last record, and can hold an event of `last_time` or before, has closed (ms)."""
    if any(spec.kind == "silence" for spec in charter.indicators):
        return last_received
    closes = [last_received]
    for spec in charter.indicators:
        grid = spec.grid()
        whole = grid.index(last_time) + (grid.start(grid.index(last_time) + 1) <= last_received + 1)
        closes.append(spec.delay().after(grid.start(whole)))
    return max(closes)
