"""What a service may do right now: the highest standing it has met, and nothing else. Pure.

Order is the `standing` that a command carries, never its epoch and never the order of arrival: an old `release` that comes
again after a later `halt` changes nothing. A release ends a halt but starts nothing: the firm resumes by an act of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from monitor.model import Command


class Standing(Struct, frozen=True):
    """`known` is false until the commands that already stood were read; `command` is the one of the highest standing.

    `release` is the command that ended the last halt and has to be resumed from, if there is one.
    """

    known: bool = False
    command: Command | None = None
    release: Command | None = None

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
        release = self.release  # a drill changes nothing
        if command.halts:
            release = None
        elif command.action == "release" or self.halted:
            release = command
        return Standing(known=self.known, command=command, release=release)


def refusal(command: Command, resume: bool) -> str:
    """Why the service must not work under `command`, in words that say what to do."""
    since = datetime.fromtimestamp(command.at / 1000, UTC).isoformat()
    if resume:
        return (
            f"the halt of pilot {command.pilot} was lifted at {since} (decision {command.decision}, standing "
            f"{command.standing}), but the firm has not resumed: call resume() when you are ready to serve"
        )
    return (
        f"pilot {command.pilot} is halted since {since}: {command.reason.value} (decision {command.decision}, standing "
        f"{command.standing}). Stop serving. A release needs a recorded rectification, a passed re-evaluation and two "
        "approvals; ask the authority that your charter names, and quote the decision"
    )
