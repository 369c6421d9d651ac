"""What a service may do right now: the highest standing it has met, and nothing else. Pure.

Order is the `standing` that a command carries, never its epoch and never the order of arrival: an old `release` that comes
again after a later `halt` changes nothing.

The permit protocol (a lease that the answer to each heartbeat renews) will be one more condition in `refusal`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from monitor.model import Command


class Standing(Struct, frozen=True):
    """`known` is false until the commands that already stood were read; `command` is the one of the highest standing."""

    known: bool = False
    command: Command | None = None

    @property
    def number(self) -> int:
        """The highest standing met, 0 when no command ever came."""
        return self.command.standing if self.command else 0

    @property
    def halted(self) -> bool:
        """Whether a halt stands."""
        return self.command is not None and self.command.action == "halt"

    def meet(self, command: Command) -> Standing:
        """The standing after `command`: unchanged for a repeat or a lower one."""
        return Standing(known=self.known, command=command) if command.standing > self.number else self

    def refusal(self, pilot: str) -> str | None:
        """Why the service must not work, in words that say what to do; `None` when it may. Only for a known standing."""
        if self.command is None or not self.halted:
            return None
        command = self.command
        return (
            f"pilot {pilot} is halted since {datetime.fromtimestamp(command.at / 1000, UTC).isoformat()}: {command.reason.value} "
            f"(decision {command.decision}, standing {command.standing}). Stop serving. A release needs a recorded "
            "rectification, a passed re-evaluation and two approvals; ask the authority that your charter names, and "
            "quote the decision"
        )
