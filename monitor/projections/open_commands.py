"""Which command of a pilot is still open, and what became of it: folded from decisions for people who look, on board and in metrics.

Pure. A repeat (the same command told again) opens nothing; it is counted.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, structs

from monitor.model.records import Command, Decision, Reason, command_of
from monitor.state.halt_order import Order, Sending

Action: TypeAlias = Literal["halt", "release", "drill"]
ACTIONS: tuple[Action, ...] = ("halt", "release", "drill")
OPEN = ("commanded", "acknowledged", "contradicted", "overdue")  # `done` and `verified` are closed

_STATES = {
    Reason.HALT_VERIFIED: "verified",
    Reason.HALT_OVERDUE: "overdue",
    Reason.HALT_CONTRADICTED: "contradicted",
    Reason.DRILL_PASSED: "done",
    Reason.DRILL_OVERDUE: "done",
}


class OpenOrder(Struct, frozen=True):
    """A command: `at` when it was given (ms), `state` what became of it, `told` how often it was put out,
    `answered` whether anybody acknowledged it."""

    action: Action
    at: int
    standing: int
    state: str = "commanded"
    told: int = 1
    answered: bool = False

    @property
    def open(self) -> bool:
        """Whether somebody still waits for something."""
        return self.state in OPEN


def after(order: OpenOrder | None, decision: Decision) -> OpenOrder | None:
    """What stands after a decision that is newer than all before it."""
    command = command_of(decision)
    if command is not None:
        return OpenOrder(action_of(command), command.at, command.standing)
    if order is None or decision.reason is Reason.EXITED:
        return None
    if decision.reason is Reason.COMMAND_ACKNOWLEDGED:
        order = structs.replace(order, answered=True)
        if order.action == "release":
            return structs.replace(order, state="done")
        return structs.replace(order, state="acknowledged") if order.state in ("commanded", "overdue") else order
    state = _STATES.get(decision.reason)
    return order if state is None else structs.replace(order, state=state)


def told(order: OpenOrder | None, command: Command) -> OpenOrder | None:
    """What stands after a command was put out: it says itself how often it was told before."""
    if order is None or command.standing != order.standing:
        return order
    return structs.replace(order, told=max(order.told, 1 + command.again))


def action_of(command: Command) -> Action:
    """A halt, a release, or a drill that stops nothing."""
    return "drill" if command.dry_run else command.action


def recovered(order: Order, sending: Sending | None) -> OpenOrder | None:
    """The same from a machine's state, for who takes over a partition. Without a command in force: None."""
    if sending is None:
        return None
    command = sending.command
    answered = not sending.due or any(proof.acknowledged for proof in order.proofs.values())
    state: str = order.state or ("commanded" if sending.due else "done")
    return OpenOrder(action_of(command), command.at, command.standing, state, 1 + sending.times, answered)


def waiting(order: OpenOrder | None) -> bool:
    """Whether a halt (no drill) waits for its acknowledgement."""
    return order is not None and order.action == "halt" and order.open and not order.answered
