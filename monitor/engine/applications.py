"""Acts on a pilot that is not admitted: application, screening, signatures on the charter, refusal, withdrawal.

Only where a sandbox is founded. Each accepted act is a decision of the pilot, numbered from 1; the admission continues
the numbers, so the ledger of a pilot begins with its application.
"""

from __future__ import annotations

from msgspec import structs

from monitor.charter.control import (
    Admission,
    Agreement,
    ApplicationRefusal,
    ApplicationWithdrawal,
    ControlBase,
    Screening,
    Submission,
)
from monitor.charter.spec import Charter, charter_hash
from monitor.compile.plan import Plan
from monitor.decide import authority
from monitor.decide.control_acts import plan_for
from monitor.decide.screening import check_application, check_responsible, refused_items, screen
from monitor.decide.signatures import signed_by_person
from monitor.engine.partition import Partition
from monitor.errors import ControlRefused
from monitor.lifecycle.life import Lifecycle, advance, sign, state_words
from monitor.lifecycle.names import Act, Fact
from monitor.lifecycle.sandbox import Sandbox, roles_in
from monitor.model.records import Decision, Finding, Level, Outputs, Reason, Record, digest
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.signing import Proved
from monitor.state import acts_once
from monitor.state.acts_once import ActMemory
from monitor.state.applicant import CHARTER_BYTES, Applicant, pack_application, too_many

APPLICATION_ACTS = (Submission, Screening, ApplicationRefusal, Agreement, ApplicationWithdrawal)
PASSED = frozenset({Fact.SCREENING_PASSED, Fact.POWER_SUFFICIENT})  # `screen` refuses without them


