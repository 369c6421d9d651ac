"""`sandbox-monitor basis rules` and `basis table`: what the rules of charters rest on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from monitor.basis.catalogue import Catalogue
from monitor.basis.citations import RuleBasis, charter_rules, sandbox_rules
from monitor.basis.table import BasisTable, basis_table
from monitor.cli.basis import CATALOGUE, FILE, clause_row, given, named
from monitor.cli.terminal import echo
from monitor.compile.load import load_charter
from monitor.compile.sandbox_file import read_sandbox
from monitor.errors import CharterError

JSON = click.option("--json", "as_json", is_flag=True, help="JSON on one line")
CSV = click.option("--csv", "as_csv", is_flag=True, help="comma-separated values with a header")
COLUMNS = ("rule", "name", "may", "clause", "ape", "da", "as", "mi", "status", "instrument", "place", "title")


@click.command()
@click.argument("charter", type=FILE)
@click.option("--sandbox", "configuration", type=FILE, metavar="FILE", help="also its clocks, acts and rules")
@CATALOGUE
@JSON
@CSV
def rules(charter: Path, configuration: Path | None, catalogue: Path | None, as_json: bool, as_csv: bool) -> None:
    """Print rule by rule what a charter rests on: the most that a rule may cause, its clauses, and their scores.

    A rule without a clause has one line with "-". --sandbox adds the clocks of the sandbox and what it says of acts and
    of the monitor's own rules.

    \b
    Example:
      sandbox-monitor basis rules charter.yaml --sandbox sandbox.yaml
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two formats: give one")
    made = given(catalogue)
    found = list(charter_rules(load_charter(charter)))
    found += [] if configuration is None else sandbox_rules(read_sandbox(configuration))
    rows = [row for rule in found for row in _rows(made, rule)]
    if as_json:
        echo(msgspec.json.encode({"catalogue": named(made), "rules": [_whole(made, rule) for rule in found]}))
    elif as_csv:
        echo(_csv(COLUMNS, rows), nl=False)
    else:
        table = Table(*COLUMNS, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(str(row.get(column, "-")) for column in COLUMNS))
        Console(highlight=False, soft_wrap=True, width=240).print(table)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@CATALOGUE
