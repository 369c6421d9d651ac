"""Fast path of the validate stage: valid events of one pilot that follow each other, read together from several
records.

Nearly every record is keyed, well formed and in order. So records are grouped by key, the events of each key are read
in runs, and a run is validated as a whole. The only answer given here is "all of these are valid"; in doubt there is
no answer, and `monitor/validate/parse.py` validates each record, with the same result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby, islice
from typing import Any, NamedTuple

import msgspec

from monitor.model.event_ids import ids_well_formed
from monitor.model.events import ClaimClosed, ComplaintResolved, ComplaintWithdrawn, Envelope, Event
from monitor.model.records import Record
from monitor.validate.parse import MAX_BYTES, MAX_DEPTH, OLDEST, flat, judge, latest, mode_of, whole

MIN_BATCH = 2  # fewer events are not worth a batch
MAX_RUN = 1000  # events of one run: more would share little more of its cost, and leave the processor's cache
# A record of one event that is no longer than this cannot be nested too deep, if it holds no array: a level of objects
# takes five bytes, `{"":` and `}`, and the names of the required attributes take the rest.
_REQUIRED = ["type", "data", *(f.encode_name for f in msgspec.structs.fields(Envelope) if f.required)]
SHALLOW_BYTES = 5 * (MAX_DEPTH - 2) + sum(len(f'"{name}":0,') for name in _REQUIRED)


class EventRun(NamedTuple):
    """Well-formed events of one key in the order in which they came; the record of each, when that was received (ms),
    and the event's place in it."""

    events: list[Event]
    records: list[Record]
    received: list[int]
    places: Sequence[int]

    def middle(self, first: int, stop: int) -> int:
        """Returns an index about half-way between two events, at the start of a record if there are several records."""
        half = (first + stop) // 2
        record = self.records[half]
        if self.records[first] is not record:
            while self.records[half - 1] is record:
                half -= 1
        elif self.records[stop - 1] is not record:
            while self.records[half] is record:
                half += 1
        return half

    def records_of(self, first: int, stop: int) -> list[Record]:
        """Returns the records of these events, each once."""
        return list({record.offset: record for record in self.records[first:stop]}.values())


class RecordReader:
    """Reads events of a run again from their records, so that the events themselves need not be kept. `size`: bytes
    of the records."""

    __slots__ = ("_places", "_records", "size")

    def __init__(self, records: list[Record], places: Sequence[int]) -> None:
        self._records, self._places = records, places
        if places[-1]:  # records of several events: skip to the first event of each
            self.size, at = 0, len(records) - 1
            while at >= 0:
                self.size += len(records[at].value or b"")
                at -= places[at] + 1
        else:
            self.size = sum([len(record.value or b"") for record in records])

    def __call__(self) -> list[Envelope]:
        """Returns the events in order."""
        found: list[Envelope] = []
        known: dict[int, Envelope] = {}
        last: Record | None = None
        for record, place in zip(self._records, self._places, strict=True):
            if record is not last:
                events, places, _ = judge(record)
                known, last = dict(zip(places, events, strict=True)), record
            found.append(known[place])
        return found


class EventBatch(NamedTuple):
    """Valid events of one pilot and source with consecutive sequence numbers, in order: their earliest and latest time,
    first and last number, the same events sorted by type, and their payloads so too; the run that they are of, and
    where they end in it."""

    events: list[Event]
    source: str
    oldest: datetime
    newest: datetime
    first: int
    last: int
    by_type: dict[type[Envelope], list[Envelope]]
    data: dict[type[Envelope], list[Any]]
    run: EventRun
    stop: int

    def later(self, most: int) -> RecordReader:
        """Returns a reader of the last `most` events."""
        start = self.stop - min(most, len(self.events))
        return RecordReader(self.run.records[start : self.stop], self.run.places[start : self.stop])


# ---- records to runs

_OBJECT, _ARRAY, _END = b"{[}"
_MODES = {_OBJECT: "single", _ARRAY: "batch"}
_lined = msgspec.json.Decoder(Event)


def group_by_key(records: Sequence[Record], start: int) -> tuple[list[list[Record]], int]:
    """The stretch of records from `start` on that look plain from outside, in groups of one key and one form, and
    where it ends: at a record that has no key, or is not one JSON object or array as its headers say. Groups of one
    key are in order."""
    singles: dict[bytes, list[Record]] = defaultdict(list)
    packs: dict[bytes, list[Record]] = defaultdict(list)
    known: tuple[int, tuple[tuple[str, bytes], ...]] = (0, ())
    at = start
    for record in islice(records, start, None):
        value, key = record.value, record.key
        if not value or key is None:
            break
        begins = value[0]
        # Two of the first kind with a line break between them can only be two values, whatever is in them: see
        # `_lines`.
        if begins == _OBJECT and value[-1] == _END:
            mine = singles
        elif begins == _ARRAY:
            mine = packs
        else:
            break
        if record.headers and (begins, record.headers) != known:
            if mode_of(record) != _MODES[begins]:
                break
            known = begins, record.headers
        mine[key].append(record)
        at += 1
    groups: list[list[Record]] = []
    for key in singles.keys() & packs.keys():
        both = sorted([*singles.pop(key), *packs.pop(key)], key=lambda record: record.offset)
        groups += [list(some) for _, some in groupby(both, lambda record: (record.value or b" ")[0])]
    return [*groups, *singles.values(), *packs.values()], at


