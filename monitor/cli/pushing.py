"""Options of commands that push alerts to Alertmanager, and the actor they configure."""

from __future__ import annotations

from collections.abc import Callable

import click

from monitor.act.alertmanager import Alertmanager
from monitor.act.links import BOARD_VARIABLE, RUNBOOK, RUNBOOK_VARIABLE, Links, checked
from monitor.cli.terminal import echo
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


def alert_links(runbook: str, board: str) -> Links:
    """The links of alerts. Raises Refused when one is not absolute."""
    links = Links(checked(runbook, "--runbook-url"), checked(board, "--board-url") if board else "")
    if runbook == RUNBOOK:
        echo(f"alerts link to {RUNBOOK}, a placeholder; set --runbook-url", err=True)
    return links


def pushing(address: str, runbook: str, board: str, metrics: Callable[[], Metrics]) -> Alertmanager:
    """The Alertmanager actor; `metrics` is called when there is something to measure. Raises Refused when a link is not
    absolute."""
    return Alertmanager(
        address, links=alert_links(runbook, board), skewed=lambda seconds: metrics().skewed("alertmanager", seconds)
    )
