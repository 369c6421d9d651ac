"""Telemetry in batches: the fast path of `monitor/engine/telemetry.py`, with the same result.

Records are grouped by key, and each group is read in runs of events. A batch of a run is taken at once when
`monitor/observe/fast_path.py` takes it; otherwise it is split, and what is left goes one by one through the step of
single events that this stepper is given. How a run is split never changes a result (`tests/property/test_fold.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import accumulate

from monitor.compile.state_size import open_allowance
from monitor.decide.senders import PREFIX, Senders
from monitor.engine.partition import Partition
from monitor.engine.telemetry import RecordStepper, TopicBatch
from monitor.model.bounds import short
from monitor.model.events import Envelope
from monitor.model.records import Outputs, Record
from monitor.model.refusals import Forgery
from monitor.observe.names import may_hold_names
from monitor.observe.split import end_of_batch
from monitor.state.pilot import PilotState
from monitor.validate.runs import MIN_BATCH, EventBatch, EventRun, as_batch, group_by_key, runs

PAUSE_EVENTS = 64  # events stepped one by one between two pauses: some 10 ms for the most expensive ones


class BatchStepper:
    """Steps records in batches. `single` steps records and events one by one, `catch_up` brings a pilot to a time of
    reception. `events` counts the events that were taken in batches."""

    def __init__(
        self,
        partition: Partition,
        single: RecordStepper,
        catch_up: Callable[[PilotState, int, Outputs], int],
        senders: Senders,
    ) -> None:
        self._partition = partition
        self._single = single
        self._catch_up = catch_up
        self._senders = senders
        self.events = 0

    def steps(self, records: Sequence[Record], stretch: TopicBatch) -> Generator[None, None, Outputs]:
        """Step records in offset order; their outputs are the generator's result. It pauses wherever records of another
        topic may be stepped, at the latest after `PAUSE_EVENTS` events that were stepped one by one."""
        out = Outputs()
        at = 0
        while at < len(records):
            groups, at = group_by_key(records, at)
            for group in groups:
                for run in runs(group):
                    if isinstance(run, EventRun):
                        yield from self._step_run(run, stretch, valid=False)
                    else:
                        yield from self._each(run, stretch)
            if at < len(records):
                yield from self._each(records[at : at + 1], stretch)
                at += 1
            out.extend(self._single.outputs(stretch))
        return out

    def _each(self, records: Iterable[Record], stretch: TopicBatch) -> Iterator[None]:
        """Validate records one by one; the events of a record that holds several are still tried as a batch."""
        for record in records:
            events, places, rejected = self._single.judged(record)
            if events:
                count = len(events)
                run = EventRun(events, [record] * count, [record.received] * count, places)
                yield from self._step_run(run, stretch, valid=True)
            self._single.add_rejected(rejected, record, stretch)
            yield

    def _step_run(self, run: EventRun, stretch: TopicBatch, *, valid: bool) -> Iterator[None]:
        """Step a run, in batches where the fast path applies. Unless all events are known to be `valid`, events outside
        a batch are validated one record at a time."""
        todo = [(0, len(run.events), valid)]
        while todo:
            first, stop, valid = todo.pop()
            if (end := self._batch_end(run, first, stop, valid)) < stop:
                todo.append((end, stop, valid))
                stop = end
            batch = as_batch(run, first, stop) if stop - first >= MIN_BATCH else None
            valid = valid or batch is not None
            if batch is not None and self._take(batch, run, first, stretch):
                self.events += stop - first
            elif valid and self._batch_end(run, first, stop, valid) < stop:
                todo.append((first, stop, valid))
            elif not valid and run.records[first] is run.records[stop - 1]:
                yield from self._each(run.records[first : first + 1], stretch)
            elif valid and first == 0 and stop >= MIN_BATCH and self._first_alone(run.events[0], run.received[0]):
                self._single.step_run(run, 0, 1, stretch)
                todo.append((1, stop, True))
            elif stop - first >= 2 * MIN_BATCH and self._splits(run, first, stop):
                half = run.middle(first, stop)  # one event that is not ordinary holds back its neighbours only
                todo += [(half, stop, valid), (first, half, valid)]
            elif valid:
                for start in range(first, stop, PAUSE_EVENTS):
                    self._single.step_run(run, start, min(stop, start + PAUSE_EVENTS), stretch)
                    yield
            else:
                yield from self._each(run.records_of(first, stop), stretch)
            yield

    def _take(self, batch: EventBatch, run: EventRun, first: int, stretch: TopicBatch) -> bool:
        """Take a batch, the events of `run` from `first` on, if all of them are ordinary. Timers that are due before
        its first event fire in any case."""
        partition, owner = self._partition, stretch.owner
        pilot = partition.pilots.get(batch.events[0].subject)
        if pilot is None or pilot.exited or (owner is not None and owner != pilot.charter.participant.id):
            return False
        if open_allowance(pilot.plan) is not None:
            return False  # each event may open a period too many
        if pilot.plan.pseudonyms and may_hold_names(pilot.plan, batch):
            return False
        key = self._key(pilot, batch, run, first) if pilot.plan.signed else 0
        if key is None:
            return False
        clipped = nondecreasing(run.received[first : first + len(batch.events)], pilot.received)
        if pilot.due < clipped[0]:
            fired = Outputs()
            self._catch_up(pilot, clipped[0], fired)
            stretch.pieces.append((run.records[first].offset, fired))
        if clipped[-1] > pilot.received and pilot.due < clipped[-1]:
            return False
        out, clocks = Outputs(), pilot.clocks
        if not partition.hot.fast_path(pilot).take(batch, clipped, out, key):
            return False
        stretch.pieces.append((run.records[first + len(batch.events) - 1].offset, out))
        pilot.received = clipped[-1]
        if pilot.clocks is not clocks:
            partition.arm(pilot)
        partition.changed.add(pilot.id)
        return True

    def _key(self, pilot: PilotState, batch: EventBatch, run: EventRun, first: int) -> int | None:
        """The key of the firm that signed every record of the batch; `None` when they are not all signed with one."""
        keys, judged, sender = set[int](), None, self._senders.sender
        for place, event in enumerate(batch.events, first):
            record = run.records[place]
            if record is judged and self._senders.rules >= 2:
                continue
            judged = record  # one signature covers all events of a record
            found = sender(pilot.plan, record, event)
            if isinstance(found, Forgery) or found.reporter or len(keys | {found.key}) > 1:
                return None
            keys.add(found.key)
        (key,) = keys
        return None if key and batch.source.startswith(PREFIX) else key

    def _batch_end(self, run: EventRun, first: int, stop: int, valid: bool) -> int:
        """Where a batch that begins at `first` should end, by the timers and periods of its pilot."""
        pilot = self._partition.pilots.get(run.events[first].subject) if stop - first >= MIN_BATCH else None
        return stop if pilot is None or pilot.exited else end_of_batch(pilot, run, first, stop, not valid)

    def _first_alone(self, event: Envelope, received: int) -> bool:
        """Whether the first event has to be stepped before its neighbours: its source is new, or a timer fires before
        it."""
        pilot = self._partition.pilots.get(event.subject)
        if pilot is None or pilot.exited:
            return False
        return short(event.source) not in pilot.sources or (received > pilot.received and pilot.due < received)

    def _splits(self, run: EventRun, first: int, stop: int) -> bool:
        """Whether a part of the events from `first` to before `stop` may be ordinary when the whole was not."""
        pilot, record = self._partition.pilots.get(run.events[first].subject), run.records[first]
        if pilot is None or self._partition.hot.fast_path(pilot).idle:
            return False
        if record is run.records[stop - 1] and self._senders.refused(pilot.plan, record):
            return False
        last = run.events[stop - 1]
        source = pilot.sources.get(short(last.source))
        return source is None or _number(last) > source.high  # no batch has a number that was used before


def _number(event: Envelope) -> int:
    """The sequence number of an event that may not be validated yet; 0 when it is none."""
    text = event.sequence
    return int(text) if len(text) <= 18 and text.isascii() and text.isdigit() else 0


def nondecreasing(received: list[int], least: int) -> list[int]:
    """Times of reception (ms), each raised to the latest before it and at least to `least`."""
    if received[0] >= least and received == sorted(received):  # as a rule; to accumulate costs five times as much
        return received
    return list(accumulate(received, max, initial=least))[1:]
