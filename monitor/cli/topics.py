"""`sandbox-monitor topics`: create the Kafka topics, or check that they are as they must be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import click
import msgspec

from monitor.cli.addresses import KAFKA_SERVERS
from monitor.kafka import topics as stream_topics
from monitor.kafka.acls import Users, grants


@click.group()
def topics() -> None:
    """Create or check the Kafka topics.

    Exit codes: 0 done and right, 1 something is not as it must be, 2 called wrongly, 3 no broker answers.
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
            click.option("--prefix", default="sandbox", show_default=True, help="first part of every topic's name"),
            click.option("--partitions", default=3, show_default=True, type=click.IntRange(1), help="of every topic"),
            click.option("--replication", default=1, show_default=True, type=click.IntRange(1), help="copies of each"),
            click.option("--participant", "participants", multiple=True, help="one telemetry topic each; repeatable"),
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
    """Create what is missing, then check everything."""
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
    """Say what is not as it must be, each with the command that mends it."""
    wanted = stream_topics.topics(stream_topics.TopicNames(prefix, participants), partitions, replication)
    _report(asyncio.run(stream_topics.check_topics(bootstrap, wanted)), as_json)


@topics.command()
@click.option(
    "--bootstrap", default="127.0.0.1:9092", type=KAFKA_SERVERS, show_default=True, help="Kafka address, host:port"
)
@click.option("--prefix", default="sandbox", show_default=True, help="first part of every topic's name")
@click.option("--group", default="sandbox-monitor", show_default=True, help="consumer group of the workers")
@click.option("--participant", "participants", multiple=True, required=True, help="firm and its user; repeatable")
@click.option("--worker", default="monitor", show_default=True, help="user of the workers")
@click.option("--reader", default="reader", show_default=True, help="user of notary and actors")
@click.option("--regulator", default="regulator", show_default=True, help="user of who sends control")
def acls(
    bootstrap: str, prefix: str, group: str, participants: tuple[str, ...], worker: str, reader: str, regulator: str
) -> None:
    """Print the lines of `kafka-acls.sh` that give each user what it needs, and no more."""
    users = Users(worker, reader, regulator)
    for grant in grants(prefix, group, participants, users):
        click.echo(grant.command(bootstrap))


def _report(found: list[stream_topics.Mismatch], as_json: bool, created: list[str] | None = None) -> None:
    if as_json:
        document: dict[str, Any] = {"mismatches": msgspec.to_builtins(found)}
        if created is not None:
            document["created"] = created
        click.echo(json.dumps(document))
    else:
        for mismatch in found:
            click.echo(str(mismatch))
        click.echo("topics are as they must be" if not found else f"{len(found)} mismatches", err=True)
    if found:
        raise SystemExit(1)