def runs(records: list[Record]) -> Iterator[EventRun | list[Record]]:
    """The events of one group of `group_by_key`, in order, in runs; records that cannot be read so come as they are."""
    value = records[0].value
    return _singles(records) if value and value[0] == _OBJECT else _packs(records)


def _singles(records: list[Record]) -> Iterator[EventRun | list[Record]]:
    """Runs of records of one event each, decoded in one go. One that cannot be decoded holds back its neighbours
    only."""
    todo = [records[start : start + MAX_RUN] for start in range(0, len(records), MAX_RUN)][::-1]
    while todo:
        some = todo.pop()
        events = _lines([record.value or b"" for record in some])
        if events is not None:
            yield EventRun(events, some, [record.received for record in some], [0] * len(some))
        elif len(some) < 2 * MIN_BATCH:
            yield some
        else:
            half = len(some) // 2
            todo += [some[half:], some[:half]]


def _lines(values: list[bytes]) -> list[Event] | None:
    """The events of values, one each.

    The seam between two values is `}`, a line break, `{`. JSON has no line break in a string and nothing that could
    go on like that in an array or an object, so every seam lies between two events; and as there are as many events
    as values, each value is one.
    """
    longest = len(max(values, key=len))
    if longest > MAX_BYTES:
        return None
    joined = b"\n".join(values)
    try:
        events: list[Event] = _lined.decode_lines(joined)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    short = longest <= SHALLOW_BYTES and b"[" not in joined
    fine = len(events) == len(values) and (short or flat(joined, len(events))) and ids_well_formed(joined, events)
    return events if fine else None


def _packs(records: list[Record]) -> Iterator[EventRun | list[Record]]:
    """Runs of records that hold a JSON array of events; a run has one source, as numbers must follow each other in
    it."""
    run, places = _empty()
    for record in records:
        value = record.value
        events = whole(value, batch=True) if value and len(value) <= MAX_BYTES else None
        if run.events and (
            not events or len(run.events) + len(events) > MAX_RUN or events[0].source != run.events[0].source
        ):
            yield run
            run, places = _empty()
        if not events:
            yield [record]
            continue
        count = len(events)
        run.events.extend(events)
        run.records.extend([record] * count)
        run.received.extend([record.received] * count)
        places.extend(range(count))
    if run.events:
        yield run


def _empty() -> tuple[EventRun, list[int]]:
    places: list[int] = []
    return EventRun([], [], [], places), places


# ---- a run as a batch

_CLOSING = (ComplaintResolved, ComplaintWithdrawn, ClaimClosed)
_FOUR = [f"{number:04d}" for number in range(10_000)]


def as_batch(run: EventRun, first: int, stop: int) -> EventBatch | None:
    """The events of a run from `first` to `stop` (excluded) as a batch, when times, key and sequence are right for
    all of them, and they are one. `None` says nothing: each is then to be judged by itself.
    """
    events = run.events if stop - first == len(run.events) else run.events[first:stop]
    count, head, key = len(events), events[0], run.records[first].key
    pilot, source = head.subject, head.source
    if key is not None and pilot != key.decode("utf-8", "surrogateescape"):
        return None
    numbers = _following(head.sequence, count)
    if numbers is None or "\n".join([event.sequence for event in events]) != numbers:
        return None
    if [event.subject for event in events].count(pilot) != count:
        return None
    if [event.source for event in events].count(source) != count:
        return None
    times = sorted([event.time for event in events])  # as a rule they are in order already, and then this is one pass
    received = run.received[first:stop]
    if times[0] < OLDEST:
        return None
    if times[-1] > latest(min(received)) and any(
        event.time > latest(at)
        for event, at in zip(events, received, strict=True)  # hours apart, as in a replay
    ):
        return None
    by_type: dict[type[Envelope], list[Envelope]] = defaultdict(list)
    for event in events:
        by_type[type(event)].append(event)
    data: dict[type[Envelope], list[Any]] = {
        kind: [event.data for event in some]  # type: ignore[attr-defined]
        for kind, some in by_type.items()
    }
    for kind in _CLOSING:
        if kind in data:
            for closed, payload in zip(by_type[kind], data[kind], strict=True):
                if not OLDEST <= payload.filed <= closed.time:
                    return None
    number = int(head.sequence)
    return EventBatch(events, source, times[0], times[-1], number, number + count - 1, by_type, data, run, stop)


def _following(first: str, count: int) -> str | None:
    """`count` numbers from `first` on, a line each, of its width; `None` when they outgrow it, or there are none."""
    if not 4 <= len(first) <= 18 or not (first.isdigit() and first.isascii()):
        return None
    front, start, lines = first[:-4], int(first[-4:]), list[str]()
    while start + count > 10_000:  # the digits before the last four rise
        lines.append(front + f"\n{front}".join(_FOUR[start:]))
        count, start, front = count - (10_000 - start), 0, f"{int(front or 9) + 1:0{len(front)}d}"
        if len(front) + 4 > len(first):
            return None
    lines.append(front + f"\n{front}".join(_FOUR[start : start + count]))
    return "\n".join(lines)
