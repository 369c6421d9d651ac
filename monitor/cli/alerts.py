"""`sandbox-monitor alerts`: routes of alerts to the authorities of a sandbox."""

from __future__ import annotations

from pathlib import Path

import click

import monitor
from monitor.cli.terminal import echo
from monitor.compile.dump import plain_of, plain_yaml
from monitor.compile.sandbox_file import read_sandbox
from monitor.errors import SandboxConfigError
from monitor.lifecycle.sandbox_acts import configuration_digest
from monitor.network.responsibility import network_of
from monitor.network.routes import routed

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def shipped_base() -> Path:
    """The configuration in the installed package, or in the repository."""
    inside = Path(monitor.__file__).parent / "alertmanager" / "alertmanager.yaml"
    return inside if inside.is_file() else Path(monitor.__file__).parents[1] / "deploy/alertmanager/alertmanager.yaml"


@click.group()
def alerts() -> None:
    """Routes of alerts."""


@alerts.command()
@click.argument("file", type=FILE)
@click.option(
    "--base",
    type=FILE,
    default=shipped_base,
    help="configuration of Alertmanager to add to [default: the one that ships with the product]",
)
@click.option("--also-default", is_flag=True, help="the default receiver of the base also gets what authorities get")
def routes(file: Path, base: Path, also_default: bool) -> None:
    """Print a configuration of Alertmanager with one receiver for each authority of the sandbox in FILE.

    FILE is a configuration of the sandbox (`sandbox show`). Each contact of an authority that is a mail address or the
    URL of a webhook is delivered to; other contacts, and authorities without an address, are named on stderr, and their
    alerts go to the default receiver of the base. Mail needs global.smtp_smarthost and global.smtp_from in the base.
    Run it again after each change of the sandbox's authorities, and check the result with amtool.

    \b
    Example:
      sandbox-monitor sandbox show --to http://127.0.0.1:8321 > sandbox.yaml
      sandbox-monitor alerts routes sandbox.yaml > alertmanager.yaml
      amtool check-config alertmanager.yaml

    \b
    Exit codes:
      0  printed, also where some contacts are no addresses
      1  a file is wrong: the field and the fix are on stderr
    """
    sandbox = read_sandbox(file)
    config = plain_of(base)
    if not isinstance(config, dict):
        raise SandboxConfigError(
            f"{base}: is no configuration of Alertmanager: write a mapping with route and receivers"
        )
    made = routed(config, sandbox, also_default=also_default)
    for note in made.notes:
        echo(f"{file}: {note}", err=True)
    if network_of(sandbox) is None:
        words = (
            "responsibility: alerts have no label authority, so that all go to the default receiver; write `computed`"
        )
        echo(f"{file}: {words}", err=True)
    digest = configuration_digest(sandbox)
    echo(f"# By `sandbox-monitor alerts routes` from version {sandbox.version} of {sandbox.id}, digest {digest}.")
    echo(plain_yaml(made.config), nl=False)
