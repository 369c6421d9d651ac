"""Events that are not counted because their sequence number was used: reports of harm in them still take effect.

Otherwise two emitters that share a source, or one that restarted at 1, would hide what they report. Such an event is
rejected, so that its sender sees it, and the pilot carries a finding; the hard rules of the charter and the command to
stop apply to it.
"""

from __future__ import annotations

from monitor.decide.context import Case
from monitor.decide.enforcement import contest
from monitor.model.events import Envelope, IncidentReported, IncidentUpdated
from monitor.model.records import Finding, Level, Reason
from monitor.observe.events import before_admission, foreign, hard_rules
from monitor.state.incidents import report

CONFLICT = "source_conflict"


def contested(case: Case, event: Envelope, conflict: bool) -> None:
    """Apply an event that is rejected for its number to hard rules, models and the command to stop. `conflict`: another
    event is known to have used it; else its number is too old to tell, and only an incident is looked at, as its id
    tells whether it is known."""
    known = not before_admission(case.pilot, event)  # else it is none of the pilot's
    if known and isinstance(event, IncidentReported | IncidentUpdated):
        seen = report(case.pilot.incidents, case.plan.once, event)
        hard_rules(case, event, seen)
        seen.remember(case.out)
    if not conflict:
        return
    case.pilot.conflicted = case.at
    level = Level[case.plan.charter.responses.sequence_gap.upper()]
    finding = Finding(rule="sequence", observed=float(int(event.sequence)), detail=event.source)
    case.found(CONFLICT, level, Reason.SOURCE_CONFLICT, finding)
    model = event.data.model  # type: ignore[attr-defined]
    if known and not case.plan.any_model and model not in case.plan.models:
        foreign(case, event, model)
    if known and case.pilot.standing.order.stops:
        contest(case, event)
