"""Decide on one event: what the charter says of a single event, and what the event means for the command in force."""

from __future__ import annotations

from msgspec import structs

from monitor.decide.boundary import check_boundary
from monitor.decide.complaint_clocks import Complaint, complaint_facts
from monitor.decide.context import DecisionContext
from monitor.decide.enforcement import ACKNOWLEDGEMENTS, grant_permit, track
from monitor.decide.incident_clocks import incident_facts, model_changed
from monitor.decide.ladder import Move
from monitor.decide.pauses import check_pause
from monitor.decide.supervision import check_hold
from monitor.model.bounds import short
from monitor.model.events import (
    BoundaryBreached,
    ComplaintFiled,
    Envelope,
    ExposureTallied,
    Heartbeat,
    IncidentReported,
    IncidentUpdated,
    ItemsTallied,
    OutcomesTallied,
    event_type,
    millis,
)
from monitor.model.pseudonyms import is_id, shown
from monitor.model.records import Finding, Level, Reason
from monitor.state.incidents import IncidentReport, breaks
from monitor.state.observed import Observed
from monitor.state.rollout import cap_in_force

CHANGE_NOT_REGISTERED = "change_not_registered"  # key of a finding
UNREGISTERED_MODEL, MISSING_MODEL = "unregistered_model", "missing_model"  # keys of findings
# Events about the work of the AI system, so that the model that did it has to be named.
WORK = (ExposureTallied, OutcomesTallied, ItemsTallied, IncidentReported, IncidentUpdated)


def decide(context: DecisionContext, event: Envelope, observed: Observed, *, by_reporter: bool = False) -> bool:
    """Apply the rules for single events and follow the command in force. Returns whether timers have to be set again.

    `by_reporter`: the firm did not send the event, so it proves nothing about the model that the service uses.
    """
    kind, plan, pilot = type(event), context.plan, context.pilot
    model = event.data.model  # type: ignore[attr-defined]
    if model and model != pilot.model and not by_reporter:
        model_changed(context, event, model)
        if pilot.model:
            check_hold(context, model, millis(event.time))
        pilot.model = model
    if not plan.any_model and model not in plan.models and not by_reporter:
        check_model(context, event, model)
    if pilot.running.pauses and not by_reporter:
        check_pause(context, event)
    if by_reporter and kind is ComplaintFiled:
        pilot.stay = structs.replace(pilot.stay, outside=pilot.stay.outside + 1)
    elif kind is ComplaintFiled and plan.counts_inside and millis(event.time) >= pilot.admitted:
        pilot.users = structs.replace(pilot.users, inside=pilot.users.inside + 1)
    if kind is ExposureTallied:
        _check_use(context, event)  # type: ignore[arg-type]
    elif kind is BoundaryBreached:
        check_boundary(context, event)  # type: ignore[arg-type]
    elif observed.correction is not None:
        level = pilot.standing.level
        context.record(Move("finding", level, level, Reason.CORRECTED, False), observed.correction)
    elif observed.incident is not None:
        apply_hard_rules(context, event, observed.incident)  # type: ignore[arg-type]
        incident_facts(context, event, observed.incident, by_reporter=by_reporter)  # type: ignore[arg-type]
        observed.incident.remember(context.out)
    changed = bool(observed.ended_silences)
    if isinstance(event, Complaint):
        changed |= complaint_facts(context, event)
    if kind in ACKNOWLEDGEMENTS or pilot.standing.halt_state.kind:
        changed |= track(context, event)
    if kind is Heartbeat:
        grant_permit(context, event)  # type: ignore[arg-type]
    return changed


def check_model(context: DecisionContext, event: Envelope, model: str) -> None:
    """Raise a finding for a model that is not registered: WATCH, or the level of the charter's rule. Registered are
    those of the charter and of registered changes; of one that the plan of changes names, only the registration is
    missing. Work without a model may be the work of an unregistered one: the same level, but no halt, as it proves
    nothing."""
    if model and context.pilot.running.models and short(model) in context.pilot.running.models:
        return
    if model in context.plan.planned_models:
        if CHANGE_NOT_REGISTERED not in context.pilot.standing.active:
            finding = Finding(rule=CHANGE_NOT_REGISTERED, detail=model if is_id(model) else shown(model))
            context.raise_finding(
                CHANGE_NOT_REGISTERED, Level.ESCALATE, Reason.CHANGE_NOT_REGISTERED, finding, "until_lowered"
            )
        return
    name = UNREGISTERED_MODEL if model else MISSING_MODEL
    if name in context.pilot.standing.active or millis(event.time) < context.pilot.began:
        return
    if not model and not isinstance(event, WORK):
        return
    levels = [Level[rule.level.upper()] for rule in context.plan.charter.hard_rules if rule.unregistered_model]
    level = max(levels, default=Level.WATCH)
    if model:
        finding = Finding(rule=name, detail=model if is_id(model) else shown(model))
        context.raise_finding(name, level, Reason.UNREGISTERED_MODEL, finding, "until_lowered")
        return
    finding = Finding(rule=name, detail=f"{event_type(event)} without data.model")
    context.raise_finding(name, min(level, Level.ESCALATE), Reason.MISSING_MODEL, finding, "until_lowered")


def apply_hard_rules(
    context: DecisionContext, event: IncidentReported | IncidentUpdated, known: IncidentReport
) -> None:
    """Apply the charter's hard rules to an incident: again only when it is graver than what they were applied to
    before."""
    data = event.data
    for rule in context.plan.charter.hard_rules:
        if not breaks(rule, event) or not known.graver(rule):
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


def _check_use(context: DecisionContext, event: ExposureTallied) -> None:
    """Escalate use of the system outside of its cycle, or by more people than the charter allows (unit `users`)."""
    plan, amount = context.plan, event.data.amount
    start, end = context.pilot.running.cycle or plan.cycle
    if amount > 0 and not start <= millis(event.time) < end:
        finding = Finding(rule="cycle", observed=amount, expected=0.0, detail=event.time.isoformat())
        context.raise_finding("cycle", Level.ESCALATE, Reason.OUTSIDE_CYCLE, finding)
    pilot = context.pilot
    cap = None if event.data.unit != "users" else cap_in_force(pilot.charter, pilot.rollout, pilot.review.halts)
    if cap is not None and amount > cap:
        finding = Finding(
            segment=event.data.segment,
            rule="user_cap",
            observed=amount,
            expected=float(cap),
            unit="users",
        )
        context.raise_finding("user_cap", Level.ESCALATE, Reason.EXPOSURE_CAP, finding)
