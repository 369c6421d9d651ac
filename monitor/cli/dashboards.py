"""`sandbox-monitor dashboards`: build the Grafana dashboards from their table of questions, push the shipped ones, or
export them with the addresses of an installation."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import monitor
from monitor.access.address import http_address
from monitor.act.grafana import TOKEN_VARIABLE, Grafana
from monitor.cli.addresses import HTTP_URL
from monitor.cli.terminal import echo
from monitor.projections.links import BOARD, BOARD_VARIABLE, RUNBOOK, RUNBOOK_VARIABLE

TAG = "sandbox-monitor"


def shipped() -> Path:
    """The folder of dashboards: in the installed package, or in the repository."""
    inside = Path(monitor.__file__).parent / "dashboards"
    return inside if inside.is_dir() else Path(monitor.__file__).parents[1] / "dashboards"


folder = click.option(
    "--dir",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=shipped,
    help="Folder of build.py and the JSON files; by default the one that ships with the product.",
)


@click.group()
def dashboards() -> None:
    """Build the Grafana dashboards, push them, or export them with your addresses."""


def addresses(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the board and the runbook which panels link to."""
    runbook = click.option(
        "--runbook-url", envvar=RUNBOOK_VARIABLE, type=HTTP_URL, help="The page with the runbook, for links of panels."
    )
    board = click.option(
        "--board-url", envvar=BOARD_VARIABLE, type=HTTP_URL, help="The board as people reach it, for links of panels."
    )
    return board(runbook(command))


def addressed(dashboard: dict[str, Any], board: str | None, runbook: str | None) -> dict[str, Any]:
    """The classic dashboard whose links lead to these addresses; without one a link stays as shipped."""
    made = copy.deepcopy(dashboard)
    given = {"board": (board or "").rstrip("/"), "runbook": runbook}
    for variable in made["templating"]["list"]:
        if address := given.get(variable["name"]):
            variable["query"], variable["current"] = address, {"text": address, "value": address}
    return made


def addressed_yaml(text: str, board: str | None, runbook: str | None) -> str:
    """The same for the YAML of a dashboard of schema v2: the shipped addresses stand as values on separate lines."""
    for shipped, address in ((BOARD, (board or "").rstrip("/")), (RUNBOOK, runbook)):
        if address:
            value = json.dumps(address)  # a JSON string is a quoted YAML scalar
            text = re.sub(rf"(?m)^(\s+\w+: ){re.escape(shipped)}$", lambda found: found[1] + value, text)  # noqa: B023
    return text


@dashboards.command()
@folder
@click.option("--check", is_flag=True, help="Write nothing; end with 1 if a file is not what would be built.")
def build(directory: Path, check: bool) -> None:
    """Write DIR/*.json and DIR/v2/*.yaml from DIR/build.py (needs the `dashboards` extra). Prints each file's path.

    Exit codes: 0 done, 1 a file differs (with --check) or the build cannot run.
    """
    spec = importlib.util.spec_from_file_location("dashboards_build", directory / "build.py")
    if spec is None or spec.loader is None or not (directory / "build.py").exists():
        raise click.ClickException(f"{directory} has no build.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}; install sandbox-monitor[dashboards]") from error
    different = False
    for name, made in module.build().items():
        path, text = directory / name, module.text(name, made)
        if check and (not path.exists() or path.read_text() != text):
            echo(f"{path} is not what build.py builds", err=True)
            different = True
        elif not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        echo(str(path))
    if different:
        raise SystemExit(1)


@dashboards.command()
@folder
@click.option("--url", required=True, type=HTTP_URL, help="Grafana's base URL, such as https://grafana.example.org.")
@click.option("--token", envvar=TOKEN_VARIABLE, required=True, help="Token of a service account that may edit.")
@addresses
@click.option("--message", default="pushed by sandbox-monitor", help="Stands in each dashboard's history.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per dashboard.")
def push(
    directory: Path,
    url: str,
    token: str,
    board_url: str | None,
    runbook_url: str | None,
    message: str,
    as_json: bool,
) -> None:
    """Create or overwrite the dashboards in Grafana (classic JSON), read each back, and print its address.

    Exit codes: 0 done, 1 Grafana refused, or holds something else than was sent; 3 Grafana is away.
    """
    grafana = Grafana(url, token)
    files = sorted(directory.glob("*.json"))
    if not files:
        raise click.ClickException(f"{directory} has no dashboards")
    sent: list[str] = []
    for file in files:
        dashboard: dict[str, Any] = addressed(json.loads(file.read_text()), board_url, runbook_url)
        where = grafana.push(dashboard, message)
        held = grafana.get(dashboard["uid"])
        if held.get("title") != dashboard["title"] or len(held.get("panels", ())) != len(dashboard["panels"]):
            raise click.ClickException(f"Grafana holds something else as {dashboard['uid']}")
        sent.append(dashboard["uid"])
        address = http_address(url).url + where
        echo(json.dumps({"uid": dashboard["uid"], "url": address}) if as_json else address)
    for uid in set(sent) - set(grafana.search(TAG)):
        raise click.ClickException(f"Grafana does not find {uid} by its tag {TAG}")


@dashboards.command()
@folder
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--schema",
    type=click.Choice(["classic", "v2"]),
    default="classic",
    show_default=True,
    help="Format: classic JSON (Grafana 11 to 13), or resources of dashboard schema v2 (Grafana 12.2 and later).",
)
@addresses
def export(directory: Path, target: Path, schema: str, board_url: str | None, runbook_url: str | None) -> None:
    """Write the dashboards to TARGET with the addresses of this installation, for file provisioning or `kubectl`-like
    tools. Prints each file's path.

    Exit codes: 0 done, 1 TARGET cannot be written.
    """  # fmt: skip
    files = sorted(directory.glob("v2/*.yaml" if schema == "v2" else "*.json"))
    if not files:
        raise click.ClickException(f"{directory} has no dashboards")
    for file in files:
        text = file.read_text()
        if schema == "v2":
            text = addressed_yaml(text, board_url, runbook_url)
        else:
            made = addressed(json.loads(text), board_url, runbook_url)
            text = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        try:
            target.mkdir(parents=True, exist_ok=True)
            (target / file.name).write_text(text)
        except OSError as error:
            raise click.ClickException(f"{target}: {error.strerror}; name a folder that can be written") from error
        echo(str(target / file.name))
