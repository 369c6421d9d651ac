"""The open command of a pilot and its state, folded from decisions, for the board and the metrics. Pure.

A retransmission of a command opens no second one; it raises the number of attempts.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, structs

from monitor.model.records import Command, Decision, Reason, command_of
from monitor.state.halt_state import HaltState, Retransmission

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


LEFT = (Reason.EXITED, Reason.CLOSED)
"""Decisions after which a pilot is no longer watched."""


class OpenCommand(Struct, frozen=True):
    """A command: `at` is the time it was given (ms), `attempts` how often it was sent, `acknowledged` whether a service
    acknowledged it."""

    action: Action
    at: int
    standing: int
    state: str = "commanded"
    attempts: int = 1
    acknowledged: bool = False

    @property
    def open(self) -> bool:
        """Whether the command still lacks an acknowledgement or a verification."""
        return self.state in OPEN

    @property
    def unacknowledged_halt(self) -> bool:
        """Whether this is a halt (not a drill) without an acknowledgement."""
        return self.action == "halt" and self.open and not self.acknowledged


def after_decision(command: OpenCommand | None, decision: Decision) -> OpenCommand | None:
    """The command in force after `decision`, which must be newer than all decisions before it."""
    given = command_of(decision)
    if given is not None:
        return OpenCommand(action_of(given), given.at, given.standing)
    if command is None or decision.reason in LEFT:
        return None
    if decision.reason is Reason.COMMAND_ACKNOWLEDGED:
        command = structs.replace(command, acknowledged=True)
        if command.action == "release":
            return structs.replace(command, state="done")
        pending = command.state in ("commanded", "overdue")
        return structs.replace(command, state="acknowledged") if pending else command
    state = _STATES.get(decision.reason)
    return command if state is None else structs.replace(command, state=state)


def left_after(left: bool, decision: Decision) -> bool:
    """Whether the pilot has left the sandbox after `decision`; it is back under supervision once it graduated."""
    return decision.reason in LEFT or (left and decision.reason is not Reason.GRADUATED)


def after_attempt(command: OpenCommand | None, sent: Command) -> OpenCommand | None:
    """The command after one more transmission; `sent` carries the number of transmissions before it."""
    if command is None or sent.standing != command.standing:
        return command
    return structs.replace(command, attempts=max(command.attempts, 1 + sent.again))


def action_of(command: Command) -> Action:
    """A halt, a release, or a drill (a dry run that stops nothing)."""
    return "drill" if command.dry_run else command.action


def restored_command(order: HaltState, sending: Retransmission | None) -> OpenCommand | None:
    """The open command from the machine's state, for a process that takes over a partition; `None` without a command in
    force."""
    if sending is None:
        return None
    command = sending.command
    acknowledged = sending.due is None or any(proof.acknowledged for proof in order.evidence.values())
    state: str = order.state or ("commanded" if sending.due is not None else "done")
    return OpenCommand(action_of(command), command.at, command.standing, state, 1 + sending.attempts, acknowledged)
