"""Fold: a batch of ordinary events goes into the open periods at once, with the same result as one by one.

Nearly every event is ordinary: the next of its source, of a period that is open, under the model that is known, and too
small for any detector, cap or rule to speak. `FastPath.take` takes a batch if that is true of all its events, else nothing
of it; what it does not take is halved, and in the end goes the long way through `monitor/observe/events.py`. In doubt an event
is not ordinary, so that what is decided is decided in one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias, cast

from detectors.base import Count
from monitor.compile.plan import CompiledIndicator, stream_key
from monitor.decide.context import DecisionContext
from monitor.decide.enforcement import grant_permit
from monitor.decide.events import MISSING_MODEL, UNREGISTERED_MODEL, WORK
from monitor.detect.events import fully_reported
from monitor.detect.periods import peek_stays_quiet
from monitor.indicators.base import InOneUnit, OpenPeriod, Slot
from monitor.model.bounds import marks_kept, seen_kept, short
from monitor.model.events import Envelope, ExposureTallied, Heartbeat, IncidentReported, instant, millis
from monitor.model.labels import LABEL_OF, Label, tidied
from monitor.model.records import Outputs
from monitor.observe.events import add
from monitor.observe.fast_path_plan import PeriodFrame, fast_path_plan_of
from monitor.state.exposure import state_exposures
from monitor.state.incidents import incident_report
from monitor.state.pilot import Pilot, Source, Stream
from monitor.state.seen import RecentSources
from monitor.state.uncounted import UncountedLabel, uncounted_label
from monitor.validate.runs import EventBatch

STEPS = (64, 1024)  # events that may be counted before the detectors are asked again, tried after those of the batch

Lost: TypeAlias = dict[tuple[type[Envelope], Label], UncountedLabel]  # by type of event and label
Placed: TypeAlias = list[tuple[int, Stream, CompiledIndicator, int, Slot]]  # by place in the batch


class Opened(dict[str, OpenPeriod]):
    """The open period of one indicator by segment, made in the pilot's state when it is first touched."""

    __slots__ = ("_streams", "_watch", "index")

    def __init__(self, pilot: Pilot, watch: CompiledIndicator, index: int) -> None:
        super().__init__()
        self._streams, self._watch, self.index = pilot.streams, watch, index

    def __missing__(self, segment: str) -> OpenPeriod:
        periods = self._streams[stream_key(self._watch, segment)].open
        opened = self[segment] = periods.setdefault(self.index, OpenPeriod())
        return opened


class Due(dict[tuple[str, int], OpenPeriod | None]):
    """Periods of one indicator by segment and index; `None` for those that are closed."""

    __slots__ = ("_streams", "_watch")

    def __init__(self, pilot: Pilot, watch: CompiledIndicator) -> None:
        super().__init__()
        self._streams, self._watch = pilot.streams, watch

    def __missing__(self, place: tuple[str, int]) -> OpenPeriod | None:
        segment, index = place
        stream = self._streams[stream_key(self._watch, segment)]
        opened = None if index < stream.next else stream.open.setdefault(index, OpenPeriod())
        if opened is not None:
            self[place] = opened
        return opened


class Window:
    """What of a frame a pilot may report, and what is open in it."""

    __slots__ = ("end", "frame", "opened", "quiet", "start", "steady")

    def __init__(self, frame: PeriodFrame, first: datetime, last: datetime) -> None:
        self.frame = frame
        self.opened: dict[str, Opened] = {}  # by indicator; empty while the fast_path rests
        self.start = max(first, frame.start)
        self.end = min(last, frame.end)
        self.steady = frame.steady
        self.quiet = 0  # events that may yet be counted before a detector could speak


