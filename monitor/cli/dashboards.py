"""`sandbox-monitor dashboards`: build the Grafana dashboards from their table of questions, or push the shipped
ones."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import click

import monitor
from monitor.access.address import http_address
from monitor.act.grafana import TOKEN_VARIABLE, Grafana
from monitor.cli.addresses import HTTP_URL
from monitor.cli.terminal import echo

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
    """Build the Grafana dashboards, or push them."""


@dashboards.command()
@folder
@click.option("--check", is_flag=True, help="Write nothing; end with 1 if a file is not what would be built.")
def build(directory: Path, check: bool) -> None:
    """Write DIR/*.json from DIR/build.py (needs the `dashboards` extra). Prints each file's path.

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
        path, text = directory / name, module.text(made)
        if check and (not path.exists() or path.read_text() != text):
            echo(f"{path} is not what build.py builds", err=True)
            different = True
        elif not check:
            path.write_text(text)
        echo(str(path))
    if different:
        raise SystemExit(1)


@dashboards.command()
@folder
@click.option("--url", required=True, type=HTTP_URL, help="Grafana's base URL, such as https://grafana.example.org.")
@click.option("--token", envvar=TOKEN_VARIABLE, required=True, help="Token of a service account that may edit.")
@click.option("--message", default="pushed by sandbox-monitor", help="Stands in each dashboard's history.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per dashboard.")
def push(directory: Path, url: str, token: str, message: str, as_json: bool) -> None:
    """Create or overwrite the dashboards in Grafana, read each back, and say where it stands.

    Exit codes: 0 done, 1 Grafana refused, or holds something else than was sent; 3 Grafana is away.
    """
    grafana = Grafana(url, token)
    files = sorted(directory.glob("*.json"))
    if not files:
        raise click.ClickException(f"{directory} has no dashboards")
    sent: list[str] = []
    for file in files:
        dashboard: dict[str, Any] = json.loads(file.read_text())
        where = grafana.push(dashboard, message)
        held = grafana.get(dashboard["uid"])
        if held.get("title") != dashboard["title"] or len(held.get("panels", ())) != len(dashboard["panels"]):
            raise click.ClickException(f"Grafana holds something else as {dashboard['uid']}")
        sent.append(dashboard["uid"])
        address = http_address(url).url + where
        echo(json.dumps({"uid": dashboard["uid"], "url": address}) if as_json else address)
    for uid in set(sent) - set(grafana.search(TAG)):
        raise click.ClickException(f"Grafana does not find {uid} by its tag {TAG}")
