"""What the commands received so far say: whether a halt is in force, and whether the firm has to resume. Pure.

Commands are ordered by their `standing`, never by epoch or arrival: an old `release` that arrives after a later `halt`
changes nothing. A release ends a halt but starts no work: the firm resumes by its own act.
"""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from monitor.model.records import Command, command_id
from monitor.sdk.ground_words import ground_sentence


class CommandState(Struct, frozen=True):
    """The newest command and the newest release.

    `known` is False until all commands that existed at the start were read. `command` has the highest standing.
    `lifted` is the decision of the newest release, from which the firm must have resumed before work begins; "" when
    there was none. `release` is the command of that release if it was received itself: a later command may be the only
    one that the service receives, and then names the release in its own `lifted`. `proved` is the highest standing of a
    command that a trusted key signed, and `decided` when `command` was decided (ms), as far as that is believed: see
    `command_order.py`.
    """

    known: bool = False
    command: Command | None = None
    release: Command | None = None
    lifted: str = ""
    proved: int = 0
    decided: int = 0

    @property
    def number(self) -> int:
        """The highest standing received, 0 when there was no command."""
        return self.command.standing if self.command else 0

    @property
    def halted(self) -> bool:
        """Whether a halt is in force."""
        return self.command is not None and self.command.halts

    def after(self, command: Command) -> CommandState:
        """Return the state after `command`; unchanged for a command that is not newer."""
        return self if command.standing <= self.number else self.moved(command, decided=command.at, proved=True)

    def moved(self, command: Command, *, decided: int, proved: bool) -> CommandState:
        """Return the state after a newer command."""
        ends = command.action == "release" or (self.halted and not command.halts and not command.lifted)
        lifted = command.decision if ends else command.lifted or self.lifted
        release = self.release if self.release and self.release.decision == lifted else None
        if ends:
            release = command
        elif command.halts:
            release = None
        highest = max(self.proved, command.standing) if proved else self.proved
        return CommandState(self.known, command, release, lifted, highest, decided)

    def to_resume(self, resumed: str) -> bool:
        """Whether the firm has to resume, if `resumed` is the release that it last resumed from
        (`SharedState.resumed`)."""
        return bool(self.lifted) and resumed != self.release_id

    @property
    def release_id(self) -> str:
        """The command id of the newest release, "" when there was none."""
        if self.release is not None:
            return self.release.id
        return command_id(self.lifted) if self.lifted else ""


def halted_text(command: Command) -> str:
    """The message of a refusal under a halt: since when, why, which decision, what to do."""
    why = ground_text(command)
    return (
        f"pilot {command.pilot} is halted since {_when(command)}: {command.reason.value}{f', {why}' if why else ''} "
        f"(decision {command.decision}, standing {command.standing}). Stop serving. A release needs a recorded "
        "rectification, a passed re-evaluation and two approvals; ask the authority that your charter names, and quote "
        "the decision"
    )


def not_resumed_text(pilot: str, state: CommandState) -> str:
    """The message of a refusal after a release and before `resume()`."""
    release = state.release
    where = f"decision {state.lifted}" + (f", standing {release.standing}" if release else "")
    when = f" at {_when(release)}" if release else ""
    return (
        f"the halt of pilot {pilot} was lifted{when} ({where}), but the firm has not resumed: call resume() when "
        "you are ready to serve"
    )


def ground_text(command: Command) -> str:
    """The finding behind a command in one phrase: indicator, segment, and its numbers in words; "" without a ground.

    >>> from monitor.halt_ground import Ground
    >>> from monitor.testing.records import command
    >>> found = Ground(indicator="complaints", segment="north", rule="limit_e_process", observed=36.0, expected=6.09)
    >>> ground_text(command(2, ground=found))
    'complaints, north: 36 events where at most 6.09 are allowed'
    """
    ground = command.ground
    if ground is None:
        return ""
    place = ", ".join(part for part in (ground.indicator or ground.rule, ground.segment) if part)
    said = ground_sentence(ground) or ground.explanation or ground.detail
    return ": ".join(part for part in (place, said) if part)


def _when(command: Command) -> str:
    return datetime.fromtimestamp(command.at / 1000, UTC).isoformat()
