"""Acts about incidents: the firm's reports and notices to the authority, an officer's classification. Pure.

They are recorded, and give facts to the clocks of the pilot (EU AI Act, Art. 73 and 57(11)).
"""

from __future__ import annotations

from monitor.charter.control import ControlBase
from monitor.charter.incident_acts import (
    ChangeNotice,
    IncidentAct,
    IncidentReportAct,
    Reclassification,
    SuspensionNotice,
)
from monitor.charter.running_acts import HoldLift
from monitor.deadlines.facts import Fact, FactKind
from monitor.decide.clock_facts import clock_facts
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move, Transition
from monitor.model.events import millis
from monitor.model.records import Content, Finding, Reason

INCIDENT_ACTS = (IncidentReportAct, ChangeNotice, SuspensionNotice, Reclassification)


def apply_incident_act(context: DecisionContext, act: IncidentAct) -> tuple[Transition, Finding]:
    """What an act about an incident puts on record; it moves no level."""
    content: Content = {}
    match act:
        case IncidentReportAct():
            content = {"incident": act.incident}
            reason, words = Reason.INCIDENT_REPORT_RECEIVED, act.report
            rule = "complete report" if act.complete else "initial report"
        case ChangeNotice():
            reason, rule, words = Reason.CHANGE_NOTIFIED, "change", act.notice
            content = {"incident": act.incident} if act.incident else {}
        case SuspensionNotice():
            reason, rule, words = Reason.SUSPENSION_NOTIFIED, "suspension", act.notice
        case Reclassification():
            content = {"incident": act.incident}
            reason, words = Reason.INCIDENT_RECLASSIFIED, act.reason
            rule = ", ".join(sorted(set(act.classes))) or "not serious"
    if isinstance(act, IncidentReportAct | Reclassification) and act.aware is not None:
        content["firm aware since"] = act.aware.isoformat()
    s = context.pilot.standing
    finding = Finding(rule=rule, detail=words, content=content) if content else Finding(rule=rule, detail=words)
    return (s, Move("act", s.level, s.level, reason, False)), finding


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
        case HoldLift():  # the authority decides on the change itself: of every open incident
            clock_facts(context, Fact(kind=FactKind.CHANGE_NOTICE, at=at))
        case Reclassification():
            stated = None if act.aware is None else millis(act.aware)
            fact = Fact(kind=FactKind.RECLASSIFIED, at=at, key=act.incident, stated=stated, classes=act.classes)
            clock_facts(context, fact)
