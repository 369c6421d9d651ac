"""`sandbox-monitor topics`: create the Kafka topics, check their settings, and who may use them."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.cli.addresses import KAFKA_SERVERS
from monitor.cli.terminal import echo
from monitor.clock import wall_ms
from monitor.kafka import topics as stream_topics
from monitor.kafka.acl_admin import AclAdmin, AclDifference
from monitor.kafka.acls import AclUsers, grants
from monitor.kafka.denials import DenialLog, count_denials
from monitor.kafka.health import serve_metrics
from monitor.kafka.migration import migration_status
from monitor.kafka.scram_users import add_users
from monitor.model.events import instant
from monitor.projections.metrics import Metrics

NEXT_STEP: dict[str, str] = {
    "create_topics": "its topics are missing or wrong",
    "start_workers": "no worker writes to its topics yet; start all workers with --each --also-shared",
    "move": "its services may move: their topics hold every command in force",
}


@click.group()
def topics() -> None:
    """Create or check the Kafka topics, and who may use them.

    Exit codes: 0 all topics are correct, 1 a topic differs, 2 usage error, 3 no broker is available.
    """


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option(
                "--bootstrap",
                default="127.0.0.1:9092",
                type=KAFKA_SERVERS,
                show_default=True,
                help="Kafka address, host:port",
            ),
            click.option("--prefix", default="sandbox", show_default=True, help="prefix of the topic names"),
            click.option("--partitions", default=3, show_default=True, type=click.IntRange(1), help="of every topic"),
            click.option(
                "--replication", default=1, show_default=True, type=click.IntRange(1), help="replicas of each partition"
            ),
            click.option(
                "--participant",
                "participants",
                multiple=True,
                help="separate topics for telemetry, commands, permits; repeatable",
            ),
            click.option("--json", "as_json", is_flag=True, help="one JSON document on standard output"),
        )
    ):
        command = option(command)
    return command


@topics.command()
@_options
def create(
    bootstrap: str, prefix: str, partitions: int, replication: int, participants: tuple[str, ...], as_json: bool
) -> None:
    """Create missing topics, that of the users' channels too, then check all."""
    names = stream_topics.TopicNames(prefix, participants)
    wanted = stream_topics.topics(names, partitions, replication)
    wanted.append(stream_topics.users_topic(names, partitions, replication))
    created = asyncio.run(stream_topics.create_topics(bootstrap, wanted))
    if not as_json:
        for name in created:
            echo(f"created {name}")
    _report(asyncio.run(stream_topics.check_topics(bootstrap, wanted)), as_json, created=created)


@topics.command()
@_options
def check(
    bootstrap: str, prefix: str, partitions: int, replication: int, participants: tuple[str, ...], as_json: bool
) -> None:
    """List the topics whose settings differ, each with the command that fixes it."""
    wanted = stream_topics.topics(stream_topics.TopicNames(prefix, participants), partitions, replication)
    _report(asyncio.run(stream_topics.check_topics(bootstrap, wanted)), as_json)


@topics.command()
@click.option(
    "--bootstrap", default="127.0.0.1:9092", type=KAFKA_SERVERS, show_default=True, help="Kafka address, host:port"
)
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the topic names")
@click.option(
    "--participant", "participants", multiple=True, help="firm to move; repeatable [default: all with topics]"
)
@click.option("--json", "as_json", is_flag=True, help="one JSON document on standard output")
def migrate(bootstrap: str, prefix: str, participants: tuple[str, ...], as_json: bool) -> None:
    """Report how far the move from shared topics to separate topics for each firm has come, and the next step.

    Changes nothing: the workers move commands while they run with --each --also-shared. Exit codes: 0 every firm can
    use its topics and nothing is left in the shared telemetry topic, 1 not yet, 2 usage error, 3 no broker.
    """
    firms = participants or asyncio.run(stream_topics.participants_of(bootstrap, prefix))
    status = asyncio.run(migration_status(bootstrap, prefix, firms))
    if as_json:
        echo(json.dumps({**msgspec.to_builtins(status), "done": status.done}))
    else:
        for firm in status.participants:
            echo(f"{firm.participant}: {NEXT_STEP[firm.next]} ({firm.partitions} of {status.partitions} partitions)")
            for mismatch in firm.mismatches:
                echo(f"  {mismatch}")
        newest = "none" if status.newest is None else instant(status.newest).isoformat(timespec="seconds")
        echo(f"shared telemetry topic: {status.unread} unread records; the newest record: {newest}")
        more = "workers may run without --also-shared once no firm sends there any more" if status.done else "not done"
        echo(more, err=True)
    if not status.done:
        raise SystemExit(1)


def _acl_users(command: Callable[..., Any]) -> Callable[..., Any]:
    what = {
        "worker": "the workers",
        "notary": "the notary",
        "act": "the actors",
        "pool": "the second stage",
        "gateway": "the gateway of the firms",
        "channel": "the users' channels",
        "regulator": "the regulators' commands",
        "reader": "other readers of outputs",
    }
    default = AclUsers()
    for name, text in reversed(what.items()):
        option = click.option(f"--{name}", default=getattr(default, name), show_default=True, help=f"user of {text}")
        command = option(command)
    return command


