"""`sandbox-monitor supplier`: what a supplier may see of its models over all pilots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from monitor.cli.model_export import ledger_option
from monitor.cli.terminal import echo
from monitor.model.subjects import is_model
from monitor.notary.format import Damage
from monitor.report.ledger_dir import stays
from monitor.report.model_record import model_record
from monitor.report.stay import Stay
from monitor.report.supplier_view import FIRMS, SupplierView, supplier_view


@click.group()
def supplier() -> None:
    """What the suppliers of models may see: findings on their models over all pilots, without other firms' data."""


@supplier.command()
@click.argument("name", metavar="ID")
@ledger_option
@click.option(
    "--least", type=click.IntRange(FIRMS), default=FIRMS, show_default=True, help="firms of which there must be pilots"
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def show(name: str, ledger: Path, least: int, as_json: bool) -> None:
    """Print what was found on the models of the supplier ID: counts by kind of event, by reason and kind of indicator,
    and by pilot, which has a number of this print alone.

    A pilot counts whose charter names ID as vendor or as a developer in its chain, or uses a digest of a model whose
    file names ID. No name of a firm, pilot, indicator or rule is printed, no date, sector or region, and no text. If
    fewer than three firms besides ID itself run such pilots, only that the counts are withheld: else they would tell
    something about a customer. --least asks for more firms.

    A charter whose `vendor`, `chain` or `models` are confidential is not found by them.

    \b
    Examples:
      sandbox-monitor supplier show modelmaker --ledger var/monitor/ledger
      sandbox-monitor supplier show modelmaker --ledger var/monitor/ledger --json

    \b
    Exit codes:
      0  printed, also where the counts are withheld
      1  no model and no pilot names ID, or a ledger is damaged
      2  usage error
    """
    try:
        every = list(stays(ledger))
    except Damage as damage:
        raise click.ClickException(f"a ledger is damaged: {damage}") from damage
    models, digests = _own_models(every, name)
    found = supplier_view((stay for stay in every if not is_model(stay.pilot)), name, models, digests, least)
    if found is None:
        raise click.ClickException(f"no model and no pilot in {ledger} names the supplier {name}; check the id")
    if as_json:
        echo(msgspec.json.encode(found).decode())
        return
    for line in _lines(found, least):
        echo(line)


def _own_models(every: list[Stay], name: str) -> tuple[list[str], set[str]]:
    """The models whose files name the supplier, by a standing entry, and the digests of their versions."""
    models, digests = list[str](), set[str]()
    for stay in every:
        record = model_record(stay)
        if record is not None and any(one.text("supplier") == name for one in record.of("supplier")):
            models.append(record.model)
            digests |= record.digests
    return models, digests


def _lines(found: SupplierView, least: int) -> Iterator[str]:
    yield f"supplier {found.supplier}: models {', '.join(found.models) or 'none on file'}"
    if found.withheld:
        yield f"counts are withheld: pilots of fewer than {least} other firms"
        return
    yield f"{found.pilots} pilots"
    for title, counts in (("events", found.events), ("findings", found.findings), ("addressed", found.addressed)):
        yield f"{title}: {_said(counts)}"
    for digest, counts in found.versions.items():
        yield f"    version {digest}: findings: {_said(counts)}"
    for row in found.rows:
        yield f"    pilot {row.number}: {_said(row.events)}; findings: {_said(row.findings)}"


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
