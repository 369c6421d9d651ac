"""The options of a reader's metrics endpoint: `--metrics-port`, `--metrics-host` and `--host-name`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from monitor.cli.addresses import host_names
from monitor.cli.terminal import echo
from monitor.kafka.health import serve_metrics
from monitor.projections.metrics import Metrics


def metrics_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these options."""
    command = host_names(command)
    command = click.option(
        "--metrics-host",
        default="127.0.0.1",
        show_default=True,
        help="address on which they are served; they have no login",
    )(command)
    return click.option("--metrics-port", type=click.IntRange(0, 65535), help="/metrics and /live; 0 = any free port")(
        command
    )


def serve_metrics_if_asked(metrics: Metrics, host: str, port: int | None, host_names: tuple[str, ...]) -> None:
    """Serve metrics where a port was given, and print the address to stderr. Raises Refused."""
    if port is not None:
        echo(f"metrics http://{host}:{serve_metrics(metrics, host, port, host_names)}/metrics", err=True)
