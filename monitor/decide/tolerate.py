"""Tolerance: in low tiers the first crossing of a limit escalates and must be rectified by a date, instead of halting.

One cause opens one window: every stream that crosses in a period overlapping that of the first crossing belongs to it.
A second crossing of one stream (a rising excess), a crossing in a later period, and a window that is not rectified in
time halt the pilot. Each tolerated crossing spends its share of alpha and restarts the statistics; no halt rests on a
period that the first crossing has used. Pure.
"""

from __future__ import annotations

from msgspec import structs

from detectors import SPENDS_ALPHA
from monitor.charter.spec import DetectorSpec
from monitor.compile.plan import CompiledIndicator, build_detectors, level_of
from monitor.deadlines.facts import Fact, FactKind
from monitor.decide import ladder
from monitor.decide.clock_facts import clock_facts
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import LISTED, Move, Transition
from monitor.decide.supervision import rectify_duties
from monitor.errors import ControlRefused
from monitor.model.events import instant
from monitor.model.records import Content, Finding, Level, Reason
from monitor.model.rectification_window import RectificationWindow, names_finding
from monitor.model.refusals import Refusal
from monitor.state.pilot import Stream

WINDOW = "rectification"  # names the window for the legal deadlines; a pilot has one


def tolerate(context: DecisionContext, detector_spec: DetectorSpec, name: str, start: int, end: int) -> bool:
    """Whether the crossing of stream `name`, resting on the periods from `start` to `end` (ms), escalates instead of
    halting. If so, it joins the rectification window, and opens it if it is the first."""
    if not context.plan.tolerates or detector_spec.name not in SPENDS_ALPHA or level_of(detector_spec) != Level.HALT:
        return False
    pilot = context.pilot
    if pilot.tolerated is None:
        pilot.tolerated = context.at
        due = context.plan.rectify_within.after(context.at)
        pilot.window = RectificationWindow(context.at, end, due)
        clock_facts(context, Fact(kind=FactKind.FINDING, at=context.received, key=WINDOW, due=due))
    elif not pilot.window.joins(name, start):
        return False
    pilot.window = pilot.window.crossed(name)
    context.tolerated = True
    return True


def with_due_date(window: RectificationWindow, finding: Finding) -> Finding:
    """The finding of a tolerated crossing, with the date by which it must be rectified."""
    assert window.due is not None
    return structs.replace(finding, detail=f"rectify by {_date(window.due)}")


def restart_limit(context: DecisionContext, indicator: CompiledIndicator, stream: Stream, start: int) -> None:
    """Restart a limit detector after a period that the first crossing used through another stream: the period is not
    evidence a second time."""
    window = context.pilot.window
    if context.tolerated or indicator.provisional or not window.shares(start):
        return
    fresh = build_detectors(context.pilot.charter, indicator, context.pilot.standing.restart)
    for place, detector_spec in enumerate(indicator.spec.detectors):
        if detector_spec.name in SPENDS_ALPHA:
            stream.detectors[place] = fresh[place]


def rectification_overdue(context: DecisionContext) -> None:
    """Halt the pilot: its window was not rectified in time."""
    window = context.pilot.window
    assert window.opened is not None
    assert window.due is not None
    context.pilot.window = structs.replace(window, due=None)
    indicator, segment, _ = window.keys[0].split("/", 2)
    finding = Finding(
        indicator=indicator,
        segment=segment,
        rule="rectify_within",
        observed=(context.at - window.opened) / 1000,
        period_start=window.opened,
        period_end=window.due,
        detail=f"due {_date(window.due)}: {', '.join(window.keys)}",
    )
    context.raise_finding("rectification", Level.HALT, Reason.RECTIFICATION_OVERDUE, finding, "until_lowered")


def record_rectification(context: DecisionContext, finding: str) -> tuple[Transition, Content]:
    """Record a corrective action: under a halt, in an open window, or for a finding that `finding` names, active or of
    an inspection. Returns what the record says of it: the findings of inspections that it rectifies (records of logs
    from before there were inspections stay as they are). Raises ControlRefused when it names none of them."""
    pilot, s = context.pilot, context.pilot.standing
    known = {*s.active, *pilot.running.duties}
    if pilot.window.waiting:
        known |= {f"{key}/tolerated" for key in pilot.window.keys}
    named = sorted(key for key in known if names_finding(key, finding))
    if not s.halted and not named:
        keys = sorted({*s.active, *pilot.running.duties, *(pilot.window.keys if pilot.window.waiting else ())})
        more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
        there = (", ".join(keys[:LISTED]) or "none") + more
        raise ControlRefused(
            "finding", Refusal.NOT_ACTIVE, f"no halt stands, and no finding has that key; active: {there}"
        )
    if pilot.window.waiting and (s.halted or pilot.window.names(finding)):
        pilot.window = pilot.window.rectify(context.at)
        clock_facts(context, Fact(kind=FactKind.RECTIFIED, at=context.received, key=WINDOW))
    rectified = rectify_duties(context, finding)
    s = pilot.standing  # a deadline that was met is a decision before this one
    if s.halted:
        outcome = ladder.record_step(s, Reason.RECTIFICATION_RECORDED)
    else:
        outcome = s, Move("act", s.level, s.level, Reason.RECTIFICATION_RECORDED, False)
    return outcome, {"rectified": rectified} if rectified else {}


def _date(at: int) -> str:
    return instant(at).isoformat(timespec="seconds").replace("+00:00", "Z")