class Applications:
    """Applies acts on the pilots of a partition that are not admitted."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def step(self, act: ControlBase, record: Record, out: Outputs) -> None:
        """Verify one act and apply it. Raises ControlRefused or Forged; then nothing took effect."""
        sandbox = self._partition.sandbox.sandbox
        if sandbox is None:
            raise ControlRefused("pilot", Refusal.NOT_FOUNDED, REFUSALS[Refusal.NOT_FOUNDED])
        applicant = self._partition.applications.get(act.pilot)
        plan = self._plan(applicant, act)
        by = signed_by_person(sandbox, plan, act, record)
        firm = plan.charter.participant.id if applicant is None else applicant.firm
        if applicant is not None:
            acts_once.check_copy(applicant.acts, act, by, act.author == firm)
        acts_once.check_time(act, record.received)
        if by.key and act.expected_standing is None:  # else its id would have to be remembered without end
            words = REFUSALS[Refusal.VALIDITY_MISSING]
            raise ControlRefused("expected_standing", Refusal.VALIDITY_MISSING, words)
        charter = plan.charter
        roles = roles_in(sandbox, act.author, by.key, authority.responsible(charter), firm)
        authority.check_role(charter, act, roles, sandbox)
        applicant = applicant or Applicant(firm, Lifecycle(), 0, record.received, record.received, "")
        memory = _copied(applicant.acts)
        acts_once.check_valid(memory, act, by, act.author == firm, applicant.standing, 0)
        new, reason, finding = self._applied(applicant, act, sandbox, plan)
        at = max(applicant.at, record.received)
        new = structs.replace(new, at=at, standing=applicant.standing + 1, acts=memory)
        acts_once.remember_act(memory, act, by, act.author == firm, new.standing)
        self._partition.applications[act.pilot] = new.close() if new.closed else new
        self._partition.changed.add(act.pilot)
        out.decisions.append(self._decision(new, act, by, reason, finding))

    def admitted(self, act: Admission) -> Applicant:
        """The applicant that an admission is of. Raises ControlRefused unless both sides have signed its charter."""
        applicant = self._partition.applications.get(act.pilot)
        life = Lifecycle() if applicant is None else applicant.life
        same = charter_hash(act.charter) == life.signed_by_firm
        moved = advance(life, Act.ADMIT, {Fact.SAME_CHARTER} if same else ())
        assert applicant is not None
        return structs.replace(applicant, life=moved.life)

    def remove(self, pilot: str) -> None:
        """The pilot is admitted."""
        del self._partition.applications[pilot]

    def _plan(self, applicant: Applicant | None, act: ControlBase) -> Plan:
        """The plan whose firm signs: of the charter that was proposed, or that the first act proposes."""
        if applicant is None:
            if not isinstance(act, Submission):
                raise ControlRefused("pilot", Refusal.APPLICATION_MISSING, REFUSALS[Refusal.APPLICATION_MISSING])
            return plan_for(act.pilot, act.charter)
        if applicant.closed:
            raise ControlRefused("pilot", Refusal.APPLICATION_CLOSED, REFUSALS[Refusal.APPLICATION_CLOSED])
        return applicant.plan

    def _applied(
        self, applicant: Applicant, act: ControlBase, sandbox: Sandbox, plan: Plan
    ) -> tuple[Applicant, Reason, Finding]:
        """The applicant after an act, and what is recorded. Raises ControlRefused."""
        life, trigger = applicant.life, authority.ACT_OF[type(act)]
        match act:
            case Submission():
                moved = advance(life, trigger)
                new = self._submitted(structs.replace(applicant, life=moved.life), act, plan, sandbox)
                finding = Finding(rule=f"tier {plan.charter.tier}", detail=act.application.system.name)
            case Screening(charter=charter, answers=answers):
                moved = advance(life, trigger, PASSED)
                plan = plan if charter is None else _screened_plan(applicant, act.pilot, charter)
                result = screen(applicant.read(), plan.charter, sandbox, answers)
                said = "; ".join(f"{name}: {text}" for name, text in sorted(answers.items()))
                finding = Finding(rule=result.words(plan.charter), detail=said)
                new = structs.replace(
                    applicant, life=moved.life, charter=plan.packed, hash=_hash(plan.charter, act.pilot)
                )
            case ApplicationRefusal(reason=words, items=items):
                moved = advance(life, trigger)
                named = "; ".join(f"{one.id}, {one.title} ({one.reference})" for one in refused_items(items, sandbox))
                finding = Finding(rule=named, detail=words)
                new = structs.replace(applicant, life=moved.life)
            case Agreement(charter=signed):
                if signed != applicant.hash and life.pilot.value == "screened":
                    raise ControlRefused("charter", Refusal.OTHER_CHARTER, f"the screened one has {applicant.hash}")
                moved = advance(sign(life, firm=act.author == applicant.firm, digest=signed), trigger)
                finding = Finding(rule=f"version {plan.charter.version}")
                new = structs.replace(applicant, life=moved.life)
            case ApplicationWithdrawal(reason=words):
                moved = advance(life, trigger)
                finding = Finding(rule="withdrawal", detail=words)
                new = structs.replace(applicant, life=moved.life)
            case _:
                raise AssertionError(f"no rule for {type(act).__name__}")
        return new, Reason(moved.arrows[0].record), finding

    def _submitted(self, applicant: Applicant, act: Submission, plan: Plan, sandbox: Sandbox) -> Applicant:
        check_application(act.application, act.charter)
        check_responsible(act.charter, sandbox)
        application = pack_application(act.application)
        if len(plan.packed) > CHARTER_BYTES:
            words = f"it has {len(plan.packed)} bytes compressed, of at most {CHARTER_BYTES}; write fewer indicators"
            raise ControlRefused("charter", Refusal.BAD_CHARTER, words)
        size = len(application) + len(plan.packed)
        if why := too_many(self._partition.applications, applicant.firm, size):
            raise ControlRefused("pilot", Refusal.TOO_MANY_APPLICATIONS, why)
        return structs.replace(applicant, application=application, charter=plan.packed, hash=charter_hash(act.charter))

    def _decision(self, applicant: Applicant, act: ControlBase, by: Proved, reason: Reason, found: Finding) -> Decision:
        return Decision(
            id=digest(act.pilot, applicant.hash, f"control:{act.id}@{applicant.standing}", reason),
            pilot=act.pilot,
            participant=applicant.firm,
            charter=applicant.hash,
            kind="act",
            level=Level.NORMAL,
            was=Level.NORMAL,
            reason=reason,
            at=applicant.at,
            standing=applicant.standing,
            epoch=self._partition.epoch,
            cause=f"control:{act.id}",
            finding=found,
            author=act.author,
            signed=by.key,
            states=state_words(applicant.life),
        )


def _screened_plan(applicant: Applicant, pilot: str, charter: Charter) -> Plan:
    """The plan of a charter that replaces the proposed one. Raises ControlRefused."""
    plan = plan_for(pilot, charter)
    if charter.participant != applicant.plan.charter.participant:
        raise ControlRefused("charter.participant", Refusal.WRONG_PARTICIPANT, f"{applicant.firm} applies")
    if len(plan.packed) > CHARTER_BYTES:
        raise ControlRefused("charter", Refusal.BAD_CHARTER, f"it has {len(plan.packed)} bytes compressed")
    return plan


def _hash(charter: Charter, pilot: str) -> str:
    return charter_hash(structs.replace(charter, pilot=pilot))


def _copied(memory: ActMemory) -> ActMemory:
    """A memory that may be changed, while the act may still be refused."""
    return ActMemory(
        memory.recent[:], memory.kept[:], memory.firm_recent[:], memory.firm_kept[:], dict(memory.keys), memory.by
    )
