"""`sandbox-monitor notary`: reads `decisions` on Kafka, keeps the ledger and shows the board."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.addresses import KAFKA_SERVERS
from monitor.cli.board_access import access_options
from monitor.cli.publishing import publishing_options
from monitor.cli.reader_metrics import metrics_options, serve_metrics_if_asked
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option
from monitor.console.access.gate import BoardAccess
from monitor.console.owner_liveness import SILENT_MS
from monitor.kafka.notary_service import NotarySettings, run_notary
from monitor.kafka.topics import TopicNames
from monitor.model.signing import Trusted
from monitor.projections.metrics import Metrics
from monitor.publication.publisher import PublicationSettings


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
    help="the ledger: one file per pilot",
)
@click.option(
    "--port", default=8321, show_default=True, type=click.IntRange(0, 65535), help="port of the board; 0 = no board"
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="address on which the board listens; see --board-access"
)
@click.option(
    "--silent-after",
    default=SILENT_MS / 1000,
    show_default=True,
    type=click.FloatRange(11),
    help="seconds without a write by a partition's worker until the board reports it",
)
@trust_option
@publishing_options
@access_options
@click.option(
    "--newest-topic",
    is_flag=True,
    help="keep the newest signed checkpoint in the Kafka topic PREFIX.checkpoints, which is created: a restored old "
    "disk then refuses to sign; instead of --newest",
)
@metrics_options
def notary(
    bootstrap: str,
    prefix: str,
    directory: Path,
    port: int,
    host: str,
    silent_after: float,
    trusted: tuple[str, ...],
    metrics_port: int | None,
    metrics_host: str,
    host_names: tuple[str, ...],
    publishing: tuple[PublicationSettings, float] | None,
    access: BoardAccess | None,
    newest_topic: bool,
) -> None:
    """Keep the ledger of every pilot and serve the board, until SIGTERM or Ctrl-C. Run one per authority.

    It resumes from the position that is stored with the ledger; a decision that is read twice is recorded once. A
    command is recorded with the decision that implies it, so the ledger depends on the decisions log only. During an
    outage of the broker it retries. A record that is no decision of the monitor is skipped, counted and shown on the
    board; with --trust-key also one that no trusted key signed. With --publish the ledgers are also written as logs
    that any C2SP client can follow (`monitor/publication/README.md`); where the publication fails or refuses to sign,
    the ledger goes on, and metrics and log say so. Exit codes: 0 stopped by a signal, 1 the log or the
    ledger is damaged, incomplete or older than the other, or the workers do not sign with a trusted key (the message
    names the fix), 2 usage error.
    """
    if newest_topic and (publishing is None or publishing[0].second is not None):
        raise click.UsageError("--newest-topic belongs to --publish, and takes the place of --newest")
    settings = NotarySettings(
        bootstrap=bootstrap,
        names=TopicNames(prefix),
        directory=directory,
        host=host,
        port=port,
        host_names=host_names,
        trusted=Trusted(trusted) if trusted else None,
        silent_ms=round(silent_after * 1000),
        publishing=publishing,
        access=access,
        newest_topic=newest_topic,
    )
    metrics = Metrics()
    serve_metrics_if_asked(metrics, metrics_host, metrics_port, host_names)
    run_notary(settings, lambda line: echo(line, err=True), metrics)
