"""Names of pilots for the completion of a shell, from the board."""

from __future__ import annotations

import json
import os
from urllib.request import Request, urlopen

import click
from click.shell_completion import CompletionItem

from monitor.access.environment import BOARD, TO

TIMEOUT_S, MOST_BYTES, MOST = 1.0, 1 << 24, 200


class PilotName(click.ParamType):
    """The id of a pilot; any text is accepted."""

    name = "text"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Pilots of the board that begin so; none where no board answers."""
        return [CompletionItem(name) for name in pilots() if name.startswith(incomplete)][:MOST]


def pilots() -> list[str]:
    """The names of pilots on the board that the environment names; [] where there is none."""
    address = os.environ.get(BOARD) or os.environ.get(TO, "")
    if not address.startswith(("http://", "https://")):
        return []
    try:
        with urlopen(Request(f"{address.rstrip('/')}/api/board.json"), timeout=TIMEOUT_S) as answer:
            return [str(pilot["pilot"]) for pilot in json.loads(answer.read(MOST_BYTES))["pilots"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def complete_pilots(command: click.Command) -> None:
    """Have the argument PILOT of a command and of its subcommands completed."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            complete_pilots(one)
    for param in command.params:
        if isinstance(param, click.Argument) and param.name == "pilot" and param.type is click.STRING:
            param.type = PilotName()
