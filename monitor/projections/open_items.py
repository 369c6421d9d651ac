"""What is open about a pilot, from its decisions: findings that stand, and the next steps of its life. Pure.

Bounded: at most `MOST` findings, of which the oldest is forgotten first, and `APPROVALS_KEPT` approvals.
"""

from __future__ import annotations

from msgspec import Struct

from monitor.lifecycle.acts import Role
from monitor.lifecycle.life import Lifecycle, life_from_words, life_of
from monitor.lifecycle.names import Act, State
from monitor.lifecycle.next_steps import NextStep, next_steps
from monitor.model.records import Decision, Level, Reason
from monitor.translation import mark

APPROVERS = 2  # of a release
APPROVALS = {2: mark("approve the release (2 more)"), 1: mark("approve the release (1 more)")}
MOST, APPROVALS_KEPT = 256, 16


class OpenFinding(Struct, frozen=True):
    """An active finding: the level that it asks for, why, and since when (ms)."""

    key: str
    level: str
    reason: str
    since: int


class OpenItems:
    """Give it each decision of a pilot once, in order."""

    __slots__ = ("approvals", "evaluated", "exited", "findings", "last", "leaving", "rectified", "signed")

    def __init__(self) -> None:
        self.last: Decision | None = None
        self.leaving = self.exited = False
        self.signed: frozenset[str] = frozenset()  # sides that signed the charter that was screened
        self.rectified = self.evaluated = False
        self.approvals: tuple[str, ...] = ()
        self.findings: dict[str, OpenFinding] = {}

    def take(self, d: Decision) -> None:
        """Add a decision."""
        self.last = d
        self._finding(d)
        self._steps(d)

    @property
    def life(self) -> Lifecycle:
        """The states after the last decision."""
        d = self.last
        if d is None:
            return Lifecycle()
        if isinstance(d.states, str):
            return life_from_words(d.states)
        return life_of(d.level is Level.HALT, self.leaving, self.exited)

    def steps(self) -> list[NextStep]:
        """What is owed next, and by whom: for the release of a halt, then in each region of the life."""
        life = self.life
        steps = self._release_steps() if life.halted and not self.exited else []
        return steps + [
            one for one in next_steps(life) if life.pilot is not State.SCREENED or one.who not in self.signed
        ]

    def _finding(self, d: Decision) -> None:
        if d.reason in (Reason.RELEASED, Reason.EXITED):
            self.findings.clear()
        elif d.finding_key and d.finding_level is not None:
            since = self.findings[d.finding_key].since if d.finding_key in self.findings else d.at
            self.findings[d.finding_key] = OpenFinding(d.finding_key, d.finding_level.word, d.reason.value, since)
            if len(self.findings) > MOST:
                del self.findings[next(iter(self.findings))]
        elif d.finding_key and d.reason is Reason.CLEARED:
            self.findings.pop(d.finding_key, None)
        elif d.reason is Reason.OVERRIDDEN:
            kept = {k: f for k, f in self.findings.items() if Level[f.level.upper()] <= d.level and k != "override"}
            own = {"override": OpenFinding("override", d.level.word, d.reason.value, d.at)}
            self.findings = kept | own if d.level > Level.NORMAL else kept

    def _steps(self, d: Decision) -> None:
        """The steps of a release, and who signed."""
        if d.level is Level.HALT and d.was < Level.HALT:
            self.rectified, self.evaluated, self.approvals = False, False, ()
        match d.reason:
            case Reason.RECTIFICATION_RECORDED:
                self.rectified, self.evaluated, self.approvals = True, False, ()
            case Reason.EVALUATION_RECORDED:
                self.evaluated, self.approvals = d.finding.observed == 1.0, ()
            case Reason.APPROVAL_RECORDED:
                self.approvals = tuple(dict.fromkeys((*self.approvals, d.author)))[:APPROVALS_KEPT]
            case Reason.EXIT_PENDING:
                self.leaving = True
            case Reason.EXITED:
                self.leaving, self.exited = False, True
            case Reason.APPLICATION_SCREENED:
                self.signed = frozenset()
            case Reason.CHARTER_SIGNED:
                self.signed |= {Role.FIRM if d.author == d.participant else Role.OFFICER}

    def _release_steps(self) -> list[NextStep]:
        if not self.rectified:
            return [NextStep(Role.FIRM, Act.RECTIFY, mark("record a corrective action"))]
        if not self.evaluated:
            return [NextStep(Role.EVALUATOR, Act.EVALUATE, mark("record a passed re-evaluation"))]
        left = APPROVERS - len(self.approvals)
        if left > 0:
            return [NextStep(Role.APPROVER, Act.APPROVE, APPROVALS[left])]
        return [NextStep(Role.OFFICER, Act.RELEASE, mark("release the halt"))]
