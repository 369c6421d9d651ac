"""`sandbox-monitor completion`: the script with which a shell completes commands, flags and pilots."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from monitor.cli.terminal import echo

NAME, VARIABLE = "sandbox-monitor", "_SANDBOX_MONITOR_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion for SHELL. Names of pilots are completed where SANDBOX_MONITOR_BOARD_URL, or a
    SANDBOX_MONITOR_TO over HTTP, names a board that answers within a second.

    \b
    Examples:
      eval "$(sandbox-monitor completion bash)"                 in ~/.bashrc (bash 4.4 or newer)
      eval "$(sandbox-monitor completion zsh)"                  in ~/.zshrc
      sandbox-monitor completion fish > ~/.config/fish/completions/sandbox-monitor.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    echo(kind(context.find_root().command, {}, NAME, VARIABLE).source())
