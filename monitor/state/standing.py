"""A pilot's standing: its level on the ladder, and why. Values only; `monitor/decide/ladder.py` changes them. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from monitor.model.records import Level, Reason
from monitor.state.halt_state import HaltState, Retransmission

Stays = Literal["until_quiet", "until_lowered"]


class Active(Struct, frozen=True, array_like=True, gc=False):
    """An active finding: `since` when (ms) it raises the level, and for how many periods its detector was `quiet`."""

    level: Level
    reason: Reason
    since: int
    stays: Stays = "until_quiet"
    quiet: int = 0


class Lifting(Struct, frozen=True, array_like=True, gc=False):
    """The steps of a release that are recorded since the halt. `basis` is the standing of the halt's latest ground, or
    of the rectification or evaluation after it; `last` is that of the last step, approvals included."""

    rectified: bool = False
    evaluated: bool = False
    approvals: tuple[str, ...] = ()
    basis: int = 0
    last: int = 0


class Shelf(Struct, frozen=True, array_like=True, gc=False):
    """A shelved finding: until when (ms), and the highest level for which that holds."""

    until: int
    level: Level


class Standing(Struct, frozen=True, array_like=True, gc=False):
    """Where a pilot stands. `counter` rises by one with each record about it; `first_out` is the key of the finding
    that brought it to its level; `unknown` maps each cause of the unknown flag to (reason, since); `ordered` is the
    standing of the command in force, `halt_state` what became of it; `shelved` maps keys of findings to what holds them
    down; `retransmission` is the command in force and when it is resent; `lifted` is the decision of the newest
    release, empty when none is known."""

    level: Level = Level.NORMAL
    since: int = 0
    counter: int = 0
    halted: bool = False
    active: dict[str, Active] = {}
    unknown: dict[str, tuple[Reason, int]] = {}
    first_out: str = ""
    lifting: Lifting = Lifting()
    restart: int = 1
    command: str = ""  # the id of the command in force
    ordered: int = 0
    halt_state: HaltState = HaltState()
    shelved: dict[str, Shelf] = {}
    retransmission: Retransmission | None = None
    lifted: str = ""

    @property
    def newest_release(self) -> str:
        """The decision of the newest release, also where a snapshot from before `lifted` has it in the command in force
        only."""
        command = self.retransmission.command if self.retransmission else None
        return command.decision if command is not None and command.action == "release" else self.lifted

    @property
    def flag(self) -> str:
        """The reason of the unknown flag: its oldest cause, "" when everything is known."""
        if not self.unknown:
            return ""
        return min(self.unknown.values(), key=lambda v: (v[1], v[0]))[0].value
