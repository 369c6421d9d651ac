"""Options of every command that pushes alerts, and the actor that they make."""

from __future__ import annotations

from collections.abc import Callable

import click

from monitor.act.alertmanager import Alertmanager
from monitor.act.links import BOARD_VARIABLE, RUNBOOK, RUNBOOK_VARIABLE, Links, checked
from monitor.projections.metrics import Metrics

runbook_url = click.option(
    "--runbook-url",
    "runbook",
    metavar="URL",
    envvar=RUNBOOK_VARIABLE,
    show_envvar=True,
    default=RUNBOOK,
    show_default=True,
    help="page with deploy/runbook.md, for the link of each alert",
)
board_url = click.option(
    "--board-url",
    "board",
    metavar="URL",
    envvar=BOARD_VARIABLE,
    show_envvar=True,
    default="",
    help="address of the board as people reach it, for links from alerts to a pilot's page",
)


def pushing(address: str, runbook: str, board: str, metrics: Callable[[], Metrics]) -> Alertmanager:
    """The Alertmanager actor; `metrics` is asked when there is something to measure. Raises Refused when a link is not
    absolute."""
    links = Links(checked(runbook, "--runbook-url"), checked(board, "--board-url") if board else "")
    if runbook == RUNBOOK:
        click.echo(f"alerts link to {RUNBOOK}, a placeholder; name your page by --runbook-url", err=True)
    return Alertmanager(address, links=links, skewed=lambda seconds: metrics().skewed("alertmanager", seconds))
