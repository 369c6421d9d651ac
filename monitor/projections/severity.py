"""The findings with a separate alert, and the severity of alerts: tables over reason, harm and level.

`critical` pages a person, `warning` waits for working hours; `None` = no alert. The first matching row applies.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.model.events import Harm
from monitor.model.records import Decision, Level, Reason
from monitor.projections.alert_table import PUSHED
from monitor.projections.wording import incident

# Reasons of grave findings, and the name of their alert; `deploy/runbook.md` has a heading for each.
GRAVE: dict[Reason, str] = {reason: row.alert for reason, row in PUSHED.items()}

# EU AI Act, Art. 3(49) (a) to (c): harm to people, fundamental rights and critical infrastructure.
WORST: frozenset[Harm] = frozenset(
    {Harm.DEATH, Harm.SERIOUS_INJURY, Harm.CRITICAL_INFRASTRUCTURE, Harm.FUNDAMENTAL_RIGHTS}
)
ANY: frozenset[Harm] = frozenset(Harm)


class SeverityRow(NamedTuple):
    """`severity` of a finding with one of `reasons` (empty: any), one of `harms`, and at least `level`."""

    reasons: tuple[Reason, ...]
    harms: frozenset[Harm]
    level: Level
    severity: str


SEVERITY: tuple[SeverityRow, ...] = (
    SeverityRow((), ANY, Level.HALT, "critical"),
    SeverityRow(
        (Reason.HARD_RULE,), WORST, Level.WATCH, "critical"
    ),  # also where the charter only watches or escalates
    SeverityRow((Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED), ANY, Level.WATCH, "critical"),
    SeverityRow((), ANY, Level.ESCALATE, "warning"),
    # Duties that were not done, also of a pilot that left, whose level does not move; and what has no level.
    SeverityRow(
        (
            Reason.CLOCK_MISSED,
            Reason.EVIDENCE_HOLD,
            Reason.EVIDENCE_HELD,
            Reason.NO_AUTHORITY,
            Reason.ASSESSMENT_MISSED,
            Reason.COMMON_CAUSE,
        ),
        ANY,
        Level.NORMAL,
        "warning",
    ),
)


def severity(reason: Reason, harm: Harm, level: Level) -> str | None:
    """The severity of an alert; `None` = no alert."""
    for row in SEVERITY:
        if (not row.reasons or reason in row.reasons) and harm in row.harms and level >= row.level:
            return row.severity
    return None


def harm_of(decision: Decision) -> Harm:
    """The harm in a hard rule's finding; `none` for every other decision.

    >>> from monitor.testing.records import decision
    >>> from monitor.model.records import Finding
    >>> harm_of(decision(1, reason=Reason.HARD_RULE, finding=Finding(detail="serious_incident, death, i-1")))
    <Harm.DEATH: 'death'>
    """
    found = incident(decision)
    return Harm(found[2]) if found is not None else Harm.NONE


def incident_of(decision: Decision) -> str:
    """The incident id in a hard rule's finding; "" for every other decision."""
    found = incident(decision)
    return found[0] if found is not None else ""
