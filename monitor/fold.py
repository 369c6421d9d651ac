"""Fold: a run of ordinary events goes into the open periods at once, with the same result as one by one.

Nearly every event is ordinary: the next of its source, of a period that is open, under the model that is known, and too
small for any detector, cap or rule to speak. `Folder.take` takes as many such events as come in a row and stops before
the first that might be more; that one goes the long way through `monitor/observe.py`. In doubt an event is not ordinary,
so that what is decided is decided in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias, cast

from monitor.case import Case
from monitor.counters import mark
from monitor.detect import quiet_with
from monitor.indicators.base import Folding, Open
from monitor.model import Outputs
from monitor.observe import FOREIGN, add, breaks, place
from monitor.plan import Plan, Watch
from monitor.state import Pilot, Source, key
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


class Opened(dict[str, Open]):
    """The open period of one indicator by segment, made in the pilot's state when it is first touched."""

    def __init__(self, pilot: Pilot, watch: Watch, index: int) -> None:
        super().__init__()
        self._pilot, self._watch, self.index = pilot, watch, index

    def __missing__(self, segment: str) -> Open:
        periods = self._pilot.streams[key(self._watch, segment)].open
        opened = self[segment] = periods.setdefault(self.index, Open())
        return opened


class Window:
    """A stretch of event time, [start, end), in which no indicator changes its period, and what is open in it."""

    def __init__(self, pilot: Pilot, watches: Sequence[Watch], at: int) -> None:
        self.opened = {watch.name: Opened(pilot, watch, watch.grid.index(at)) for watch in watches}
        edges = [(w.grid.start(i := self.opened[w.name].index), w.grid.start(i + 1)) for w in watches]
        self.start = _instant(max((start for start, _ in edges), default=0))
        self.end = _instant(min((end for _, end in edges), default=LAST_MS))
        self.quiet = 0  # events that may yet be counted before a detector could speak
        self.crowded = False  # a cap on exposure is near


class Kind:
    """What becomes of the ordinary events of one type: `folds` by indicator, `rest` of the indicators that only have slots."""

    def __init__(self, pilot: Pilot, plan: Plan, kind: type[Envelope], fits: list[Fits]) -> None:
        watches = plan.by_type.get(kind, ())
        self.folds = [(w.name, fold.fold) for w in watches if (fold := _folding(w)) is not None]
        self.rest = [(w, {s: pilot.streams[key(w, s)] for s in w.segments}) for w in watches if _folding(w) is None]
        self.silences = [w.name for w in plan.silences.get(kind, ())]
        self.fits = fits
        self.run: list[Envelope] = []


