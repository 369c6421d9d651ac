"""Observe one event: it becomes increments of open periods, and of what is remembered of its pilot and source.

This is the slow path, one event at a time. `monitor/observe/fast_path.py` does the same for a batch of ordinary events;
`tests/property/test_fold.py` holds the two to the same bytes. Nothing is decided here: `Observed` says what the
detect and decide stages have to look at.
"""

from __future__ import annotations

from monitor.compile.plan import CompiledIndicator
from monitor.decide.context import DecisionContext
from monitor.indicators.base import OpenPeriod, Slot
from monitor.model.bounds import marks_kept, short
from monitor.model.events import (
    ClaimClosed,
    ClaimFiled,
    CommandAcknowledged,
    ComplaintFiled,
    ComplaintResolved,
    ComplaintWithdrawn,
    Envelope,
    ExposureTallied,
    Heartbeat,
    IncidentReported,
    IncidentUpdated,
    millis,
)
from monitor.model.periods import Period
from monitor.observe.correct import CORRECTIONS, take_back
from monitor.state.exposure import state_exposure, tally
from monitor.state.incidents import IncidentReport, incident_report
from monitor.state.late import excused
from monitor.state.observed import NOTHING_TO_DETECT, ChangedPeriod, Observed
from monitor.state.pilot import PilotState, Stream
from monitor.state.uncounted import label_of, uncounted_label

LINK = (Heartbeat, CommandAcknowledged)  # events about the service and its commands; they count nowhere
FILINGS = (ComplaintFiled, ClaimFiled)
# What is filed once, and closed by an event that repeats when it was filed.
CASES = (*FILINGS, ComplaintResolved, ComplaintWithdrawn, ClaimClosed)


def observe(context: DecisionContext, event: Envelope, *, by_reporter: bool = False) -> Observed:
    """Count one new event. Returns what the next stages have to look at. `by_reporter`: the firm did not send it, so it
    ends no silence of the firm."""
    kind, plan, pilot = type(event), context.plan, context.pilot
    ended: tuple[CompiledIndicator, ...] = ()
    for indicator in () if by_reporter else plan.silences.get(kind, ()):
        pilot.heard[indicator.name] = context.at
        if f"{indicator.name}/" in pilot.standing.unknown:
            ended = (*ended, indicator)
    label = label_of(event)
    uncounted = None if label is None else uncounted_label(plan, kind, label)
    incident = None
    if isinstance(event, IncidentReported | IncidentUpdated):
        incident = incident_report(pilot.incidents, plan.once, event)
    changed = _count(context, event, incident) if kind in plan.by_type else ()
    correction = None
    if kind is ExposureTallied:
        tally(pilot.sources[short(event.source)], millis(event.time), event.data.amount)  # type: ignore[attr-defined]
    elif kind is Heartbeat:
        beat, most = event.data, marks_kept(len(pilot.sources))  # type: ignore[attr-defined]
        state_exposure(pilot.sources[short(event.source)], millis(event.time), beat.exposure, beat.serving, most)
    elif isinstance(event, CORRECTIONS):
        correction = take_back(context, event)
    if not (ended or changed or uncounted or incident or correction):
        return NOTHING_TO_DETECT
    return Observed(ended, uncounted, changed, incident, correction)


def _count(context: DecisionContext, event: Envelope, incident: IncidentReport | None) -> tuple[ChangedPeriod, ...]:
    """Add the event's increments. Returns the periods whose evidence may change with them."""
    indicators = context.plan.by_type.get(type(event), ())
    if indicators and isinstance(event, CASES) and _filed(event) < context.pilot.admitted:
        return ()  # it never counted as open, so it must not count as closed either
    changed: tuple[ChangedPeriod, ...] = ()
    for indicator in indicators:
        once = incident if indicator.once else None
        if once is not None and once.counted(indicator):
            continue
        for slot in indicator.implementation.slots(event, context.at):
            late = indicator.late
            if slot.k and late is not None and excused(context.pilot, late.closes(event), context.at):
                slot = slot._replace(k=0.0)
            stream = context.pilot.streams.get(indicator.keys.get(slot.segment, ""))
            if stream is None:
                continue
            period = add_to_period(context, indicator, stream, slot)
            if period is not None:
                changed = (*changed, period)
            if once is not None and slot.k > 0 and (period is None or period.opened is not None):
                once.count(indicator)
    return changed


def _filed(event: ComplaintFiled | ClaimFiled | ComplaintResolved | ComplaintWithdrawn | ClaimClosed) -> int:
    return millis(event.time if isinstance(event, FILINGS) else event.data.filed)


def add_to_period(
    context: DecisionContext, indicator: CompiledIndicator, stream: Stream, slot: Slot
) -> ChangedPeriod | None:
    """Add an increment to its period. A closed period only keeps the stock; its evidence is left to the detect stage.
    Returns the period if its evidence may change."""
    if indicator.ahead is not None and slot.at > (latest := context.at + indicator.promised + indicator.ahead):
        slot = slot._replace(at=latest)  # a clock that is far ahead of short periods must not open any number of them
    index = indicator.grid.index(slot.at)
    if index < stream.next and slot.k > 0 and indicator.classified and _classified_now(context, indicator, index):
        index = indicator.grid.index(context.at)
    if index < stream.next:
        stream.stock += slot.stock
        return ChangedPeriod(indicator, slot.segment, stream, index, slot.k, None, slot.m) if slot.k or slot.m else None
    opened = add(stream, indicator.grid, index, slot)
    if indicator.cap is None or not (slot.k > 0 or (opened.m > indicator.cap and not slot.stock and not slot.k)):
        return None
    return ChangedPeriod(indicator, slot.segment, stream, index, slot.k, opened)


def _classified_now(context: DecisionContext, indicator: CompiledIndicator, index: int) -> bool:
    """Whether what occurred in closed period `index` counts in the period in which it is classified. What is late
    because the monitor was unavailable counts when it occurred: it would all fall into one period."""
    pilot = context.pilot
    return index >= indicator.grid.index(pilot.admitted) and not excused(pilot, indicator.closes(index), context.at)


def add(stream: Stream, grid: Period, index: int, slot: Slot) -> OpenPeriod:
    """Add an increment to an open period. Returns the period."""
    opened = stream.open.get(index)
    if opened is None:
        opened = stream.open[index] = OpenPeriod()
    opened.k += slot.k
    opened.m += slot.m
    if slot.stock:
        opened.stock += slot.stock
        opened.held += slot.stock * (grid.start(index + 1) - slot.at)
    elif not slot.k:
        opened.tallies += 1
    return opened


def before_admission(pilot: PilotState, event: Envelope) -> bool:
    """Whether an event happened before the pilot began, so that it is not about the pilot. One rule for all types,
    except heartbeats and acknowledgements, which count nowhere."""
    return not isinstance(event, LINK) and millis(event.time) < pilot.began
