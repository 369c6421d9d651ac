"""Fast path of the observe stage: a batch of ordinary events is added to the open periods at once.

Nearly every event is ordinary: the next of its source, in an open period, from the known model, and too small to
raise a finding of any detector, cap or rule. `FastPath.take` takes a batch if all its events are ordinary, else none
of it. The caller splits what is not taken, and in the end steps it through the slow path,
`monitor/observe/events.py`. In doubt an event is not ordinary, so that every decision is made in one place.
`tests/property/test_fold.py` holds both paths to the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias, cast

from msgspec import structs

from monitor.compile.plan import CompiledIndicator, stream_key
from monitor.deadlines.engine import Clocks
from monitor.deadlines.rules import ClockTable
from monitor.decide.complaint_clocks import COMPLAINTS, Complaint, quiet_complaints
from monitor.decide.context import DecisionContext
from monitor.decide.enforcement import grant_permit
from monitor.decide.events import CHANGE_NOT_REGISTERED, MISSING_MODEL, UNREGISTERED_MODEL, WORK
from monitor.detect.events import fully_reported
from monitor.detect.periods import peek_stays_quiet
from monitor.indicators.base import InOneUnit, OpenPeriod, Slot
from monitor.model.bounds import marks_kept, seen_kept, short
from monitor.model.events import ComplaintFiled, Envelope, ExposureTallied, Heartbeat, IncidentReported, instant, millis
from monitor.model.labels import LABEL_OF, Label, tidied
from monitor.model.notice import COUNTED_NOWHERE
from monitor.model.records import Outputs
from monitor.observe.events import FILINGS, add
from monitor.observe.fast_path_plan import PeriodFrame, fast_path_plan_of
from monitor.state.exposure import state_exposures
from monitor.state.incidents import incident_report
from monitor.state.pilot import PilotState, Source, Stream
from monitor.state.seen import RecentSources
from monitor.state.uncounted import UncountedLabel, uncounted_label
from monitor.validate.runs import EventBatch

STEPS = (
    64,
    1024,
)  # events that may be counted before the detectors are evaluated again; tried after the size of the batch

UncountedLabels: TypeAlias = dict[tuple[type[Envelope], Label], UncountedLabel]  # by type of event and label
PlacedSlots: TypeAlias = list[tuple[int, Stream, CompiledIndicator, int, Slot]]  # (place in the batch, ...)


class OpenPeriods(dict[str, OpenPeriod]):
    """The open period of one indicator by segment, created in the pilot's state on first access."""

    __slots__ = ("_indicator", "_streams", "index")

    def __init__(self, pilot: PilotState, indicator: CompiledIndicator, index: int) -> None:
        super().__init__()
        self._streams, self._indicator, self.index = pilot.streams, indicator, index

    def __missing__(self, segment: str) -> OpenPeriod:
        periods = self._streams[stream_key(self._indicator, segment)].open
        opened = self[segment] = periods.setdefault(self.index, OpenPeriod())
        return opened


class DuePeriods(dict[tuple[str, int], OpenPeriod | None]):
    """Periods of one indicator by segment and index; `None` for closed ones."""

    __slots__ = ("_indicator", "_streams")

    def __init__(self, pilot: PilotState, indicator: CompiledIndicator) -> None:
        super().__init__()
        self._streams, self._indicator = pilot.streams, indicator

    def __missing__(self, place: tuple[str, int]) -> OpenPeriod | None:
        segment, index = place
        stream = self._streams[stream_key(self._indicator, segment)]
        opened = None if index < stream.next else stream.open.setdefault(index, OpenPeriod())
        if opened is not None:
            self[place] = opened
        return opened


class OpenFrame:
    """The part of a frame that is open for one pilot, and its open periods."""

    __slots__ = ("end", "frame", "opened", "quiet", "start", "steady")

    def __init__(self, frame: PeriodFrame, first: datetime, last: datetime) -> None:
        self.frame = frame
        self.opened: dict[str, OpenPeriods] = {}  # by indicator; empty after `release_periods`
        self.start = max(first, frame.start)
        self.end = min(last, frame.end)
        self.steady = frame.steady
        self.quiet = 0  # events that may still be counted before a detector could raise a finding


