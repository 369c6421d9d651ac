"""Skips empty periods in one step, where closing them one by one would give the same state. Pure.

A cycle that began early, short periods, a firm that sends nothing: each gives millions of periods without an event, and
closing one costs as much as closing a period with events. Most of them decide nothing and change only the number of the
next period. Those that are evidence (the charter's cap replaces an unknown exposure; a complaint stays open) move
detectors by equal observations (`detectors/repeat.py`).

Where the result is not certain, nothing is skipped, and `monitor.detect.periods.close` closes each period.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from detectors import NEEDS_COMPLETE
from detectors.base import Detector, Observation
from detectors.repeat import repeated
from monitor.compile.plan import CompiledIndicator, stream_key
from monitor.decide import granted_dispersion
from monitor.detect import learnt_baseline
from monitor.detect.periods import TELEMETRY_LOST_KEY, forget_closed_gaps, observation_of, owes_no_data
from monitor.indicators.base import OpenPeriod
from monitor.model.records import Level
from monitor.state.exposure import exposure_unknown
from monitor.state.late import LATE_KEY
from monitor.state.pilot import PilotState, Stream, shared_tuple
from monitor.state.sequences import conflicted_since, gaps_since
from monitor.state.standing import Standing
from monitor.state.tally import Tally
from monitor.state.timers import next_timer, timers
from monitor.state.uncounted import UNCOUNTED_KEY

LEAST_PERIODS = 32  # fewer periods are not worth skipping
LONGEST_WAIT = 4_096  # periods closed between two attempts, at most
EmptyPeriods: TypeAlias = dict[str, list[tuple[Stream, Observation | None, bool]]]  # whether it is partial


class Tries:
    """When to search for empty periods while periods close one by one: after one period of each of the pilot's
    indicators, then with exponential backoff while none are found, so that the search costs little."""

    __slots__ = ("_left", "_wait", "_watches")

    def __init__(self, indicators: int) -> None:
        self._watches = self._wait = self._left = max(indicators, 1)

    def closed(self, look: Callable[[], bool]) -> None:
        """A period was closed: call `look` if it is time; it returns whether periods were skipped."""
        self._left -= 1
        if self._left <= 0:
            self._wait = self._watches if look() else min(2 * self._wait, LONGEST_WAIT)
            self._left = self._wait


def leap(pilot: PilotState, before: int, evidence: bool) -> int:
    """Skip empty periods that close before `before` (ms). Returns how many; 0 = none, the caller closes the next one.

    `evidence`: every period that is an observation emits evidence, so none of these is skipped. Call it only when the
    pilot's next timer closes a period.
    """
    plan = pilot.plan
    stop = min([before, *(due for due, kind, _ in timers(pilot) if kind != "close")])
    void: EmptyPeriods = {}
    for indicator in plan.closes:
        streams = [pilot.streams[stream_key(indicator, segment)] for segment in indicator.segments]
        index = streams[0].next
        filled = [min(stream.open) for stream in streams if stream.open]
        found = None if index in filled else _empty_periods(pilot, indicator, streams, index, evidence)
        if found is None:
            filled.append(index)
        else:
            void[indicator.name] = found
        if filled:
            stop = min(stop, indicator.closes(min(filled)))
    now = next_timer(pilot)[0]
    while True:
        counts = {name: _closing_before(plan.indicator(name), found[0][0].next, stop) for name, found in void.items()}
        if sum(counts.values()) < LEAST_PERIODS:
            return 0
        moved = _moved(void, counts)
        if moved is not None:
            break
        stop = now + (stop - now) // 16  # a detector may alarm before `stop`: try a shorter stretch
    for stream, detectors in moved:
        stream.detectors = detectors
    for name, count in counts.items():
        if count:
            _pass(pilot, plan.indicator(name), void[name], count)
    forget_closed_gaps(pilot)
    return sum(counts.values())


def _moved(void: EmptyPeriods, counts: dict[str, int]) -> list[tuple[Stream, list[Detector]]] | None:
    """The detectors after so many empty periods of each indicator; `None` where that cannot be computed."""
    moved = []
    for name, count in counts.items():
        for stream, observation, partial in void[name]:
            if observation is None or not count:
                continue
            detectors = [
                detector if partial and isinstance(detector, NEEDS_COMPLETE) else repeated(detector, observation, count)
                for detector in stream.detectors
            ]
            known = [detector for detector in detectors if detector is not None]
            if len(known) < len(detectors) or any(_reports(detector) for detector in known):
                return None
            moved.append((stream, known))
    return moved


def _reports(detector: Detector) -> bool:
    return learnt_baseline.needs_report(detector) or granted_dispersion.needs_report(detector)


def _pass(
    pilot: PilotState, indicator: CompiledIndicator, found: list[tuple[Stream, Observation | None, bool]], count: int
) -> None:
    window = indicator.spec.late_window
    for stream, observation, partial in found:
        index = stream.next
        if observation is not None:
            if stream.tally is None:
                stream.tally = Tally(index)
            stream.tally.add_empty(index, observation, partial, count)
            last = range(max(index, index + count - window), index + count) if window else ()
            stream.seen = shared_tuple((*stream.seen, *last)[-window:]) if window else ()
        stream.next = index + count
    pilot.received = max(pilot.received, indicator.closes(found[0][0].next - 1))


def _empty_periods(
    pilot: PilotState, indicator: CompiledIndicator, streams: list[Stream], index: int, evidence: bool
) -> list[tuple[Stream, Observation | None, bool]] | None:
    """The observation of every period from `index` on in each segment while no event comes; `None` where closing one
    has further effects."""
    start, end = indicator.grid.start(index), indicator.grid.start(index + 1)
    standing, since = pilot.standing, pilot.running.paused_since
    if pilot.plan.charter.trends:
        return None  # each period is part of a window
    if pilot.running.pauses:
        if since is None or start < since or gaps_since(pilot, start):
            return None
        return [(stream, None, False) for stream in streams]  # periods of a pause are not counted
    counted = any(
        name in standing.active for name in ("sequence", "source_conflict", UNCOUNTED_KEY, LATE_KEY, TELEMETRY_LOST_KEY)
    )  # quiet periods count
    if (
        counted
        or gaps_since(pilot, start)
        or conflicted_since(pilot, start)
        or not _steady(pilot, indicator, start, end)
    ):
        return None
    if pilot.window.shares(start):
        return None  # evidence restarts with a period that a tolerated crossing has looked at
    gap = indicator.by_source and exposure_unknown(pilot, start, end)
    found: list[tuple[Stream, Observation | None, bool]] = []
    for segment, stream in zip(indicator.segments, streams, strict=True):
        name = stream_key(indicator, segment)
        if (
            stream.wide
            or name in pilot.late_held
            or (indicator.cap is not None and f"{name}/exposure_cap" in standing.active)
        ):
            return None
        idle = owes_no_data(pilot, indicator, OpenPeriod())
        observation, partial = (
            (None, False) if idle else observation_of(indicator, stream, OpenPeriod(), start, end, gap)
        )
        if partial is not (f"{name}/partial" in standing.unknown) and (partial or idle or observation is not None):
            return None  # the unknown flag changes
        if observation is not None and (evidence or not _equal(indicator, standing, name, partial)):
            return None
        found.append((stream, observation, partial))
    return found


def _steady(pilot: PilotState, indicator: CompiledIndicator, start: int, end: int) -> bool:
    """Whether the answer of `exposure_unknown` is the same for this period and all later ones."""
    if not indicator.by_source:
        return True
    for source in pilot.sources.values():
        if source.tallied and not source.ended and source.latest >= 2 * start - end:
            return False
        if any(at >= end for at in source.statements.at):
            return False
    return True


def _equal(indicator: CompiledIndicator, standing: Standing, name: str, partial: bool) -> bool:
    """Whether an observation is the same in every period and changes nothing but detectors."""
    if not indicator.grid.span.ms:
        return False  # months differ in length
    if partial:
        return True
    keys = [f"{name}/{detector_spec.name}" for detector_spec in indicator.spec.detectors]
    each = [f"{full}{part}" for full in keys for part in ("", "/half", "/fall")]
    active = [standing.active[k] for k in each if k in standing.active]
    return all(a.level == Level.HALT or a.stays == "until_lowered" for a in active)  # otherwise quiet periods count


def _closing_before(indicator: CompiledIndicator, index: int, stop: int) -> int:
    """How many periods from `index` on close before `stop` (ms): binary search."""
    low, high = 0, max(1, indicator.grid.index(stop) - index + 1)
    while low < high:  # the first that does not
        middle = (low + high) // 2
        if indicator.closes(index + middle) < stop:
            low = middle + 1
        else:
            high = middle
    return low
