"""`sandbox-monitor worker`: one Faust worker on Kafka."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.addresses import KAFKA_SERVERS, host_names
from monitor.cli.keys import checked
from monitor.cli.terminal import echo
from monitor.engine.failpoint import from_environment
from monitor.files.key_file import read_key
from monitor.kafka.record_skips import parse_place
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.topics import TopicNames
from monitor.kafka.worker_service import Endpoint, serve_worker


@click.command()
@click.option(
    "--bootstrap",
    default="127.0.0.1:9092",
    type=KAFKA_SERVERS,
    show_default=True,
    help="Kafka address, host:port[,host:port]",
)
@click.option("--group", default="sandbox-monitor", show_default=True, help="consumer group, shared by all workers")
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the topic names")
@click.option("--participant", "participants", multiple=True, help="a participant with separate topics; repeatable")
@click.option("--each", is_flag=True, help="topics for each participant; new ones are found while running")
@click.option(
    "--also-shared",
    is_flag=True,
    help="while firms move to separate topics: read the shared telemetry topic too, write commands and permits to both",
)
@click.option("--partition-count", type=click.IntRange(1), help="refuse topics with another partition count")
@click.option(
    "--replication", default=1, show_default=True, type=click.IntRange(1), help="refuse topics with fewer replicas"
)
@click.option("--instance", default="", help="a stable name of this worker: static membership")
@click.option("--session-timeout", default=10.0, show_default=True, type=click.FloatRange(1), help="seconds")
@click.option("--checkpoint-every", default=5.0, show_default=True, type=click.FloatRange(0), help="seconds")
@click.option(
    "--stall",
    default=120.0,
    show_default=True,
    type=click.FloatRange(5),
    help="seconds without progress after which the worker aborts",
)
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), help="port of /metrics, /live and /ready; 0 = any free port"
)
@click.option(
    "--metrics-host",
    default="127.0.0.1",
    show_default=True,
    help="address on which they are served; they have no login",
)
@host_names
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="key for digests of rejected input; the same file for all workers",
)
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="key that signs all outputs (`sandbox-monitor keys new`); the same file for all workers",
)
@click.option(
    "--trust-key",
    "trusted",
    multiple=True,
    help="public key (ed25519:...) of other workers, now or before, besides --key-file; repeatable, to replace a key",
)
@click.option(
    "--admit-key",
    "admitters",
    multiple=True,
    help="public key (ed25519:...) that may admit pilots; repeatable, the same for all workers [default: any writer]",
)
@click.option(
    "--skip-lost",
    is_flag=True,
    help="skip telemetry that Kafka deleted before it was read, record the loss and flag its pilots; for one start",
)
@click.option(
    "--skip",
    "skip",
    multiple=True,
    metavar="TOPIC/PARTITION/OFFSET",
    help="skip a telemetry record at which the worker ends each time: recorded, with a finding for its pilot; for one "
    "start; repeatable. Also a record of the journal that no version can read. Never acts (control)",
)
@click.option(
    "--loglevel",
    default="WARN",
    show_default=True,
    type=click.Choice(["DEBUG", "INFO", "WARN", "ERROR"]),
    help="of Faust's logs",
)
def worker(
    bootstrap: str,
    group: str,
    prefix: str,
    participants: tuple[str, ...],
    each: bool,
    also_shared: bool,
    partition_count: int | None,
    replication: int,
    instance: str,
    session_timeout: float,
    checkpoint_every: float,
    stall: float,
    metrics_port: int | None,
    metrics_host: str,
    host_names: tuple[str, ...],
    secret_file: Path | None,
    key_file: Path | None,
    trusted: tuple[str, ...],
    admitters: tuple[str, ...],
    skip_lost: bool,
    skip: tuple[str, ...],
    loglevel: str,
) -> None:
    """Run one worker until SIGTERM: it recovers its share of partitions, steps their records, writes the outputs.

    Start as many as there are partitions; more are standbys. Exit codes: 0 after SIGTERM or SIGINT, 1 after any failure
    (start it again: the log knows what was written), 2 usage error, 3 no broker responds.
    """
    if each and participants:
        raise click.UsageError("--each finds the participants by their topics; leave out --participant")
    if also_shared and not (each or participants):
        raise click.UsageError("--also-shared goes with --each or --participant; without them all topics are shared")
    if trusted and key_file is None:
        raise click.UsageError("--trust-key says whose records recovery believes besides its own; give --key-file too")
    settings = WorkerSettings(
        bootstrap=bootstrap,
        group=group,
        prefix=prefix,
        participants=participants,
        per_participant=each,
        also_shared=also_shared,
        replication=replication,
        instance=instance,
        session_timeout=session_timeout,
        checkpoint_every_ms=int(checkpoint_every * 1000),
        stall=stall,
        secret=secret_file.read_bytes() if secret_file else b"",
        signer=read_key(key_file) if key_file else None,
        trusted=checked(trusted, "--trust-key"),
        admitters=checked(admitters, "--admit-key"),
        skip_lost=skip_lost,
        skip=_places(skip, prefix),
    )
    if not admitters:
        _say("open mode: anybody who may write to control may admit pilots; give --admit-key to name who may")
    if key_file is None:
        _say("outputs are not signed; give --key-file so that services and readers can tell them from forged ones")
    serve_worker(
        settings,
        partitions=partition_count,
        metrics_at=None if metrics_port is None else Endpoint(metrics_host, metrics_port, host_names),
        loglevel=loglevel,
        say=_say,
        failpoint=from_environment(),
    )


def _places(given: tuple[str, ...], prefix: str) -> frozenset[str]:
    """The records to skip. Raises BadParameter for what is no record of telemetry or of the journal."""
    names = TopicNames(prefix)
    for text in given:
        try:
            topic = parse_place(text).topic
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--skip") from error
        if topic == names.control:
            raise click.BadParameter(f"{topic} holds acts of people, which are never skipped", param_hint="--skip")
        telemetry = topic == names.shared_telemetry or topic.startswith(f"{names.shared_telemetry}.")
        if not telemetry and topic != names.journal:
            raise click.BadParameter(f"{topic} is no telemetry topic, nor {names.journal}", param_hint="--skip")
    return frozenset(given)


def _say(line: str) -> None:
    echo(line, err=True)
