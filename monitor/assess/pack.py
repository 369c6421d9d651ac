"""The computed pack of an assessment: everything that the machine knows of a pilot's stay, in numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, structs

from monitor.assess.conditions import conditions_of
from monitor.assess.evaluate import advised, lacks_of, stands_in_the_way
from monitor.assess.streams import bound_alpha, digits, streams_of
from monitor.deadlines.cases import ClockState
from monitor.model.assessment import ASSESSMENT_BYTES, MOST_STREAMS, Assessment, StreamNumbers
from monitor.model.canonical import canonical
from monitor.model.periods import parse_span
from monitor.model.records import Level
from monitor.state.pilot import PilotState


def assess(pilot: PilotState, at: int, answers: Mapping[int, bool] | None = None) -> Assessment:
    """The numbers of a pilot at `at` (ms), its timers fired up to then. `answers` to the conditions in words by their
    number, from 1."""
    standing, charter, streams = pilot.standing, pilot.charter, streams_of(pilot)
    grave = [key for key, active in standing.active.items() if active.level >= Level.ESCALATE]
    loud = bool(grave) or standing.level >= Level.ESCALATE
    clocked = [clock.state for case in pilot.clocks.cases.values() for clock in case.clocks]
    owed = _owed(pilot)
    numbers = Assessment(
        at=at,
        began=pilot.began,
        alpha=digits(bound_alpha(charter, standing.restart)) or 0.0,
        restart=standing.restart,
        entries=standing.counter,
        halts=pilot.review.halts,
        active=len(standing.active),
        shelved=len(standing.shelved),
        rectifications=len(owed),
        rectification_due=min(owed, default=None),
        quiet=0 if loud else pilot.quiet_for(at),
        quiet_needed=parse_span(charter.exit.quiet_for).after(at) - at,
        late_events=pilot.late_events,
        complaints=_complaints(pilot, streams),
        complaints_outside=pilot.stay.outside + pilot.users.filed,
        complaints_inside=pilot.users.inside if pilot.plan.counts_inside else UNSET,
        clocks_running=clocked.count(ClockState.RUNNING),
        clocks_met=clocked.count(ClockState.MET),
        clocks_missed=clocked.count(ClockState.MISSED),
    )
    numbers = structs.replace(numbers, conditions=conditions_of(charter, numbers, streams, answers or {}))
    lacks = lacks_of(numbers, streams, standing.halted, len(grave))
    return bounded(structs.replace(numbers, lacks=lacks, advised=advised(lacks).value), streams)


def _complaints(pilot: PilotState, streams: Sequence[StreamNumbers]) -> float | None:
    """The complaints in closed periods: of the indicator of complaints that counts most, over all of its segments."""
    names = {one.name for one in pilot.plan.indicators if one.spec.kind == "complaint_rate"}
    return max((sum(row.counted for row in streams if row.indicator == name) for name in names), default=None)


def _owed(pilot: PilotState) -> list[int]:
    """When the open rectifications are due (ms): that of a tolerated crossing, and those of inspections."""
    window = [pilot.window.due] if pilot.window.waiting and pilot.window.due is not None else []
    return [*window, *(duty.due for duty in pilot.running.duties.values() if duty.rectified is None)]


def bounded(numbers: Assessment, streams: Sequence[StreamNumbers]) -> Assessment:
    """With as many streams as an entry of the ledger has space for; those that stand in the way of `scale` first."""
    ordered = sorted(streams, key=lambda row: (not stands_in_the_way(row), row.power is None))[:MOST_STREAMS]
    found = structs.replace(numbers, streams=tuple(ordered), omitted=len(streams) - len(ordered))
    while size_of(found) > ASSESSMENT_BYTES and found.streams:
        kept = found.streams[: len(found.streams) * 3 // 4]
        found = structs.replace(numbers, streams=kept, omitted=len(streams) - len(kept))
    return found


def size_of(numbers: Assessment) -> int:
    """Bytes of its canonical JSON."""

    return len(canonical(msgspec.to_builtins(numbers, str_keys=True)))
