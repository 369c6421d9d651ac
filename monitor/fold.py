"""Fold: a batch of ordinary events goes into the open periods at once, with the same result as one by one.

Nearly every event is ordinary: the next of its source, of a period that is open, under the model that is known, and too
small for any detector, cap or rule to speak. `Folder.take` takes a batch if that is true of all its events, else nothing
of it; what it does not take is halved, and in the end goes the long way through `monitor/observe.py`. In doubt an event
is not ordinary, so that what is decided is decided in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias, cast

from detectors.base import Count
from monitor.batch import Batch
from monitor.case import Case
from monitor.counters import mark_all
from monitor.detect import quiet_with
from monitor.indicators.base import Folding, Open, Receiving, Slot
from monitor.model import Outputs
from monitor.obey import permit
from monitor.observe import FOREIGN, add, breaks
from monitor.plan import Plan, Watch
from monitor.state import Pilot, Source, Stream, key
from monitor.telemetry import (
    EPOCH,
    ComplaintFiled,
    ComplaintResolved,
    ComplaintWithdrawn,
    CostReported,
    Envelope,
    ExposureTallied,
    GainReported,
    Heartbeat,
    IncidentReported,
    OutcomesTallied,
    millis,
)

LAST_MS = 253_370_764_800_000  # 9999-01-01: about as far as a datetime goes
STEPS = (4, 64, 1024)  # events that may be counted before the detectors are asked again, tried in this order

Fits: TypeAlias = Callable[[Any], bool]
Placed: TypeAlias = list[tuple[int, Stream, Watch, int, Slot]]  # by place in the batch


class Opened(dict[str, Open]):
    """The open period of one indicator by segment, made in the pilot's state when it is first touched."""

    def __init__(self, pilot: Pilot, watch: Watch, index: int) -> None:
        super().__init__()
        self._pilot, self._watch, self.index = pilot, watch, index

    def __missing__(self, segment: str) -> Open:
        periods = self._pilot.streams[key(self._watch, segment)].open
        opened = self[segment] = periods.setdefault(self.index, Open())
        return opened


class Due(dict[tuple[str, int], Open | None]):
    """Periods of one indicator by segment and index; `None` for those that are closed."""

    def __init__(self, pilot: Pilot, watch: Watch) -> None:
        super().__init__()
        self._streams = {segment: pilot.streams[key(watch, segment)] for segment in watch.segments}

    def __missing__(self, place: tuple[str, int]) -> Open | None:
        segment, index = place
        stream = self._streams[segment]
        opened = None if index < stream.next else stream.open.setdefault(index, Open())
        if opened is not None:
            self[place] = opened
        return opened


class Window:
    """A stretch of event time, [start, end), in which no indicator changes its period, and what is open in it."""

    def __init__(self, pilot: Pilot, watches: Sequence[Watch], at: int, first: datetime, last: datetime) -> None:
        self.opened = {watch.name: Opened(pilot, watch, watch.grid.index(at)) for watch in watches}
        edges = [(w.grid.start(i := self.opened[w.name].index), w.grid.start(i + 1)) for w in watches]
        self.start = max([first, *(_instant(start) for start, _ in edges)])
        self.end = min([last, *(_instant(end) for _, end in edges)])
        self.steady = LAST_MS  # until when (ms, excluded) of reception nothing in it is late
        self.quiet = 0  # events that may yet be counted before a detector could speak


class Kind:
    """What becomes of the ordinary events of one type: `folds` by indicator, `rest` of the indicators that only have slots."""

    def __init__(self, pilot: Pilot, plan: Plan, kind: type[Envelope], fits: list[Fits]) -> None:
        watches = plan.by_type.get(kind, ())
        folding = [(w, fold) for w in watches if (fold := _folding(w)) is not None]
        self.folds = [(w.name, fold.fold) for w, fold in folding if fold.placed_by == "time"]
        self.dues = [(w.name, fold.fold) for w, fold in folding if fold.placed_by == "due"]
        self.rest = [(w, {s: pilot.streams[key(w, s)] for s in w.segments}) for w in watches if _folding(w) is None]
        self.silences = [w.name for w in plan.silences.get(kind, ())]
        self.fits = fits
        self.counts = kind is not ExposureTallied and any(w.provisional for w, _ in folding)


