"""Telemetry one record after the other: validate each, and give every valid event to the pipeline of single events.

This is the slow path. `monitor/engine/batched.py` steps most records together, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from msgspec import structs

from monitor.engine.partition import Partition
from monitor.model.events import Event
from monitor.model.pseudonyms import shown
from monitor.model.records import Outputs, Record, Rejected, UnreadableRecords
from monitor.state.rejection_rate import OTHERS
from monitor.validate.grouped import RejectedEvents
from monitor.validate.parse import Judged, judge
from monitor.validate.rejections import SENTENCES, RejectionReason, key_text
from monitor.validate.runs import EventRun


class EventRejection(NamedTuple):
    """Why an event is rejected, the field that is wrong, and the detail if the reason's sentence is not enough."""

    reason: RejectionReason
    field: str
    detail: str = ""


class StepEvent(Protocol):
    """The pipeline of single events: `Machine.step_event`."""

    def __call__(self, event: Event, record: Record, owner: str | None, out: Outputs) -> EventRejection | None:
        """Step one valid event of `record`. Returns why it is rejected, or `None`."""


class TopicBatch:
    """Records of one topic that are stepped together: `owner` is the participant that alone may write the topic
    (`None` = everybody), `pieces` their outputs, each with the offset of the last record that it comes from, `rejected`
    what was rejected of each record, by offset."""

    __slots__ = ("owner", "pieces", "rejected", "topic")

    def __init__(self, topic: str, owner: str | None) -> None:
        self.topic, self.owner = topic, owner
        self.pieces: list[tuple[int, Outputs]] = []
        self.rejected: dict[int, RejectedEvents] = {}

    def rejected_of(self, record: Record) -> RejectedEvents:
        """What was rejected of a record up to now."""
        found = self.rejected.get(record.offset)
        if found is None:
            found = self.rejected[record.offset] = RejectedEvents(record)
        return found


class RecordStepper:
    """Steps records one by one. `keyed`: a record without a key is rejected, as it is in no pilot's partition.
    `secret` keys the digests of rejected input. `limited`: what is written about rejections is limited per firm.
    `events` counts the valid events that were stepped."""

    def __init__(
        self, partition: Partition, step_event: StepEvent, *, keyed: bool, secret: bytes, limited: bool
    ) -> None:
        self._partition = partition
        self._step_event = step_event
        self._keyed = keyed
        self._secret = secret
        self._limited = limited
        self.events = 0

    def records(self, records: Iterable[Record], stretch: TopicBatch) -> None:
        """Validate and step records in offset order."""
        for record in records:
            events, places, rejected = self.judged(record)
            if events:
                count = len(events)
                run = EventRun(events, [record] * count, [record.received] * count, places)
                self.step_run(run, 0, count, stretch)
            self.add_rejected(rejected, record, stretch)

    def judged(self, record: Record) -> Judged:
        """The valid events of a record, and the others."""
        if self._keyed and record.key is None and not isinstance(record, UnreadableRecords):
            rejected = RejectedEvents(record)
            rejected.add(RejectionReason.KEY_MISMATCH, "key")
            return Judged([], (), rejected)
        return judge(record)

    def step_run(self, run: EventRun, first: int, stop: int, stretch: TopicBatch) -> None:
        """Step the valid events of a run from `first` to before `stop`, one by one."""
        pieces, owner, step_event = stretch.pieces, stretch.owner, self._step_event
        for event, record, place in zip(
            run.events[first:stop], run.records[first:stop], run.places[first:stop], strict=True
        ):
            if not pieces or pieces[-1][0] != record.offset:
                pieces.append((record.offset, Outputs()))
            out = pieces[-1][1]
            rejection = step_event(event, record, owner, out)
            if rejection is not None:
                stretch.rejected_of(record).add(*rejection, index=place, pilot=event.subject)
                self._remember(record, event.subject, rejection.field, rejection.reason, rejection.detail)
        self.events += stop - first

    def add_rejected(self, rejected: RejectedEvents, record: Record, stretch: TopicBatch) -> None:
        """Take the events of one record that are not valid."""
        if rejected:
            for (reason, field, pilot), group in rejected.groups():
                self._remember(record, pilot or key_text(record.key), field, reason, group.detail, group.count)
            stretch.rejected_of(record).merge(rejected)

    def outputs(self, stretch: TopicBatch) -> Outputs:
        """The outputs of a stretch in the order of its records, whichever order they were stepped in, and an empty
        stretch."""
        out = Outputs()
        for _, piece in sorted(stretch.pieces, key=lambda found: found[0]):
            out.extend(piece)
        for offset in sorted(stretch.rejected):
            rejected = stretch.rejected[offset]
            listed = rejected.rejections(stretch.topic, self._partition.number, self._secret)
            if self._limited:
                of_firms = [
                    (self._firm(rejected.record, each, stretch), self._without_unknown_pilot(each)) for each in listed
                ]
                rates = self._partition.state.rates
                out.rejected.extend(rates.limited(stretch.topic, rejected.record.received, of_firms))
            else:
                out.rejected.extend(map(self._without_unknown_pilot, listed))
        stretch.pieces, stretch.rejected = [], {}
        return out

    def _without_unknown_pilot(self, rejected: Rejected) -> Rejected:
        """A rejection with a digest in place of a subject that is no pilot here: it may be a name."""
        name, partition = rejected.pilot, self._partition
        if not name or name in partition.pilots or name in partition.state.aside:
            return rejected
        return structs.replace(rejected, pilot=shown(name, self._secret))

    def _firm(self, record: Record, rejected: Rejected, stretch: TopicBatch) -> str:
        """The firm that a rejection is of: the owner of the topic, else the participant of the pilot that is the
        record's key, or that the event names where the record has none. On a shared topic a forged event is of no firm:
        forgers must not use up what is written about the true sender."""
        if stretch.owner is not None:
            return stretch.owner
        if rejected.reason == RejectionReason.FORGED:
            return OTHERS
        name = rejected.pilot if record.key is None else key_text(record.key)
        pilot = self._partition.pilots.get(name) if name else None
        return OTHERS if pilot is None else pilot.charter.participant.id

    # Once per rejected event: an object for what is rejected would cost as much as the rest.
    def _remember(
        self, record: Record, name: str, field: str, reason: RejectionReason, detail: str = "", count: int = 1
    ) -> None:
        """Remember rejections for the permits of their pilot. Records are stepped key by key, so a record changes no
        pilot but that of its key."""
        known = name and (record.key is None or record.key == name.encode())
        pilot = self._partition.pilots.get(name) if known else None
        if pilot is not None:
            words = detail or SENTENCES[reason]
            pilot.rejections = pilot.rejections.after(record.received, field, reason.value, words, count)
            self._partition.changed.add(pilot.id)
