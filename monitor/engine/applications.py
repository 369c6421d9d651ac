"""Acts on a pilot that is not admitted: application, screening, signatures on the charter, refusal, withdrawal.

Only where a sandbox is founded. Each accepted act is a decision of the pilot, numbered from 1; the admission continues
the numbers, so the ledger of a pilot begins with its application.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, UnsetType, structs

from monitor.basis.cited import cited
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
from monitor.deadlines import engine
from monitor.deadlines.engine import ClockChange, Clocks
from monitor.deadlines.facts import Fact as ClockFact
from monitor.deadlines.rules import ClockTable
from monitor.decide import authority
from monitor.decide.clock_facts import clock_finding
from monitor.decide.control_acts import plan_for, public_document
from monitor.decide.screening import check_application, check_responsible, refused_items, screen
from monitor.decide.signatures import signed_by_person
from monitor.engine.partition import Partition
from monitor.errors import ControlRefused
from monitor.lifecycle.arrows import Arrow
from monitor.lifecycle.life import Lifecycle, advance, sign, state_words
from monitor.lifecycle.names import Act, Fact
from monitor.lifecycle.sandbox import Sandbox, roles_in
from monitor.model.labels import alike
from monitor.model.records import Decision, Finding, Level, Outputs, Reason, Record, digest
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.signing import Proved
from monitor.model.subjects import firm_of, firm_subject
from monitor.network.addressees import addressees
from monitor.network.responsibility import network_of, responsible
from monitor.state import acts_once
from monitor.state.acts_once import ActMemory
from monitor.state.applicant import CHARTER_BYTES, Applicant, pack_application, too_many
from monitor.state.pilot import PilotState
from monitor.state.timers import NEVER

APPLICATION_ACTS = (Submission, Screening, ApplicationRefusal, Agreement, ApplicationWithdrawal)
PROPOSES_CHARTER = (Reason.APPLICATION_SUBMITTED, Reason.APPLICATION_SCREENED)
PASSED = frozenset({Fact.SCREENING_PASSED, Fact.POWER_SUFFICIENT})  # `screen` refuses without them


class Applications:
    """Applies acts on the pilots of a partition that are not admitted, and fires their legal deadlines."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._due: int | None = None  # of the first legal deadline; `None` = not computed

    def step(self, act: ControlBase, record: Record, out: Outputs) -> None:
        """Verify one act and apply it. Raises ControlRefused or Forged; then nothing but due timers took effect."""
        sandbox = self._partition.sandbox.sandbox
        if sandbox is None:
            raise ControlRefused("pilot", Refusal.NOT_FOUNDED, REFUSALS[Refusal.NOT_FOUNDED])
        applicant = self._partition.applications.get(act.pilot)
        plan = self._plan(applicant, act)
        by = signed_by_person(sandbox, plan, act, record)
        firm = plan.charter.participant.id if applicant is None else applicant.firm
        if applicant is None:
            applicant = Applicant(firm, Lifecycle(), 0, record.received, record.received, "")
        acts_once.check_copy(applicant.acts, act, by, act.author == firm)
        acts_once.check_time(act, record.received)
        roles = roles_in(sandbox, act.author, by.key, authority.responsible(plan.charter), firm)
        authority.check_role(plan.charter, act, roles, sandbox)
        memory = _valid_once(applicant, act, by)
        at = max(applicant.at, record.received)
        new, arrow, finding = self._applied(applicant, act, sandbox, plan)
        new = structs.replace(new, at=at, standing=applicant.standing + 1, acts=memory)
        acts_once.remember_act(memory, act, by, act.author == firm, new.standing)
        cause = f"control:{act.id}"
        decision = self._decision(act.pilot, new, Reason(arrow.record), finding, cause, act.author, by.key)
        out.decisions.append(self._citing(decision, authority.ACT_OF[type(act)]))
        for kind in arrow.clocks:
            new, changes = _with_fact(new, sandbox.clocks, ClockFact(kind=kind, at=at, key=act.pilot))
            new = self._record_clocks(act.pilot, new, sandbox.clocks, changes, cause, out)
        self._keep(act.pilot, new.close() if new.closed else new)

    def admit(self, pilot: PilotState, act: Admission, by: Proved) -> None:
        """Continue the record of an applicant as that of the pilot that an admission makes of it. Raises ControlRefused
        unless both sides have signed its charter; nothing has changed then."""
        applicant = self._partition.applications.get(act.pilot)
        life = Lifecycle() if applicant is None else applicant.life
        same = charter_hash(act.charter) == life.signed_by_firm
        moved = advance(life, Act.ADMIT, {Fact.SAME_CHARTER} if same else ())
        assert applicant is not None
        pilot.acts = _valid_once(applicant, act, by)
        pilot.acts.by = (act.author, by.key)
        pilot.life, pilot.clocks, pilot.clocks_wait = moved.life, applicant.clocks, applicant.wait
        pilot.standing = structs.replace(pilot.standing, counter=applicant.standing)
        del self._partition.applications[act.pilot]
        self._due = None

    @property
    def notify_at(self) -> int | None:
        """When the first legal deadline of an applicant is due (ms)."""
        if self._due is None:
            dues = [at for one in self._partition.applications.values() if (at := one.due) is not None]
            self._due = min(dues, default=NEVER)
        return self._due if self._due < NEVER else None

    def time(self, now: int, out: Outputs) -> None:
        """Fire the legal deadlines that are due before `now` (ms)."""
        sandbox = self._partition.sandbox.sandbox
        while sandbox is not None and (due := self.notify_at) is not None and due < now:
            for name, applicant in sorted(self._partition.applications.items()):
                if applicant.due == due:
                    clocks, changes = engine.advance(applicant.clocks, sandbox.clocks, due)
                    if not changes:  # of a rule that the table no longer has
                        clocks = Clocks()
                    new = structs.replace(applicant, clocks=clocks, at=max(applicant.at, due), wait=None)
                    cause = f"timer:clock/@{due}"
                    self._keep(name, self._record_clocks(name, new, sandbox.clocks, changes, cause, out))

    def outage(self, now: int) -> None:
        """The monitor was down until `now` (ms): a decision on an application may be unread, so none is found to be
        missed before it can be read. The due instants stay as the law has them."""
        for name, applicant in sorted(self._partition.applications.items()):
            if not applicant.closed and applicant.due is not None:
                self._keep(name, structs.replace(applicant, wait=now + applicant.plan.acknowledge_ms))

    def follow_clock_table(
        self, before: ClockTable | None, table: ClockTable, received: int, cause: str, out: Outputs
    ) -> None:
        """Another table is in force from `received` (ms) on, in place of `before`."""
        if before is None or before == table:
            return
        for name, applicant in sorted(self._partition.applications.items()):
            if applicant.clocks.cases:
                at = max(applicant.at, received)
                clocks, changes = engine.with_table(applicant.clocks, before, table, at)
                new = structs.replace(applicant, clocks=clocks, at=at)
                self._keep(name, self._record_clocks(name, new, before, changes, cause, out))

    def _keep(self, pilot: str, applicant: Applicant) -> None:
        self._partition.applications[pilot] = applicant
        self._partition.changed.add(pilot)
        self._due = None

    def _record_clocks(
        self, pilot: str, applicant: Applicant, table: ClockTable, changes: Iterable[ClockChange], cause: str,
        out: Outputs,
    ) -> Applicant:  # fmt: skip
        """One decision for each change of a legal deadline."""
        for change in changes:
            found = clock_finding(change, table)
            if found is not None:
                applicant = structs.replace(applicant, standing=applicant.standing + 1)
                out.decisions.append(self._citing(self._decision(pilot, applicant, *found, cause)))
        return applicant

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
    ) -> tuple[Applicant, Arrow, Finding]:
        """The applicant after an act, the arrow, and what is recorded. Raises ControlRefused."""
        life, trigger = applicant.life, authority.ACT_OF[type(act)]
        match act:
            case Submission():
                moved = advance(life, trigger)
                new = self._submitted(structs.replace(applicant, life=moved.life), act, plan, sandbox)
                finding = Finding(rule=f"tier {plan.charter.tier}", detail=act.application.system.name)
            case Screening(charter=charter, answers=answers):
                moved = advance(life, trigger, PASSED)
                plan = plan if charter is None else _screened_plan(applicant, act.pilot, charter)
                firm_class = self._partition.class_of(applicant.firm)
                result = screen(applicant.read(), plan.charter, sandbox.for_class(firm_class), answers)
                self._check_open_pilots(applicant.firm, sandbox.open_pilots(firm_class, plan.charter.tier))
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
        return new, moved.arrows[0], finding

    def _check_open_pilots(self, firm: str, most: int | None) -> None:
        """Raises ControlRefused where the firm has as many pilots in the sandbox as its class permits in a tier, by the
        record of its last classification: a partition does not know the pilots of others."""
        file = self._partition.firms.get(firm_subject(firm))
        if most is not None and file is not None and file.open >= most:
            words = f"{firm} had {file.open} open pilots when its class was set, which permits {most}; set it again"
            raise ControlRefused("charter.participant.id", Refusal.TOO_MANY_PILOTS, f"{words} if some have left")

    def _submitted(self, applicant: Applicant, act: Submission, plan: Plan, sandbox: Sandbox) -> Applicant:
        check_application(act.application, act.charter)
        check_responsible(act.charter, sandbox)
        authority.check_charter(sandbox, act.charter)
        authority.check_firm_keys(sandbox, act.charter)
        if sandbox.duties is not UNSET:
            self._check_firm_id(act.charter.participant.id)
        public_document(plan.charter)  # the record of an admission holds it
        application = pack_application(act.application)
        if len(plan.packed) > CHARTER_BYTES:
            words = f"it has {len(plan.packed)} bytes compressed, of at most {CHARTER_BYTES}; write fewer indicators"
            raise ControlRefused("charter", Refusal.BAD_CHARTER, words)
        size = len(application) + len(plan.packed)
        if why := too_many(self._partition.applications, applicant.firm, size):
            raise ControlRefused("pilot", Refusal.TOO_MANY_APPLICATIONS, why)
        return structs.replace(applicant, application=application, charter=plan.packed, hash=charter_hash(act.charter))

    def _citing(self, decision: Decision, act: str = "") -> Decision:
        """The decision with its legal basis, as the sandbox has it: no charter is in force yet."""
        clauses = cited(decision.reason, decision.finding, act, None, self._partition.sandbox.sandbox)
        return decision if isinstance(clauses, UnsetType) else structs.replace(decision, clauses=clauses)

    # What a decision on an applicant consists of; those of pilots have a context for it.
    def _check_firm_id(self, firm: str) -> None:
        """A class belongs to an id: one that no class can be set for, or that looks like the id of a firm that has one,
        would have none. Raises ControlRefused."""
        field, why = "charter.participant.id", Refusal.BAD_FIRM_ID
        if firm_of(firm_subject(firm)) is None:
            raise ControlRefused(field, why, REFUSALS[why])
        known = (firm_of(name) or "" for name in self._partition.firms)
        if other := next((one for one in known if one != firm and alike(one) == alike(firm)), ""):
            raise ControlRefused(field, why, f"a firm {other} has a class; write its id, or one that differs by more")

    def _decision(
        self, pilot: str, applicant: Applicant, reason: Reason, found: Finding, cause: str, author: str = "",
        key: str = "",
    ) -> Decision:  # fmt: skip
        rule = found.rule if found.clock is not UNSET else ""
        decision = Decision(
            id=digest(pilot, applicant.hash, f"{cause}@{applicant.standing}", f"{reason}/{rule}"),
            pilot=pilot,
            participant=applicant.firm,
            charter=applicant.hash,
            kind="act" if author else "finding",
            level=Level.NORMAL,
            was=Level.NORMAL,
            reason=reason,
            at=applicant.at,
            standing=applicant.standing,
            epoch=self._partition.epoch,
            cause=cause,
            finding=found,
            author=author,
            signed=key,
            states=state_words(applicant.life),
        )
        network = network_of(self._partition.sandbox.sandbox)
        return decision if network is None or not applicant.charter else _addressed(decision, applicant, network)


