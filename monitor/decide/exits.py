"""Assessments, exits and what follows, by control record; and their timers. Whether an act is possible in the pilot's
state was judged before, by the table of arrows. Pure.

An exit with the outcome `scale` is evaluated here: the facts that the table asks for come from the computed numbers,
which stand in the decision.
"""

from __future__ import annotations

from typing import get_args

from msgspec import UNSET, UnsetType, structs

from monitor.assess.evaluate import limits_kept, power_reached
from monitor.assess.pack import assess
from monitor.charter.exit_acts import (
    Assessing,
    ExitAct,
    ExitApproval,
    Graduation,
    PublicationConsent,
    Recall,
    ReportIssue,
    StepEvaluation,
    TemplateMaking,
    Termination,
    TierApproval,
    Withdrawal,
    Withholding,
)
from monitor.deadlines.facts import Fact as ClockFact
from monitor.deadlines.facts import FactKind
from monitor.decide import authority, ladder
from monitor.decide.clock_facts import arrow_facts, clock_facts
from monitor.decide.context import DecisionContext
from monitor.decide.graduate import graduate
from monitor.decide.ladder import Move, Transition
from monitor.decide.leave import leave
from monitor.decide.rollout import evaluate_rollout
from monitor.errors import ControlRefused
from monitor.lifecycle.names import Event, Fact, State
from monitor.lifecycle.sandbox_acts import SandboxState
from monitor.lifecycle.standards import TIERS
from monitor.model.assessment import Assessment
from monitor.model.records import Content, Finding, Level, Reason
from monitor.model.refusals import Refusal
from monitor.state.pilot import PilotState
from monitor.state.review import Approvals, exit_approvals

EXIT_ACTS = get_args(ExitAct)
ASSESSMENT, RECALL = "assessment", "recall"  # keys of findings


def apply_exit_act(context: DecisionContext, act: ExitAct, sandbox: SandboxState) -> tuple[Transition, Finding]:
    """Apply an act. Returns what to record of it (no move where that was recorded already). Raises ControlRefused."""
    pilot = context.pilot
    match act:
        case Assessing():
            move, finding = _assess(context, act)
        case ExitApproval():
            move, finding = _approve(context, act, sandbox)
        case TierApproval():
            move, finding = _approve_tier(context, act, sandbox)
        case Withdrawal():
            return _exit(context, act)
        case Termination(basis=basis, reason=words):
            return leave(pilot), Finding(rule="termination", detail=words, content={"basis": basis})
        case ReportIssue(report=report, proof=proof):
            content = {"report": report, "proof": proof}
            move, finding = _act(context, Reason.REPORT_ISSUED), Finding(rule="exit_report", content={**content})
        case Withholding(reason=words):
            move, finding = _act(context, Reason.WITHHELD), Finding(rule="exit_report", detail=words)
        case PublicationConsent():
            move, finding = _act(context, Reason.PUBLISHED), Finding(rule="exit_report")
        case Graduation():
            move, finding = graduate(context, act)
        case StepEvaluation():
            move, finding = evaluate_rollout(context, act)
        case TemplateMaking():
            content = {"template": act.template, "charter": pilot.hash, "version": str(pilot.charter.version)}
            move = _act(context, Reason.TEMPLATE_MADE)
            finding = Finding(rule="template", detail=act.reason, content={**content})
        case Recall(reason=words):
            _recall(context, words, act.author)
            return (pilot.standing, None), Finding()
    return (pilot.standing, move), finding


def exit_facts(context: DecisionContext, act: ExitAct, sandbox: SandboxState) -> frozenset[Fact]:
    """What holds for an exit with the outcome `scale`."""
    if not isinstance(act, Withdrawal) or act.outcome != "scale":
        return frozenset()
    lacks, found = _computed(context, act).lacks, set[Fact]()
    if limits_kept(lacks):
        found.add(Fact.LIMITS_KEPT)
    if power_reached(lacks):
        found.add(Fact.POWER_REACHED)
    given = exit_approvals(context.pilot.review, context.pilot.stay).given(_approved(context.pilot))
    if authority.approved(sandbox, context.pilot, given, context.at):
        found.add(Fact.EXIT_APPROVED)
    return frozenset(found)


def assessment_timer(context: DecisionContext) -> None:
    """An assessment falls due, or is overdue."""
    pilot = context.pilot
    event, reason = Event.ASSESSMENT_OVERDUE, Reason.ASSESSMENT_MISSED
    if pilot.life.assessment is State.NOT_DUE:
        event, reason = Event.ASSESSMENT_FELL_DUE, Reason.ASSESSMENT_DUE
        pilot.review = structs.replace(pilot.review, fell_due=context.at)
    arrows = context.advance(event)
    finding = Finding(rule=ASSESSMENT, period_end=context.at)
    if reason is Reason.ASSESSMENT_MISSED:
        context.raise_finding(ASSESSMENT, Level.WATCH, reason, finding, "until_lowered")
    else:
        level = pilot.standing.level
        context.record(Move("finding", level, level, reason, False), finding)
    if reason is Reason.ASSESSMENT_DUE and context.plan.assess_within is not None:
        due = context.plan.assess_within.after(context.at)
        clock_facts(
            context, ClockFact(kind=FactKind.ASSESSMENT_SET, at=context.at, key=f"{ASSESSMENT}@{context.at}", due=due)
        )
    arrow_facts(context, arrows, f"{ASSESSMENT}@{context.at}")


