"""`sandbox-monitor basis`: catalogues of clauses, and what the rules of charters rest on."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from monitor.basis.catalogue import Catalogue, catalogue_digest
from monitor.cli.terminal import echo
from monitor.compile.load_basis import SHIPPED, read_catalogue, shipped_catalogue

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
CATALOGUE = click.option(
    "--catalogue", type=FILE, metavar="FILE", help="a catalogue of clauses, in place of the sample that ships"
)


@click.group()
def basis() -> None:
    """The legal basis of rules: clauses of laws and notices with scores, and which rule cites which.

    A catalogue is a YAML file of clauses; charters and the clock table of the sandbox cite their ids. The strength of a
    clause is APE = DA x (AS + MI), from 2 to 50: authority of the document (1 to 5) times strength of its aim plus
    strength of its measures (1, 3 or 5 each). The format is described in monitor/basis/README.md.

    \b
    Exit codes of all commands:
      0  done
      1  a file is wrong
      2  usage error
    """


@basis.command()
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Check a catalogue: every mistake as `file:line:column: field: problem; fix` on stderr; else its id, version and
    digest, which `legal_basis` of the sandbox names."""
    made = read_catalogue(file)
    echo(
        f"OK {made.id} version {made.version}: {len(made.clauses)} clauses of {len(made.instruments)} instruments for "
        f"{len(made.objectives)} objectives; digest {catalogue_digest(made)}"
    )


@basis.command("list")
@CATALOGUE
@click.option("--objective", help="only clauses for this objective")
@click.option("--json", "as_json", is_flag=True, help="JSON on one line instead of the table")
def list_(catalogue: Path | None, objective: str | None, as_json: bool) -> None:
    """List the clauses of a catalogue with their scores, the strongest first within an instrument."""
    made = given(catalogue)
    known = [one.id for one in made.objectives]
    if objective is not None and objective not in known:
        raise click.UsageError(f"--objective: there is no objective {objective!r}; write one of {', '.join(known)}")
    rows = [clause_row(made, one.id) for one in made.clauses if objective in (None, one.objective)]
    order = {one.id: number for number, one in enumerate(made.instruments)}
    rows.sort(key=lambda row: (order[str(row["instrument"])], -int(str(row["ape"]))))
    if as_json:
        echo(msgspec.json.encode({"catalogue": named(made), "clauses": rows}))
        return
    table = Table("clause", "place", "objective", "DA", "AS", "MI", "APE", "status", "title", box=None, pad_edge=False)
    for row in rows:
        columns = ("clause", "place", "objective", "da", "as", "mi", "ape", "status", "title")
        table.add_row(*(str(row[column]) for column in columns))
    Console(highlight=False, soft_wrap=True, width=200).print(table)


@basis.command()
def sample() -> None:
    """Write the catalogue that ships to stdout, with the reason of each score, to start another one from."""
    echo(resources.files("monitor.basis").joinpath("catalogues", SHIPPED).read_text("utf-8"), nl=False)


def given(file: Path | None) -> Catalogue:
    """The catalogue in a file, or the one that ships."""
    return shipped_catalogue() if file is None else read_catalogue(file)


def named(catalogue: Catalogue) -> dict[str, object]:
    """Which catalogue it is."""
    return {"id": catalogue.id, "version": catalogue.version, "digest": catalogue_digest(catalogue)}


def clause_row(catalogue: Catalogue, name: str) -> dict[str, object]:
    """A clause with its scores; only `clause` where the catalogue does not have it."""
    clause = catalogue.clause(name)
    if clause is None:
        return {"clause": name}
    return {
        "clause": name,
        "title": clause.title,
        "instrument": clause.instrument,
        "place": clause.place,
        "objective": clause.objective,
        "da": catalogue.da(clause).score,
        "as": clause.as_.score,
        "mi": clause.mi.score,
        "ape": catalogue.ape(clause),
        "status": catalogue.status(clause),
    }


def _add_commands() -> None:
    """The commands of another file, which imports from this one."""
    from monitor.cli.basis_rules import rules, table

    basis.add_command(rules)
    basis.add_command(table)


_add_commands()
