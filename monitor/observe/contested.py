"""Events that are not counted because their sequence number was used: reports of harm in them still take effect.

Otherwise two emitters that share a source, or one that restarted at 1, would hide what they report. Such an event is
rejected, so that its sender sees it, and the pilot carries a finding; the hard rules of the charter and the command to
stop apply to it.
"""

from __future__ import annotations

from monitor.decide.context import DecisionContext
from monitor.decide.enforcement import track_conflict
from monitor.model.events import Envelope, IncidentReported, IncidentUpdated
from monitor.model.records import Finding, Level, Reason
from monitor.observe.events import before_admission, foreign, hard_rules
from monitor.state.incidents import incident_report

CONFLICT = "source_conflict"


def contested(context: DecisionContext, event: Envelope, conflict: bool) -> None:
    """Apply an event that is rejected for its number to hard rules, models and the command to stop. `conflict`: another
    event is known to have used it; else its number is too old to tell, and only an incident is looked at, as its id
    tells whether it is known."""
    known = not before_admission(context.pilot, event)  # else it is none of the pilot's
    if known and isinstance(event, IncidentReported | IncidentUpdated):
        seen = incident_report(context.pilot.incidents, context.plan.once, event)
        hard_rules(context, event, seen)
        seen.remember(context.out)
    if not conflict:
        return
    context.pilot.conflicted = context.at
    level = Level[context.plan.charter.responses.sequence_gap.upper()]
    finding = Finding(rule="sequence", observed=float(int(event.sequence)), detail=event.source)
    context.raise_finding(CONFLICT, level, Reason.SOURCE_CONFLICT, finding)
    model = event.data.model  # type: ignore[attr-defined]
    if known and not context.plan.any_model and model not in context.plan.models:
        foreign(context, event, model)
    if known and context.pilot.standing.halt_state.stops:
        track_conflict(context, event)
