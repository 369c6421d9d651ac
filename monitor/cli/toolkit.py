"""`sandbox-monitor toolkit`: toolkits by sector: list, show, start a charter from one, check a folder, publish one."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from monitor.charter.spec import LEVEL_OF_NAME, IndicatorSpec
from monitor.cli.control import act_options, fresh
from monitor.cli.sandbox import send_to_sandbox
from monitor.cli.terminal import echo
from monitor.errors import ToolkitError
from monitor.lifecycle.change_words import change_words
from monitor.lifecycle.sandbox import SUBJECT
from monitor.lifecycle.sandbox_acts import Proposal, PutToolkit
from monitor.model.records import Level
from monitor.toolkits.load import SHIPPED, load_toolkit, read_toolkit, shipped
from monitor.toolkits.new import new_charter
from monitor.toolkits.spec import Hazard, LoadedToolkit

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def toolkit() -> None:
    """Toolkits by sector: a charter template with its hazards, indicators, hard rules, evaluation scenarios and a
    playbook that says what a person does for each finding.

    A TOOLKIT is the name of a shipped one (`toolkit list`), or the path of a folder with `toolkit.yaml`,
    `charter.yaml` and `playbook.md`. To make one, copy the folder of a neighbour, change it, and run `toolkit check`.

    \b
    Exit codes:
      0  done
      1  a folder is no valid toolkit, or the act had no effect
      2  usage error
    """


@toolkit.command("list")
@click.argument("folders", nargs=-1, type=FOLDER)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per toolkit instead of the table.")
def list_(folders: tuple[Path, ...], as_json: bool) -> None:
    """List the shipped toolkits, and those in FOLDERS: id, version, sector, digest."""
    found = [*map(shipped, SHIPPED), *map(load_toolkit, folders)]
    if as_json:
        for one in found:
            echo(msgspec.json.encode({"title": one.about.title, "sector": one.about.sector} | _ref(one)))
        return
    table = Table("toolkit", "version", "sector", "title", "digest", box=None, pad_edge=False)
    for one in found:
        about = one.about
        table.add_row(about.id, str(about.version), about.sector, about.title, one.digest[:16])
    Console(highlight=False, soft_wrap=True).print(table)


@toolkit.command()
@click.argument("toolkit", metavar="TOOLKIT")
@click.option("--playbook", is_flag=True, help="Print the playbook instead.")
@click.option("--finding", metavar="NAME", help="Print the section of the playbook on one indicator or hard rule.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the text.")
def show(toolkit: str, playbook: bool, finding: str | None, as_json: bool) -> None:
    """Print the hazards of a TOOLKIT with what sees them and what is not seen, its indicators, hard rules and
    scenarios.

    \b
    Example:
      sandbox-monitor toolkit show generative_services
      sandbox-monitor toolkit show generative_services --finding labelled-share
    """
    made = of(toolkit)
    if finding is not None:
        if finding not in made.playbook:
            raise click.ClickException(f"{finding}: not in the playbook; there is {', '.join(made.playbook)}")
        echo(made.playbook[finding])
    elif playbook:
        for name, body in made.playbook.items():
            echo(f"## {name}\n\n{body}\n")
    elif as_json:
        parts = {"indicators": made.charter.indicators, "hard_rules": made.charter.hard_rules}
        echo(msgspec.json.encode({**msgspec.to_builtins(made.about), **_ref(made), **parts, "playbook": made.playbook}))
    else:
        _print(made)


@toolkit.command()
@click.argument("toolkit", metavar="TOOLKIT")
def new(toolkit: str) -> None:
    """Write the commented charter of a TOOLKIT to stdout, to be filled in.

    Its field `toolkit` names id, version and digest; `charter check` then says what was loosened or removed since.

    \b
    Example:
      sandbox-monitor toolkit new generative_services > charter.yaml
    """
    echo(new_charter(of(toolkit)), nl=False)


@toolkit.command()
@click.argument("folders", nargs=-1, required=True, type=FOLDER)
def check(folders: tuple[Path, ...]) -> None:
    """Check the FOLDERS of toolkits: every mistake with file, line and fix on stderr.

    The charter must be valid without warnings; each of its indicators and hard rules must be named by a hazard and have
    a section in the playbook; each scenario must be explained. For a valid one its digest is printed, which
    `sha256sum charter.yaml playbook.md toolkit.yaml | sha256sum` in the folder prints too.
    """
    wrong = False
    for folder in folders:
        made, found = read_toolkit(folder)
        for problem in found:
            echo(str(problem), err=True)
        wrong = wrong or made is None
        if made is not None:
            about = made.about
            echo(
                f"OK {folder}: {about.id}, version {about.version}: {len(about.hazards)} hazards, "
                f"{len(made.charter.indicators)} indicators, {len(made.charter.hard_rules)} hard rules, "
                f"{len(about.scenarios)} scenarios; digest {made.digest}"
            )
    if wrong:
        sys.exit(1)


@toolkit.command()
@click.argument("toolkit", metavar="TOOLKIT")
@act_options
def publish(toolkit: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Propose that this version of a TOOLKIT is in force in the sandbox. By a publisher or an officer.

    It has no effect until an approver, who is another person, approves it (`sandbox approve`). Earlier versions stay in
    force; an officer removes one by `sandbox propose`.

    \b
    Example:
      sandbox-monitor toolkit publish ./my_toolkit --author association --key association.key
    """
    act = Proposal(id=id_ or fresh(), pilot=SUBJECT, author=author, change=PutToolkit(of(toolkit).ref))
    echo(change_words(act.change), err=True)
    send_to_sandbox(to, prefix, act)
    echo(f"approve it: sandbox-monitor sandbox approve {act.id}", err=True)


