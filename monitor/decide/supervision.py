"""Guidance, inspections with due dates, suspension and evidence hold. Pure.

A finding of an inspection watches until a later inspection closes it; a date that passes without a rectification
escalates it, whatever else happened to the level. Only limits halt by a missed date (`monitor/decide/tolerate.py`).
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType, structs

from monitor.charter.running_acts import (
    Guidance,
    GuidanceFollowed,
    GuidanceRequest,
    Inspection,
    InspectionFinding,
    Suspension,
)
from monitor.deadlines.facts import Fact, FactKind
from monitor.decide import ladder
from monitor.decide.clock_facts import breaks_hold, clock_facts
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.errors import ControlRefused
from monitor.lifecycle.names import State
from monitor.model.bounds import short
from monitor.model.events import instant, millis
from monitor.model.records import Content, Finding, Level, Reason
from monitor.model.rectification_window import names_finding
from monitor.model.refusals import Refusal
from monitor.state.running import DUTIES, GUIDANCE, QUESTIONS, Duty

PREFIX = "inspection/"  # of keys of findings
MODEL_UNDER_HOLD = "evidence_hold"  # key of the finding that the model changed under an evidence hold
SUSPENSION = "suspension"  # key of the ground of a suspension


def ask_guidance(context: DecisionContext, act: GuidanceRequest) -> tuple[Move, Finding]:
    """Keep the question until it is answered. Raises ControlRefused while too many are open."""
    pilot, running = context.pilot, context.pilot.running
    if len(running.questions) >= QUESTIONS:
        raise ControlRefused("question", Refusal.TOO_MANY_OPEN, f"{QUESTIONS} questions wait for an answer")
    pilot.running = structs.replace(running, questions=(*running.questions, short(act.id)))
    return _act(context, Reason.GUIDANCE_ASKED), Finding(rule=act.provision, detail=act.question)


def guide(context: DecisionContext, act: Guidance) -> tuple[Move, Finding]:
    """Record guidance, and that it answers a question. Raises ControlRefused for a question that is not open."""
    pilot, running = context.pilot, context.pilot.running
    if act.about and short(act.about) not in running.questions:
        raise ControlRefused("about", Refusal.UNKNOWN_REFERENCE, f"there is no open question {act.about}")
    questions = tuple(one for one in running.questions if one != short(act.about))
    pilot.running = structs.replace(
        running, questions=questions, guidance=(*running.guidance, short(act.id))[-GUIDANCE:]
    )  # the oldest can no longer be stated to be followed
    about: Content | UnsetType = {"about": act.about} if act.about else UNSET
    return _act(context, Reason.GUIDANCE_GIVEN), Finding(rule=act.provision, detail=act.answer, content=about)


def follow_guidance(context: DecisionContext, act: GuidanceFollowed) -> tuple[Move, Finding]:
    """Record that the firm states to have followed guidance. Raises ControlRefused for other guidance."""
    pilot, running = context.pilot, context.pilot.running
    about = short(act.about)
    if about not in running.guidance:
        raise ControlRefused("about", Refusal.UNKNOWN_REFERENCE, f"there is no guidance {act.about} to be followed")
    pilot.running = structs.replace(running, guidance=tuple(one for one in running.guidance if one != about))
    finding = Finding(rule="guidance", detail=act.evidence, content={"about": act.about})
    return _act(context, Reason.GUIDANCE_FOLLOWED), finding


def inspect(context: DecisionContext, act: Inspection) -> tuple[Move, Finding]:
    """Record an inspection: raise its findings, with their due dates, and close earlier ones. Raises ControlRefused."""
    pilot, duties = context.pilot, context.pilot.running.duties
    for key in act.closed:
        if key not in duties:
            there = ", ".join(sorted(duties)) or "none"
            raise ControlRefused("closed", Refusal.UNKNOWN_REFERENCE, f"no finding {key} is open; open: {there}")
    kept = {key: duty for key, duty in duties.items() if key not in act.closed}
    added = {f"{PREFIX}{short(act.id)}/{one.name}": one for one in act.findings}
    if len(added) < len(act.findings):
        raise ControlRefused("findings", Refusal.CONTENT_MISSING, "two findings of an inspection have one name")
    if len(kept) + len(added) > DUTIES:
        words = f"{len(kept)} findings of inspections are open, at most {DUTIES} may be; close some"
        raise ControlRefused("findings", Refusal.TOO_MANY_OPEN, words)
    for one in act.findings:
        if millis(one.due) <= context.at:
            raise ControlRefused("findings", Refusal.CONTENT_MISSING, f"{one.name} would be due in the past")
    pilot.running = structs.replace(
        pilot.running, duties={**kept, **{key: Duty(millis(one.due)) for key, one in added.items()}}
    )
    for key in act.closed:
        _fact(context, FactKind.FINDING_WITHDRAWN, key)
        context.clear(key, Finding(rule=key, detail="closed by an inspection"))
    for key, one in added.items():
        _raise(context, key, one, act.author)
    content: Content = {"scope": act.scope, "findings": tuple(added), "closed": act.closed}
    said = {name: value for name, value in content.items() if value}
    return _act(context, Reason.INSPECTED), Finding(rule="inspection", detail=act.seen, content=said)


def _raise(context: DecisionContext, key: str, one: InspectionFinding, author: str) -> None:
    finding = Finding(rule=key, detail=one.words, period_end=millis(one.due), content={"due": _stamp(millis(one.due))})
    move = ladder.raise_finding(
        context.pilot.standing, key, Level.WATCH, Reason.INSPECTION_FINDING, context.at, "until_lowered"
    )
    context.apply(move, finding, author, key=key, asked=Level.WATCH)
    _fact(context, FactKind.FINDING, key, millis(one.due))


def duty_overdue(context: DecisionContext, key: str) -> None:
    """The due date of a finding passed, and no rectification is on record."""
    pilot = context.pilot
    duty = pilot.running.duties[key]
    pilot.running = structs.replace(
        pilot.running, duties={**pilot.running.duties, key: structs.replace(duty, missed=True)}
    )
    finding = Finding(rule=key, period_end=duty.due, content={"due": _stamp(duty.due)})
    context.raise_finding(key, Level.ESCALATE, Reason.FINDING_OVERDUE, finding, "until_lowered")


def rectify_duties(context: DecisionContext, finding: str) -> tuple[str, ...]:
    """Note the rectification of the duties that `finding` names; the first one counts. Returns their keys."""
    pilot = context.pilot
    named = tuple(key for key in pilot.running.duties if names_finding(key, finding))
    if not named:
        return ()
    duties = dict(pilot.running.duties)
    for key in named:
        if duties[key].rectified is None:
            duties[key] = structs.replace(duties[key], rectified=context.at)
            _fact(context, FactKind.RECTIFIED, key)
    pilot.running = structs.replace(pilot.running, duties=duties)
    return named


def suspend(context: DecisionContext, act: Suspension) -> None:
    """Suspend the pilot: a halt whose ground is the act of an authority."""
    finding = Finding(rule=act.basis, detail=act.reason)
    move = ladder.raise_finding(
        context.pilot.standing, SUSPENSION, Level.HALT, Reason.SUSPENDED, context.at, "until_lowered"
    )
    context.apply(move, finding, act.author, key=SUSPENSION, asked=Level.HALT)


def check_hold(context: DecisionContext, model: str, at: int) -> None:
    """Raise a finding for another model than before, in an event of time `at` (ms), under an evidence hold of an
    officer. One that a serious incident began is a legal deadline (`monitor/decide/incident_clocks.py`)."""
    pilot = context.pilot
    if breaks_hold(context, at):
        return
    if pilot.life.hold is not State.EVIDENCE_HELD or MODEL_UNDER_HOLD in pilot.standing.active:
        return
    finding = Finding(rule="model", detail=f"{pilot.model} to {model}")
    context.raise_finding(MODEL_UNDER_HOLD, Level.ESCALATE, Reason.EVIDENCE_HOLD, finding, "until_lowered")


def hold(context: DecisionContext, reason: Reason, words: str) -> tuple[Move, Finding]:
    """Put an evidence hold, or its end, on record."""
    return _act(context, reason), Finding(rule="evidence_hold", detail=words)


def _fact(context: DecisionContext, kind: FactKind, key: str, due: int | None = None) -> None:
    clock_facts(context, Fact(kind=kind, at=context.received, key=key, due=due))


def _act(context: DecisionContext, reason: Reason) -> Move:
    level = context.pilot.standing.level
    return Move("act", level, level, reason, False)


def _stamp(at: int) -> Any:
    return instant(at).isoformat(timespec="seconds").replace("+00:00", "Z")