def tracking_ended(context: DecisionContext) -> None:
    """The months of routine supervision are over. While a halt stands, they last until it is released."""
    pilot, level = context.pilot, context.pilot.standing.level
    pilot.review = structs.replace(pilot.review, tracked_until=None)
    arrows = context.advance(Event.TRACKING_ENDED)
    pilot.exited = True
    context.record(Move("act", level, level, Reason.CLOSED, False), Finding(rule="tracking"))
    arrow_facts(context, arrows, "tracking")


def _assess(context: DecisionContext, act: Assessing) -> tuple[Move, Finding]:
    pilot, numbers = context.pilot, _computed(context, act)
    pilot.review = structs.replace(pilot.review, assessed=context.at, fell_due=None)
    context.clear(ASSESSMENT, Finding(rule=ASSESSMENT))  # of one that was overdue
    finding = Finding(
        rule=ASSESSMENT, detail=act.reason, content={"outcome": act.outcome, "advised": numbers.advised},
        assessment=numbers,
    )  # fmt: skip
    return _act(context, Reason.ASSESSED), finding


def _approve(context: DecisionContext, act: ExitApproval, sandbox: SandboxState) -> tuple[Move, Finding]:
    pilot = context.pilot
    given = exit_approvals(pilot.review, pilot.stay).given(_approved(pilot))
    given = _plus(context, act.author, given, sandbox)
    pilot.review = structs.replace(pilot.review, approvals=given.people, approved=given.of)
    pilot.stay = structs.replace(pilot.stay, approved_at=given.at)
    return _act(context, Reason.EXIT_APPROVED), Finding(rule="exit", content={"outcome": "scale"})


def _approve_tier(context: DecisionContext, act: TierApproval, sandbox: SandboxState) -> tuple[Move, Finding]:
    pilot, tier = context.pilot, context.pilot.charter.tier
    if TIERS.index(act.tier) >= TIERS.index(tier):
        words = f"tier {act.tier} is not lower than {tier}, which is in force; such an amendment needs no approval"
        raise ControlRefused("tier", Refusal.OTHER_CHARTER, words)
    given = _plus(context, act.author, pilot.stay.tier.given(_approved(pilot, act.charter)), sandbox)
    pilot.stay = structs.replace(pilot.stay, tier=given)
    content: Content = {"tier": act.tier, "charter": act.charter}
    return _act(context, Reason.TIER_APPROVED), Finding(rule="tier", content=content)


def tier_approved(context: DecisionContext, charter: str, sandbox: SandboxState) -> bool:
    """Whether two people approve a lower tier under the charter with this hash."""
    pilot = context.pilot
    return authority.approved(sandbox, pilot, pilot.stay.tier.given(_approved(pilot, charter)), context.at)


def _plus(context: DecisionContext, author: str, given: Approvals, sandbox: SandboxState) -> Approvals:
    """With the approval of the author. Raises ControlRefused if an earlier one of the same person still counts."""
    if author in authority.counting(sandbox, context.pilot, given):
        raise ControlRefused("author", Refusal.SAME_APPROVER, "the two approvals must come from different people")
    return given.plus(author, context.at)


def _exit(context: DecisionContext, act: Withdrawal) -> tuple[Transition, Finding]:
    if isinstance(act.outcome, UnsetType):  # as in logs from before an exit had an outcome
        return leave(context.pilot), Finding(rule="exit", detail=act.reason)
    numbers = _computed(context, act)
    if act.outcome == "scale" and numbers.lacks:
        words = f"`scale` needs what is missing: {', '.join(numbers.lacks)}"
        raise ControlRefused("outcome", Refusal.EXIT_CONDITIONS_UNMET, words)
    content = {"outcome": act.outcome, "advised": numbers.advised}
    finding = Finding(rule="exit", detail=act.reason, content={**content}, assessment=numbers)
    return leave(context.pilot), finding


def _recall(context: DecisionContext, words: str, author: str) -> None:
    """Halt the pilot, and let it leave once it stopped."""
    pilot = context.pilot
    halt = ladder.raise_finding(pilot.standing, RECALL, Level.HALT, Reason.RECALLED, context.at, "until_lowered")
    context.apply(halt, Finding(rule=RECALL, detail=words), author, key=RECALL, asked=Level.HALT)
    pilot.leaving = True  # it leaves with the decision that verifies the stop, at once if that is verified already


def _computed(context: DecisionContext, act: Assessing | Withdrawal) -> Assessment:
    """The numbers at the time of the context, computed once for its act. Raises ControlRefused for a condition that the
    charter does not have, or one that is stated to be both."""
    if context.assessed is not UNSET:
        return context.assessed
    count = len(context.pilot.charter.exit.conditions)
    met, unmet = act.met or (), act.unmet or ()
    for number in (*met, *unmet):
        if number > count:
            raise ControlRefused("met", Refusal.UNKNOWN_REFERENCE, f"the charter has {count} conditions in words")
    if both := set(met).intersection(unmet):
        raise ControlRefused("unmet", Refusal.CONTENT_MISSING, f"condition {min(both)} is met or is not")
    answers = {**dict.fromkeys(met, True), **dict.fromkeys(unmet, False)}
    context.assessed = assess(context.pilot, context.at, answers)
    return context.assessed


def _approved(pilot: PilotState, charter: str = "") -> str:
    """What approvals are given for: the charter in force, its share of alpha, the halts so far, and a new charter."""
    return f"{pilot.hash[:32]}/{pilot.standing.restart}/{pilot.review.halts}" + (f"/{charter}" if charter else "")


def _act(context: DecisionContext, reason: Reason) -> Move:
    level = context.pilot.standing.level
    return Move("act", level, level, reason, False)
