"""Which findings have their own alerts, and how severe an alert is: tables over reason, harm and level.

`critical` wakes a person, `warning` waits for working hours; `None` = no alert. The first row that matches counts.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.model.events import Harm
from monitor.model.records import Decision, Level, Reason
from monitor.projections.wording import incident

HALTED, ESCALATED = "SandboxPilotHalted", "SandboxPilotEscalated"

# The reasons whose findings are grave, and the name of their alert. `deploy/runbook.md` has a heading for each.
GRAVE: dict[Reason, str] = {
    Reason.HARD_RULE: "SandboxHardRule",
    Reason.LIMIT_EXCEEDED: "SandboxLimitExceeded",
    Reason.LIMIT_TOLERATED: "SandboxLimitTolerated",
    Reason.HALT_OVERDUE: "SandboxHaltOverdue",
    Reason.HALT_CONTRADICTED: "SandboxHaltContradicted",
    Reason.DRILL_OVERDUE: "SandboxDrillOverdue",
    Reason.RECTIFICATION_OVERDUE: "SandboxRectificationOverdue",
}

# The limbs of Art. 3(49) (a) to (c) of the EU AI Act that concern people, and critical infrastructure.
WORST: frozenset[Harm] = frozenset(
    {Harm.DEATH, Harm.SERIOUS_INJURY, Harm.CRITICAL_INFRASTRUCTURE, Harm.FUNDAMENTAL_RIGHTS}
)
ANY: frozenset[Harm] = frozenset(Harm)


class Row(NamedTuple):
    """`severity` of a finding with one of these reasons (none given: any), one of these harms, and at least this
    level."""

    reasons: tuple[Reason, ...]
    harms: frozenset[Harm]
    level: Level
    severity: str


SEVERITY: tuple[Row, ...] = (
    Row((), ANY, Level.HALT, "critical"),
    Row((Reason.HARD_RULE,), WORST, Level.WATCH, "critical"),  # also where the charter only watches or escalates
    Row((Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED), ANY, Level.WATCH, "critical"),
    Row((), ANY, Level.ESCALATE, "warning"),
)


def severity(reason: Reason, harm: Harm, level: Level) -> str | None:
    """How severe an alert is; `None` = no alert."""
    for row in SEVERITY:
        if (not row.reasons or reason in row.reasons) and harm in row.harms and level >= row.level:
            return row.severity
    return None


def harm_of(decision: Decision) -> Harm:
    """The harm that a hard rule's finding names, `none` for every other decision.

    >>> from monitor.testing.records import decision
    >>> from monitor.model.records import Finding
    >>> harm_of(decision(1, reason=Reason.HARD_RULE, finding=Finding(detail="serious_incident, death, i-1")))
    <Harm.DEATH: 'death'>
    """
    said = incident(decision)
    return Harm(said[2]) if said is not None else Harm.NONE


def incident_of(decision: Decision) -> str:
    """The id of the incident that a hard rule's finding names, "" for every other decision."""
    said = incident(decision)
    return said[0] if said is not None else ""
