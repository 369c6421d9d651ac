"""Telemetry one record after the other: validate each, and give every valid event to the pipeline of single events.

This is the slow path. `monitor/engine/batched.py` steps most records together, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from monitor.engine.partition import Partition
from monitor.model.events import Event
from monitor.model.records import Outputs, Record, Rejected, UnreadableRecords
from monitor.validate.parse import Validated, validate
from monitor.validate.rejections import Rejecter, RejectionReason
from monitor.validate.runs import EventRun


class EventRejection(NamedTuple):
    """Why an event is rejected, and the field that is wrong."""

    reason: RejectionReason
    field: str


class StepEvent(Protocol):
    """The pipeline of single events: `Machine.step_event`."""

    def __call__(self, event: Event, record: Record, owner: str | None, out: Outputs) -> EventRejection | None:
        """Step one valid event of `record`. Returns why it is rejected, or `None`."""


class TopicBatch:
    """Records of one topic that are stepped together: `owner` is the participant that alone may write the topic
    (`None` = everybody), `pieces` their outputs, each with the offset of the last record that it comes from."""

    __slots__ = ("owner", "pieces", "topic")

    def __init__(self, topic: str, owner: str | None) -> None:
        self.topic, self.owner = topic, owner
        self.pieces: list[tuple[int, Outputs]] = []

    def outputs(self) -> Outputs:
        """The outputs in the order of the records, whichever order the records were stepped in."""
        out = Outputs()
        for _, piece in sorted(self.pieces, key=lambda found: found[0]):
            out.extend(piece)
        return out


class RecordStepper:
    """Steps records one by one. `keyed`: a record without a key is rejected, as it is in no pilot's partition.
    `secret` keys the digests of rejected input. `events` counts the valid events that were stepped."""

    def __init__(self, partition: Partition, step_event: StepEvent, *, keyed: bool, secret: bytes) -> None:
        self._partition = partition
        self._step_event = step_event
        self._keyed = keyed
        self._secret = secret
        self.events = 0

    def records(self, records: Iterable[Record], stretch: TopicBatch) -> None:
        """Validate and step records in offset order."""
        for record in records:
            events, places, rejected = self.validated(record, stretch.topic)
            if events:
                count = len(events)
                run = EventRun(events, [record] * count, [record.received] * count, places)
                self.step_run(run, 0, count, stretch)
            self.add_rejected(rejected, record, stretch)

    def validated(self, record: Record, topic: str) -> Validated:
        """The valid events of a record and the rejections of the others."""
        if self._keyed and record.key is None and not isinstance(record, UnreadableRecords):
            reject = Rejecter(record, topic, self._partition.number, self._secret)
            return Validated([], (), [reject(RejectionReason.KEY_MISMATCH, "key")])
        return validate(record, topic, self._partition.number, secret=self._secret)

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
                reject = Rejecter(record, stretch.topic, self._partition.number, self._secret)
                rejected = reject(rejection.reason, rejection.field, index=place, pilot=event.subject)
                out.rejected.append(rejected)
                self._remember((rejected,), record)
        self.events += stop - first

    def add_rejected(self, rejected: list[Rejected], record: Record, stretch: TopicBatch) -> None:
        """Emit the rejections of one record."""
        if rejected:
            self._remember(rejected, record)
            stretch.pieces.append((record.offset, Outputs(rejected=rejected)))

    def _remember(self, rejected: Sequence[Rejected], record: Record) -> None:
        """Remember rejections for the permits of their pilot. Records are stepped key by key, so a record changes no
        pilot but that of its key."""
        for each in rejected:
            known = each.pilot and (record.key is None or record.key == each.pilot.encode())
            pilot = self._partition.pilots.get(each.pilot) if known else None
            if pilot is not None:
                pilot.rejections = pilot.rejections.after(each.received, each.field, each.reason, each.detail)
                self._partition.changed.add(pilot.id)