def of(name: str) -> LoadedToolkit:
    """The shipped toolkit of this name, or the one in a folder."""
    if name in SHIPPED:
        return shipped(name)
    folder = Path(name)
    if not folder.is_dir():
        there = ", ".join(SHIPPED)
        raise click.BadParameter(f"{name}: neither a folder nor a shipped toolkit; shipped are {there}")
    try:
        return load_toolkit(folder)
    except ToolkitError as error:
        raise click.ClickException(str(error)) from None


def _ref(made: LoadedToolkit) -> dict[str, object]:
    return {"id": made.about.id, "version": made.about.version, "digest": made.digest}


def _print(made: LoadedToolkit) -> None:
    about = made.about
    echo(f"{about.id}, version {about.version}, digest {made.digest}")
    echo(f"{about.title}. {about.scope}")
    echo(f"published by {about.publisher}; tier {made.charter.tier}, sector {about.sector}")
    calm = about.calm_year
    echo(f"a calm year leads to at most {calm.escalations} escalations and {calm.watches} watches, and to no halt")
    echo("\nHazards")
    for hazard in about.hazards:
        echo(f"  {hazard.id}: {hazard.hazard}")
        echo(f"    cause: {hazard.cause}")
        echo(f"    harmed: {hazard.harmed}")
        echo(f"    seen by: {', '.join(_seen_by(hazard))}")
        echo(f"    not seen: {hazard.not_seen}")
    echo("\nIndicators")
    for spec in made.charter.indicators:
        echo(f"  {spec.name}: {_indicator(spec)}")
    echo("\nHard rules")
    for rule in made.charter.hard_rules:
        echo(f"  {rule.name}: {rule.level}")
    echo("\nScenarios")
    for note in about.scenarios:
        echo(f"  {note.name}: {note.data}")
        for measure, meaning in note.measures.items():
            echo(f"    {measure}: {meaning}")
    echo("\nSources")
    for source in about.sources:
        echo(f"  {source}")


def _seen_by(hazard: Hazard) -> list[str]:
    return [*hazard.indicators, *(f"rule {name}" for name in hazard.rules),
            *(f"scenario {name}" for name in hazard.scenarios)]  # fmt: skip


def _indicator(spec: IndicatorSpec) -> str:
    level = max((LEVEL_OF_NAME[detector.level] for detector in spec.detectors), default=Level.NORMAL)
    side = "at most" if spec.direction == "above" else "at least"
    per = f" per {spec.per:g} {spec.exposure.unit if spec.exposure else ''}".rstrip() if spec.per != 1 else ""
    limit = "" if spec.limit is None else f", {side} {spec.limit:g}{per}"
    groups = f", by {', '.join(spec.segments)}" if spec.segments else ""
    return f"{spec.kind}{limit}{groups}; at most {level.word}"
