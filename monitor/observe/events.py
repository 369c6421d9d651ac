"""Observe: an event becomes increments of open periods, and what the charter forbids in a single event is found at once."""

from __future__ import annotations

from monitor.compile.plan import CompiledIndicator
from monitor.decide.context import DecisionContext
from monitor.decide.enforcement import ACKNOWLEDGEMENTS, grant_permit, track
from monitor.decide.ladder import Move
from monitor.detect.periods import end_silence, peek, revise
from monitor.indicators.base import OpenPeriod, Slot
from monitor.model.bounds import marks_kept, short
from monitor.model.events import (
    CommandAcknowledged,
    ComplaintFiled,
    ComplaintResolved,
    ComplaintWithdrawn,
    Envelope,
    ExposureTallied,
    Heartbeat,
    IncidentReported,
    IncidentUpdated,
    OutcomesTallied,
    event_type,
    millis,
)
from monitor.model.periods import Period
from monitor.model.records import Finding, Level, Reason
from monitor.observe.correct import CORRECTIONS, correct
from monitor.state.exposure import state_exposure, tally
from monitor.state.incidents import IncidentReport, breaks, incident_report
from monitor.state.pilot import Pilot, Stream
from monitor.state.uncounted import (
    REPORTED_LABELS,
    UNCOUNTED_KEY,
    UncountedLabel,
    label_of,
    uncounted_finding,
    uncounted_label,
)

FOREIGN, UNNAMED = "unregistered_model", "missing_model"
# What tells of the system at work, so that the model that worked has to be named.
WORK = (ExposureTallied, OutcomesTallied, IncidentReported, IncidentUpdated)
LINK = (Heartbeat, CommandAcknowledged)  # what only tells that a service lives and obeys
COMPLAINTS = (ComplaintFiled, ComplaintResolved, ComplaintWithdrawn)


def observe(context: DecisionContext, event: Envelope) -> bool:
    """Take one new event into account. Returns whether a silence ended with it, so that timers must be set again."""
    kind = type(event)
    plan, pilot = context.plan, context.pilot
    broken = False
    for watch in plan.silences.get(kind, ()):
        pilot.heard[watch.name] = context.at
        if f"{watch.name}/" in pilot.standing.unknown:
            end_silence(context, watch)
            broken = True
    watches = plan.by_type.get(kind, ())
    if watches and isinstance(event, COMPLAINTS) and _filed(event) < pilot.admitted:
        watches = ()  # it never counted as open, so it must not count as closed either
    label = label_of(event)
    if label is not None and (lost := uncounted_label(plan, kind, label)) is not None:
        _astray(context, lost)
    seen = None
    if isinstance(event, IncidentReported | IncidentUpdated):
        seen = incident_report(pilot.incidents, plan.once, event)
    for watch in watches:
        once = seen if watch.once else None
        if once is not None and once.counted(watch):
            continue
        for slot in watch.implementation.slots(event, context.at):
            if slot.k and watch.late is not None and made_late(pilot, watch.late.closes(event), context.at):
                slot = slot._replace(k=0.0)
            if place(context, watch, slot) and once is not None and slot.k > 0:
                once.count(watch)
    model = event.data.model  # type: ignore[attr-defined]
    if model and model != pilot.model:
        pilot.model = model
    if not plan.any_model and model not in plan.models:
        foreign(context, event, model)
    if kind is ExposureTallied:
        tally(pilot.sources[short(event.source)], millis(event.time), event.data.amount)  # type: ignore[attr-defined]
        _use(context, event)  # type: ignore[arg-type]
    elif kind is Heartbeat:
        beat, most = event.data, marks_kept(len(pilot.sources))  # type: ignore[attr-defined]
        state_exposure(pilot.sources[short(event.source)], millis(event.time), beat.exposure, beat.serving, most)
    elif isinstance(event, CORRECTIONS):
        correct(context, event)
    elif seen is not None:
        hard_rules(context, event, seen)  # type: ignore[arg-type]
        seen.remember(context.out)
    if kind in ACKNOWLEDGEMENTS or pilot.standing.halt_state.kind:
        broken |= track(context, event)
    if kind is Heartbeat:
        grant_permit(context, event)  # type: ignore[arg-type]
    return broken


def made_late(pilot: Pilot, closes: int, received: int) -> bool:
    """Whether an event that was due until `closes` (ms) is late by our fault: we were away then, or had not been back for as long
    as we were away, and its service has had that long to send what had piled up."""
    if pilot.outage is None:
        return False
    since, until = pilot.outage
    return closes >= since and received <= 2 * until - since


def _filed(event: ComplaintFiled | ComplaintResolved | ComplaintWithdrawn) -> int:
    return millis(event.time if isinstance(event, ComplaintFiled) else event.data.filed)


def place(context: DecisionContext, watch: CompiledIndicator, slot: Slot) -> bool:
    """Add an increment to its period; a closed period can only be raised by late events. Returns whether it counted."""
    stream = context.pilot.streams.get(watch.keys.get(slot.segment, ""))
    if stream is None:
        return False
    if watch.ahead is not None and slot.at > (latest := context.at + watch.promised + watch.ahead):
        slot = slot._replace(at=latest)  # a clock that is far ahead of short periods must not open any number of them
    index = watch.grid.index(slot.at)
    if index < stream.next:
        stream.stock += slot.stock
        return slot.k > 0 and revise(context, watch, slot.segment, stream, index, slot.k)
    opened = add(stream, watch.grid, index, slot)
    if watch.cap is not None and opened.m > watch.cap and not slot.stock and not slot.k:
        _over_cap(context, watch, slot.segment, index, opened.m)
    if watch.provisional and slot.k > 0:
        peek(context, watch, slot.segment, stream)
    return True