class Folder:
    """Takes batches of ordinary events of one pilot.

    To be thrown away when a timer fires or an act takes effect, and told (`disturbed`) when an event went the long way.
    """

    def __init__(self, pilot: Pilot, plan: Plan, epoch: int) -> None:
        self._pilot, self._plan, self._epoch = pilot, plan, epoch
        watches = [w for w in plan.watches if w.silence is None]
        self._silences = [w.name for w in plan.watches if w.silence is not None]
        folding = [(w, fold) for w in watches if (fold := _folding(w)) is not None]
        self._by_time = [w for w, fold in folding if fold.placed_by == "time"]
        self._by_received = [(w, fold) for w, fold in folding if fold.placed_by == "received"]
        self._capped = [(w, [pilot.streams[key(w, s)] for s in w.segments]) for w in self._by_time if w.cap is not None]
        self._counted = [(w, streams) for w, streams in self._capped if w.provisional]
        fits: dict[type[Envelope], list[Fits]] = {
            ComplaintFiled: [],
            ComplaintResolved: [self._was_open],
            ComplaintWithdrawn: [self._was_open],
            CostReported: [],
            ExposureTallied: [] if plan.user_cap is None else [self._within_user_cap],
            GainReported: [],
            Heartbeat: [],
            IncidentReported: [self._breaks_no_rule],
            OutcomesTallied: [],
        }
        kinds = {kind: Kind(pilot, plan, kind, tests) for kind, tests in fits.items()}
        # Only a fold promises how little an event can add to what has a cap.
        self._kinds = {t: kind for t, kind in kinds.items() if all(w.cap is None for w, _ in kind.rest)}
        nexts = [w.grid.start(pilot.streams[key(w, s)].next) for w in self._by_time for s in w.segments]
        self._first = _instant(max([pilot.admitted, plan.cycle[0], *nexts]))
        self._last = _instant(plan.cycle[1])
        self._admitted = _instant(pilot.admitted)
        self._windows: list[Window] = []
        self._due = {w.name: Due(pilot, w) for w, fold in folding if fold.placed_by == "due"}
        self._received: dict[str, Opened] = {}
        self._received_from = self._received_to = 0

    def disturbed(self) -> None:
        """An event went the long way: what the detectors were asked holds no longer."""
        for window in self._windows:
            window.quiet = 0

    @property
    def idle(self) -> bool:
        """Whether no event is ordinary now: each may end a silence, or go against a command to stand still."""
        standing = self._pilot.standing
        unknown = standing.unknown
        return standing.order.stops or (bool(unknown) and any(f"{name}/" in unknown for name in self._silences))

    def take(self, batch: Batch, received: Sequence[int], out: Outputs) -> bool:
        """Take a batch if all its events are ordinary, else none of it. `received` (ms, clipped) is when each was."""
        began, at = received[0], received[-1]
        source = self._pilot.sources.get(batch.source)
        if source is None or batch.first != source.high + 1 or self.idle:
            return False
        window = self._window(batch.oldest)
        if window is None or batch.newest >= window.end or not self._receiving(began, at):
            return False
        calm = at < window.steady
        if began != at and not calm:
            return False
        rest = self._rest(batch, source, received)
        if rest is None or (ExposureTallied in batch.data and not self._has_room(window, batch.data[ExposureTallied])):
            return False
        counted = sum([len(run) for kind, run in batch.by_type.items() if self._kinds[kind].counts])
        if window.quiet < counted:
            window.quiet = self._quiet(window)
            if window.quiet < counted:
                return False
        window.quiet -= counted
        source.high, source.heard = batch.last, at
        self._fold(batch, window, received, calm)
        self._statements(batch, source)
        self._permit(batch, at, out)
        for _, stream, watch, index, slot in sorted(rest, key=lambda placed: placed[0]):  # sums depend on their order
            if index < stream.next:
                stream.stock += slot.stock
            else:
                add(stream, watch.grid, index, slot)
        return True

    # ---- whether a batch is ordinary

    def _rest(self, batch: Batch, source: Source, received: Sequence[int]) -> Placed | None:
        """Where what has slots only goes; `None` when an event is not ordinary by itself, or might raise the evidence of a
        closed period."""
        model, rest = self._known_model(), []
        for kind_of, run in batch.by_type.items():
            kind = self._kinds.get(kind_of)
            if kind is None:
                return None
            data = batch.data[kind_of]
            if [d.model for d in data].count(model) != len(run) and not {d.model for d in data} <= {"", model}:
                return None
            for fits in kind.fits:
                if not fits(run):
                    return None
            for watch, streams in kind.rest:
                for event in run:
                    place = int(event.sequence) - batch.first
                    for slot in watch.indicator.slots(event, received[place]):
                        stream, index = streams[slot.segment], watch.grid.index(slot.at)
                        if index < stream.next and slot.k > 0 and watch.observes is Count:
                            return None
                        rest.append((place, stream, watch, index, slot))
        if source.offset < 0 and any(d.exposure > 0 for d in batch.data.get(Heartbeat, ())):
            return None  # the first counter that is stated sets what is counted from
        return rest

    def _window(self, time: datetime) -> Window | None:
        windows = self._windows
        if windows and windows[0].start <= time < windows[0].end:
            return windows[0]
        if not self._first <= time < self._last:
            return None
        if len(windows) > 1 and windows[1].start <= time < windows[1].end:
            window = windows[1]
        else:
            window = Window(self._pilot, self._by_time, millis(time), self._first, self._last)
            since = millis(window.start)
            window.steady = min([cast(Receiving, w.indicator).steady(since) for w, _ in self._by_received] or [LAST_MS])
        window.quiet = 0  # evidence looks at all open periods, and others were counted in meanwhile
        self._windows = [window, *windows[:1]]
        return window

    def _receiving(self, began: int, at: int) -> bool:
        """Whether the indicators that go by the time of reception have one period open for all of it."""
        if not self._by_received:
            return True
        if not self._received_from <= at < self._received_to:
            self._received = {w.name: Opened(self._pilot, w, w.grid.index(at)) for w, _ in self._by_received}
            indexes = [(w, self._received[w.name].index) for w, _ in self._by_received]
            if any(i < self._pilot.streams[key(w, s)].next for w, i in indexes for s in w.segments):
                return False
            self._received_from = max(w.grid.start(i) for w, i in indexes)
            self._received_to = min(w.grid.start(i + 1) for w, i in indexes)
        return began >= self._received_from

    def _known_model(self) -> str | None:
        """The model serving, unless there is something to be said of it."""
        pilot, plan = self._pilot, self._plan
        known = plan.any_model or pilot.model in plan.models or FOREIGN in pilot.standing.active
        return pilot.model if known else None

    def _was_open(self, run: Sequence[ComplaintResolved | ComplaintWithdrawn]) -> bool:
        return min([event.data.filed for event in run]) >= self._admitted

    def _breaks_no_rule(self, run: Sequence[IncidentReported]) -> bool:
        return not any(breaks(rule, event) for rule in self._plan.charter.hard_rules for event in run)

    def _within_user_cap(self, run: Sequence[ExposureTallied]) -> bool:
        cap = self._plan.user_cap
        return cap is None or all(event.data.unit != "users" or event.data.amount <= cap for event in run)

    def _has_room(self, window: Window, tallies: Sequence[Any]) -> bool:
        """Whether exposure stays below every cap with all these tallies: a little less, as sums are rounded."""
        room: dict[str, float] = {}
        for watch, streams in self._capped:
            assert watch.spec.exposure is not None
            index, unit = window.opened[watch.name].index, watch.spec.exposure.unit
            most = max([opened.m for stream in streams if (opened := stream.open.get(index))], default=0.0)
            left = cast(float, watch.cap) * (1 - 1e-9) - most
            room[unit] = min(left, room.get(unit, left))
        total = sum([d.amount for d in tallies])
        return all(
            left > total or left > sum([d.amount for d in tallies if d.unit == unit]) for unit, left in room.items()
        )

    def _quiet(self, window: Window) -> int:
        """How many events may be counted before a detector could speak."""
        most = 0
        for step in STEPS:
            for watch, streams in self._counted:
                index = window.opened[watch.name].index
                if not all(quiet_with(stream, index, step, watch) for stream in streams):
                    return most
            most = step
        return most

    # ---- what a batch does

    def _fold(self, batch: Batch, window: Window, received: Sequence[int], calm: bool) -> None:
        """Add all to the open periods, and note what was heard."""
        heard, at = dict[str, int](), received[-1]
        for kind_of, run in batch.by_type.items():
            kind, data = self._kinds[kind_of], batch.data[kind_of]
            for name, fold in kind.folds:
                fold(run, data, at, calm, window.opened[name])
            for name, fold in kind.dues:
                fold(run, data, at, calm, self._due[name])
            if kind.silences:
                last = received[int(run[-1].sequence) - batch.first]
                for name in kind.silences:
                    heard[name] = max(heard.get(name, 0), last)
        self._pilot.heard.update(heard)
        for watch, folding in self._by_received:
            reads = watch.indicator.reads
            events = [event for kind_of, run in batch.by_type.items() if kind_of in reads for event in run]
            if events:
                folding.fold(events, (), at, calm, self._received[watch.name])

    def _statements(self, batch: Batch, source: Source) -> None:
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
            mark_all(source, cast(Sequence[Heartbeat], beats))

    def _permit(self, batch: Batch, at: int, out: Outputs) -> None:
        """The last heartbeat is answered; an older answer grants no more than it."""
        beats = batch.by_type.get(Heartbeat)
        if beats is not None:
            permit(Case(self._pilot, self._plan, at, beats[-1], out, self._epoch), cast(Heartbeat, beats[-1]))


def _folding(watch: Watch) -> Folding | None:
    """The indicator's fold. A cap on exposure is only for what counts over exposure: else no fold says how little is added."""
    fits = watch.cap is None or watch.observes is not Count or ExposureTallied in watch.indicator.reads
    return cast(Folding, watch.indicator) if fits and hasattr(watch.indicator, "fold") else None


def _instant(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=min(max(ms, 0), LAST_MS))
