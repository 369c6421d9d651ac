"""Acts about incidents: the firm's reports and notices to the authority, an officer's classification. Pure.

They are recorded, and give facts to the clocks of the pilot (EU AI Act, Art. 73 and 57(11)).
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from monitor.charter.control import ChangeNotice, ControlBase, IncidentReportAct, Reclassification, SuspensionNotice
from monitor.deadlines.facts import Fact, FactKind
from monitor.decide.clock_facts import clock_facts
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.model.events import millis
from monitor.model.records import Finding, Reason

ACTS = (IncidentReportAct, ChangeNotice, SuspensionNotice, Reclassification)
IncidentAct: TypeAlias = IncidentReportAct | ChangeNotice | SuspensionNotice | Reclassification


def incident_act(context: DecisionContext, act: IncidentAct) -> tuple[Move, Finding]:
    """What an act about an incident puts on record; it moves no level."""
    match act:
        case IncidentReportAct():
            said = f"incident {act.incident}; {act.report}{_aware(act.aware)}"
            reason = Reason.INCIDENT_REPORT_RECEIVED
            finding = Finding(rule="complete report" if act.complete else "initial report", detail=said)
        case ChangeNotice():
            about = f"incident {act.incident}; " if act.incident else ""
            reason, finding = Reason.CHANGE_NOTIFIED, Finding(rule="change", detail=about + act.notice)
        case SuspensionNotice():
            reason, finding = Reason.SUSPENSION_NOTIFIED, Finding(rule="suspension", detail=act.notice)
        case Reclassification():
            said = f"incident {act.incident}; {act.reason}{_aware(act.aware)}"
            reason = Reason.INCIDENT_RECLASSIFIED
            finding = Finding(rule=", ".join(sorted(set(act.classes))) or "not serious", detail=said)
    level = context.pilot.standing.level
    return Move("act", level, level, reason, False), finding


def act_facts(context: DecisionContext, act: ControlBase) -> None:
    """Give the facts of an act that took effect, as far as they need more than its arrow says (`arrow_facts`)."""
    at = context.received
    match act:
        case IncidentReportAct():
            key, aware = act.incident, act.aware
            if aware is not None:
                clock_facts(context, Fact(kind=FactKind.AWARENESS_STATED, at=at, key=key, stated=millis(aware)))
            kind = FactKind.COMPLETE_REPORT if act.complete else FactKind.INITIAL_REPORT
            clock_facts(context, Fact(kind=kind, at=at, key=key))
        case ChangeNotice():
            clock_facts(context, Fact(kind=FactKind.CHANGE_NOTICE, at=at, key=act.incident))
        case Reclassification():
            stated = None if act.aware is None else millis(act.aware)
            fact = Fact(kind=FactKind.RECLASSIFIED, at=at, key=act.incident, stated=stated, classes=act.classes)
            clock_facts(context, fact)


def _aware(at: datetime | None) -> str:
    return "" if at is None else f"; the firm knew since {at.isoformat()}"
