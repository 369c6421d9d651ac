"""Acts on a pilot that runs, by control record. Whether an act is possible in the pilot's state was judged before, by
the table of arrows. Pure."""

from __future__ import annotations

from typing import get_args

from monitor.charter.running_acts import (
    ChangeProposal,
    ChangeRefusal,
    CycleProposal,
    Decline,
    EvidenceHold,
    Extension,
    Grant,
    Guidance,
    GuidanceFollowed,
    GuidanceRequest,
    HoldLift,
    Inspection,
    PauseRequest,
    Resumption,
    RunningAct,
    Suspension,
)
from monitor.decide import changes, pauses, supervision
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Transition
from monitor.model.records import Finding, Reason

RUNNING_ACTS = get_args(RunningAct)


def apply_running_act(context: DecisionContext, act: RunningAct) -> tuple[Transition, Finding]:
    """Apply an act. Returns what to record of it (no move where that was recorded already). Raises ControlRefused."""
    match act:
        case ChangeProposal():
            move, finding = changes.propose_change(context, act)
        case ChangeRefusal():
            move, finding = changes.refuse_change(context, act)
        case PauseRequest():
            move, finding = pauses.request_pause(context, act)
        case CycleProposal():
            move, finding = pauses.propose_cycle(context, act)
        case Grant():
            move, finding = pauses.grant(context, act)
        case Decline(reason=words):
            move, finding = pauses.decline(context, words)
        case Resumption():
            move, finding = pauses.resume(context, act)
        case Extension():
            move, finding = pauses.extend(context, act)
        case GuidanceRequest():
            move, finding = supervision.ask_guidance(context, act)
        case Guidance():
            move, finding = supervision.guide(context, act)
        case GuidanceFollowed():
            move, finding = supervision.follow_guidance(context, act)
        case Inspection():
            move, finding = supervision.inspect(context, act)
        case EvidenceHold(reason=words):
            move, finding = supervision.hold(context, Reason.EVIDENCE_HELD, words)
        case HoldLift(reason=words):
            move, finding = supervision.hold(context, Reason.HOLD_LIFTED, words)
        case Suspension():
            supervision.suspend(context, act)
            return (context.pilot.standing, None), Finding()
    return (context.pilot.standing, move), finding
