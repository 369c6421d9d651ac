"""The state of a pilot for the author of an act, computed from its decisions. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from monitor.model.records import Decision, Level
from monitor.projections.open_commands import OpenCommand, after_decision
from monitor.state.halt_state import stop_state


class KnownState(Struct, frozen=True):
    """The recorded state of a pilot: standing, level, and under a halt the state of the command to stop (empty = the
    halt is older than the decisions that were read)."""

    standing: int
    level: str
    stop: str = ""


def known_of(decisions: Iterable[Decision]) -> KnownState | None:
    """The state after the decisions of one pilot, oldest first; `None` without decisions."""
    last: Decision | None = None
    command: OpenCommand | None = None
    for decision in decisions:
        if last is None or decision.standing > last.standing:
            last, command = decision, after_decision(command, decision)
    if last is None:
        return None
    halted = last.level is Level.HALT and command is not None and command.action == "halt"
    return KnownState(last.standing, last.level.word, stop_state(command.state) if halted and command else "")
