"""`sandbox-monitor model`: which pilots use a version of a model."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from monitor.cli.terminal import echo
from monitor.notary import verify as verifier
from monitor.notary.format import Damage
from monitor.report.model_uses import ModelUse, model_use
from monitor.report.stay import Stay


@click.group()
def model() -> None:
    """A model over all pilots that use it. Needs the ledgers only, no network."""


@model.command()
@click.argument("name", metavar="ID")
@click.option(
    "--ledger",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="directory of ledgers (of `serve`: DIR/ledger)",
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object per pilot")
def show(name: str, ledger: Path, as_json: bool) -> None:
    """Print the pilots that use the model version ID (its digest, or its version as charters name it), and what
    happened to each since: halts by limits and hard rules, corrective actions, inspections, evaluations, with the
    numbers of the entries in its ledger.

    Charters are read from the ledgers, which hold their public part where a sandbox is founded. A pilot whose charter
    keeps its models confidential is not found.

    \b
    Example:
      sandbox-monitor model show sha256:4f2a --ledger var/monitor/ledger

    \b
    Exit codes:
      0  printed
      1  no pilot uses it, or a ledger is damaged
      2  usage error
    """
    found: list[ModelUse] = []
    try:
        for file in verifier.ledgers(ledger):
            use = model_use(Stay(verifier.entries(file)), name)
            if use is not None:
                found.append(use)
    except Damage as damage:
        raise click.ClickException(f"a ledger is damaged: {damage}") from damage
    if not found:
        raise click.ClickException(f"no pilot in {ledger} uses the model {name}; check the digest or version")
    for use in sorted(found, key=lambda one: one.pilot):
        if as_json:
            echo(msgspec.json.encode(use).decode())
            continue
        versions = ", ".join(use.versions) or "version not stated"
        ended = f", {use.outcome}" if use.outcome else ""
        echo(f"{use.pilot} of {use.participant}: {versions}, since entry {use.since}{ended}")
        for words, numbers in use.events.items():
            echo(f"    {words}: {len(numbers)} (entries {', '.join(map(str, numbers))})")
    echo(f"{len(found)} {'pilot' if len(found) == 1 else 'pilots'}", err=True)