class FastPath:
    """Takes batches of ordinary events of one pilot. `table` gives complaints a deadline under a charter with a promise
    to answer them.

    The caller discards it when a timer fires or an act takes effect, and calls `disturbed` when an event took the slow
    path. `release_periods` frees its references to open periods; they are looked up again on the next batch.
    """

    __slots__ = (
        "_admitted",
        "_due",
        "_epoch",
        "_first",
        "_kinds",
        "_last",
        "_open_frames",
        "_pilot",
        "_pilot_plan",
        "_plan",
        "_received",
        "_received_from",
        "_received_to",
        "_recent",
        "_released",
        "_table",
    )  # fmt: skip

    def __init__(self, pilot: PilotState, epoch: int, recent: RecentSources, table: ClockTable | None = None) -> None:
        self._pilot, self._plan, self._epoch, self._recent = pilot, pilot.plan, epoch, recent
        plan = self._pilot_plan = fast_path_plan_of(pilot.plan)
        self._kinds, self._table = plan.kinds, table if pilot.plan.promised else None
        nexts = [w.grid.start(pilot.streams[stream_key(w, w.segments[0])].next) for w in plan.by_time]
        self._first = instant(max([pilot.admitted, pilot.cycle[0], *nexts]))
        self._last = instant(pilot.running.cycle[1]) if pilot.running.cycle else plan.last
        self._admitted = instant(pilot.admitted)
        self._open_frames: list[OpenFrame] = []
        self.release_periods()

    def release_periods(self) -> None:
        """Free the references to open periods, to save memory. What the detectors answered is kept."""
        self._released = True
        self._due: dict[str, DuePeriods] = {}
        self._received: dict[str, OpenPeriods] = {}
        self._received_from = self._received_to = 0
        for frame in self._open_frames:
            frame.opened = {}

    def disturbed(self) -> None:
        """An event took the slow path: what the detectors answered is no longer valid."""
        for frame in self._open_frames:
            frame.quiet = 0

    @property
    def idle(self) -> bool:
        """Whether no event is ordinary now: each may end a silence, violate a command to stop, or fall in a pause."""
        if self._pilot.running.pauses:
            return True
        standing = self._pilot.standing
        unknown = standing.unknown
        return standing.halt_state.stops or (
            bool(unknown) and any(f"{name}/" in unknown for name in self._pilot_plan.silences)
        )

    def take(self, batch: EventBatch, received: Sequence[int], out: Outputs, key: int) -> bool:
        """Take a batch if all its events are ordinary, else none of it. `received`: when each was received (ms, never
        falling); `key`: that of the firm that signed all of them (0: none had to). Returns whether it was taken; if
        not, nothing has changed but spellings of labels in the batch."""
        began, at = received[0], received[-1]
        source = self._pilot.sources.get(short(batch.source))
        if source is None or batch.first != source.high + 1 or source.key != key or self.idle:
            return False
        frame = self._open_frame(batch.oldest)
        if frame is None or batch.newest >= frame.end or not self._received_in_one_period(began, at):
            return False
        if self._pilot_plan.ahead is not None and millis(batch.newest) > began + self._pilot_plan.ahead:
            return False
        on_time = at < frame.steady
        if not on_time and (began != at or self._excused(at)):
            return False
        uncounted = self._uncounted_labels(batch)
        slots = None if uncounted is None else self._single_slots(batch, source, received)
        if slots is None or (
            ExposureTallied in batch.data and not self._below_caps(frame, batch.data[ExposureTallied])
        ):
            return False
        counted = sum([len(run) for kind, run in batch.by_type.items() if self._kinds[kind].counts])
        if frame.quiet < counted:
            frame.quiet = self._quiet_events(frame, counted)
            if frame.quiet < counted:
                return False
        deadlines = None
        if self._table is not None and not batch.data.keys().isdisjoint(COMPLAINTS):
            deadlines = self._complaint_deadlines(self._table, batch, received)
            if deadlines is None:
                return False
        frame.quiet -= counted
        # The whole batch is ordinary: apply it.
        source.high, source.heard = batch.last, at
        source.newest = max(source.newest, millis(batch.newest))
        keep = seen_kept(len(self._pilot.sources))
        source.seen.add(batch.events, keep, batch.later(keep) if self._recent.heard(source.seen) else None)
        self._add(batch, frame, received, on_time, out)
        later = self._count_uncounted(batch, uncounted, received, out) if uncounted else 0
        if deadlines is not None:
            self._pilot.clocks = deadlines[0]
            if deadlines[1]:
                out.uncount("complaint_without_clock", deadlines[1])
        if self._plan.counts_inside and (complaints := batch.by_type.get(ComplaintFiled)):
            inside = sum(event.time >= self._admitted for event in complaints)
            self._pilot.users = structs.replace(self._pilot.users, inside=self._pilot.users.inside + inside)
        self._take_statements(batch, source)
        self._grant_permit(batch, at, out)
        if later:
            self._pilot.rejections = self._pilot.rejections.counted(COUNTED_NOWHERE, later)
        # In the order of the batch, as floating-point sums depend on it.
        for _, stream, indicator, index, slot in sorted(slots, key=lambda placed: placed[0]):
            if index < stream.next:
                stream.stock += slot.stock
            else:
                add(stream, indicator.grid, index, slot)
        return True

    # ---- whether a batch is ordinary

    def _single_slots(self, batch: EventBatch, source: Source, received: Sequence[int]) -> PlacedSlots | None:
        """Slots of the indicators that cannot fold a batch; `None` when an event is not ordinary by itself, or might
        raise the evidence of a closed period."""
        model, slots = self._known_model(), []
        blank = self._plan.any_model or MISSING_MODEL in self._pilot.standing.active
        for kind_of, run in batch.by_type.items():
            kind = self._kinds.get(kind_of)
            if kind is None:
                return None
            data = batch.data[kind_of]
            named = model and [d.model for d in data].count(model) == len(run)
            if not named and not {d.model for d in data} <= ({"", model} if blank or kind_of not in WORK else {model}):
                return None
            for fits in kind.fits:
                if not fits(run):
                    return None
            if kind.filed and min([d.filed for d in data]) < self._admitted:
                return None
            if kind.dues and self._due_before(kind_of, run, data):
                return None
            for indicator, names in kind.rest:
                for event in run:
                    place = int(event.sequence) - batch.first
                    for slot in indicator.implementation.slots(event, received[place]):
                        stream, index = self._pilot.streams[names[slot.segment]], indicator.grid.index(slot.at)
                        if index < stream.next and (slot.k or slot.m):
                            return None  # late: it raises evidence, or is dropped on record
                        slots.append((place, stream, indicator, index, slot))
        if source.offset is None and any(d.exposure > 0 for d in batch.data.get(Heartbeat, ())):
            return None  # the first stated counter sets the offset of its source
        return slots

    def _complaint_deadlines(
        self, table: ClockTable, batch: EventBatch, received: Sequence[int]
    ) -> tuple[Clocks, int] | None:
        """`quiet_complaints` of the complaints of a batch."""
        pilot, runs = self._pilot, [run for kind, run in batch.by_type.items() if kind in COMPLAINTS]
        placed = sorted([(int(event.sequence) - batch.first, event) for run in runs for event in run])
        events = [(received[place], cast(Complaint, event)) for place, event in placed]
        return quiet_complaints(self._plan, pilot.clocks, table, pilot.admitted, events, received[-1])

    def _due_before(self, kind_of: type[Envelope], run: Sequence[Any], data: Sequence[Any]) -> bool:
        """Whether an event may belong to a closed period of an indicator that is placed by due time."""
        filed = kind_of in FILINGS
        first = millis(min([event.time for event in run] if filed else [d.filed for d in data]))
        for indicator in self._pilot_plan.by_due:
            if kind_of not in indicator.implementation.reads:
                continue
            stream = self._pilot.streams[stream_key(indicator, indicator.segments[0])]
            start = indicator.grid.start(stream.next)
            promise = getattr(indicator.implementation, "promise", None)
            if (promise is None or promise.after(first) < start) and any(
                slot.at < start for event in run for slot in indicator.implementation.slots(event, 0)
            ):
                return True
        return False

    def _uncounted_labels(self, batch: EventBatch) -> UncountedLabels | None:
        """Labels that count nowhere; `None` when one of them has still to be reported. Labels are normalized in the
        batch where their spelling differs from the normalized one."""
        uncounted: UncountedLabels = {}
        for kind_of, data in batch.data.items():
            kind = self._kinds.get(kind_of)
            if kind is None or kind.selects is None:
                continue
            selected = kind.selects(data)
            if selected <= kind.selected:
                if kind_of is ExposureTallied and len(selected) == 1:
                    (unit,) = selected
                    batch.data[kind_of] = InOneUnit(data, unit if isinstance(unit, str) else unit[0])
                continue
            if any(tidied(event) is not event for event in batch.by_type[kind_of]):
                events = batch.by_type[kind_of] = [tidied(event) for event in batch.by_type[kind_of]]
                data = batch.data[kind_of] = [event.data for event in events]  # type: ignore[attr-defined]
            for label in set(map(LABEL_OF[kind_of], data)):
                found = uncounted_label(self._plan, kind_of, label)
                if found is not None:
                    if not fully_reported(self._pilot, found):
                        return None
                    uncounted[kind_of, label] = found
        return uncounted

    def _open_frame(self, time: datetime) -> OpenFrame | None:
        frames = self._open_frames
        if frames and frames[0].start <= time < frames[0].end and not self._released:
            return frames[0]
        if not self._first <= time < self._last:
            return None
        if self._released:
            self._due = {w.name: DuePeriods(self._pilot, w) for w in self._pilot_plan.by_due}
            self._released = False
        if frames and frames[0].start <= time < frames[0].end:
            frame = frames[0]
        else:
            if len(frames) > 1 and frames[1].start <= time < frames[1].end:
                frame = frames[1]
            else:
                frame = OpenFrame(self._pilot_plan.frame(time), self._first, self._last)
            frame.quiet = 0  # evidence covers all open periods, and another one was counted in since
            self._open_frames = [frame, *frames[:1]]
        if not frame.opened:
            indexes = frame.frame.indexes
            frame.opened = {w.name: OpenPeriods(self._pilot, w, indexes[w.name]) for w in self._pilot_plan.by_time}
        return frame

    def _received_in_one_period(self, began: int, at: int) -> bool:
        """Whether each indicator placed by time of reception has one open period for the whole batch."""
        by_received = self._pilot_plan.by_received
        if not by_received:
            return True
        if not self._received_from <= at < self._received_to:
            self._received = {w.name: OpenPeriods(self._pilot, w, w.grid.index(at)) for w, _ in by_received}
            indexes = [(w, self._received[w.name].index) for w, _ in by_received]
            if any(i < self._pilot.streams[stream_key(w, w.segments[0])].next for w, i in indexes):
                return False
            self._received_from = max(w.grid.start(i) for w, i in indexes)
            self._received_to = min(w.grid.start(i + 1) for w, i in indexes)
        return began >= self._received_from

    def _excused(self, at: int) -> bool:
        """Whether late events may be late because the monitor was unavailable."""
        if self._pilot.outage is None:
            return False
        since, until = self._pilot.outage
        return bool(self._pilot_plan.by_received) and at <= 2 * until - since

    def _known_model(self) -> str | None:
        """The model in use; `None` if events from it still have to raise a finding."""
        pilot, plan = self._pilot, self._plan
        known = (
            plan.any_model
            or pilot.model in plan.models
            or (bool(pilot.running.models) and short(pilot.model) in pilot.running.models)
            or UNREGISTERED_MODEL in pilot.standing.active
            or (pilot.model in plan.planned_models and CHANGE_NOT_REGISTERED in pilot.standing.active)
        )
        return pilot.model if known else None

    def _below_caps(self, frame: OpenFrame, tallies: Sequence[Any]) -> bool:
        """Whether exposure stays below every cap with all these tallies, with a margin of 1e-9 for rounded sums."""
        room: dict[str, float] = {}
        streams, indexes = self._pilot.streams, frame.frame.indexes
        for indicator, names in self._pilot_plan.capped:
            assert indicator.unit is not None
            index, unit = indexes[indicator.name], indicator.unit
            most = max([opened.m for name in names if (opened := streams[name].open.get(index))], default=0.0)
            left = cast(float, indicator.cap) * (1 - 1e-9) - most
            room[unit] = min(left, room.get(unit, left))
        total = sum([d.amount for d in tallies])
        return all(
            left > total or left > sum([d.amount for d in tallies if d.unit == unit]) for unit, left in room.items()
        )

    def _quiet_events(self, frame: OpenFrame, least: int) -> int:
        """How many events may be counted before a detector could raise a finding: at least `least`, or 0."""
        most = 0
        for step in (least, *(step for step in STEPS if step > least)):
            for indicator, names in self._pilot_plan.counted:
                index = frame.frame.indexes[indicator.name]
                if not all(peek_stays_quiet(self._pilot.streams[name], index, step, indicator) for name in names):
                    return most
            most = step
        return most

    # ---- apply a batch

    def _add(self, batch: EventBatch, frame: OpenFrame, received: Sequence[int], on_time: bool, out: Outputs) -> None:
        """Add all events to the open periods, and take note of when each silence indicator last heard one."""
        heard, at = dict[str, int](), received[-1]
        for kind_of, run in batch.by_type.items():
            kind, data = self._kinds[kind_of], batch.data[kind_of]
            for name, fold in kind.folds:
                fold(run, data, at, on_time, frame.opened[name])
            if kind_of is IncidentReported:
                self._count_once(kind.once, cast(Sequence[IncidentReported], run), at, out)
            for name, fold in kind.dues:
                fold(run, data, at, on_time, self._due[name])
            if kind.silences:
                last = received[int(run[-1].sequence) - batch.first]
                for name in kind.silences:
                    heard[name] = max(heard.get(name, 0), last)
        self._pilot.heard.update(heard)
        for indicator, folding in self._pilot_plan.by_received:
            reads = indicator.implementation.reads
            events = [event for kind_of, run in batch.by_type.items() if kind_of in reads for event in run]
            if events:
                folding.fold(events, (), at, on_time, self._received[indicator.name])

    def _count_uncounted(
        self, batch: EventBatch, uncounted: UncountedLabels, received: Sequence[int], out: Outputs
    ) -> int:
        """Count the events that count nowhere, and take note of when the last of them was received. Returns how many of
        them follow the last heartbeat: its permit states those before it."""
        memory, beats = self._pilot.uncounted, batch.by_type.get(Heartbeat)
        beat = int(beats[-1].sequence) if beats else None
        before = later = 0
        for kind in {kind for kind, _ in uncounted}:
            getter = LABEL_OF[kind]
            for event, data in zip(batch.by_type[kind], batch.data[kind], strict=True):
                found = uncounted.get((kind, getter(data)))
                if found is not None:
                    out.uncount(found.field)
                    number = int(event.sequence)
                    later += beat is not None and number > beat
                    before += beat is None or number < beat
                    memory.last = max(memory.last or 0, received[number - batch.first])
        if before:
            self._pilot.rejections = self._pilot.rejections.counted(COUNTED_NOWHERE, before)
        return later

    def _count_once(
        self, once: Sequence[CompiledIndicator], run: Sequence[IncidentReported], at: int, out: Outputs
    ) -> None:
        """Count each incident once under each indicator, and remember its id."""
        for event in run:
            seen = incident_report(self._pilot.incidents, self._plan.once, event)
            for indicator in once:
                for slot in () if seen.counted(indicator) else indicator.implementation.slots(event, at):
                    if slot.k > 0:
                        seen.count(indicator)
                    add(
                        self._pilot.streams[stream_key(indicator, slot.segment)],
                        indicator.grid,
                        indicator.grid.index(slot.at),
                        slot,
                    )
            seen.remember(out)

    def _take_statements(self, batch: EventBatch, source: Source) -> None:
        """Take note of the exposure that tallies and heartbeats state; of tallies only the sum and the latest
        matter."""
        tallies = batch.by_type.get(ExposureTallied)
        if tallies is not None:
            tallied = source.tallied
            for data in batch.data[ExposureTallied]:
                tallied += data.amount
            source.tallied = tallied
            source.latest = max(source.latest, millis(max([event.time for event in tallies])))
        beats = batch.by_type.get(Heartbeat)
        if beats is not None:
            state_exposures(source, cast(Sequence[Heartbeat], beats), marks_kept(len(self._pilot.sources)))

    def _grant_permit(self, batch: EventBatch, at: int, out: Outputs) -> None:
        """Grant a permit for the last heartbeat; a permit for an older one would grant no more."""
        beats = batch.by_type.get(Heartbeat)
        if beats is not None:
            grant_permit(
                DecisionContext(self._pilot, self._plan, at, beats[-1], out, self._epoch), cast(Heartbeat, beats[-1])
            )