@topics.command()
@click.option(
    "--bootstrap", default="127.0.0.1:9092", type=KAFKA_SERVERS, show_default=True, help="Kafka address, host:port"
)
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the topic names")
@click.option("--group", default="sandbox-monitor", show_default=True, help="consumer group of the workers")
@click.option("--participant", "participants", multiple=True, required=True, help="firm and its user; repeatable")
@_acl_users
@click.option(
    "--check", "action", flag_value="check", default=None, help="compare with the cluster; exit code 1 when it differs"
)
@click.option(
    "--apply", "action", flag_value="apply", default=None, help="add to the cluster what it lacks; idempotent"
)
@click.option(
    "--also-shared", is_flag=True, help="firms may still use the shared topics, where each reads all; for a migration"
)
@click.option("--remove-stale", is_flag=True, help="with --apply: remove what the cluster grants beyond the list")
def acls(
    bootstrap: str,
    prefix: str,
    group: str,
    participants: tuple[str, ...],
    action: str | None,
    also_shared: bool,
    remove_stale: bool,
    **users: str,
) -> None:
    """Access control: print, check or apply the grants that each user needs, and no more.

    Without --check and --apply the grants are printed as `kafka-acls.sh` commands. With them log in as the operator
    (a super user): SANDBOX_KAFKA_CA, SANDBOX_KAFKA_CERT and so on. A stale grant is one on these topics, this group or
    the whole cluster that the list does not have.

    Exit codes: 0 done, 1 the cluster differs or refuses, 2 usage error, 3 no broker is available.
    """
    if remove_stale and action != "apply":
        raise click.UsageError("--remove-stale goes with --apply")
    wanted = list(grants(prefix, group, participants, AclUsers(**users), also_shared=also_shared))
    if action is None:
        for grant in wanted:
            echo(grant.command(bootstrap))
        return
    with AclAdmin(bootstrap) as admin:
        found = admin.difference(wanted)
        if action == "apply":
            admin.add(found.missing)
            if remove_stale:
                admin.remove(found.stale)
    _report_acls(found, action, remove_stale)


@topics.command()
@click.option(
    "--bootstrap", default="127.0.0.1:9092", type=KAFKA_SERVERS, show_default=True, help="Kafka address, host:port"
)
@click.option("--participant", "participants", multiple=True, required=True, help="a firm; repeatable")
@click.option(
    "--password-dir",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="directory of the files PARTICIPANT.password; missing ones are written, readable by their owner only",
)
def users(bootstrap: str, participants: tuple[str, ...], password_dir: Path) -> None:
    """Make the users of firms (SCRAM-SHA-512) that the cluster does not know, as the operator.

    A user that exists keeps its password. Exit codes: 0 done, 1 the cluster refuses, 2 usage error, 3 no broker is
    available.
    """
    for user in add_users(bootstrap, participants, password_dir):
        echo(f"created {user}")


@topics.command()
@click.argument("log", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--metrics-port", required=True, type=click.IntRange(0, 65535), help="/metrics and /live; 0 = a free port"
)
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="address on which they are served")
def denials(log: Path, metrics_port: int, metrics_host: str) -> None:
    """Count what the brokers denied, from their authorizer's LOG, until SIGTERM or Ctrl-C.

    LOG is the file of `kafka.authorizer.logger` at level INFO; run one next to each broker. The metric is
    sandbox_monitor_kafka_denied_total (principal, operation, resource). Exit codes: 0 stopped by a signal, 1 the
    address is taken, 2 usage error.
    """
    metrics, over = Metrics(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    port = serve_metrics(metrics, metrics_host, metrics_port)
    echo(f"metrics http://{metrics_host}:{port}/metrics", err=True)
    count_denials(DenialLog(log), metrics.kafka_denied, lambda: metrics.heartbeat(wall_ms()), over)


def _report_acls(found: AclDifference, action: str, removed: bool) -> None:
    for entry in found.missing:
        echo(f"{'added' if action == 'apply' else 'missing'}: {entry}")
    for entry in found.stale:
        echo(f"{'removed' if removed else 'stale'}: {entry}")
    wrong = (0 if action == "apply" else len(found.missing)) + (0 if removed else len(found.stale))
    fix = "topics acls --apply adds what is missing, --remove-stale removes what is stale"
    echo(f"{wrong} differences; {fix}" if wrong else "the grants are correct", err=True)
    if wrong:
        raise SystemExit(1)


def _report(found: list[stream_topics.TopicMismatch], as_json: bool, created: list[str] | None = None) -> None:
    if as_json:
        document: dict[str, Any] = {"mismatches": msgspec.to_builtins(found)}
        if created is not None:
            document["created"] = created
        echo(json.dumps(document))
    else:
        for mismatch in found:
            echo(str(mismatch))
        echo("all topics are correct" if not found else f"{len(found)} mismatches", err=True)
    if found:
        raise SystemExit(1)
