"""`sandbox-monitor model bom` and `model annex`: what the ledger of a model has, in the form that others ask for."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from monitor import __version__
from monitor.cli.terminal import echo
from monitor.notary.commitment import PlaintextBroken
from monitor.notary.format import Damage
from monitor.report.ledger_dir import stays
from monitor.report.model_annex import annex_lines, model_annex
from monitor.report.model_bom import bom_text, model_bom
from monitor.report.model_record import ModelRecord, read_model
from monitor.report.model_uses import ModelUse, model_use
from monitor.report.stay import Stay

ledger_option = click.option(
    "--ledger",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="directory of ledgers (of `serve`: DIR/ledger)",
)
out_option = click.option(
    "--out", "-o", type=click.Path(dir_okay=False, path_type=Path), help="file to write to [default: stdout]"
)


@click.command()
@click.argument("name", metavar="ID")
@click.option("--version", required=True, help="version or digest in the file of the model")
@ledger_option
@out_option
@click.option("--pilots", is_flag=True, help="name the pilots that use this version, with references to their ledgers")
@click.option("--firm", default="", help="with --pilots: those of this participant only")
def bom(name: str, version: str, ledger: Path, out: Path | None, pilots: bool, firm: str) -> None:
    """Write the bill of materials of a version of the model ID: a CycloneDX 1.7 ML-BOM, as JSON.

    It says what stands in the ledger of the model, and nothing else: each value has a citation with the entry, and the
    role in which its author spoke. What a supplier states is marked as its statement. Missing parts are named by the
    property `sandbox-monitor:absent`. Words of people are included where their plaintexts are stored next to the
    ledger and you may read them. The same ledger gives the same bytes.

    \b
    Example:
      sandbox-monitor model bom triage-base --version 7.1 --ledger var/monitor/ledger -o triage-7.1.cdx.json

    \b
    Exit codes:
      0  written
      1  there is no such model, or no such version stands, or a ledger is damaged
      2  usage error
    """
    record, found = file_and_pilots(ledger, name, firm, pilots=pilots)
    made = model_bom(record, version, [use for use, _ in found], __version__)
    if made is None:
        known = ", ".join(one.text("version") for one in record.of("version")) or "none"
        raise click.ClickException(f"the file of {name} has no version {version}; it has {known}")
    write(bom_text(made), out)


@click.command()
@click.argument("name", metavar="ID")
@ledger_option
@out_option
@click.option("--firm", default="", help="of the pilots, those of this participant only")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def annex(name: str, ledger: Path, out: Path | None, firm: str, as_json: bool) -> None:
    """Print what the ledgers have of the fields of Annex VIII (sections A, B and C) and Annex IX of the EU AI Act for
    the model ID: for its providers and deployers, and for the tests by pilots that use it.

    Each value has its entry, and who stated it. What no entry says is printed as absent; nothing is filled in. The
    titles are short forms; the wording that binds is that of the act.

    
    Examples:
      sandbox-monitor model annex triage-base --ledger var/monitor/ledger
      sandbox-monitor model annex triage-base --ledger var/monitor/ledger --json -o annex.json

    
    Exit codes:
      0  written
      1  there is no such model, or a ledger is damaged
      2  usage error
    """
    record, found = file_and_pilots(ledger, name, firm, pilots=True)
    made = model_annex(record, found)
    write(msgspec.json.encode(made).decode() + "\n" if as_json else "\n".join(annex_lines(made)) + "\n", out)


def file_and_pilots(
    ledger: Path, name: str, firm: str, *, pilots: bool
) -> tuple[ModelRecord, list[tuple[ModelUse, Stay]]]:
    """The file of a model, and the pilots that use it with their ledgers (those of `firm`, if one is named). Raises
    ClickException."""
    try:
        record = read_model(ledger, name)
        if record is None:
            raise click.ClickException(f"{ledger} has no file of the model {name}; `model add` begins one")
        found = [(model_use(stay, record.digests), stay) for stay in (stays(ledger) if pilots else ())]
    except (Damage, PlaintextBroken) as damage:
        raise click.ClickException(f"a ledger is damaged: {damage}") from damage
    uses = [(use, stay) for use, stay in found if use is not None and firm in ("", use.participant)]
    return record, sorted(uses, key=lambda one: one[0].pilot)


def write(text: str, out: Path | None) -> None:
    """Write to a file, and say which; to stdout without one."""
    if out is None:
        echo(text.rstrip("\n"))
        return
    out.write_text(text, encoding="utf-8")
    echo(str(out))
