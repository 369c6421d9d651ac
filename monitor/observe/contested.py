"""Events that are not counted because of their sequence number or the key of their source: reports of harm in them
still take effect.

Otherwise two emitters that share a source, or one that restarted at 1, would hide what they report. Such an event is
rejected, so that its sender sees it, and the pilot carries a finding; the hard rules of the charter and the command to
stop apply to it.
"""

from __future__ import annotations

from monitor.decide.context import DecisionContext
from monitor.decide.enforcement import track_conflict
from monitor.decide.events import apply_hard_rules, check_model
from monitor.decide.incident_clocks import incident_facts
from monitor.model.events import Envelope, IncidentReported, IncidentUpdated
from monitor.model.records import Finding, Level, Reason
from monitor.observe.events import before_admission
from monitor.state.incidents import incident_report
from monitor.state.sequences import Arrival

CONFLICT = "source_conflict"


def observe_contested(context: DecisionContext, event: Envelope, arrival: Arrival, by_reporter: bool) -> None:
    """Apply hard rules, model rules and the command in force to an event that is rejected as this `arrival`.

    Where the number is too old to tell a repeat from a conflict, only an incident takes effect, as its id tells whether
    it is known.
    """
    about_pilot = not before_admission(context.pilot, event)
    if about_pilot and isinstance(event, IncidentReported | IncidentUpdated):
        known = incident_report(context.pilot.incidents, context.plan.once, event)
        apply_hard_rules(context, event, known)
        incident_facts(context, event, known, by_reporter=by_reporter)
        known.remember(context.out)
    if arrival == "too_old":
        return
    context.pilot.conflicted = context.at
    level = Level[context.plan.charter.responses.sequence_gap.upper()]
    rule = "key" if arrival == "older_key" else "sequence"
    finding = Finding(rule=rule, observed=float(int(event.sequence)), detail=event.source)
    context.raise_finding(CONFLICT, level, Reason.SOURCE_CONFLICT, finding)
    model = event.data.model  # type: ignore[attr-defined]
    if about_pilot and not (by_reporter or context.plan.any_model or model in context.plan.models):
        check_model(context, event, model)
    if about_pilot and context.pilot.standing.halt_state.stops:
        track_conflict(context, event)