class FastPath:
    """Takes batches of ordinary events of one pilot.

    To be thrown away when a timer fires or an act takes effect, and told (`disturbed`) when an event went the long way. What it
    has ready of open periods it lets go of with `rest`, and makes again when it is asked.
    """

    __slots__ = (
        "_admitted",
        "_due",
        "_epoch",
        "_first",
        "_kinds",
        "_last",
        "_pilot",
        "_pilot_plan",
        "_plan",
        "_received",
        "_received_from",
        "_received_to",
        "_recent",
        "_rests",
        "_windows",
    )  # fmt: skip

    def __init__(self, pilot: Pilot, epoch: int, recent: RecentSources) -> None:
        self._pilot, self._plan, self._epoch, self._recent = pilot, pilot.plan, epoch, recent
        layout = self._pilot_plan = fast_path_plan_of(pilot.plan)
        self._kinds = layout.kinds
        nexts = [w.grid.start(pilot.streams[stream_key(w, w.segments[0])].next) for w in layout.by_time]
        self._first = instant(max([pilot.admitted, pilot.plan.cycle[0], *nexts]))
        self._last = layout.last
        self._admitted = instant(pilot.admitted)
        self._windows: list[Window] = []
        self.rest()

    def rest(self) -> None:
        """Let go of open periods, to save memory; what the detectors were asked stays known."""
        self._rests = True
        self._due: dict[str, Due] = {}
        self._received: dict[str, Opened] = {}
        self._received_from = self._received_to = 0
        for window in self._windows:
            window.opened = {}

    def disturbed(self) -> None:
        """An event went the long way: what the detectors were asked holds no longer."""
        for window in self._windows:
            window.quiet = 0

    @property
    def idle(self) -> bool:
        """Whether no event is ordinary now: each may end a silence, or go against a command to stand still."""
        standing = self._pilot.standing
        unknown = standing.unknown
        return standing.halt_state.stops or (
            bool(unknown) and any(f"{name}/" in unknown for name in self._pilot_plan.silences)
        )

    def take(self, batch: EventBatch, received: Sequence[int], out: Outputs) -> bool:
        """Take a batch if all its events are ordinary, else none of it. `received` (ms, clipped) is when each was."""
        began, at = received[0], received[-1]
        source = self._pilot.sources.get(short(batch.source))
        if source is None or batch.first != source.high + 1 or self.idle:
            return False
        window = self._window(batch.oldest)
        if window is None or batch.newest >= window.end or not self._receiving(began, at):
            return False
        if self._pilot_plan.ahead is not None and millis(batch.newest) > began + self._pilot_plan.ahead:
            return False
        calm = at < window.steady
        if not calm and (began != at or self._made_late(at)):
            return False
        lost = self._lost(batch)
        rest = None if lost is None else self._rest(batch, source, received)
        if rest is None or (ExposureTallied in batch.data and not self._has_room(window, batch.data[ExposureTallied])):
            return False
        counted = sum([len(run) for kind, run in batch.by_type.items() if self._kinds[kind].counts])
        if window.quiet < counted:
            window.quiet = self._quiet(window, counted)
            if window.quiet < counted:
                return False
        window.quiet -= counted
        source.high, source.heard = batch.last, at
        source.newest = max(source.newest, millis(batch.newest))
        keep = seen_kept(len(self._pilot.sources))
        source.seen.add(batch.events, keep, batch.later(keep) if self._recent.heard(source.seen) else None)
        self._fold(batch, window, received, calm, out)
        if lost:
            self._astray(batch, lost, received, out)
        self._statements(batch, source)
        self._permit(batch, at, out)
        for _, stream, watch, index, slot in sorted(rest, key=lambda placed: placed[0]):  # sums depend on their order
            if index < stream.next:
                stream.stock += slot.stock
            else:
                add(stream, watch.grid, index, slot)
        return True

    # ---- whether a batch is ordinary

    def _rest(self, batch: EventBatch, source: Source, received: Sequence[int]) -> Placed | None:
        """Where what has slots only goes; `None` when an event is not ordinary by itself, or might raise the evidence of a
        closed period."""
        model, rest = self._known_model(), []
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
            for watch, names in kind.rest:
                for event in run:
                    place = int(event.sequence) - batch.first
                    for slot in watch.implementation.slots(event, received[place]):
                        stream, index = self._pilot.streams[names[slot.segment]], watch.grid.index(slot.at)
                        if index < stream.next and slot.k > 0 and watch.observes is Count:
                            return None
                        rest.append((place, stream, watch, index, slot))
        if source.offset is None and any(d.exposure > 0 for d in batch.data.get(Heartbeat, ())):
            return None  # the first counter that is stated sets what is counted from
        return rest

    def _lost(self, batch: EventBatch) -> Lost | None:
        """Labels that count nowhere; `None` when one of them has yet to be named. Labels that are spelt otherwise than they are
        compared are changed in the batch."""
        lost: Lost = {}
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
                    lost[kind_of, label] = found
        return lost

    def _window(self, time: datetime) -> Window | None:
        windows = self._windows
        if windows and windows[0].start <= time < windows[0].end and not self._rests:
            return windows[0]
        if not self._first <= time < self._last:
            return None
        if self._rests:
            self._due = {w.name: Due(self._pilot, w) for w in self._pilot_plan.by_due}
            self._rests = False
        if windows and windows[0].start <= time < windows[0].end:
            window = windows[0]
        else:
            if len(windows) > 1 and windows[1].start <= time < windows[1].end:
                window = windows[1]
            else:
                window = Window(self._pilot_plan.frame(time), self._first, self._last)
            window.quiet = 0  # evidence looks at all open periods, and others were counted in meanwhile
            self._windows = [window, *windows[:1]]
        if not window.opened:
            indexes = window.frame.indexes
            window.opened = {w.name: Opened(self._pilot, w, indexes[w.name]) for w in self._pilot_plan.by_time}
        return window

    def _receiving(self, began: int, at: int) -> bool:
        """Whether the indicators that go by the time of reception have one period open for all of it."""
        by_received = self._pilot_plan.by_received
        if not by_received:
            return True
        if not self._received_from <= at < self._received_to:
            self._received = {w.name: Opened(self._pilot, w, w.grid.index(at)) for w, _ in by_received}
            indexes = [(w, self._received[w.name].index) for w, _ in by_received]
            if any(i < self._pilot.streams[stream_key(w, w.segments[0])].next for w, i in indexes):
                return False
            self._received_from = max(w.grid.start(i) for w, i in indexes)
            self._received_to = min(w.grid.start(i + 1) for w, i in indexes)
        return began >= self._received_from

    def _made_late(self, at: int) -> bool:
        """Whether what is late may be so because we were away."""
        if self._pilot.outage is None:
            return False
        since, until = self._pilot.outage
        return bool(self._pilot_plan.by_received) and at <= 2 * until - since

    def _known_model(self) -> str | None:
        """The model serving, unless there is something to be said of it."""
        pilot, plan = self._pilot, self._plan
        known = plan.any_model or pilot.model in plan.models or UNREGISTERED_MODEL in pilot.standing.active
        return pilot.model if known else None

    def _has_room(self, window: Window, tallies: Sequence[Any]) -> bool:
        """Whether exposure stays below every cap with all these tallies: a little less, as sums are rounded."""
        room: dict[str, float] = {}
        streams, indexes = self._pilot.streams, window.frame.indexes
        for watch, names in self._pilot_plan.capped:
            assert watch.unit is not None
            index, unit = indexes[watch.name], watch.unit
            most = max([opened.m for name in names if (opened := streams[name].open.get(index))], default=0.0)
            left = cast(float, watch.cap) * (1 - 1e-9) - most
            room[unit] = min(left, room.get(unit, left))
        total = sum([d.amount for d in tallies])
        return all(
            left > total or left > sum([d.amount for d in tallies if d.unit == unit]) for unit, left in room.items()
        )

    def _quiet(self, window: Window, least: int) -> int:
        """How many events may be counted before a detector could speak, at least `least` if that many may: else 0."""
        most = 0
        for step in (least, *(step for step in STEPS if step > least)):
            for watch, names in self._pilot_plan.counted:
                index = window.frame.indexes[watch.name]
                if not all(peek_stays_quiet(self._pilot.streams[name], index, step, watch) for name in names):
                    return most
            most = step
        return most

    # ---- what a batch does

    def _fold(self, batch: EventBatch, window: Window, received: Sequence[int], calm: bool, out: Outputs) -> None:
        """Add all to the open periods, and note what was heard."""
        heard, at = dict[str, int](), received[-1]
        for kind_of, run in batch.by_type.items():
            kind, data = self._kinds[kind_of], batch.data[kind_of]
            for name, fold in kind.folds:
                fold(run, data, at, calm, window.opened[name])
            if kind_of is IncidentReported:
                self._count_once(kind.once, cast(Sequence[IncidentReported], run), at, out)
            for name, fold in kind.dues:
                fold(run, data, at, calm, self._due[name])
            if kind.silences:
                last = received[int(run[-1].sequence) - batch.first]
                for name in kind.silences:
                    heard[name] = max(heard.get(name, 0), last)
        self._pilot.heard.update(heard)
        for watch, folding in self._pilot_plan.by_received:
            reads = watch.implementation.reads
            events = [event for kind_of, run in batch.by_type.items() if kind_of in reads for event in run]
            if events:
                folding.fold(events, (), at, calm, self._received[watch.name])

    def _astray(self, batch: EventBatch, lost: Lost, received: Sequence[int], out: Outputs) -> None:
        """Count what counts nowhere, and note when the last of it came."""
        memory = self._pilot.uncounted
        for kind in {kind for kind, _ in lost}:
            getter = LABEL_OF[kind]
            for event, data in zip(batch.by_type[kind], batch.data[kind], strict=True):
                found = lost.get((kind, getter(data)))
                if found is not None:
                    out.uncount(found.field)
                    memory.last = max(memory.last or 0, received[int(event.sequence) - batch.first])

    def _count_once(
        self, once: Sequence[CompiledIndicator], run: Sequence[IncidentReported], at: int, out: Outputs
    ) -> None:
        """Count each incident once under each indicator, and remember its id."""
        for event in run:
            seen = incident_report(self._pilot.incidents, self._plan.once, event)
            for watch in once:
                for slot in () if seen.counted(watch) else watch.implementation.slots(event, at):
                    if slot.k > 0:
                        seen.count(watch)
                    add(
                        self._pilot.streams[stream_key(watch, slot.segment)],
                        watch.grid,
                        watch.grid.index(slot.at),
                        slot,
                    )
            seen.remember(out)

    def _statements(self, batch: EventBatch, source: Source) -> None:
        """What tallies and heartbeats say of the exposure that is known: of the tallies only the sum and the latest matter."""
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

    def _permit(self, batch: EventBatch, at: int, out: Outputs) -> None:
        """The last heartbeat is answered; an older answer grants no more than it."""
        beats = batch.by_type.get(Heartbeat)
        if beats is not None:
            grant_permit(
                DecisionContext(self._pilot, self._plan, at, beats[-1], out, self._epoch), cast(Heartbeat, beats[-1])
            )
