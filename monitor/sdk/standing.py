"""What a service may do right now: the highest standing it has met, and nothing else. Pure.

Order is the `standing` that a command carries, never its epoch and never the order of arrival: an old `release` that comes
again after a later `halt` changes nothing. A release ends a halt but starts nothing: the firm resumes by an act of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from monitor.halt_ground import Ground
from monitor.model.records import Command, command_id


class Standing(Struct, frozen=True):
    """`known` is false until the commands that already stood were read; `command` is the one of the highest standing.

    `lifted` is the decision of the newest release known, from which the firm has to have resumed before work begins;
    empty when there was none. `release` is the command of that release if it was read itself: a later command may be
    all that a service meets, and then says so by its own `lifted`.
    """

    known: bool = False
    command: Command | None = None
    release: Command | None = None
    lifted: str = ""

    @property
    def number(self) -> int:
        """The highest standing met, 0 when no command ever came."""
        return self.command.standing if self.command else 0

    @property
    def halted(self) -> bool:
        """Whether a halt stands."""
        return self.command is not None and self.command.halts

    def meet(self, command: Command) -> Standing:
        """The standing after `command`: unchanged for a repeat or a lower one."""
        if command.standing <= self.number:
            return self
        ends = command.action == "release" or (self.halted and not command.halts and not command.lifted)
        lifted = command.decision if ends else command.lifted or self.lifted
        release = self.release if self.release and self.release.decision == lifted else None
        if ends:
            release = command
        elif command.halts:
            release = None
        return Standing(known=self.known, command=command, release=release, lifted=lifted)

    def to_resume(self, resumed: str) -> bool:
        """Whether the firm still has to resume, having last resumed from `resumed` (see `SharedState.resumed`)."""
        return bool(self.lifted) and resumed != self.release_id

    @property
    def release_id(self) -> str:
        """The command id of the newest release, by which the firm's resuming is kept; empty when there was none."""
        if self.release is not None:
            return self.release.id
        return command_id(self.lifted) if self.lifted else ""


def refusal(command: Command) -> str:
    """Why the service must not work under a halt, in words that say what to do."""
    why = ground_in_words(command.ground)
    return (
        f"pilot {command.pilot} is halted since {_when(command)}: {command.reason.value}{f', {why}' if why else ''} (decision "
        f"{command.decision}, standing {command.standing}). Stop serving. A release needs a recorded rectification, a passed "
        "re-evaluation and two approvals; ask the authority that your charter names, and quote the decision"
    )


def not_resumed(pilot: str, standing: Standing) -> str:
    """Why the service must not work after a release, in words that say what to do."""
    release = standing.release
    where = f"decision {standing.lifted}" + (f", standing {release.standing}" if release else "")
    when = f" at {_when(release)}" if release else ""
    return (
        f"the halt of pilot {pilot} was lifted{when} ({where}), but the firm has not resumed: call resume() when you are "
        "ready to serve"
    )


def ground_in_words(ground: Ground | None) -> str:
    """The finding behind a halt as one phrase: where, what was counted, against which limit; empty without one.

    >>> ground_in_words(Ground(indicator="complaints", segment="north", observed=36.0, expected=6.09, ratio=5.91))
    'complaints, north: 36 observed, 6.09 expected, 5.91 times that'
    """
    if ground is None:
        return ""
    place = ", ".join(part for part in (ground.indicator or ground.rule, ground.segment) if part)
    if ground.explanation:
        return f"{place}: {ground.explanation}" if place else ground.explanation
    said = []
    if ground.indicator and ground.observed is not None and ground.expected is not None:
        said += [f"{ground.observed:.4g} observed", f"{ground.expected:.4g} expected"]
        if ground.ratio is not None:
            said.append(f"{ground.ratio:.4g} times that")
    if ground.detail:
        said.append(ground.detail)
    return ": ".join(part for part in (place, ", ".join(said)) if part)


def _when(command: Command) -> str:
    return datetime.fromtimestamp(command.at / 1000, UTC).isoformat()
