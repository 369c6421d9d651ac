"""Closed lists of the life of a pilot: states, acts, events, facts, and what follows from an arrow. Pure data.

The values stand in logs, snapshots and ledgers: none is renamed or dropped.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias


class Region(StrEnum):
    """A part of the state of a pilot that changes independently of the others; its value is a field of `Lifecycle`."""

    PILOT = "pilot"
    HALT = "halt"
    CHANGE = "change"
    REQUEST = "request"
    ASSESSMENT = "assessment"
    HOLD = "hold"


class State(StrEnum):
    """The states of all regions. The first of each region (`INITIAL`) is that of a pilot without a record."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    SCREENED = "screened"
    REFUSED = "refused"
    APPLICATION_WITHDRAWN = "application_withdrawn"
    AGREED = "agreed"  # both sides signed one charter hash
    REGISTERED = "registered"  # admitted; its cycle has not begun
    RUNNING = "running"
    PAUSED = "paused"
    EXITING = "exiting"  # its exit is on record and waits for a verified stop
    EXITED = "exited"
    TERMINATED = "terminated"
    WITHDRAWN = "withdrawn"
    REPORTED = "reported"  # written proof and exit report were issued
    PUBLISHED = "published"
    WITHHELD = "withheld"
    TRACKED = "tracked"  # routine supervision under a thin charter
    CLOSED = "closed"
    RECALLED = "recalled"
    # region HALT. A halt is technical; a suspension is the legal act of an authority, EU AI Act Art. 57(11)
    NOT_HALTED = "not_halted"
    HALTED = "halted"
    SUSPENDED = "suspended"
    # region CHANGE
    NO_CHANGE = "no_change"
    CHANGE_PROPOSED = "change_proposed"
    # region REQUEST
    NO_REQUEST = "no_request"
    PAUSE_REQUESTED = "pause_requested"
    CYCLE_REQUESTED = "cycle_requested"
    # region ASSESSMENT
    NOT_DUE = "not_due"
    ASSESSMENT_DUE = "assessment_due"
    ASSESSMENT_MISSED = "assessment_missed"
    # region HOLD: evidence hold, EU AI Act Art. 73(6)
    NO_HOLD = "no_hold"
    EVIDENCE_HELD = "evidence_held"  # by an officer: until an officer lifts it
    INCIDENT_HOLD = "incident_hold"  # by a serious incident: until the authority was told


INITIAL: dict[Region, State] = {
    Region.PILOT: State.DRAFT,
    Region.HALT: State.NOT_HALTED,
    Region.CHANGE: State.NO_CHANGE,
    Region.REQUEST: State.NO_REQUEST,
    Region.ASSESSMENT: State.NOT_DUE,
    Region.HOLD: State.NO_HOLD,
}


def _regions() -> dict[State, Region]:
    first = {state: region for region, state in INITIAL.items()}
    found, region = {}, Region.PILOT
    for state in State:
        region = first.get(state, region)
        found[state] = region
    return found


REGION_OF: dict[State, Region] = _regions()
ORDER: dict[State, int] = {state: place for place, state in enumerate(State)}


class Act(StrEnum):
    """What a person or a firm does by a control record."""

    # the firm
    APPLY = "apply"
    WITHDRAW_APPLICATION = "withdraw_application"
    PROPOSE_CHANGE = "propose_change"
    PROPOSE_CYCLE = "propose_cycle"
    PAUSE = "pause"
    RESUME = "resume"
    RECTIFY = "rectify"
    ASK_GUIDANCE = "ask_guidance"
    FOLLOW_GUIDANCE = "follow_guidance"
    APPEAL = "appeal"
    CONSENT_TO_PUBLISH = "consent_to_publish"
    REPORT = "report"  # of an incident, to the authority
    # the firm and an authority
    AGREE = "agree"
    NOTIFY_CHANGE = "notify_change"  # the authority is told of a change while an incident is investigated
    # an authority
    SCREEN = "screen"
    REFUSE = "refuse"
    ADMIT = "admit"
    AMEND = "amend"
    REFUSE_CHANGE = "refuse_change"
    GRANT = "grant"
    DECLINE = "decline"
    OVERRIDE = "override"
    SHELVE = "shelve"
    ACCEPT_LEVEL = "accept_level"
    DRILL = "drill"
    INSPECT = "inspect"
    GUIDE = "guide"
    ASSESS = "assess"
    EXTEND = "extend"
    SUSPEND = "suspend"
    TERMINATE = "terminate"
    EXIT = "exit"
    ISSUE_REPORT = "issue_report"
    WITHHOLD = "withhold"
    GRADUATE = "graduate"
    RECALL = "recall"
    HOLD = "hold"
    LIFT_HOLD = "lift_hold"
    RECLASSIFY = "reclassify"
    NOTIFY_SUSPENSION = "notify_suspension"  # the AI Office was told of a suspension
    START_SHADOW = "start_shadow"  # of a shadow charter
    STOP_SHADOW = "stop_shadow"
    MAKE_TEMPLATE = "make_template"
    EVALUATE_STEP = "evaluate_step"  # of a rollout: the cap on users rises, falls or stays
    RELEASE = "release"
    # two approvers
    APPROVE = "approve"  # of a release
    APPROVE_EXIT = "approve_exit"
    APPROVE_TIER = "approve_tier"  # of a lower tier
    # third parties
    EVALUATE = "evaluate"
    FILE_COMPLAINT = "file_complaint"
    WITHDRAW_COMPLAINT = "withdraw_complaint"
    ANSWER_COMPLAINT = "answer_complaint"
    REDRESS = "redress"
    LEAVE_PILOT = "leave_pilot"  # users withdraw from the pilot
    # on the sandbox
    PUBLISH_TOOLKIT = "publish_toolkit"
    PUBLISH_LEGAL_BASIS = "publish_legal_basis"
    CONFIGURE = "configure"  # authorities, people, tiers, negative list, calendars, clock table
    APPROVE_CONFIGURATION = "approve_configuration"
    # on the file of a model
    NAME_SUPPLIER = "name_supplier"
    ADD_TO_MODEL = "add_to_model"  # version, data compliance, scenario, limitation
    EVALUATE_MODEL = "evaluate_model"
    INSPECT_MODEL = "inspect_model"
    WITHDRAW_FROM_MODEL = "withdraw_from_model"
    # on the file of a firm
    CLASSIFY = "classify"
    ANNUL = "annul"  # a decision that was wrong, so that it does not count against the firm


