"""Changes of the system under test: registered inside the charter's plan of changes, else proposed for an amendment.
Pure.

The plan has the shape of a predetermined change control plan (FDA, Marketing Submission Recommendations for a
Predetermined Change Control Plan, 2024): modification, protocol, impact. What it covers was agreed in the charter, so
statistics continue. What it does not cover needs an amendment: of an officer, under a charter hash that the firm signed
too. Detectors that learn what is usual then learn it again; evidence against limits continues in every case.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import structs

from monitor.charter.running_acts import ChangeProposal, ChangeRefusal
from monitor.charter.spec import ChangeKind, Charter, PlannedChange, hash_of
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.decide.relearn import relearn
from monitor.errors import ControlRefused
from monitor.lifecycle.life import sign
from monitor.lifecycle.names import State
from monitor.model.bounds import short
from monitor.model.records import Content, Finding, Reason
from monitor.model.refusals import REFUSALS, Refusal
from monitor.state.pilot import PilotState
from monitor.state.running import MODELS, OpenChange

# Kinds after which the system may behave differently, so that what was learnt before says nothing about it. A major
# incident changes no system.
MOVES_BASELINE = frozenset(ChangeKind) - {ChangeKind.MAJOR_INCIDENT}


class OutsidePlan(StrEnum):
    """Why the plan of changes does not cover a change: a closed list, recorded with it."""

    NO_PLAN = "no_plan"
    NEVER_PLANNED = "never_planned"  # a major incident
    UNKNOWN_MODIFICATION = "unknown_modification"
    OTHER_KIND = "other_kind"
    MODEL_NOT_PLANNED = "model_not_planned"
    SUBJECT_NOT_PLANNED = "subject_not_planned"
    USED_UP = "used_up"
    RESULT_MISSING = "result_missing"
    RESULT_OUT_OF_BOUNDS = "result_out_of_bounds"


class Cover(NamedTuple):
    """The modification that covers a change, or why none does, with what it is about in words."""

    modification: PlannedChange | None
    why: OutsidePlan | None = None
    about: str = ""


def cover(pilot: PilotState, act: ChangeProposal) -> Cover:
    """Whether the plan of changes of the charter in force covers a change. Without a name the first modification that
    covers it is taken; the reason is then that of the last one of its kind."""
    plan = pilot.charter.changes or ()
    if act.kind is ChangeKind.MAJOR_INCIDENT:
        return Cover(None, OutsidePlan.NEVER_PLANNED)
    if not plan:
        return Cover(None, OutsidePlan.NO_PLAN)
    if act.modification:
        named = [one for one in plan if one.name == act.modification]
        return _covers(pilot, named[0], act) if named else Cover(None, OutsidePlan.UNKNOWN_MODIFICATION)
    found = Cover(None, OutsidePlan.OTHER_KIND)
    for one in plan:
        if one.kind is act.kind:
            found = _covers(pilot, one, act)
            if found.modification is not None:
                break
    return found


def _covers(pilot: PilotState, one: PlannedChange, act: ChangeProposal) -> Cover:
    if one.kind is not act.kind:
        return Cover(None, OutsidePlan.OTHER_KIND, one.kind.value)
    if one.models and act.model and act.model not in one.models:
        return Cover(None, OutsidePlan.MODEL_NOT_PLANNED, act.model)
    if extra := sorted(set(act.subjects) - set(one.subjects)):
        return Cover(None, OutsidePlan.SUBJECT_NOT_PLANNED, extra[0])
    if pilot.running.used.get(short(one.name), 0) >= one.most:
        return Cover(None, OutsidePlan.USED_UP, f"{one.most} times")
    for trial in one.protocol:
        for measure, bound in sorted(trial.bounds.items()):
            value = act.results.get(trial.name, {}).get(measure)
            if value is None:
                return Cover(None, OutsidePlan.RESULT_MISSING, f"{trial.name}/{measure}")
            if (bound.least is not None and value < bound.least) or (bound.most is not None and value > bound.most):
                return Cover(None, OutsidePlan.RESULT_OUT_OF_BOUNDS, f"{trial.name}/{measure} {value:g}")
    return Cover(one)


def propose_change(context: DecisionContext, act: ChangeProposal) -> tuple[Move, Finding]:
    """Register a change that the plan covers, or keep it as proposed. Raises ControlRefused for content that does not
    fit its kind."""
    pilot, running = context.pilot, context.pilot.running
    _check_content(pilot, act)
    found, level = cover(pilot, act), pilot.standing.level
    content: Content = {"kind": act.kind.value}
    if act.model:
        content["model"] = act.model
    if act.subjects:
        content["subjects"] = act.subjects
    for scenario, measures in sorted(act.results.items()):
        content |= {f"{scenario}/{measure}": value for measure, value in sorted(measures.items())}
    if found.modification is None:
        assert found.why is not None
        content["outside"] = found.why.value
        if found.about:
            content["outside_at"] = found.about
        pilot.running = structs.replace(running, change=OpenChange(short(act.id), act.kind.value, act.model))
        if act.charter is not None:
            content["charter"] = act.charter
            pilot.life = sign(pilot.life, firm=True, digest=act.charter)
        finding = Finding(rule=act.kind.value, detail=act.summary, content=content)
        return Move("act", level, level, Reason.CHANGE_PROPOSED, False), finding
    content["modification"] = found.modification.name
    name = short(found.modification.name)
    used = {**running.used, name: running.used.get(name, 0) + 1}
    pilot.running = structs.replace(running, models=_with_model(pilot, act.model), used=used)
    finding = Finding(rule=act.kind.value, detail=act.summary, content=content)
    return Move("act", level, level, Reason.CHANGE_REGISTERED, False), finding


def _check_content(pilot: PilotState, act: ChangeProposal) -> None:
    versions = act.kind is ChangeKind.MODEL_VERSION
    if versions and not act.model:
        raise ControlRefused("model", Refusal.CONTENT_MISSING, "a model version needs the digest of the model")
    if not versions and act.model:
        raise ControlRefused("model", Refusal.CONTENT_MISSING, "only a change of the model version has a model")
    if not versions and not act.subjects:
        raise ControlRefused("subjects", Refusal.CONTENT_MISSING, f"name what the change ({act.kind.value}) is about")
    if versions and (act.model in pilot.plan.models or short(act.model) in pilot.running.models):
        raise ControlRefused("model", Refusal.ALREADY_REGISTERED, f"{act.model} is registered")
    if len(pilot.running.models) >= MODELS:
        words = f"{MODELS} models were registered by changes; amend the charter so that it lists those in use"
        raise ControlRefused("model", Refusal.TOO_MANY_OPEN, words)


def _with_model(pilot: PilotState, model: str) -> tuple[str, ...]:
    known = pilot.running.models
    return (*known, short(model)) if model else known


def refuse_change(context: DecisionContext, act: ChangeRefusal) -> tuple[Move, Finding]:
    """Forget the proposed change."""
    pilot = context.pilot
    change, level = pilot.running.change, pilot.standing.level
    pilot.running = structs.replace(pilot.running, change=None)
    finding = Finding(rule=change.kind if change else "", detail=act.reason, content=_about(change))
    return Move("act", level, level, Reason.CHANGE_REFUSED, False), finding


def agreed(pilot: PilotState, charter: Charter) -> bool:
    """Whether an amendment to `charter` needs nothing more of the firm for a change that it proposed: none is open, or
    the firm signed this hash."""
    return pilot.life.change is not State.CHANGE_PROPOSED or pilot.life.signed_by_firm == hash_of(charter)


def check_change(pilot: PilotState, charter: Charter) -> None:
    """Raises ControlRefused when the amended charter does not list the model of the proposed change."""
    change = pilot.running.change
    listed = {model.digest for model in charter.models}
    if change is not None and change.model and change.model not in listed and "*" not in listed:
        words = f"{change.model} is proposed; list it, or refuse the change first"
        raise ControlRefused("charter.models", Refusal.CHANGE_OPEN, words)


def after_amendment(context: DecisionContext, old: Charter) -> Content:
    """Close the proposed change with the amendment that was just put in force (`old`: the charter before): what the
    change could move is learnt again. Returns what the record says of it; nothing without a change."""
    pilot = context.pilot
    change, charter = pilot.running.change, pilot.charter
    listed = set(map(short, context.plan.models))
    kept = tuple(model for model in pilot.running.models if model not in listed)
    used = pilot.running.used if charter.changes == old.changes else {}
    cycle = pilot.running.cycle if charter.cycle == old.cycle else None
    declared = {short(trend.indicator) for trend in charter.trends or ()}
    trends = {name: window for name, window in pilot.running.trends.items() if name in declared}
    pilot.running = structs.replace(pilot.running, models=kept, used=used, cycle=cycle, change=None, trends=trends)
    if change is None:
        return {}
    again = [
        i.name for i in context.plan.indicators if ChangeKind(change.kind) in MOVES_BASELINE and relearn(context, i)
    ]
    return {**_about(change), "relearnt": tuple(again)} if again else _about(change)


def _about(change: OpenChange | None) -> Content:
    if change is None:
        raise ControlRefused("pilot", Refusal.NO_CHANGE_PROPOSED, REFUSALS[Refusal.NO_CHANGE_PROPOSED])
    said: Content = {"change": change.id, "kind": change.kind}
    if change.model:
        said["model"] = change.model
    return said
