"""The table of acts in a real machine: every act by every role in every state, with a founded sandbox and real keys.

A state of a pilot is prepared once and restored for each cell. All that an act needs beyond its state is given: the
facts, findings to set aside, questions to answer, a signed charter. So whether the machine accepts an act depends on
role and state alone, as the table says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from monitor.charter import exit_acts, incident_acts, running_acts, shadow_acts, users_acts
from monitor.charter.control import (
    Acceptance,
    Admission,
    Agreement,
    Amendment,
    ApplicationRefusal,
    ApplicationWithdrawal,
    Approval,
    ControlBase,
    Drill,
    Evaluation,
    Override,
    Rectification,
    Release,
    Screening,
    Shelving,
    Submission,
    Withdrawal,
)
from monitor.charter.spec import ChangeKind, Cycle, RolloutStep, charter_hash
from monitor.engine.machine import Machine
from monitor.lifecycle.acts import Role
from monitor.lifecycle.life import Lifecycle
from monitor.lifecycle.names import Act, State
from monitor.lifecycle.sandbox import SUBJECT, Person
from monitor.model.events import instant
from monitor.model.records import Outputs
from monitor.model.signing import Signer, Trusted
from monitor.state.running import OpenChange
from monitor.state.shadow import ShadowTerm
from tests.unit.detect.test_learning import LEARNT
from tests.unit.engine.test_machine import T0
from tests.unit.lifecycle.founded import AUTHORITY, KEYS, OWN, PUBLIC, RESULTS, SANDBOX, Founded, application

THIRD = Signer(bytes([77]) * 32)
KEYS["approver-3"] = THIRD
PEOPLE = structs.replace(
    SANDBOX, people=(*SANDBOX.people, Person("approver-3", (Role.APPROVER,), AUTHORITY, (THIRD.public,)))
)
# Its cycle begins later, so that a registered pilot stays registered.
CHARTER = structs.replace(
    OWN,
    indicators=(*OWN.indicators, LEARNT),
    cycle=Cycle("2026-02-01", "2027-01-01"),
    rollout=(RolloutStep(OWN.users.cap or 1), RolloutStep(2 * (OWN.users.cap or 1))),
    users=structs.replace(OWN.users, cap=2 * (OWN.users.cap or 1)),
)
UNTIL = instant(1_783_000_000_000)  # of a shadow charter
NEXT = structs.replace(CHARTER, version=2, scenario="another test")


class Author(NamedTuple):
    """Who acts: the name on the act, the key that signs it ("" = none), and the roles that this proves."""

    name: str
    key: str
    roles: frozenset[Role] = frozenset()


AUTHORS: tuple[Author, ...] = (
    Author("firm", "firm", frozenset({Role.FIRM})),
    Author("officer", "officer", frozenset({Role.OFFICER})),
    Author("approver-3", "approver-3", frozenset({Role.APPROVER})),
    Author("evaluator", "evaluator", frozenset({Role.EVALUATOR})),
    Author("supplier", "supplier", frozenset({Role.SUPPLIER})),
    Author("publisher", "publisher", frozenset({Role.PUBLISHER})),
    Author("public", "public", frozenset({Role.PUBLIC_CHANNEL})),
    Author("auditor", "auditor", frozenset({Role.AUDITOR})),
    Author("operator", "operator", frozenset({Role.OPERATOR})),
    Author("admitter", "admitter"),  # a key of the deployment gives no right once a sandbox is founded
    Author("other-officer", "other-officer"),  # of an authority that is not responsible
    Author("other-approver", "other-approver"),
    Author("stranger", "stranger"),  # whom the charter calls an officer
    Author("x", ""),  # whom the charter calls an approver
    Author("officer", ""),  # not signed
    Author("officer", "firm"),  # signed with another's key
    Author("approver-3", "stranger"),
    Author("firm", ""),
)

KNOWN = "a" * 32  # a complaint of the users' channel that is on record


def complaint(name: str) -> users_acts.UserComplaint:
    """A complaint of a user."""
    return users_acts.UserComplaint(complaint=name, time=instant(T0))


Maker = Callable[[dict[str, Any], State], ControlBase]
MAKERS: dict[Act, Maker] = {
    Act.ADMIT: lambda by, state: Admission(**by, charter=CHARTER),
    Act.AMEND: lambda by, state: Amendment(**by, charter=NEXT),
    Act.EXIT: lambda by, state: Withdrawal(**by, reason="x"),
    Act.OVERRIDE: lambda by, state: Override(**by, level="halt", reason="x"),
    Act.SHELVE: lambda by, state: Shelving(**by, finding="override", reason="x"),
    Act.ACCEPT_LEVEL: lambda by, state: Acceptance(**by, indicator=LEARNT.name, reason="x"),
    Act.DRILL: lambda by, state: Drill(**by),
    Act.RECTIFY: lambda by, state: Rectification(**by, finding="override", cause="c", action="a", evidence="e"),
    Act.EVALUATE: lambda by, state: Evaluation(**by, passed=True, report="r", results=RESULTS),
    Act.APPROVE: lambda by, state: Approval(**by),
    Act.RELEASE: lambda by, state: Release(**by, reason="x"),
    Act.APPLY: lambda by, state: Submission(**by, application=application(CHARTER), charter=CHARTER),
    Act.SCREEN: lambda by, state: Screening(**by),
    Act.REFUSE: lambda by, state: ApplicationRefusal(**by, reason="x"),
    Act.AGREE: lambda by, state: Agreement(**by, charter=charter_hash(NEXT if state in _ADMITTED else CHARTER)),
    Act.WITHDRAW_APPLICATION: lambda by, state: ApplicationWithdrawal(**by, reason="x"),
    Act.PROPOSE_CHANGE: lambda by, state: running_acts.ChangeProposal(
        **by, kind=ChangeKind.SAFEGUARDS, summary="x", subjects=("review",)
    ),
    Act.REFUSE_CHANGE: lambda by, state: running_acts.ChangeRefusal(**by, reason="x"),
    Act.PAUSE: lambda by, state: running_acts.PauseRequest(**by, reason="x"),
    Act.PROPOSE_CYCLE: lambda by, state: running_acts.CycleProposal(
        **by, start="2027-02-01", end="2027-06-01", reason="x"
    ),
    Act.GRANT: lambda by, state: running_acts.Grant(**by),
    Act.DECLINE: lambda by, state: running_acts.Decline(**by, reason="x"),
    Act.RESUME: lambda by, state: running_acts.Resumption(**by),
    Act.ASK_GUIDANCE: lambda by, state: running_acts.GuidanceRequest(**by, question="x"),
    Act.GUIDE: lambda by, state: running_acts.Guidance(**by, answer="x"),
    Act.FOLLOW_GUIDANCE: lambda by, state: running_acts.GuidanceFollowed(**by, about="g-1", evidence="x"),
    Act.INSPECT: lambda by, state: running_acts.Inspection(**by, scope=("logs",), seen="x"),
    Act.EXTEND: lambda by, state: running_acts.Extension(**by, end="2027-03-01", reason="x"),
    Act.SUSPEND: lambda by, state: running_acts.Suspension(**by, basis="art-57-11", reason="x"),
    Act.HOLD: lambda by, state: running_acts.EvidenceHold(**by, reason="x"),
    Act.LIFT_HOLD: lambda by, state: running_acts.HoldLift(**by, reason="x"),
    Act.ASSESS: lambda by, state: exit_acts.Assessing(**by, outcome="continue", reason="x"),
    Act.APPROVE_TIER: lambda by, state: exit_acts.TierApproval(**by, charter="c" * 64, tier="minimal"),
    Act.APPROVE_EXIT: lambda by, state: exit_acts.ExitApproval(**by),
    Act.TERMINATE: lambda by, state: exit_acts.Termination(**by, basis="art-57", reason="x"),
    Act.ISSUE_REPORT: lambda by, state: exit_acts.ReportIssue(**by, report="a" * 64, proof="b" * 64),
    Act.WITHHOLD: lambda by, state: exit_acts.Withholding(**by, reason="x"),
    Act.CONSENT_TO_PUBLISH: lambda by, state: exit_acts.PublicationConsent(**by),
    Act.GRADUATE: lambda by, state: exit_acts.Graduation(**by, months=3),
    Act.RECALL: lambda by, state: exit_acts.Recall(**by, reason="x"),
    Act.START_SHADOW: lambda by, state: shadow_acts.ShadowStart(**by, charter=NEXT, until=UNTIL, reason="x"),
    Act.STOP_SHADOW: lambda by, state: shadow_acts.ShadowStop(**by, reason="x"),
    Act.MAKE_TEMPLATE: lambda by, state: exit_acts.TemplateMaking(**by, template="t", reason="x"),
    Act.EVALUATE_STEP: lambda by, state: exit_acts.StepEvaluation(**by, reason="x"),
    Act.REPORT: lambda by, state: incident_acts.IncidentReportAct(**by, incident="i-1", report="x"),
    Act.NOTIFY_CHANGE: lambda by, state: incident_acts.ChangeNotice(**by, notice="x"),
    Act.NOTIFY_SUSPENSION: lambda by, state: incident_acts.SuspensionNotice(**by, notice="x"),
    Act.RECLASSIFY: lambda by, state: incident_acts.Reclassification(**by, incident="i-1", reason="x"),
    Act.FILE_COMPLAINT: lambda by, state: users_acts.ComplaintFiling(**by, complaints=(complaint("b" * 32),)),
    Act.WITHDRAW_COMPLAINT: lambda by, state: users_acts.ComplaintWithdrawal(**by, complaints=(KNOWN,)),
    Act.ANSWER_COMPLAINT: lambda by, state: users_acts.ComplaintAnswer(**by, complaints=(KNOWN,)),
    Act.REDRESS: lambda by, state: users_acts.RedressStep(**by, step="given", complaints=(KNOWN,)),
    Act.LEAVE_PILOT: lambda by, state: users_acts.UserDeparture(**by, users=("c" * 32,)),
}
"""One act of each kind that a record can carry, with content that is in order."""

APPLYING = (State.SUBMITTED, State.SCREENED, State.AGREED, State.REFUSED, State.APPLICATION_WITHDRAWN)
LIVE = (State.REGISTERED, State.RUNNING, State.PAUSED, State.EXITING, State.TRACKED)
ENDED = (
    State.EXITED, State.TERMINATED, State.WITHDRAWN, State.REPORTED, State.PUBLISHED, State.WITHHELD, State.CLOSED,
    State.RECALLED,
)  # fmt: skip
_ADMITTED = frozenset((*LIVE, *ENDED))
HALTS = (State.NOT_HALTED, State.HALTED, State.SUSPENDED)


class Cell(NamedTuple):
    """An act by an author on a pilot in a state."""

    act: Act
    author: Author
    life: Lifecycle


class Cells:
    """Steps cells through machines that are restored from prepared states."""

    def __init__(self) -> None:
        self._prepared: dict[Lifecycle, tuple[dict[str, bytes], int, int, int]] = {}
        self._bases = {halt: _base(halt) for halt in HALTS}

    def step(self, cell: Cell) -> tuple[Outputs, Machine]:
        """The outputs of the act in this cell, and the machine after it."""
        world = Founded.__new__(Founded)
        states, standing, world.at, world.number = self._state(cell.life)
        world.machine = Machine(journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
        world.machine.restore(dict(states))
        if cell.act is Act.STOP_SHADOW and "p" in world.machine.pilots:
            pilot = world.machine.pilots["p"]
            pilot.shadow = ShadowTerm("s", "a" * 64, pilot.hash, 1_783_000_000_000)
        world.decisions, world.commands, world.rejected, world.sent = [], [], [], []
        by = {**world.by(cell.author.name), "expected_standing": standing}
        return world.put(MAKERS[cell.act](by, cell.life.pilot), cell.author.key), world.machine

    def _state(self, life: Lifecycle) -> tuple[dict[str, bytes], int, int, int]:
        found = self._prepared.get(life)
        if found is None:
            world = _applying(life.pilot) if life.pilot in (State.DRAFT, *APPLYING) else self._admitted(life)
            standing = world.by("officer")["expected_standing"]
            names = [SUBJECT] if life.pilot is State.DRAFT else ["p", SUBJECT]
            states = {name: raw for name, raw in world.machine.snapshots(names).items() if raw is not None}
            found = self._prepared[life] = states, standing, world.at, world.number
        return found

    def _admitted(self, life: Lifecycle) -> Founded:
        """A base with the state of its pilot replaced."""
        base = self._bases[life.halt]
        world = Founded.__new__(Founded)
        world.__dict__ |= base.__dict__
        world.machine = Machine(journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
        raw = {name: state for name, state in base.machine.snapshots(["p", SUBJECT]).items() if state is not None}
        world.machine.restore(raw)
        pilot = world.machine.pilots["p"]
        pilot.life = structs.replace(life, signed_by_firm=charter_hash(NEXT))
        pilot.exited = life.pilot in ENDED
        if life.change is State.CHANGE_PROPOSED:
            pilot.running = structs.replace(pilot.running, change=OpenChange("c-1", ChangeKind.SAFEGUARDS))
        if life.pilot is State.PAUSED:
            pilot.running = structs.replace(pilot.running, pauses=((world.at, None),))
        world.machine.dirty.add("p")
        return world


def every_life(other: Lifecycle) -> Iterator[Lifecycle]:
    """A pilot in each state of the regions PILOT and HALT, `other` in all else; an applicant has no halt."""
    for state in (State.DRAFT, *APPLYING):
        yield Lifecycle(state)
    for state in (*LIVE, *ENDED):
        for halt in HALTS:
            yield structs.replace(other, pilot=state, halt=halt)


def _base(halt: State) -> Founded:
    """A pilot that is admitted, with what acts refer to; under a halt every step of its release is on record."""
    world = Founded(PEOPLE, admit=CHARTER)
    _taken(world, running_acts.Guidance(**{**world.by("officer"), "id": "g-1"}, answer="x"))
    _taken(world, Override(**world.by("officer"), level="escalate", reason="x"))
    _taken(world, users_acts.ComplaintFiling(**world.by("public"), complaints=(complaint(KNOWN),)))
    _taken(world, users_acts.RedressStep(**world.by("public"), step="asked", complaints=(KNOWN,)))
    if halt is not State.NOT_HALTED:
        by = world.by("officer")
        suspend = running_acts.Suspension(**by, basis="art-57-11", reason="x")
        _taken(world, suspend if halt is State.SUSPENDED else Override(**by, level="halt", reason="x"))
        _taken(world, Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e"))
        _taken(world, Evaluation(**world.by("evaluator"), passed=True, report="r", results=RESULTS))
        for approver in ("approver-1", "approver-2"):
            _taken(world, Approval(**world.by(approver)))
    return world


def _applying(state: State) -> Founded:
    """A pilot that is not admitted, in this state."""
    world = Founded(PEOPLE, admit=None)
    if state is State.DRAFT:
        return world
    _taken(world, Submission(**world.by("firm"), application=application(CHARTER), charter=CHARTER))
    if state is State.REFUSED:
        _taken(world, ApplicationRefusal(**world.by("officer"), reason="x"))
    elif state is State.APPLICATION_WITHDRAWN:
        _taken(world, ApplicationWithdrawal(**world.by("firm"), reason="x"))
    if state in (State.SCREENED, State.AGREED):
        _taken(world, Screening(**world.by("officer")))
    if state is State.AGREED:
        for author in ("firm", "officer"):
            _taken(world, Agreement(**world.by(author), charter=charter_hash(CHARTER)))
    return world


def _taken(world: Founded, act: ControlBase) -> None:
    assert world.put(act).decisions, (act, msgspec.to_builtins(world.rejected[-1:]))
