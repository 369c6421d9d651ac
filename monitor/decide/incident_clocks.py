"""What telemetry means for the clocks: serious incidents start them, a change of the model may break an evidence hold
(EU AI Act, Art. 73). Pure."""

from __future__ import annotations

from msgspec import UnsetType

from monitor.deadlines.engine import held_by
from monitor.deadlines.facts import Fact, FactKind, incident_classes
from monitor.decide.clock_facts import breaks_hold, clock_facts, known_case
from monitor.decide.context import DecisionContext
from monitor.model.events import Envelope, IncidentReported, IncidentUpdated, millis
from monitor.model.pseudonyms import is_id, shown
from monitor.state.incidents import IncidentReport


def incident_facts(
    context: DecisionContext, event: IncidentReported | IncidentUpdated, known: IncidentReport, *, by_reporter: bool
) -> None:
    """Give a reported or regraded incident to the clocks, if it is serious.

    An incident that was reported before and whose case was forgotten starts no clock again, unless it is graver now.
    Since when the firm knew is for the firm to say: `by_reporter` it is not taken.
    """
    if context.table is None:
        return
    data, pilot = event.data, context.pilot
    classes = incident_classes(data.severity, data.harm)
    if not classes:
        return
    kind = FactKind.SERIOUS_INCIDENT
    if known_case(pilot.clocks, kind, data.incident) is None and not known.gravest:
        return
    aware = None if by_reporter or isinstance(data.aware, UnsetType) else millis(data.aware)
    clock_facts(context, Fact(kind=kind, at=context.at, key=data.incident, stated=aware, classes=classes))


def model_changed(context: DecisionContext, event: Envelope, model: str) -> None:
    """An event names another model than the last one did. It breaks an evidence hold if it happened in one, and the
    model is not the one that served when the hold began: late events of before may still name an older one."""
    pilot, table = context.pilot, context.table
    if table is None or not (pilot.model and (pilot.held_model or pilot.clocks.cases)):
        return
    if not held_by(pilot.clocks, table, FactKind.MODEL_CHANGED):
        pilot.held_model = ""
        return
    pilot.held_model = pilot.held_model or pilot.model
    if model == pilot.held_model or not breaks_hold(context, millis(event.time)):
        return
    words = " to ".join(name if is_id(name) else shown(name) for name in (pilot.held_model, model))
    pilot.held_model = ""
    clock_facts(context, Fact(kind=FactKind.MODEL_CHANGED, at=context.at), words)
