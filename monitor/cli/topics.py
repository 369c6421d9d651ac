"""`sandbox-monitor topics`: create the Kafka topics, or check their settings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import click
import msgspec

from monitor.cli.addresses import KAFKA_SERVERS
from monitor.kafka import topics as stream_topics
from monitor.kafka.acls import AclUsers, grants


@click.group()
def topics() -> None:
    """Create or check the Kafka topics.

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
                help="topics of its own for telemetry, commands, permits; repeatable",
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
    """Create missing topics, then check all."""
    wanted = stream_topics.topics(stream_topics.TopicNames(prefix, participants), partitions, replication)
    created = asyncio.run(stream_topics.create_topics(bootstrap, wanted))
    if not as_json:
        for name in created:
            click.echo(f"created {name}")
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
@click.option("--group", default="sandbox-monitor", show_default=True, help="consumer group of the workers")
@click.option("--participant", "participants", multiple=True, required=True, help="firm and its user; repeatable")
@click.option("--worker", default="monitor", show_default=True, help="user of the workers")
@click.option("--reader", default="reader", show_default=True, help="user of notary and actors")
@click.option("--regulator", default="regulator", show_default=True, help="user that sends control records")
def acls(
    bootstrap: str, prefix: str, group: str, participants: tuple[str, ...], worker: str, reader: str, regulator: str
) -> None:
    """Print the `kafka-acls.sh` commands that grant each user the minimum it needs."""
    users = AclUsers(worker, reader, regulator)
    for grant in grants(prefix, group, participants, users):
        click.echo(grant.command(bootstrap))


def _report(found: list[stream_topics.TopicMismatch], as_json: bool, created: list[str] | None = None) -> None:
    if as_json:
        document: dict[str, Any] = {"mismatches": msgspec.to_builtins(found)}
        if created is not None:
            document["created"] = created
        click.echo(json.dumps(document))
    else:
        for mismatch in found:
            click.echo(str(mismatch))
        click.echo("all topics are correct" if not found else f"{len(found)} mismatches", err=True)
    if found:
        raise SystemExit(1)