def _addressed(decision: Decision, applicant: Applicant, network: Sandbox) -> Decision:
    """The decision with its addressees; of what an applicant may be admitted under, also who will be responsible."""
    charter = applicant.plan.charter
    names = responsible(network, charter)
    computed = names if decision.reason in PROPOSES_CHARTER else UNSET
    return structs.replace(decision, responsible=computed, addressed=addressees(decision, network, charter, names))


def _screened_plan(applicant: Applicant, pilot: str, charter: Charter) -> Plan:
    """The plan of a charter that replaces the proposed one. Raises ControlRefused."""
    plan = plan_for(pilot, charter)
    if charter.participant != applicant.plan.charter.participant:
        raise ControlRefused("charter.participant", Refusal.WRONG_PARTICIPANT, f"{applicant.firm} applies")
    public_document(plan.charter)
    if len(plan.packed) > CHARTER_BYTES:
        raise ControlRefused("charter", Refusal.BAD_CHARTER, f"it has {len(plan.packed)} bytes compressed")
    return plan


def _hash(charter: Charter, pilot: str) -> str:
    return charter_hash(structs.replace(charter, pilot=pilot))


def _valid_once(applicant: Applicant, act: ControlBase, by: Proved) -> ActMemory:
    """A copy of what is remembered of acts, with this one judged. Raises ControlRefused unless it is valid once."""
    if by.key and act.expected_standing is None:  # else its id would have to be remembered without end
        raise ControlRefused("expected_standing", Refusal.VALIDITY_MISSING, REFUSALS[Refusal.VALIDITY_MISSING])
    m = applicant.acts
    memory = ActMemory(m.recent[:], m.kept[:], m.firm_recent[:], m.firm_kept[:], dict(m.keys), m.by)
    acts_once.check_valid(memory, act, by, act.author == applicant.firm, applicant.standing, 0)
    return memory


def _with_fact(applicant: Applicant, table: ClockTable, fact: ClockFact) -> tuple[Applicant, tuple[ClockChange, ...]]:
    waits = applicant.wait is not None and fact.at < applicant.wait
    clocks, missed = (applicant.clocks, ()) if waits else engine.advance(applicant.clocks, table, fact.at)
    clocks, changes = engine.apply(clocks, table, fact)
    return structs.replace(applicant, clocks=clocks), (*missed, *changes)
