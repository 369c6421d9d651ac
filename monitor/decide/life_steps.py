"""Acts along the table of arrows (`monitor/lifecycle`): which facts hold when a person acts on an admitted pilot. Pure.

An act first moves the life of the pilot, which refuses what is not possible in its state; then it is applied, and a
refusal of its content leaves the life as it was. Events that the machine decides (a halt, a verified stop) move it
where they are decided.
"""

from __future__ import annotations

from msgspec import UnsetType

from monitor.charter.control import Amendment, Approval, ControlBase, Drill, Evaluation, Release, Shelving, Withdrawal
from monitor.charter.running_acts import ChangeProposal
from monitor.charter.spec import hash_of
from monitor.compile.tier_rules import TIERS
from monitor.decide import authority, ladder
from monitor.decide.authority import ACT_OF
from monitor.decide.changes import agreed, cover
from monitor.decide.context import DecisionContext
from monitor.decide.control_acts import NO_SANDBOX, check_drill, results_text, shelf_ms
from monitor.decide.exits import exit_facts, tier_approved
from monitor.decide.ladder import Move
from monitor.decide.leave import check_leave, stopped
from monitor.errors import ControlRefused
from monitor.lifecycle.arrows import Arrow
from monitor.lifecycle.names import Event, Fact, Outcome
from monitor.lifecycle.sandbox_acts import SandboxState
from monitor.model.records import Finding, Reason
from monitor.state.pilot import PilotState


def advance_by_act(context: DecisionContext, act: ControlBase, sandbox: SandboxState = NO_SANDBOX) -> tuple[Arrow, ...]:
    """Move the life of the pilot by an act. Raises ControlRefused; nothing has changed then."""
    try:
        facts, outcome = facts_of_act(context.pilot, act, sandbox), None
        if isinstance(act, Amendment) and tier_approved(context, hash_of(act.charter) or "-", sandbox):
            facts |= {Fact.TIER_APPROVED}
        if isinstance(act, Withdrawal) and not isinstance(act.outcome, UnsetType):
            facts, outcome = facts | exit_facts(context, act, sandbox), Outcome(act.outcome)
        return context.advance(ACT_OF[type(act)], facts, outcome)
    except ControlRefused:
        _check_as_before(context, act)
        raise


def start_cycle(context: DecisionContext) -> None:
    """The first day of the charter's cycle: a registered pilot runs."""
    context.advance(Event.CYCLE_STARTED)
    level = context.pilot.standing.level
    context.record(Move("act", level, level, Reason.CYCLE_STARTED, False), Finding(rule="cycle"))


def _check_as_before(context: DecisionContext, act: ControlBase) -> None:
    """Raises the refusal of logs from before there was a table, in its words, for an act that the table refuses too."""
    pilot, s = context.pilot, context.pilot.standing
    match act:
        case Drill():
            check_drill(s)
        case Shelving(finding=name, span=text):
            ladder.shelve(s, name, context.at + shelf_ms(context.plan, text), context.at)
        case Evaluation(passed=passed, results=results):
            results_text(pilot.charter, passed, results)
            ladder.record_step(s, Reason.EVALUATION_RECORDED, passed=passed)
        case Approval(author=author):
            ladder.record_step(s, Reason.APPROVAL_RECORDED, author)
        case Release(reason=words):
            ladder.release(s, context.at, words)
        case Withdrawal():
            check_leave(pilot)


def facts_of_act(pilot: PilotState, act: ControlBase, sandbox: SandboxState = NO_SANDBOX) -> frozenset[Fact]:
    """What holds for an act on a pilot, where its states do not say it. Without a sandbox an amendment needs neither
    the firm's signature nor approvals."""
    steps, found = pilot.standing.lifting, set(authority.own_complaint(act))
    if pilot.standing.halted and stopped(pilot):
        found.add(Fact.STOP_VERIFIED)
    if steps.rectified:
        found.add(Fact.RECTIFIED)
    if steps.evaluated:
        found.add(Fact.EVALUATED)
    if len(authority.standing_approvals(sandbox, pilot)) >= authority.APPROVERS:
        found.add(Fact.RELEASE_APPROVED)
    if isinstance(act, Amendment):
        founded = authority.sandbox_for(sandbox, pilot) is not None
        # The officer's act is the other signature.
        if pilot.life.signed_by_firm == hash_of(act.charter) if founded else agreed(pilot, act.charter):
            found |= {Fact.BOTH_SIGNATURES, Fact.SAME_CHARTER}
        if not founded or TIERS.index(act.charter.tier) >= TIERS.index(pilot.charter.tier):
            found.add(Fact.TIER_APPROVED)
    if isinstance(act, ChangeProposal) and cover(pilot, act).modification is not None:
        found.add(Fact.INSIDE_PLAN)
    return frozenset(found)
