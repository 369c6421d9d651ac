"""Which reasons reach a person, and how: every `Reason` is in exactly one of four tables. Data only.

- `PUSHED`: grave findings and duties that were not done. Each has its own alert, also where the level of the pilot does
  not change, until it is resolved.
- `OF_LEVEL`: reasons that reach a person by what they do to the level: `SandboxPilotHalted`, `SandboxPilotEscalated`.
- `BY_RULE`: facts that a rule of Prometheus follows; the value is its alert.
- `NO_PERSON`: reasons that need no notification, and why.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.deadlines.facts import FactKind
from monitor.model.records import Reason

HALTED, ESCALATED = "SandboxPilotHalted", "SandboxPilotEscalated"
BEYOND = "SandboxFindingsBeyond"  # the findings of a pilot beyond those that have their own alert
FLOOD = "SandboxFlood"  # more alerts than people can read one by one
COMPLAINTS = "SandboxComplaintOverdue"
OF_USERS = frozenset({FactKind.COMPLAINT, FactKind.USER_COMPLAINT, FactKind.REDRESS_ASKED})
"""What starts the deadlines of answers to users: one alert for all that are overdue under one rule of the table."""


class Row(NamedTuple):
    """An alert: its name, which is a heading of `deploy/runbook.md`, what it starts with and what ends it."""

    alert: str
    starts: str
    ends: str


LOWERED = "an officer lowers the level or shelves it; a release"
QUIET = "enough quiet periods, or an officer lowers the level or shelves it; a release"
SETTLED = "nothing that was missed is owed any more; also after the exit of the pilot"

PUSHED: dict[Reason, Row] = {
    Reason.HARD_RULE: Row("SandboxHardRule", "each incident, and each graver report of one", LOWERED),
    Reason.LIMIT_EXCEEDED: Row("SandboxLimitExceeded", "the evidence reaches its threshold", QUIET),
    Reason.LIMIT_TOLERATED: Row("SandboxLimitTolerated", "the first excess in a low tier", LOWERED),
    Reason.HALT_OVERDUE: Row(
        "SandboxHaltOverdue", "the time for an acknowledgement or a verified stop is over", "both are there"
    ),
    Reason.HALT_CONTRADICTED: Row(
        "SandboxHaltContradicted", "activity after the service had to be stopped", "heartbeats confirm the stop"
    ),
    Reason.DRILL_OVERDUE: Row("SandboxDrillOverdue", "no response to a drill in time", "a later drill passes"),
    Reason.RECTIFICATION_OVERDUE: Row("SandboxRectificationOverdue", "the due date passes", "the release"),
    Reason.CLOCK_MISSED: Row("SandboxClockMissed", "a legal deadline of firm, authority or supplier passes", SETTLED),
    Reason.EVIDENCE_HOLD: Row("SandboxEvidenceHold", "the model changes under an evidence hold", LOWERED),
    Reason.EVIDENCE_HELD: Row("SandboxEvidenceHeld", "an evidence hold begins", "the hold is lifted"),
    Reason.BOUNDARY_BREACHED: Row("SandboxBoundaryBreached", "data crosses a boundary of the charter", LOWERED),
    Reason.UNREGISTERED_MODEL: Row("SandboxUnregisteredModel", "a model outside the charter serves", LOWERED),
    Reason.OUTSIDE_CYCLE: Row("SandboxOutsideCycle", "use before or after the cycle", QUIET),
    Reason.USED_IN_PAUSE: Row("SandboxUsedInPause", "use while the pilot is paused", LOWERED),
    Reason.EXPOSURE_CAP: Row("SandboxExposureCap", "more users or exposure than allowed", QUIET),
    Reason.NO_AUTHORITY: Row("SandboxNoAuthority", "no authority is responsible", "one is responsible"),
    Reason.FINDING_OVERDUE: Row("SandboxFindingOverdue", "a finding of an inspection is not rectified", LOWERED),
    Reason.ASSESSMENT_MISSED: Row("SandboxAssessmentMissed", "the time for an assessment is over", "it is done"),
    Reason.CLOCK_REFUSED: Row("SandboxClockRefused", "a legal deadline cannot be tracked", QUIET),
    Reason.STATE_LOST: Row("SandboxStateLost", "the state of the pilot cannot be read", "the release"),
    Reason.COMMON_CAUSE: Row(
        "SandboxCommonCause", "pilots of a vendor exceed their limits together", "seven days after the last finding"
    ),
}

OF_LEVEL: dict[Reason, str] = {
    Reason.SUSPENDED: "the act of an authority; it halts",
    Reason.RECALLED: "the act of an officer; it halts",
    Reason.OVERRIDDEN: "the act of an officer, who may raise the level to halt",
    Reason.LIMIT_HALF_WAY: "evidence that grows; at the threshold it is a separate finding",
    Reason.CHANGE_DETECTED: "a statistical finding without a limit; a person looks at the pilot as a whole",
    Reason.GAUGE_OUT_OF_RANGE: "a cost or gain, no harm",
    Reason.SEQUENCE_GAP: "quality of the data; what stays unknown for 15 min has SandboxPilotUnknown",
    Reason.LATE_SHARE: "quality of the data",
    Reason.SOURCE_CONFLICT: "quality of the data",
    Reason.MISSING_MODEL: "quality of the data; a model outside the charter is a separate finding",
    Reason.CHANGE_NOT_REGISTERED: "a planned model without its registration: the firm registers it",
    Reason.STATE_LIMIT: "the charter is too large for its bound: amend it",
}

BY_RULE: dict[Reason, str] = {
    Reason.TELEMETRY_LOST: "SandboxTelemetryLost",
    Reason.UNKNOWN_TOO_LONG: "SandboxPilotUnknown",
    Reason.LAPSED: "SandboxPilotUnknown",
    Reason.SILENCE: "SandboxPilotUnknown",
    Reason.PARTIAL_DATA: "SandboxPilotUnknown",
    Reason.MONITOR_GAP: "SandboxMonitorDown",
    Reason.CLOCK_STARTED: "SandboxClockDueSoon",
    Reason.CLOCK_MOVED: "SandboxClockDueSoon",
}

_ENDS = "the end of something that was notified"
_ACT = "a person did it, and the others read it on the board"
_WAITS = "waits for an answer, on the board's page of today; a deadline of the clock table follows it"
_WATCH = "watch: for dashboards, where false alarms are expected"

NO_PERSON: dict[Reason, str] = {
    **dict.fromkeys(
        (
            Reason.CLEARED, Reason.RELEASED, Reason.EXITED, Reason.CLOSED, Reason.HALT_VERIFIED, Reason.HEARD_AGAIN,
            Reason.COMMAND_ACKNOWLEDGED, Reason.DRILL_PASSED, Reason.DRILL_ENDED, Reason.UNSHELVED, Reason.HOLD_LIFTED,
            Reason.CLOCK_MET, Reason.CLOCK_STOPPED,
        ),
        _ENDS,
    ),
    **dict.fromkeys(
        (
            Reason.ADMITTED, Reason.AMENDED, Reason.EXIT_PENDING, Reason.SHELVED, Reason.LEVEL_ACCEPTED,
            Reason.RECTIFICATION_RECORDED, Reason.EVALUATION_RECORDED, Reason.APPROVAL_RECORDED, Reason.DRILL_BEGUN,
            Reason.APPLICATION_SCREENED, Reason.APPLICATION_REFUSED, Reason.APPLICATION_WITHDRAWN,
            Reason.CHARTER_SIGNED, Reason.CYCLE_STARTED, Reason.FOUNDED, Reason.CONFIGURATION_CHANGED,
            Reason.PROPOSAL_WITHDRAWN, Reason.CHANGE_REGISTERED, Reason.CHANGE_REFUSED, Reason.PAUSE_GRANTED,
            Reason.RESUMED, Reason.CYCLE_GRANTED, Reason.REQUEST_DECLINED, Reason.EXTENDED, Reason.GUIDANCE_GIVEN,
            Reason.GUIDANCE_FOLLOWED, Reason.INSPECTED, Reason.ASSESSED, Reason.TIER_APPROVED, Reason.EXIT_APPROVED,
            Reason.REPORT_ISSUED, Reason.PUBLISHED, Reason.WITHHELD, Reason.GRADUATED, Reason.CORRECTED,
            Reason.INCIDENT_REPORT_RECEIVED, Reason.CHANGE_NOTIFIED, Reason.SUSPENSION_NOTIFIED,
            Reason.INCIDENT_RECLASSIFIED, Reason.COMPLAINT_WITHDRAWN, Reason.COMPLAINT_ANSWERED,
            Reason.REDRESS_RECORDED, Reason.USER_LEFT, Reason.SHADOW_STARTED, Reason.SHADOW_STOPPED,
            Reason.SHADOW_ENDED, Reason.STEP_PASSED, Reason.STEP_FAILED, Reason.STEP_INCONCLUSIVE,
            Reason.TEMPLATE_MADE, Reason.MODEL_ENTRY_ADDED, Reason.MODEL_ENTRY_WITHDRAWN, Reason.FIRM_CLASSIFIED,
            Reason.DECISION_ANNULLED,
        ),
        _ACT,
    ),
    **dict.fromkeys(
        (
            Reason.APPLICATION_SUBMITTED, Reason.CHARTER_AGREED, Reason.CONFIGURATION_PROPOSED,
            Reason.CHANGE_PROPOSED, Reason.PAUSE_REQUESTED, Reason.CYCLE_REQUESTED, Reason.GUIDANCE_ASKED,
            Reason.ASSESSMENT_DUE, Reason.COMPLAINT_FILED,
        ),
        _WAITS,
    ),
    **dict.fromkeys(
        (
            Reason.DRIFT_SUSPECTED, Reason.TREND_RISING, Reason.TREND_STEADY, Reason.COUNTED_NOWHERE,
            Reason.LATE_DROPPED, Reason.DISPERSION_EXCEEDED, Reason.BASELINE_UNUSABLE,
        ),
        _WATCH,
    ),
    Reason.INSPECTION_FINDING: "an officer wrote it; SandboxFindingOverdue follows its due date",
    Reason.RESPONSIBILITY_CHANGED: "from then on the alerts that stand carry the new authorities",
}  # fmt: skip


def alert_of(reason: Reason, starts: str = "") -> str:
    """The name of the alert of a pushed reason; `starts` is the fact that started a deadline.

    >>> alert_of(Reason.CLOCK_MISSED, "user_complaint"), alert_of(Reason.CLOCK_MISSED, "exit")
    ('SandboxComplaintOverdue', 'SandboxClockMissed')
    """
    return COMPLAINTS if reason is Reason.CLOCK_MISSED and starts in OF_USERS else PUSHED[reason].alert
