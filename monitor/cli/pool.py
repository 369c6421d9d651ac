"""`sandbox-monitor pool`: the second stage on Kafka, over the evidence of all partitions."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.addresses import KAFKA_SERVERS
from monitor.cli.reader_metrics import metrics_options, serve_metrics_if_asked
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option
from monitor.files.key_file import read_key
from monitor.kafka.pool_service import PoolKeys, serve_pool
from monitor.kafka.reader_reports import ReaderReports
from monitor.model.periods import parse_span
from monitor.model.records import Outputs
from monitor.projections.metrics import Metrics
from monitor.projections.wording import sentence


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
    "--replication", default=1, show_default=True, type=click.IntRange(1), help="replicas of each of its topics"
)
@click.option(
    "--wait",
    default="1h",
    show_default=True,
    help="how long after its end a period waits for evidence of the other partitions",
)
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="key that signs its outputs (`sandbox-monitor keys new`)",
)
@trust_option
@metrics_options
def pool(
    bootstrap: str,
    prefix: str,
    replication: int,
    wait: str,
    key_file: Path | None,
    trusted: tuple[str, ...],
    metrics_port: int | None,
    metrics_host: str,
    host_names: tuple[str, ...],
) -> None:
    """Watch what pilots of one vendor have in common, until SIGTERM or Ctrl-C. Run one per deployment.

    For each period it compares the events of all pilots that share a vendor with the sum of their limits, and emits
    `common_cause` where the sum is exceeded: a reason to look at the vendor; it never moves a pilot. Its decisions are
    on PREFIX.pool.decisions (ledger: `sandbox-monitor notary --prefix PREFIX.pool`). A second instance ends the first.
    Exit codes: 0 stopped by a signal, 1 after any failure (start it again), 2 usage error, 3 no broker responds.
    """
    try:
        wait_ms = parse_span(wait).after(0)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--wait") from error
    metrics = Metrics()

    def observed(outputs: Outputs) -> None:
        metrics.common_causes(outputs.decisions)
        _say(outputs)

    serve_metrics_if_asked(metrics, metrics_host, metrics_port, host_names)
    serve_pool(
        bootstrap,
        prefix,
        replication=replication,
        wait_ms=wait_ms,
        on_outputs=observed,
        reports=ReaderReports(metrics),
        keys=PoolKeys(trusted, read_key(key_file) if key_file else None),
        started=lambda: echo(f"pool: evidence of {prefix} at {bootstrap}", err=True),
    )


def _say(outputs: Outputs) -> None:
    for decision in outputs.decisions:
        echo(f"{decision.pilot} {sentence(decision)}")