def add(stream: Stream, grid: Period, index: int, slot: Slot) -> OpenPeriod:
    """Add an increment to an open period."""
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


def _over_cap(context: DecisionContext, watch: CompiledIndicator, segment: str, index: int, amount: float) -> None:
    start, end = watch.grid.start(index), watch.grid.start(index + 1)
    finding = Finding(
        indicator=watch.name,
        segment=segment,
        rule="exposure_cap",
        observed=amount,
        expected=watch.cap,
        period_start=start,
        period_end=end,
        unit=watch.spec.exposure.unit if watch.spec.exposure else "",
    )
    context.raise_finding(f"{watch.name}/{segment}/exposure_cap", Level.ESCALATE, Reason.EXPOSURE_CAP, finding)


def _use(context: DecisionContext, event: ExposureTallied) -> None:
    """The system is used: is it in its time, and by no more people than the charter allows (unit `users`)?"""
    plan, amount = context.plan, event.data.amount
    start, end = plan.cycle
    if amount > 0 and not start <= millis(event.time) < end:
        finding = Finding(rule="cycle", observed=amount, expected=0.0, detail=event.time.isoformat())
        context.raise_finding("cycle", Level.ESCALATE, Reason.OUTSIDE_CYCLE, finding)
    if plan.user_cap is not None and event.data.unit == "users" and amount > plan.user_cap:
        finding = Finding(
            segment=event.data.segment,
            rule="user_cap",
            observed=amount,
            expected=float(plan.user_cap),
            unit="users",
        )
        context.raise_finding("user_cap", Level.ESCALATE, Reason.EXPOSURE_CAP, finding)


def _astray(context: DecisionContext, lost: UncountedLabel) -> None:
    """An event whose label counts nowhere: a watch for as long as such events come; each value is named once."""
    memory = context.pilot.uncounted
    context.out.uncount(lost.field)
    memory.last = context.at
    new = lost.digest not in memory.values and len(memory.values) < REPORTED_LABELS
    if new:
        memory.values.append(lost.digest)
    active = UNCOUNTED_KEY in context.pilot.standing.active
    if new or not active:
        said = uncounted_finding(lost, last=new and len(memory.values) == REPORTED_LABELS)
        if active:
            level = context.pilot.standing.level
            context.record(Move("finding", level, level, Reason.COUNTED_NOWHERE, False), said)
        else:
            context.raise_finding(UNCOUNTED_KEY, Level.WATCH, Reason.COUNTED_NOWHERE, said)


def told(pilot: Pilot, lost: UncountedLabel) -> bool:
    """Whether all is said of an event whose label counts nowhere, but for counting it."""
    memory = pilot.uncounted
    return UNCOUNTED_KEY in pilot.standing.active and (
        lost.digest in memory.values or len(memory.values) >= REPORTED_LABELS
    )


def before_admission(pilot: Pilot, event: Envelope) -> bool:
    """Whether an event happened before the pilot began: it is none of the pilot's. One rule for all types, apart from
    heartbeats and acknowledgements, which count nothing."""
    return not isinstance(event, LINK) and millis(event.time) < pilot.began


def foreign(context: DecisionContext, event: Envelope, model: str) -> None:
    """A model serves that the charter does not name: a watch, or what the charter's own rule says. Work of which no
    model is named may be such a model's: the same, but no halt, as it proves nothing."""
    name = FOREIGN if model else UNNAMED
    if name in context.pilot.standing.active or millis(event.time) < context.pilot.began:
        return
    if not model and not isinstance(event, WORK):
        return
    levels = [Level[rule.level.upper()] for rule in context.plan.charter.hard_rules if rule.unregistered_model]
    level = max(levels, default=Level.WATCH)
    if model:
        finding = Finding(rule=name, detail=model)
        context.raise_finding(name, level, Reason.UNREGISTERED_MODEL, finding, "until_lowered")
        return
    finding = Finding(rule=name, detail=f"{event_type(event)} without data.model")
    context.raise_finding(name, min(level, Level.ESCALATE), Reason.MISSING_MODEL, finding, "until_lowered")


def hard_rules(context: DecisionContext, event: IncidentReported | IncidentUpdated, seen: IncidentReport) -> None:
    """Rules act on an incident again only when it has become graver than what they acted on before."""
    data = event.data
    for rule in context.plan.charter.hard_rules:
        if not breaks(rule, event) or not seen.graver(rule):
            continue
        finding = Finding(
            segment=data.segment,
            rule=rule.name,
            observed=1.0,
            expected=0.0,
            detail=f"{data.severity.value}, {data.harm.value}, {data.incident}",
        )
        level = Level[rule.level.upper()]
        context.raise_finding(f"rule/{rule.name}", level, Reason.HARD_RULE, finding, "until_lowered")