class Event(StrEnum):
    """What the machine itself observes or a timer that fires. No person does it."""

    CYCLE_STARTED = "cycle_started"  # timer: the first day of the charter's cycle
    HALT_DECIDED = "halt_decided"  # a limit, a hard rule or an override
    STOP_VERIFIED = "stop_verified"  # the service acknowledged a halt and is shown to have stopped
    SERIOUS_INCIDENT = "serious_incident"
    AUTHORITY_TOLD = "authority_told"  # of every serious incident, or none is serious any more
    ASSESSMENT_FELL_DUE = "assessment_fell_due"  # timer: the charter's interval
    ASSESSMENT_OVERDUE = "assessment_overdue"  # timer
    TRACKING_ENDED = "tracking_ended"  # timer: the months of routine supervision


Trigger: TypeAlias = Act | Event


class Outcome(StrEnum):
    """How a stay in the sandbox ends."""

    SCALE = "scale"
    EXTEND = "extend"
    REMEDIATE = "remediate"
    STOP = "stop"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"
    TERMINATED = "terminated"  # by the authority, before its end
    WITHDRAWN = "withdrawn"  # at the firm's wish, recorded by an officer


class Fact(StrEnum):
    """What the caller knows of the pilot and of the act, where the states do not say it."""

    OPEN_MODE = "open_mode"  # the deployment has no sandbox: a pilot is admitted without an application
    SCREENING_PASSED = "screening_passed"  # nothing on the negative list; the tier's minimum standards are met
    POWER_SUFFICIENT = "power_sufficient"  # as the tier requires at admission
    SAME_CHARTER = "same_charter"  # the charter is the one that both sides signed
    INSIDE_PLAN = "inside_plan"  # the charter's plan of changes covers the change
    RECTIFIED = "rectified"
    EVALUATED = "evaluated"
    RELEASE_APPROVED = "release_approved"  # by two different approvers
    EXIT_APPROVED = "exit_approved"  # by two different approvers
    TIER_APPROVED = "tier_approved"  # by two different approvers, or the tier does not fall
    STOP_VERIFIED = "stop_verified"
    LIMITS_KEPT = "limits_kept"  # every upper bound is below its limit
    POWER_REACHED = "power_reached"  # the declared power was reached
    OWN_COMPLAINT = "own_complaint"  # the act is the author's answer to a complaint about its pilot
    OWN_MODEL = "own_model"  # the file of the model names the author as a supplier
    OWN_ENTRY = "own_entry"  # the author added the entry
    ACCREDITED = "accredited"  # the author is accredited for the pilot's place and tier, or for these toolkits
    # derived by `life.py`
    BOTH_SIGNATURES = "both_signatures"
    SCALES = "scales"
    ENDS_TERMINATED = "ends_terminated"
    ENDS_WITHDRAWN = "ends_withdrawn"


class Statistics(StrEnum):
    """What the statistics do when an arrow is taken."""

    NONE = "none"  # there are none
    BEGIN = "begin"  # on the first share of alpha
    CONTINUE = "continue"
    HOLD = "hold"  # neither spent nor reset
    NEXT_SHARE = "next_share"  # restart on the next share of alpha
    REBASELINE = "rebaseline"  # open the baseline again where the change could move it
    STOP = "stop"
