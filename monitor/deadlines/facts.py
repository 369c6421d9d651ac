"""Facts: what starts, moves, meets, stops or breaks a clock. Each carries its time; none is read from a clock. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from monitor.model.clock_record import IncidentClass as IncidentClass
from monitor.model.events import Harm, Severity


class FactKind(StrEnum):
    """What happened. The values are in clock tables and stored states: they never change."""

    SERIOUS_INCIDENT = "serious_incident"  # a report of an incident that qualifies, with its classes
    AWARENESS_STATED = "awareness_stated"  # the firm says since when it knew
    RECLASSIFIED = "reclassified"  # an officer decides on the classes of an incident
    INITIAL_REPORT = "initial_report"  # may be incomplete: Art. 73(5)
    COMPLETE_REPORT = "complete_report"
    CHANGE_NOTICE = "change_notice"  # the authority was told of a change of the system under investigation
    MODEL_CHANGED = "model_changed"
    APPLICATION = "application"
    APPLICATION_DECIDED = "application_decided"
    APPLICATION_WITHDRAWN = "application_withdrawn"
    EXIT = "exit"
    EXIT_REPORT = "exit_report"  # written proof and exit report were issued
    SUSPENSION = "suspension"
    AI_OFFICE_TOLD = "ai_office_told"
    SUSPENSION_LIFTED = "suspension_lifted"
    ASSESSMENT_SET = "assessment_set"
    ASSESSMENT_DONE = "assessment_done"
    INSPECTION_SET = "inspection_set"
    INSPECTION_DONE = "inspection_done"
    DRILL_SET = "drill_set"
    DRILL_DONE = "drill_done"
    FINDING = "finding"  # with the date by which it must be rectified
    RECTIFIED = "rectified"
    FINDING_WITHDRAWN = "finding_withdrawn"
    SERVICE_STARTED = "service_started"
    SERVICE_FILED = "service_filed"
    SERVICE_CHANGED = "service_changed"
    CHANGE_FILED = "change_filed"
    SERVICE_ENDED = "service_ended"
    ENDING_FILED = "ending_filed"
    LOGS_CLOSED = "logs_closed"  # the last entry of a log was written
    LOGS_DELETED = "logs_deleted"
    COMPLAINT = "complaint"
    COMPLAINT_ANSWERED = "complaint_answered"
    COMPLAINT_WITHDRAWN = "complaint_withdrawn"
    PILOT_ENDED = "pilot_ended"
    USER_COMPLAINT = "user_complaint"  # reported by the users' channel, not by the firm
    USER_COMPLAINT_ANSWERED = "user_complaint_answered"
    USER_COMPLAINT_WITHDRAWN = "user_complaint_withdrawn"
    REDRESS_ASKED = "redress_asked"
    REDRESS_DECIDED = "redress_decided"  # given or refused
    REDRESS_WITHDRAWN = "redress_withdrawn"  # with the complaint


# Cases that start with something that a firm does. They share a part of the space, so that no flood displaces what an
# authority starts, and a date that is set with such a fact stays, so that a repeat does not extend it.
STARTED_BY_FIRM = frozenset({
    FactKind.SERIOUS_INCIDENT, FactKind.COMPLAINT, FactKind.SERVICE_STARTED, FactKind.SERVICE_CHANGED,
    FactKind.SERVICE_ENDED, FactKind.LOGS_CLOSED, FactKind.APPLICATION,
})  # fmt: skip


# Complaints and requests of users: each kind has separate places, so that no number of them takes that of another case.
OF_USERS = frozenset({FactKind.USER_COMPLAINT, FactKind.REDRESS_ASKED})
COUNTED_APART = OF_USERS | {FactKind.COMPLAINT}


class Fact(Struct, frozen=True, kw_only=True, gc=False):
    """One fact.

    `key` names the occurrence (incident, application, finding ...) and is used for one only; "" for MODEL_CHANGED and
    other facts that concern every open case. `at` (ms since 1970) is when the monitor received it. `stated` (ms) is the
    time since when the firm knew of the incident, as it says or as an officer found; `due` (ms) a date that is set with
    the fact, `classes` the classes of an incident.
    """

    kind: FactKind
    at: int
    key: str = ""
    stated: int | None = None
    due: int | None = None
    classes: tuple[IncidentClass, ...] = ()


_CLASS = {
    Harm.DEATH: IncidentClass.DEATH,
    Harm.SERIOUS_INJURY: IncidentClass.SERIOUS_INJURY,
    Harm.CRITICAL_INFRASTRUCTURE: IncidentClass.CRITICAL_INFRASTRUCTURE,
    Harm.FUNDAMENTAL_RIGHTS: IncidentClass.FUNDAMENTAL_RIGHTS,
    Harm.PROPERTY: IncidentClass.PROPERTY_OR_ENVIRONMENT,
    Harm.ENVIRONMENT: IncidentClass.PROPERTY_OR_ENVIRONMENT,
}
_BY_HARM_ALONE = (Harm.DEATH, Harm.SERIOUS_INJURY)


def incident_classes(severity: Severity, harm: Harm) -> tuple[IncidentClass, ...]:
    """The classes of a reported incident; none if it is not serious.

    Death and serious injury make an `incident` serious whatever the reporter's grade: Art. 3(49)(a) has no further
    condition. The other limbs have one, which the grade states.

    >>> incident_classes(Severity.INCIDENT, Harm.DEATH), incident_classes(Severity.INCIDENT, Harm.PROPERTY)
    ((<IncidentClass.DEATH: 'death'>,), ())
    """
    if severity is Severity.SERIOUS_INCIDENT:
        return (_CLASS.get(harm, IncidentClass.OTHER),)
    return (_CLASS[harm],) if severity is Severity.INCIDENT and harm in _BY_HARM_ALONE else ()
