"""Acts of control records: an admission adds a pilot, every other act is checked and applied to its pilot."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

from msgspec import UNSET, structs

from monitor.charter.control import Admission, Amendment, Approval, ControlBase, Release
from monitor.charter.model_acts import ACTS_ON_MODEL
from monitor.charter.spec import hash_of
from monitor.deadlines.facts import Fact, FactKind
from monitor.decide import authority
from monitor.decide.clock_facts import arrow_facts, clock_facts
from monitor.decide.context import DecisionContext
from monitor.decide.control_acts import admit, apply_act, public_document
from monitor.decide.incident_acts import act_facts
from monitor.decide.ladder import Move, with_approvals
from monitor.decide.life_steps import advance_by_act, start_cycle
from monitor.decide.signatures import signed_by, signed_by_person
from monitor.engine.applications import APPLICATION_ACTS, Applications
from monitor.engine.aside import PilotsAside
from monitor.engine.clock_tables import follow_clock_table
from monitor.engine.firm_acts import step_firm
from monitor.engine.model_acts import step_model
from monitor.engine.partition import Partition
from monitor.engine.responsibility import follow_authorities
from monitor.engine.sandbox_acts import configure, step_sandbox
from monitor.engine.users_acts import apply_users_act
from monitor.errors import ControlRefused
from monitor.lifecycle.acts import Role
from monitor.lifecycle.arrows import AFTER_EXIT
from monitor.lifecycle.firm_acts import ACTS_ON_FIRM
from monitor.lifecycle.names import Act, State
from monitor.lifecycle.sandbox import SUBJECT, Sandbox
from monitor.lifecycle.sandbox_acts import ACTS_ON_SANDBOX, SandboxState
from monitor.lifecycle.tenure import known_keys
from monitor.model.records import Finding, Level, Outputs, Reason, Record
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.signing import Proved, Trusted
from monitor.model.subjects import FIRM, MODEL, SHADOW
from monitor.state import acts_once
from monitor.state.pilot import PilotState

Applied: TypeAlias = Callable[[ControlBase, int, frozenset[Role]], None]  # act, when received (ms), roles of its author


SandboxStates: TypeAlias = tuple[SandboxState, SandboxState]  # the configuration, and as it counts for the firm


class ControlActs:
    """Applies acts. `admitters` may admit pilots, and amend or end them in place of an officer; with `open_mode`
    everybody who may write to control may admit. `catch_up` brings a pilot to a time of reception. `applied` is called
    with each act that took effect on a pilot."""

    def __init__(
        self,
        partition: Partition,
        aside: PilotsAside,
        catch_up: Callable[[PilotState, int, Outputs], int],
        admitters: Trusted | None,
        open_mode: bool | None,
        applied: Applied = lambda act, received, roles: None,
    ) -> None:
        self._partition = partition
        self._applied = applied
        self._aside = aside
        self._catch_up = catch_up
        self.applications = Applications(partition)
        self.trust(admitters, open_mode)

    def trust(self, admitters: Trusted | None, open_mode: bool | None) -> None:
        """Replace the admitters. `open_mode` `None`: open where there are no admitters."""
        self._admitters = admitters
        self._open = not admitters if open_mode is None else open_mode

    @property
    def open_mode(self) -> bool:
        """Whether authors are not proved: the sandbox has no keys, or without one the deployment has no admitters."""
        sandbox = self._partition.sandbox.sandbox
        return self._open if sandbox is None else sandbox.open_mode

    def step(self, act: ControlBase, record: Record, out: Outputs) -> None:
        """Verify one act and apply it. Raises ControlRefused or Forged; then nothing but due timers took effect."""
        self._check_subject(act)
        if isinstance(act, ACTS_ON_MODEL):
            self._aside.refuse(act.pilot)
            step_model(self._partition, act, record, out)
            return
        if isinstance(act, ACTS_ON_FIRM):
            self._aside.refuse(act.pilot)
            step_firm(self._partition, act, record, out)
            return
        if isinstance(act, ACTS_ON_SANDBOX):
            before = self._partition.sandbox.sandbox
            step_sandbox(self._partition, act, record, self._admitters, self._open, out)
            self._follow(before, record.received, out)
            return
        pilot = self._partition.pilots.get(act.pilot)
        if pilot is None and isinstance(act, APPLICATION_ACTS):
            self._aside.refuse(act.pilot)
            self.applications.step(act, record, out)
            return
        signer = self._signer(pilot, act, record)
        if pilot is not None:
            self._apply(pilot, act, record.received, signer, out)
        elif isinstance(act, Admission):
            self._admit(act, record.received, signer, out)
        else:
            self._aside.refuse(act.pilot)
            raise ControlRefused("pilot", Refusal.NOT_ADMITTED, f"{act.pilot} has not been admitted")

    def _check_subject(self, act: ControlBase) -> None:
        """Raises ControlRefused for an act on a pilot with the name of another subject, and the reverse. A pilot that
        was admitted before models and firms had files keeps its name."""
        name, new = act.pilot, act.pilot not in self._partition.pilots
        model, firm, shadow = (name.startswith(kind) and new for kind in (MODEL, FIRM, SHADOW))
        if isinstance(act, ACTS_ON_SANDBOX):
            right = name == SUBJECT
        else:
            kinds = isinstance(act, ACTS_ON_MODEL), isinstance(act, ACTS_ON_FIRM)
            right = name != SUBJECT and kinds == (model, firm) and not shadow
        if not right:
            raise ControlRefused("pilot", Refusal.RESERVED_NAME, REFUSALS[Refusal.RESERVED_NAME])

    def use_configuration(self, sandbox: Sandbox, digest: str, at: int, received: int, out: Outputs) -> None:
        """Put a configuration with this digest in force from `at` (ms) on, as an accepted act does that is received at
        `received` (ms)."""
        before = self._partition.sandbox.sandbox
        configure(self._partition, sandbox, at, digest)
        self._follow(before, received, out)

    def _follow(self, before: Sandbox | None, received: int, out: Outputs) -> None:
        """Applicants and pilots follow the configuration in force in place of `before`: its authorities, and the
        deadlines of its clock table."""
        sandbox, table = self._partition.sandbox.sandbox, self._partition.clock_table
        if sandbox is not None:
            cause = f"sandbox:version@{sandbox.version}"
            follow_authorities(self._partition, before, received, cause, out, self._catch_up)
            self.applications.follow_clock_table(table, sandbox.clocks, received, cause, out)
            follow_clock_table(self._partition, sandbox.clocks, received, cause, out, self._catch_up)

    def _signer(self, pilot: PilotState | None, act: ControlBase, record: Record) -> Proved:
        plan = None if pilot is None else pilot.plan
        sandbox = authority.sandbox_for(self._partition.sandbox, pilot)
        if sandbox is None:
            return signed_by(plan, act, record, self._admitters, self._open)
        return signed_by_person(sandbox, plan, act, record)

    def _apply(self, pilot: PilotState, act: ControlBase, received: int, signer: Proved, out: Outputs) -> None:
        partition = self._partition
        firm = act.author == pilot.charter.participant.id
        acts_once.check_copy(pilot.acts, act, signer, firm)
        if pilot.exited and authority.ACT_OF[type(act)] not in AFTER_EXIT:
            raise ControlRefused(
                "pilot", Refusal.AFTER_EXIT, f"{act.pilot} has left the sandbox; a new pilot needs a new name"
            )
        if isinstance(act, Admission) or (isinstance(act, Amendment) and hash_of(act.charter) == pilot.hash):
            acts_once.check_already_admitted(pilot.acts, act, signer, pilot.charter.version, pilot.hash)
        acts_once.check_time(act, received)
        at = self._catch_up(pilot, received, out)
        sandbox = authority.sandbox_for(partition.sandbox, pilot)
        roles = authority.roles(partition.sandbox, pilot, act.author, signer)
        authority.check_role(pilot.charter, act, roles, sandbox)
        standing, old = pilot.standing, pilot.plan.keys
        seen = standing.lifting.last if isinstance(act, Release) else standing.lifting.basis
        seen = seen if isinstance(act, acts_once.RELEASE_STEPS) else 0
        acts_once.check_valid(pilot.acts, act, signer, firm, standing.counter, seen)
        partition.hot.changed(pilot)
        if sandbox is not None and isinstance(act, Approval | Release):
            pilot.standing = with_approvals(standing, authority.standing_approvals(partition.sandbox, pilot))
        context = partition.context(pilot, at, f"control:{act.id}", out, signer.key)
        context.received = received
        states = partition.sandbox, partition.sandbox_for(pilot.charter.participant.id)
        self._take_effect(context, act, states, roles)
        if isinstance(act, Amendment):
            others = self._other_keys()
            acts_once.change_keys(pilot.acts, act, old, pilot.plan.keys, others, pilot.standing.counter)
            pilot.acts.by = (act.author, signer.key)
        acts_once.remember_act(pilot.acts, act, signer, firm, pilot.standing.counter)
        partition.arm(pilot)
        self._applied(act, received, roles)

    def _take_effect(
        self, context: DecisionContext, act: ControlBase, states: SandboxStates, roles: frozenset[Role]
    ) -> None:
        """An act that its author may do: move the life of the pilot, and apply its content. Raises ControlRefused."""
        pilot, life = context.pilot, context.pilot.life
        context.act = authority.ACT_OF[type(act)]
        arrows = advance_by_act(context, act, states[0])
        try:
            if isinstance(act, acts_once.USERS_ACTS):
                apply_users_act(context, act)
            else:
                apply_act(context, act, states[1], roles)
        except ControlRefused:  # for its content
            pilot.life = life
            raise
        act_facts(context, act)
        arrow_facts(context, arrows, act.id)
        self._partition.settle(context)

    def follow(
        self, act: ControlBase, received: int, roles: frozenset[Role], states: SandboxStates, out: Outputs
    ) -> None:
        """Apply an act to the pilot of a shadow charter, after it was accepted for the pilot itself: who may do it and
        whether it is valid was judged there. Raises ControlRefused where it does not apply."""
        partition = self._partition
        pilot = partition.pilots[act.pilot]
        at = self._catch_up(pilot, received, out)
        partition.hot.changed(pilot)
        context = partition.context(pilot, at, f"control:{act.id}", out)
        context.received = received
        self._take_effect(context, act, states, roles)
        partition.arm(pilot)

    def amend(self, act: Amendment, received: int) -> None:
        """Put a shadow charter in force on a copy of the pilot. Nothing is emitted. Raises ControlRefused."""
        partition = self._partition
        pilot = partition.pilots[act.pilot]
        partition.hot.changed(pilot)
        context = partition.context(pilot, received, f"control:{act.id}", Outputs())
        apply_act(context, act)
        partition.settle(context)
        partition.arm(pilot)

    def _other_keys(self) -> Collection[str]:
        """Keys that sign acts and are not in the charter: their last acts stay remembered when it is amended."""
        state = self._partition.sandbox
        return (self._admitters.ids if self._admitters else frozenset()) | known_keys(state.sandbox, state.tenure)

    def _admit(self, act: Admission, received: int, signer: Proved, out: Outputs) -> None:
        partition = self._partition
        if act.pilot in self._aside.unreadable:  # until the journal has that it is set aside
            self._aside.refuse(act.pilot)
        lost = self._aside.standing_of(act)
        sandbox = partition.sandbox.sandbox
        pilot = admit(act, received, signer, self._open, sandbox)
        document = UNSET if sandbox is None else public_document(pilot.charter)
        if sandbox is not None and lost is None:
            self.applications.admit(pilot, act, signer)
        partition.pilots[act.pilot] = pilot
        if lost is not None:
            pilot.standing = structs.replace(pilot.standing, counter=lost)
        partition.hot.use(pilot)
        partition.changed.add(pilot.id)
        move = Move("act", Level.NORMAL, Level.NORMAL, Reason.ADMITTED, False)
        version = Finding(rule=f"version {act.charter.version}")
        context = partition.context(pilot, received, f"control:{act.id}", out, signer.key)
        context.document = document
        context.act = Act.ADMIT
        context.record(move, version, act.author)
        if sandbox is not None:
            clock_facts(context, Fact(kind=FactKind.APPLICATION_DECIDED, at=received))
        if pilot.life.pilot is State.REGISTERED and received >= pilot.cycle[0]:
            start_cycle(context)
        if lost is not None:
            self._aside.admitted(context)
        firm = act.author == act.charter.participant.id
        acts_once.remember_act(pilot.acts, act, signer, firm, pilot.standing.counter)
        partition.arm(pilot)
