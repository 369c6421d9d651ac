"""Each halt from its finding to its release: who did what, when, and what is missing now. A fold of decisions. Pure.

Bounded: the newest halt of each pilot, `FINISHED` halts that ended, `STEPS` steps of one halt; of a longer one the
steps in the middle are left out and counted.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from msgspec import Struct

from monitor.lifecycle.acts import Role
from monitor.lifecycle.names import Act
from monitor.lifecycle.next_steps import NextStep
from monitor.model.records import Command, Decision, Level, Reason
from monitor.projections.open_commands import LEFT
from monitor.projections.open_items import APPROVERS
from monitor.translation import mark

FINISHED = 2_000
STEPS = 48
_KEPT_FIRST = 16


class StepKind(StrEnum):
    """What happened."""

    FOUND = "found"  # the end of the period, or the event, that the halt rests on
    DECIDED = "decided"
    COMMANDED = "commanded"
    ACKNOWLEDGED = "acknowledged"
    VERIFIED = "verified"
    OVERDUE = "overdue"
    CONTRADICTED = "contradicted"
    JOINED = "joined"  # a further finding that halts
    RECTIFIED = "rectified"
    EVALUATED = "evaluated"  # and passed
    EVALUATION_FAILED = "evaluation_failed"
    APPROVED = "approved"
    RELEASED = "released"
    RELEASE_ACKNOWLEDGED = "release_acknowledged"
    EXIT_PENDING = "exit_pending"
    LEFT = "left"


_KINDS = {
    Reason.COMMAND_ACKNOWLEDGED: StepKind.ACKNOWLEDGED,
    Reason.HALT_VERIFIED: StepKind.VERIFIED,
    Reason.HALT_OVERDUE: StepKind.OVERDUE,
    Reason.HALT_CONTRADICTED: StepKind.CONTRADICTED,
    Reason.RECTIFICATION_RECORDED: StepKind.RECTIFIED,
    Reason.EVALUATION_RECORDED: StepKind.EVALUATED,
    Reason.APPROVAL_RECORDED: StepKind.APPROVED,
    Reason.RELEASED: StepKind.RELEASED,
    Reason.EXIT_PENDING: StepKind.EXIT_PENDING,
}


class HaltStep(Struct, frozen=True):
    """One step: `at` (ms), the number and id of its decision, who did it (an author, a source of the service, "" for
    the monitor), whether the act was signed, `seconds` since the command where the record says so, its reason."""

    kind: StepKind
    at: int
    standing: int
    decision: str = ""
    who: str = ""
    signed: bool = False
    seconds: float | None = None
    reason: str = ""


class HaltStory(Struct):
    """One halt. `decision` raised the level; `state` is that of its command (`commanded`, `acknowledged`,
    `contradicted`, `overdue`, `verified`); a contradiction stays until the stop is verified, also when it becomes
    overdue. `acknowledged`: a service said that it stopped. `ended` (ms) with the `outcome` (`released`, `left`)."""

    decision: Decision
    steps: list[HaltStep]
    attempts: int = 1
    left_out: int = 0
    state: str = "commanded"
    acknowledged: bool = False
    rectified: bool = False
    evaluated: bool = False
    approvals: tuple[str, ...] = ()
    ended: int | None = None
    outcome: str = ""

    @property
    def stands(self) -> bool:
        """Whether the halt is in force."""
        return self.ended is None

    @property
    def confirmed(self) -> bool:
        """Whether the service acknowledged, and its heartbeats confirm that it stopped."""
        return self.state == "verified"

    @property
    def missing(self) -> tuple[NextStep, ...]:
        """What is owed now, and by whom: by the service, then for the release. Empty once it ended."""
        return () if self.ended is not None else (*self._of_service(), *self._of_release())

    def _of_service(self) -> tuple[NextStep, ...]:
        if self.state == "verified":
            return ()
        if self.state == "contradicted":
            return (NextStep(Role.FIRM, "", STOP),)
        return (NextStep(Role.FIRM, "", SHOW if self.acknowledged else ACKNOWLEDGE),)

    def _of_release(self) -> tuple[NextStep, ...]:
        if not self.rectified:
            return (NextStep(Role.FIRM, Act.RECTIFY, RECTIFY),)
        if not self.evaluated:
            return (NextStep(Role.EVALUATOR, Act.EVALUATE, EVALUATE),)
        left = APPROVERS - len(self.approvals)
        if left > 0:
            return (NextStep(Role.APPROVER, Act.APPROVE, APPROVE_TWICE if left > 1 else APPROVE_ONCE),)
        return (NextStep(Role.OFFICER, Act.RELEASE, RELEASE),)


ACKNOWLEDGE = mark("stop the service and acknowledge the halt")
SHOW = mark("show by three heartbeats that the service stopped")
STOP = mark("stop the service: it was active after the halt")
RECTIFY = mark("record a corrective action")
EVALUATE = mark("record a passed re-evaluation")
APPROVE_TWICE = mark("approve the release (two approvers)")
APPROVE_ONCE = mark("approve the release (one more approver)")
RELEASE = mark("release the halt")


class HaltsFold:
    """The halts of all pilots. Give it each decision of a pilot once, in order."""

    def __init__(self) -> None:
        self.newest: dict[str, HaltStory] = {}  # by pilot
        self.finished: deque[HaltStory] = deque(maxlen=FINISHED)  # in the order in which they ended

    def decide(self, decision: Decision) -> None:
        """Add a decision on a pilot."""
        if decision.level is Level.HALT and decision.was < Level.HALT:
            self._begin(decision)
            return
        story = self.newest.get(decision.pilot)
        if story is None:
            return
        if story.ended is not None:
            acknowledged = decision.reason is Reason.COMMAND_ACKNOWLEDGED and story.outcome == "released"
            if acknowledged and story.steps[-1].kind is StepKind.RELEASED:
                _append(story, _step(StepKind.RELEASE_ACKNOWLEDGED, decision))
            return
        self._continue(story, decision)

    def attempt(self, command: Command) -> None:
        """Count one more transmission of a command."""
        story = self.newest.get(command.pilot)
        if story is not None and story.ended is None and command.standing == story.decision.standing:
            story.attempts = max(story.attempts, 1 + command.again)

    def forget(self, pilot: str) -> None:
        """Forget a pilot that is no longer shown; its halts that ended stay listed."""
        self.newest.pop(pilot, None)

    def standing(self) -> list[HaltStory]:
        """The halts in force, in no order."""
        return [story for story in self.newest.values() if story.ended is None]

    def _begin(self, decision: Decision) -> None:
        finding = decision.finding
        found = finding.period_end if finding.period_end is not None else decision.at
        steps = [] if decision.author else [HaltStep(StepKind.FOUND, min(found, decision.at), decision.standing)]
        steps.append(_step(StepKind.DECIDED, decision))
        steps.append(HaltStep(StepKind.COMMANDED, decision.at, decision.standing))
        self.newest[decision.pilot] = HaltStory(decision, steps)

    def _continue(self, story: HaltStory, decision: Decision) -> None:
        reason = decision.reason
        if decision.level < Level.HALT or reason in LEFT:
            released = decision.level < Level.HALT and reason not in LEFT
            story.ended, story.outcome = decision.at, "released" if released else "left"
            _append(story, _step(StepKind.RELEASED if released else StepKind.LEFT, decision))
            self.finished.append(story)
            return
        kind = _KINDS.get(reason)
        if kind is None:
            if decision.finding_level is Level.HALT or reason is Reason.SUSPENDED:
                _append(story, _step(StepKind.JOINED, decision))
            return
        if kind is StepKind.EVALUATED and decision.finding.observed != 1.0:
            kind = StepKind.EVALUATION_FAILED
        _advance(story, kind, decision)
        _append(story, _step(kind, decision))


def _advance(story: HaltStory, kind: StepKind, decision: Decision) -> None:
    match kind:
        case StepKind.ACKNOWLEDGED:
            story.acknowledged = True
            if story.state in ("commanded", "overdue"):
                story.state = "acknowledged"
        case StepKind.VERIFIED | StepKind.OVERDUE | StepKind.CONTRADICTED:
            if not (kind is StepKind.OVERDUE and story.state == "contradicted"):
                story.state = kind.value
        case StepKind.RECTIFIED:
            story.rectified, story.evaluated, story.approvals = True, False, ()
        case StepKind.EVALUATED | StepKind.EVALUATION_FAILED:
            story.evaluated, story.approvals = kind is StepKind.EVALUATED, ()
        case StepKind.APPROVED:
            story.approvals = tuple(dict.fromkeys((*story.approvals, decision.author)))
        case _:
            pass


def _step(kind: StepKind, decision: Decision) -> HaltStep:
    timed = kind in (StepKind.ACKNOWLEDGED, StepKind.VERIFIED, StepKind.OVERDUE, StepKind.RELEASE_ACKNOWLEDGED)
    return HaltStep(
        kind, decision.at, decision.standing, decision.id, decision.author, bool(decision.signed),
        decision.finding.observed if timed else None, decision.reason.value,
    )  # fmt: skip


def _append(story: HaltStory, step: HaltStep) -> None:
    story.steps.append(step)
    if len(story.steps) > STEPS:
        del story.steps[_KEPT_FIRST]
        story.left_out += 1
