"""An event that may not be counted, as its sequence number was used: what it says of harm is acted on all the same.

Two emitters that share a source, or one that began again at 1, would else hide what they report. Such an event is rejected, so
that its sender sees it, and the pilot carries a finding; the hard rules of the charter and the command to stop are held
against what it says.
"""

from __future__ import annotations

from monitor.case import Case
from monitor.incidents import report
from monitor.model import Finding, Level, Reason
from monitor.obey import contest
from monitor.observe import hard_rules, remember, unregistered
from monitor.telemetry import Envelope, IncidentReported, IncidentUpdated

CONFLICT = "source_conflict"


def contested(case: Case, event: Envelope, conflict: bool) -> None:
    """Take what matters from an event that is rejected for its number. `conflict`: another event is known to have used it;
    else its number is too old to tell, and only an incident is looked at, as its id tells whether it is known."""
    if isinstance(event, IncidentReported | IncidentUpdated):
        seen = report(case.pilot.incidents, case.plan.once, event)
        hard_rules(case, event, seen)
        remember(case, seen)
    if not conflict:
        return
    case.pilot.conflicted = case.at
    level = Level[case.plan.charter.responses.sequence_gap.upper()]
    finding = Finding(rule="sequence", observed=float(int(event.sequence)), detail=event.source)
    case.found(CONFLICT, level, Reason.SOURCE_CONFLICT, finding)
    unregistered(case, event)
    if case.pilot.standing.order.stops:
        contest(case, event)
