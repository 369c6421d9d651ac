"""Options of commands that push alerts to Alertmanager, and the actor they configure."""

from __future__ import annotations

from collections.abc import Callable

import click

from monitor.access.address import http_addresses
from monitor.act import AnyActor
from monitor.act.alertmanager import Alertmanager
from monitor.cli.terminal import echo
from monitor.projections.links import BOARD_VARIABLE, GRAFANA_VARIABLE, RUNBOOK, RUNBOOK_VARIABLE, Links, checked
from monitor.projections.metrics import Metrics

runbook_url = click.option(
    "--runbook-url",
    "runbook",
    metavar="URL",
    envvar=RUNBOOK_VARIABLE,
    show_envvar=True,
    default=RUNBOOK,
    show_default=True,
    help="URL of deploy/runbook.md, for the links of alerts",
)
board_url = click.option(
    "--board-url",
    "board",
    metavar="URL",
    envvar=BOARD_VARIABLE,
    show_envvar=True,
    default="",
    help="URL of the board as people reach it, for links from alerts to a pilot",
)
grafana_url = click.option(
    "--grafana-url",
    "grafana",
    metavar="URL",
    envvar=GRAFANA_VARIABLE,
    show_envvar=True,
    default="",
    help="URL of Grafana as people reach it, for links from alerts to the dashboard of a pilot",
)


def alert_links(runbook: str, board: str, grafana: str) -> Links:
    """The links of alerts. Raises Refused when one is not absolute."""
    links = Links(
        checked(runbook, "--runbook-url"),
        checked(board, "--board-url") if board else "",
        checked(grafana, "--grafana-url") if grafana else "",
    )
    if runbook == RUNBOOK:
        echo(f"alerts link to {RUNBOOK}, a placeholder; set --runbook-url", err=True)
    return links


def numbered(name: str, number: int) -> str:
    """The name of the actor for address `number` (from 1) of one option; metrics and saved state have it.

    >>> numbered("alertmanager", 1), numbered("alertmanager", 2)
    ('alertmanager', 'alertmanager-2')
    """
    return name if number == 1 else f"{name}-{number}"


def pushing(addresses: str, links: Links, metrics: Callable[[], Metrics]) -> dict[str, AnyActor]:
    """An actor for each Alertmanager of `addresses`, by name; `metrics` is called when there is something to
    measure."""

    def actor(name: str, address: str) -> Alertmanager:
        return Alertmanager(address, links=links, skewed=lambda seconds: metrics().skewed(name, seconds))

    names = {numbered("alertmanager", n): address for n, address in enumerate(http_addresses(addresses), 1)}
    return {name: actor(name, address) for name, address in names.items()}
