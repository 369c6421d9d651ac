"""`sandbox-monitor act`: reads `decisions` on Kafka and hands them to actors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import click

from monitor.access.address import http_addresses
from monitor.act import ACTORS, AnyActor, Deliver
from monitor.cli.addresses import HTTP_URLS, KAFKA_SERVERS
from monitor.cli.pushing import alert_links, board_url, grafana_url, numbered, pushing, runbook_url
from monitor.cli.reader_metrics import metrics_options, serve_metrics_if_asked
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option
from monitor.errors import Refused
from monitor.kafka.act_service import DecisionSource, run_actors
from monitor.kafka.topics import TopicNames
from monitor.model.signing import Trusted
from monitor.projections.metrics import Metrics


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def actor_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add one option per actor of `ACTORS`; its help is the first sentence of the actor's docstring."""
    for name, actor in reversed(ACTORS.items()):
        text = " ".join((inspect.getdoc(actor) or "").split("\n\n")[0].split())
        is_url = next(iter(inspect.signature(actor).parameters.values())).annotation == "HttpUrl"
        kind = HTTP_URLS if is_url else None
        command = click.option(
            _flag(name), name, type=kind, metavar="ADDRESS[,ADDRESS]" if is_url else "ADDRESS", help=text
        )(command)
    return command


def _build(name: str, address: str) -> dict[str, AnyActor]:
    """The actors of one option, each with its own queue: `name`, and `name-2` and so on for further URLs."""
    try:
        addresses = http_addresses(address) if address.lower().startswith(("http://", "https://")) else [address]
        return {numbered(name, n): ACTORS[name](one) for n, one in enumerate(addresses, 1)}
    except Refused as error:
        raise click.BadParameter(str(error), param_hint=_flag(name)) from error


@click.command()
@click.option(
    "--bootstrap",
    default="127.0.0.1:9092",
    type=KAFKA_SERVERS,
    show_default=True,
    help="Kafka address, host:port[,host:port]",
)
@click.option("--prefix", default="sandbox", show_default=True, help="first part of every topic's name")
@click.option(
    "--dir",
    "directory",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="directory that records what was delivered to each actor",
)
@actor_options
@runbook_url
@board_url
@grafana_url
@trust_option
@metrics_options
def act(
    bootstrap: str,
    prefix: str,
    directory: Path,
    runbook: str,
    board: str,
    grafana: str,
    trusted: tuple[str, ...],
    metrics_port: int | None,
    metrics_host: str,
    host_names: tuple[str, ...],
    **addresses: str | None,
) -> None:
    """Deliver decisions to actors until SIGTERM or Ctrl-C. Run one for each set of addresses.

    It reads the decisions log from its start and skips what --dir records as delivered: at least once, with idempotent
    effects. With an empty --dir, alerts begin with the present state; older ones are not sent. During an outage of the
    broker it retries.

    An address that is a URL may be several, separated by commas, such as both Alertmanagers of a pair: each gets
    everything, with its own queue.

    Exit codes: 0 stopped by a signal, 1 the log is broken, or the workers do not sign with a trusted key, 2 usage
    error.
    """
    actors = {name: one for option, given in addresses.items() if given for name, one in _build(option, given).items()}
    metrics = Metrics(actors=sorted({*ACTORS, *actors}))
    if alertmanager := addresses.get("alertmanager"):  # built again with their links
        actors |= pushing(alertmanager, alert_links(runbook, board, grafana), lambda: metrics)
    if not actors:
        raise click.UsageError(f"name at least one actor: {', '.join(_flag(name) for name in ACTORS)}")
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "delivered.json"
    deliver = Deliver(actors, file, counted=metrics.acted, waiting=metrics.pending, history=True)
    serve_metrics_if_asked(metrics, metrics_host, metrics_port, host_names)
    echo(f"act: {', '.join(actors)}", err=True)
    source = DecisionSource(bootstrap, TopicNames(prefix), Trusted(trusted) if trusted else None)
    run_actors(source, deliver, metrics, lambda line: echo(line, err=True))
