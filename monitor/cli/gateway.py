"""`sandbox-monitor gateway`: serves the firms' acts and appeals on Kafka with access control."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.addresses import KAFKA_SERVERS
from monitor.cli.reader_metrics import metrics_options, serve_metrics_if_asked
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option
from monitor.kafka.gateway_service import GatewaySettings, run_gateway
from monitor.kafka.topics import TopicNames
from monitor.model.signing import Trusted
from monitor.projections.metrics import Metrics

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--bootstrap",
    default="127.0.0.1:9092",
    type=KAFKA_SERVERS,
    show_default=True,
    help="Kafka address, host:port[,host:port]",
)
@click.option("--prefix", default="sandbox", show_default=True, help="first part of every topic's name")
@click.option("--host", default="127.0.0.1", show_default=True, help="address on which it listens")
@click.option("--port", default=8322, show_default=True, type=click.IntRange(0, 65535), help="0 = any free port")
@click.option("--cert", "certificate", type=_FILE, help="certificate chain (PEM) for HTTPS")
@click.option("--key", type=_FILE, help="private key (PEM) of --cert")
@click.option("--users", is_flag=True, help="forward reports of users' channels from the topic PREFIX.users to control")
@trust_option
@metrics_options
def gateway(
    bootstrap: str,
    prefix: str,
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    users: bool,
    trusted: tuple[str, ...],
    metrics_port: int | None,
    metrics_host: str,
    host_names: tuple[str, ...],
) -> None:
    """Serve the firms until SIGTERM or Ctrl-C: their acts (rectify, evaluate), and the export of their pilots.

    Under access control (`topics acls`) a firm reaches its own topics only. Each request is signed with a key that the
    charter in force names for the firm; a firm sees nothing of other firms' pilots. Firms use the same commands with
    --to https://HOST:PORT and their key. Without --cert it serves HTTP, for a proxy with TLS on the same machine.

    With --users it forwards the reports of users' channels (`complaints`), which their keys in the configuration of
    the sandbox sign, from a topic that no firm may write.

    It needs the Kafka user `gateway`. With --trust-key a decision that no trusted key signed gives no access. Exit
    codes: 0 stopped by a signal, 1 the log is broken, the workers do not sign with a trusted key, or the address is
    taken, 2 usage error.
    """
    if (certificate is None) != (key is None):
        raise click.UsageError("--cert and --key belong together")
    metrics = Metrics()
    serve_metrics_if_asked(metrics, metrics_host, metrics_port, host_names)
    settings = GatewaySettings(
        bootstrap=bootstrap,
        names=TopicNames(prefix),
        host=host,
        port=port,
        host_names=host_names,
        users=users,
        trusted=Trusted(trusted) if trusted else None,
        tls=None if certificate is None or key is None else (certificate, key),
    )
    run_gateway(settings, lambda line: echo(line, err=True), metrics)
