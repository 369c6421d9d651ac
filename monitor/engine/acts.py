"""Acts of control records: an admission adds a pilot, every other act is checked and applied to its pilot."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from monitor.charter.control import Admission, Amendment, ControlBase, Release
from monitor.charter.spec import charter_hash
from monitor.decide import authority
from monitor.decide.control_acts import admit, apply_act
from monitor.decide.ladder import Move
from monitor.decide.signatures import signed_by
from monitor.engine.aside import PilotsAside
from monitor.engine.partition import Partition
from monitor.errors import ControlRefused
from monitor.model.records import Finding, Level, Outputs, Reason, Record
from monitor.model.refusals import Refusal
from monitor.model.signing import Proved, Trusted
from monitor.state import acts_once
from monitor.state.pilot import PilotState


class ControlActs:
    """Applies acts. `admitters` may admit pilots, and amend or end them in place of an officer; with `open_mode`
    everybody who may write to control may admit. `catch_up` brings a pilot to a time of reception."""

    def __init__(
        self,
        partition: Partition,
        aside: PilotsAside,
        catch_up: Callable[[PilotState, int, Outputs], int],
        admitters: Trusted | None,
        open_mode: bool | None,
    ) -> None:
        self._partition = partition
        self._aside = aside
        self._catch_up = catch_up
        self.trust(admitters, open_mode)

    def trust(self, admitters: Trusted | None, open_mode: bool | None) -> None:
        """Replace the admitters. `open_mode` `None`: open where there are no admitters."""
        self._admitters = admitters
        self._open = not admitters if open_mode is None else open_mode

    def step(self, act: ControlBase, record: Record, out: Outputs) -> None:
        """Verify one act and apply it. Raises ControlRefused or Forged; then nothing but due timers took effect."""
        pilot = self._partition.pilots.get(act.pilot)
        plan = None if pilot is None else pilot.plan
        signer = signed_by(plan, act, record, self._admitters, self._open)
        if pilot is not None:
            self._apply(pilot, act, record.received, signer, out)
        elif isinstance(act, Admission):
            self._admit(act, record.received, signer, out)
        else:
            self._aside.refuse(act.pilot)
            raise ControlRefused("pilot", Refusal.NOT_ADMITTED, f"{act.pilot} has not been admitted")

    def _apply(self, pilot: PilotState, act: ControlBase, received: int, signer: Proved, out: Outputs) -> None:
        partition = self._partition
        firm = act.author == pilot.charter.participant.id
        acts_once.check_copy(pilot.acts, act, signer, firm)
        if pilot.exited:
            raise ControlRefused(
                "pilot", Refusal.AFTER_EXIT, f"{act.pilot} has left the sandbox; a new pilot needs a new name"
            )
        if isinstance(act, Admission) or (isinstance(act, Amendment) and charter_hash(act.charter) == pilot.hash):
            acts_once.check_already_admitted(pilot.acts, act, signer, pilot.charter.version, pilot.hash)
        acts_once.check_time(act, received)
        at = self._catch_up(pilot, received, out)
        authority.check_role(pilot.charter, act, signer)
        standing, old = pilot.standing, pilot.plan.keys
        seen = standing.lifting.last if isinstance(act, Release) else standing.lifting.basis
        seen = seen if isinstance(act, acts_once.RELEASE_STEPS) else 0
        acts_once.check_valid(pilot.acts, act, signer, firm, standing.counter, seen)
        partition.hot.changed(pilot)
        context = partition.context(pilot, at, f"control:{act.id}", out, signer.key)
        apply_act(context, act)
        partition.settle(context)
        if isinstance(act, Amendment):
            others = self._admitters.ids if self._admitters else ()
            acts_once.change_keys(pilot.acts, act, old, pilot.plan.keys, others, pilot.standing.counter)
            pilot.acts.by = (act.author, signer.key)
        acts_once.remember_act(pilot.acts, act, signer, firm, pilot.standing.counter)
        partition.arm(pilot)

    def _admit(self, act: Admission, received: int, signer: Proved, out: Outputs) -> None:
        partition = self._partition
        if act.pilot in self._aside.unreadable:  # until the journal has that it is set aside
            self._aside.refuse(act.pilot)
        lost = self._aside.standing_of(act)
        pilot = partition.pilots[act.pilot] = admit(act, received, signer, self._open)
        if lost is not None:
            pilot.standing = structs.replace(pilot.standing, counter=lost)
        partition.hot.use(pilot)
        partition.changed.add(pilot.id)
        move = Move("act", Level.NORMAL, Level.NORMAL, Reason.ADMITTED, False)
        version = Finding(rule=f"version {act.charter.version}")
        context = partition.context(pilot, received, f"control:{act.id}", out, signer.key)
        context.record(move, version, act.author)
        if lost is not None:
            self._aside.admitted(context)
        firm = act.author == act.charter.participant.id
        acts_once.remember_act(pilot.acts, act, signer, firm, pilot.standing.counter)
        partition.arm(pilot)
