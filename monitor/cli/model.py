"""`sandbox-monitor model`: the file of a model, and the pilots that use its versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from monitor.cli.model_acts import add, withdraw
from monitor.cli.model_export import annex, bom, ledger_option
from monitor.cli.terminal import echo
from monitor.notary.commitment import PlaintextBroken
from monitor.notary.format import Damage
from monitor.projections.formats import stamp
from monitor.report.ledger_dir import stays
from monitor.report.model_record import FiledEntry, ModelRecord, read_model
from monitor.report.model_uses import ModelUse, model_use


class Shown(Struct, frozen=True, kw_only=True):
    """What `show --json` prints: the file of the model (`None` without one), and the pilots that use it."""

    model: str
    file: ModelRecord | None
    pilots: list[ModelUse]


@click.group()
def model() -> None:
    """The file of a model, and the pilots that use its versions.

    `show`, `bom` and `annex` need the ledgers only, no network.
    """


model.add_command(add)
model.add_command(withdraw)
model.add_command(bom)
model.add_command(annex)


@model.command()
@click.argument("name", metavar="ID")
@ledger_option
@click.option("--firm", default="", help="show the pilots of this participant only, and nothing of other firms")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def show(name: str, ledger: Path, firm: str, as_json: bool) -> None:
    """Print the file of the model ID, and the pilots that use the digest of one of its versions, with what happened to
    each since: halts, exceeded limits, incidents, corrective actions, inspections, exits, as numbers of entries in
    their ledgers.

    ID may also be a digest, or a version as charters name it: then the pilots that use it are printed.

    Charters are read from the ledgers, which hold their public part where a sandbox is founded. A pilot whose charter
    keeps its models confidential is not found. Words of people are printed where their plaintexts are stored next to
    the ledgers and you may read them.

    \b
    Examples:
      sandbox-monitor model show triage-base --ledger var/monitor/ledger
      sandbox-monitor model show sha256:4f2a --ledger var/monitor/ledger --json

    \b
    Exit codes:
      0  printed
      1  there is no such model and no pilot uses it, or a ledger is damaged
      2  usage error
    """
    try:
        record = read_model(ledger, name)
        wanted = record.digests if record is not None else frozenset({name})
        found = [use for stay in stays(ledger) if (use := model_use(stay, wanted)) is not None]
    except (Damage, PlaintextBroken) as damage:
        raise click.ClickException(f"a ledger is damaged: {damage}") from damage
    uses = [use for use in sorted(found, key=lambda one: one.pilot) if firm in ("", use.participant)]
    if record is None and not uses:
        raise click.ClickException(f"no pilot in {ledger} uses the model {name}; check the digest or version")
    if as_json:
        echo(msgspec.json.encode(Shown(model=name, file=record, pilots=uses)).decode())
        return
    for line in [*(_file_lines(record) if record else ()), *(line for use in uses for line in _use_lines(use))]:
        echo(line)
    echo(f"{len(uses)} {'pilot' if len(uses) == 1 else 'pilots'}", err=True)


def _file_lines(record: ModelRecord) -> Iterator[str]:
    yield f"model {record.model}: {len(record.entries)} entries"
    for ledger in record.ledgers:
        yield f"    ledger {ledger.file}: {ledger.size} entries, root {ledger.root}"
    for one in record.entries:
        yield f"    {one.number:>4}  {stamp(one.at)}  {one.kind}, by {one.by}: {_said(one)}"


def _said(one: FiledEntry) -> str:
    fields = [f"{name} {_text(value)}" for name, value in one.fields.items()]
    words = one.words or ("(words not disclosed)" if one.commitment else "")
    gone = f"withdrawn by decision {one.withdrawn}" if one.withdrawn else ""
    return "; ".join(part for part in (", ".join(fields), words, gone) if part)


def _text(value: object) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _use_lines(use: ModelUse) -> Iterator[str]:
    versions = ", ".join(use.versions) or "version not stated"
    ended = f", {use.outcome}" if use.outcome else ""
    yield f"{use.pilot} of {use.participant}: {versions}, since decision {use.since}{ended}"
    for words, refs in use.events.items():
        yield f"    {words}: {len(refs)} (decisions {', '.join(str(ref.number) for ref in refs)})"
