"""`sandbox-monitor reasons`: the statement of reasons of each halt of a pilot, from its ledger."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from monitor.cli.annual import say_remarks
from monitor.cli.terminal import echo
from monitor.notary.commitment import PlaintextBroken
from monitor.notary.format import Damage
from monitor.notary.store import file_name
from monitor.public_record.reading import annulled_in, read_pilot, texts_of
from monitor.public_record.statement import Statement, Version, statements
from monitor.public_record.statement_page import as_html


@click.command()
@click.argument("ledger", metavar="LEDGER_DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("pilot")
@click.option(
    "--halt", type=click.IntRange(1), help="only the halt that this decision began (its number in the ledger)"
)
@click.option("--for", "version", type=click.Choice(("firm", "public")), default="public", show_default=True,
              help="firm: with texts and withheld parts, as far as they are stored next to the ledger")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="directory to write a page for each to")
@click.option("--json", "as_data", is_flag=True, help="print JSON instead of text")
def reasons(ledger: Path, pilot: str, halt: int | None, version: Version, out: Path | None, as_data: bool) -> None:
    """State the reasons of the halts of a pilot: facts, ground, method, who decided, what followed, redress, and how to
    verify it. Each line names the decision in the ledger that says it.

    People are named by role. The public version leaves out what the charter lists as confidential, texts of people,
    contacts and keys. With --out each statement is a page that prints on one sheet.

    \b
    Examples:
      sandbox-monitor reasons var/monitor/ledger pilot-0001
      sandbox-monitor reasons var/monitor/ledger pilot-0001 --halt 17 --for firm --out reasons

    \b
    Exit codes:
      0  printed or written
      1  the pilot has no such halt, there is no ledger of it, or the ledger is not complete (printed all the same)
      2  usage error
    """
    try:
        record, files, remarks = read_pilot((ledger,), pilot)
        texts = texts_of((ledger,), pilot) if version == "firm" else None
        annulled = annulled_in((ledger,), record.firm)
    except (Damage, PlaintextBroken) as damage:
        raise click.ClickException(str(damage)) from damage
    if not files:
        raise click.ClickException(f"{ledger} has no ledger of {pilot}; give the directory of its ledger")
    found = [one for one in statements(record, files[0], version, texts, annulled) if halt in (None, one.halt)]
    if not found:
        known = ", ".join(str(one.begun["standing"]) for one in record.halts()) or "none"
        raise click.ClickException(f"{pilot} has no such halt; decisions that began one: {known}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for one in found:
            target = out / f"{Path(file_name(pilot)).stem}-halt-{one.halt}-{version}.html"
            target.write_text(as_html(one), encoding="utf-8")
            echo(str(target))
    elif as_data:
        echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        echo("\n\n".join("\n".join(_lines(one)) for one in found))
    say_remarks(remarks)


def _lines(made: Statement) -> list[str]:
    """A statement as text."""
    lines = [f"{made.pilot}: halt {made.number}, decision {made.halt}"]
    for part in made.parts:
        lines.append(part.id)
        lines += [f"  {row.name}: {row.text}{f'  [{row.entry}]' if row.entry else ''}" for row in part.rows]
    return [*lines, f"ledger {made.ledger}, {made.entries} entries, root {made.root}"]
