"""Acts along the table of arrows (`monitor/lifecycle`): which facts hold when a person acts on an admitted pilot. Pure.

An act first moves the life of the pilot, which refuses what is not possible in its state; then it is applied, and a
refusal of its content leaves the life as it was. Events that the machine decides (a halt, a verified stop) move it
where they are decided.
"""

from __future__ import annotations

from monitor.charter.control import Amendment, Approval, ControlBase, Drill, Evaluation, Release, Withdrawal
from monitor.charter.running_acts import ChangeProposal
from monitor.decide import ladder
from monitor.decide.authority import ACT_OF
from monitor.decide.changes import agreed, cover
from monitor.decide.context import DecisionContext
from monitor.decide.control_acts import check_drill, results_text
from monitor.decide.leave import check_leave, stopped
from monitor.errors import ControlRefused
from monitor.lifecycle.arrows import Arrow
from monitor.lifecycle.names import Fact
from monitor.model.records import Reason
from monitor.state.pilot import PilotState

APPROVERS = 2  # different people, for a release


def advance_by_act(context: DecisionContext, act: ControlBase) -> tuple[Arrow, ...]:
    """Move the life of the pilot by an act. Raises ControlRefused; nothing has changed then."""
    try:
        return context.advance(ACT_OF[type(act)], facts_of_act(context.pilot, act))
    except ControlRefused:
        _check_as_before(context, act)
        raise


def _check_as_before(context: DecisionContext, act: ControlBase) -> None:
    """Raises the refusal of logs from before there was a table, in its words, for an act that the table refuses too."""
    pilot, s = context.pilot, context.pilot.standing
    match act:
        case Drill():
            check_drill(s)
        case Evaluation(passed=passed, results=results):
            results_text(pilot.charter, passed, results)
            ladder.record_step(s, Reason.EVALUATION_RECORDED, passed=passed)
        case Approval(author=author):
            ladder.record_step(s, Reason.APPROVAL_RECORDED, author)
        case Release(reason=words):
            ladder.release(s, context.at, words)
        case Withdrawal():
            check_leave(pilot)


def facts_of_act(pilot: PilotState, act: ControlBase) -> frozenset[Fact]:
    """What holds for an act on a pilot, where its states do not say it."""
    steps, found = pilot.standing.lifting, set[Fact]()
    if pilot.standing.halted and stopped(pilot):
        found.add(Fact.STOP_VERIFIED)
    if steps.rectified:
        found.add(Fact.RECTIFIED)
    if steps.evaluated:
        found.add(Fact.EVALUATED)
    if len(steps.approvals) >= APPROVERS:
        found.add(Fact.RELEASE_APPROVED)
    if isinstance(act, Amendment):
        found.add(Fact.TIER_APPROVED)
        if agreed(pilot, act.charter):
            found.add(Fact.BOTH_SIGNATURES)
    if isinstance(act, ChangeProposal) and cover(pilot, act).modification is not None:
        found.add(Fact.INSIDE_PLAN)
    return frozenset(found)