class Folder:
    """Takes runs of ordinary events of one pilot.

    To be thrown away when a timer fires or an act takes effect, and told (`disturbed`) when an event went the long way.
    """

    def __init__(self, pilot: Pilot, plan: Plan, epoch: int) -> None:
        self._pilot, self._plan, self._epoch = pilot, plan, epoch
        watches = [w for w in plan.watches if w.gap is None]
        folding = [(w, fold) for w in watches if (fold := _folding(w)) is not None]
        self._by_time = [w for w, fold in folding if fold.placed_by == "time"]
        self._by_received = [w for w, fold in folding if fold.placed_by == "received"]
        self._capped = [w for w in self._by_time if w.cap is not None]
        self._counted = [w for w in self._by_time if w.provisional]
        fits: dict[type[Envelope], list[Fits]] = {
            ComplaintFiled: [],
            ComplaintResolved: [self._was_open],
            ComplaintWithdrawn: [self._was_open],
            CostReported: [],
            ExposureTallied: [] if plan.user_cap is None else [self._within_caps],
            GainReported: [],
            Heartbeat: [self._states_nothing_new],
            IncidentReported: [self._breaks_no_rule],
            OutcomesTallied: [],
        }
        for kind in {kind for watch in self._counted for kind in watch.indicator.reads} - {ExposureTallied}:
            if kind in fits:
                fits[kind].append(self._counts)
        kinds = {kind: Kind(pilot, plan, kind, tests) for kind, tests in fits.items()}
        # Only a fold promises how little an event can add to what has a cap.
        self._kinds = {t: kind for t, kind in kinds.items() if all(w.cap is None for w, _ in kind.rest)}
        nexts = [w.grid.start(pilot.streams[key(w, s)].next) for w in self._by_time for s in w.segments]
        self._first = _instant(max([pilot.admitted, plan.cycle[0], *nexts]))
        self._last = _instant(plan.cycle[1])
        self._admitted = _instant(pilot.admitted)
        self._windows: list[Window] = []
        self._received: dict[str, Opened] = {}
        self._received_from = self._received_to = 0
        self._room: dict[str, float] = {}
        self._counting = False

    def disturbed(self) -> None:
        """An event went the long way: what the detectors were asked holds no longer."""
        for window in self._windows:
            window.quiet = 0

    def take(self, events: Sequence[Envelope], first: int, at: int, out: Outputs) -> int:
        """Take a run of ordinary events of the pilot from `events[first]` on, received at `at` (ms, clipped); returns where
        it ends."""
        source, window = self._pilot.sources.get(events[first].source), self._window(events[first].time)
        if source is None or window is None or self._silent() or not self._receiving(at):
            return first
        rest = self._run(events, first, source, window)
        if not window.crowded and not self._has_room(window):
            window.crowded = True
            self._kinds[ExposureTallied].fits = [self._within_caps]  # from here on each tally is looked at
            self._forget(window)
            rest = self._run(events, first, source, window)
        taken = sum([len(kind.run) for kind in self._kinds.values()])
        if taken:
            source.high, source.heard = source.high + taken, at
            self._count(source)
            self._fold(window, at)
            self._place(rest, at, out)
        return first + taken

    def _run(
        self, events: Sequence[Envelope], first: int, source: Source, window: Window
    ) -> list[tuple[Envelope, Kind]]:
        """Sort the run into its kinds, and return besides, in order, the events that have a rest; changes nothing yet."""
        pilot, kinds, rest = self._pilot, self._kinds, []
        name, subject, model, expected = events[first].source, pilot.id, self._known_model(), source.high
        start, end = window.start, window.end
        self._counting, self._room = False, self._room_in(window) if window.crowded else {}
        for event in events[first:] if first else events:
            expected += 1
            kind = kinds.get(type(event))
            if (
                kind is None
                or int(event.sequence) != expected
                or not start <= event.time < end
                or event.source != name
                or event.subject != subject
                or ((serving := event.data.model) != model and serving)  # type: ignore[attr-defined]
                or (kind.fits and not all(fits(event) for fits in kind.fits))
            ):
                break
            kind.run.append(event)
            if kind.rest:
                rest.append((event, kind))
        return rest

    def _forget(self, window: Window) -> None:
        window.quiet = 0
        for kind in self._kinds.values():
            kind.run = []

    # ---- what a run does

    def _count(self, source: Source) -> None:
        """What tallies and heartbeats say of the exposure that is known: of the tallies only the sum and the latest matter."""
        tallies = self._kinds[ExposureTallied].run if ExposureTallied in self._kinds else []
        if tallies:
            tallied = source.tallied
            for event in tallies:
                tallied += event.data.amount  # type: ignore[attr-defined]
            source.tallied = tallied
            source.latest = max(source.latest, millis(max([event.time for event in tallies])))
        for event in self._kinds[Heartbeat].run if Heartbeat in self._kinds else []:
            beat = event.data  # type: ignore[attr-defined]
            mark(source, millis(event.time), beat.exposure, beat.serving)

    def _fold(self, window: Window, at: int) -> None:
        for kind in self._kinds.values():
            if kind.run:
                for name, fold in kind.folds:
                    opened = window.opened.get(name)
                    fold(kind.run, at, window.start, self._received[name] if opened is None else opened)
                for name in kind.silences:
                    self._pilot.heard[name] = at
                kind.run = []

    def _place(self, rest: list[tuple[Envelope, Kind]], at: int, out: Outputs) -> None:
        """What has slots only is placed one by one, in order; into a closed period by the long way."""
        for event, kind in rest:
            for watch, streams in kind.rest:
                for slot in watch.indicator.slots(event, at):
                    stream, index = streams[slot.segment], watch.grid.index(slot.at)
                    if index >= stream.next:
                        add(stream, watch.grid, index, slot)
                    else:
                        place(Case(self._pilot, self._plan, at, event, out, self._epoch), watch, slot)

    # ---- where a run may be

    def _window(self, time: datetime) -> Window | None:
        if not self._first <= time < self._last:
            return None
        for window in self._windows:
            if window.start <= time < window.end:
                break
        else:
            window = Window(self._pilot, self._by_time, millis(time))
        if not self._windows or window is not self._windows[0]:
            window.quiet = 0  # evidence looks at all open periods, and others were counted in meanwhile
            self._windows = [window, *self._windows[:1]] if window not in self._windows else self._windows[::-1]
        return window

    def _receiving(self, at: int) -> bool:
        """Whether the indicators that go by the time of reception have that period open."""
        if not self._by_received:
            return True
        if not self._received_from <= at < self._received_to:
            self._received = {w.name: Opened(self._pilot, w, w.grid.index(at)) for w in self._by_received}
            edges = [(w.grid.start(i := self._received[w.name].index), w.grid.start(i + 1)) for w in self._by_received]
            self._received_from = max(start for start, _ in edges)
            self._received_to = min(end for _, end in edges)
        return all(
            self._received[w.name].index >= self._pilot.streams[key(w, s)].next
            for w in self._by_received
            for s in w.segments
        )

    def _silent(self) -> bool:
        unknown = self._pilot.standing.unknown
        return bool(unknown) and any(f"{name}/" in unknown for name in self._plan.silence_after)

    # ---- what is too small to matter

    def _known_model(self) -> str | None:
        """The model serving, unless there is something to be said of it."""
        pilot, plan = self._pilot, self._plan
        known = plan.any_model or pilot.model in plan.models or FOREIGN in pilot.standing.active
        return pilot.model if known else None

    def _states_nothing_new(self, event: Heartbeat) -> bool:
        """Whether its counter can be compared already: the first one sets what is counted from."""
        return self._pilot.sources[event.source].offset >= 0 or event.data.exposure <= 0

    def _counts(self, event: Envelope) -> bool:
        """Whether one more counted event leaves every detector quiet."""
        if not self._counted:
            return True
        window = self._windows[0]
        if not window.quiet:
            if self._counting:
                return False  # those before it must be in their periods before the detectors can be asked
            window.quiet = self._quiet(window)
        self._counting = True
        window.quiet -= 1
        return window.quiet >= 0

    def _quiet(self, window: Window) -> int:
        most = 0
        for step in STEPS:
            for watch in self._counted:
                index = window.opened[watch.name].index
                if not all(quiet_with(self._pilot.streams[key(watch, s)], index, step, watch) for s in watch.segments):
                    return most
            most = step
        return most

    def _was_open(self, event: ComplaintResolved | ComplaintWithdrawn) -> bool:
        return event.data.filed >= self._admitted

    def _breaks_no_rule(self, event: IncidentReported) -> bool:
        return not any(breaks(rule, event) for rule in self._plan.charter.hard_rules)

    def _within_caps(self, event: ExposureTallied) -> bool:
        """Whether exposure stays below every cap with this tally too."""
        data, room, crowded = event.data, self._room, self._windows[0].crowded
        if data.unit == "users" and self._plan.user_cap is not None and data.amount > self._plan.user_cap:
            return False
        if crowded and data.unit in room:
            room[data.unit] -= data.amount
            return room[data.unit] > 0
        return True

    def _has_room(self, window: Window) -> bool:
        """Whether exposure stays below every cap with all tallies of the run."""
        run = self._kinds[ExposureTallied].run if ExposureTallied in self._kinds else []
        return not run or all(
            left > sum([event.data.amount for event in run if event.data.unit == unit])  # type: ignore[attr-defined]
            for unit, left in self._room_in(window).items()
        )

    def _room_in(self, window: Window) -> dict[str, float]:
        """What may come in each unit before the first cap, a little less: sums are rounded."""
        room: dict[str, float] = {}
        for watch in self._capped:
            spec, cap, index = watch.spec.exposure, cast(float, watch.cap), window.opened[watch.name].index
            assert spec is not None
            for segment in watch.segments:
                opened = self._pilot.streams[key(watch, segment)].open.get(index)
                left = cap * (1 - 1e-9) - (opened.m if opened else 0.0)
                room[spec.unit] = min(left, room.get(spec.unit, left))
        return room


def _folding(watch: Watch) -> Folding | None:
    return cast(Folding, watch.indicator) if hasattr(watch.indicator, "fold") else None


def _instant(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=min(max(ms, 0), LAST_MS))