@JSON
@CSV
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="write a page with a heat table")
def table(folder: Path, catalogue: Path | None, as_json: bool, as_csv: bool, page: Path | None) -> None:
    """Print the table instruments x objectives over all charters in FOLDER (`*.yaml`, `*.yml`).

    A cell says how many citations there are, and the highest APE of the clauses that are cited: `12 (50)`. Below it:
    rules that may halt and cite nothing, clauses that the catalogue does not have, and clauses that are not in force.
    Files that are no valid charter are named on stderr and left out; if there are any, the exit code is 1.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two formats: give one")
    made = given(catalogue)
    charters, wrong = _charters(folder)
    found = basis_table(made, charters)
    if page is not None:
        page.write_text(basis_page(made, found), "utf-8")
        echo(f"wrote {page}", err=True)
    if as_json:
        echo(msgspec.json.encode({"catalogue": named(made), "table": found}))
    elif as_csv:
        columns = ("instrument", "objective", "citations", "charters", "halting", "ape")
        echo(_csv(columns, [msgspec.to_builtins(cell) for cell in found.cells]), nl=False)
    else:
        _print(found)
    if wrong:
        raise click.ClickException(f"{len(wrong)} of the files are no valid charter: {', '.join(wrong)}")


def basis_page(catalogue: Catalogue, found: BasisTable) -> str:
    """The table as an HTML page: the more citations, the darker the cell; the text of each cell says the numbers."""
    most = max((cell.citations for cell in found.cells), default=1)
    titles = {one.id: one.title for one in catalogue.instruments} | {one.id: one.title for one in catalogue.objectives}
    head = "".join(f"<th scope='col'>{escape(titles[one])}</th>" for one in found.objectives)
    body = ""
    for instrument in found.instruments:
        row = f"<th scope='row' title='{escape(titles[instrument], quote=True)}'>{escape(instrument)}</th>"
        for objective in found.objectives:
            cell = found.cell(instrument, objective)
            share = 0 if cell is None else 15 + 55 * cell.citations // most
            words = "" if cell is None else f"{cell.citations} ({cell.ape})"
            row += f"<td style='background:rgb(31 111 235/{share}%)'>{words}</td>"
        body += f"<tr>{row}</tr>"
    lists = "".join(
        f"<h2>{title}</h2><p>{escape(', '.join(names)) or 'none'}</p>"
        for title, names in (
            ("Rules that may halt and cite nothing", found.uncited),
            ("Clauses that the catalogue does not have", found.unknown),
            ("Clauses that are not in force", found.not_in_force),
        )
    )
    style = (
        "body{font:15px sans-serif;margin:2em}table{border-collapse:collapse}th,td{border:1px solid #999;padding:.4em}"
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Instruments and objectives</title>"
        f"<style>{style}</style><h1>Instruments and objectives</h1><p>{found.charters} charters with {found.rules} "
        f"rules; catalogue {escape(catalogue.id)} version {catalogue.version}. A cell: citations, and in brackets the "
        f"highest APE of the clauses cited (2 to 50).</p><table><tr><th>Instrument</th>{head}</tr>{body}</table>{lists}"
        "</html>\n"
    )


def _print(found: BasisTable) -> None:
    used = [one for one in found.objectives if any(cell.objective == one for cell in found.cells)]
    printed = Table("instrument", *used, box=None, pad_edge=False)
    for instrument in found.instruments:
        cells = [found.cell(instrument, objective) for objective in used]
        if any(cells):
            printed.add_row(instrument, *("-" if cell is None else f"{cell.citations} ({cell.ape})" for cell in cells))
    Console(highlight=False, soft_wrap=True, width=240).print(printed)
    echo(f"{found.charters} charters, {found.rules} rules; a cell: citations (highest APE)")
    unused = [one for one in found.instruments if all(cell.instrument != one for cell in found.cells)]
    for title, names in (
        ("instruments that nothing cites", unused),
        ("may halt and cite nothing", found.uncited),
        ("not in the catalogue", found.unknown),
        ("not in force", found.not_in_force),
    ):
        if names:
            echo(f"{title}: {', '.join(names)}")


def _charters(folder: Path) -> tuple[list[tuple[str, Sequence[RuleBasis]]], list[str]]:
    """The charters of a folder by pilot and file, and the names of files that are none."""
    found: list[tuple[str, Sequence[RuleBasis]]] = []
    wrong = []
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        try:
            made = load_charter(path)
        except CharterError as error:
            echo(str(error), err=True)
            wrong.append(path.name)
            continue
        found.append((f"{made.pilot} ({path.name})", list(charter_rules(made))))
    return found, wrong


def _rows(catalogue: Catalogue, rule: RuleBasis) -> list[dict[str, object]]:
    first: dict[str, object] = {"rule": rule.kind.value, "name": rule.name, "may": rule.level or "-"}
    clauses = [first | clause_row(catalogue, name) for name in rule.clauses]
    return [one if "ape" in one else one | {"status": "unknown"} for one in clauses] or [first]


def _whole(catalogue: Catalogue, rule: RuleBasis) -> dict[str, object]:
    clauses = [clause_row(catalogue, name) for name in rule.clauses]
    return {"kind": rule.kind, "name": rule.name, "level": rule.level, "field": rule.field, "clauses": clauses}


def _csv(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> str:
    """Rows as CSV; what a spreadsheet would take for a formula is quoted as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = [str(row.get(column, "")) for column in columns]
        writer.writerow([f"'{value}" if value[:1] in ("=", "+", "-", "@") else value for value in values])
    return out.getvalue()
