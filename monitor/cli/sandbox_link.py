"""Where `sandbox-monitor sandbox` reads the accepted acts on the configuration; copies of acts for all partitions."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import click
import msgspec

from monitor.access.address import kafka_servers
from monitor.client.kafka import send_control
from monitor.clock import wall_ms
from monitor.decide.releasable import unreleasable
from monitor.lifecycle.sandbox_acts import Change, SandboxState, changed
from monitor.lifecycle.tenure import next_tenure
from monitor.model.signing import Trusted
from monitor.projections.sandbox_record import AcceptedAct, SandboxHistory
from monitor.sdk.http_link import HttpLink
from monitor.sdk.kafka_link import KafkaLink
from monitor.sdk.transports import open_link

_ACTS = msgspec.json.Decoder(list[AcceptedAct]).decode


class Server(NamedTuple):
    """A monitor: `to` is its address, `prefix` that of the Kafka topics; with `trusted` keys only decisions that one of
    them signed count."""

    to: str
    prefix: str
    trusted: Trusted | None = None


def accepted(server: Server) -> list[AcceptedAct]:
    """The accepted acts in their order; empty where no sandbox is founded. Raises Unavailable."""
    link = open_server(server)
    try:
        if isinstance(link, HttpLink):
            raw = link.get("/v1/sandbox")
            return _ACTS(raw) if raw else []
    finally:
        link.close()
    from monitor.kafka.sandbox_record import kafka_sandbox_acts

    return asyncio.run(kafka_sandbox_acts(brokers(server), server.prefix, server.trusted))


def copy_to_partitions(server: Server) -> dict[int, int]:
    """Copy the accepted acts on the sandbox and on firms to the partitions that lack them. Returns how many were
    copied, by partition; empty where there is one partition only. Raises Unavailable."""
    link = open_server(server)
    if not isinstance(link, KafkaLink):
        link.close()
        return {}
    from monitor.kafka.sandbox_record import kafka_home_acts, missing_copies

    try:
        acts = asyncio.run(kafka_home_acts(brokers(server), server.prefix, server.trusted))
        missing = asyncio.run(missing_copies(brokers(server), server.prefix, acts))
        for partition, lacks in missing.items():
            for act in lacks:
                send_control(link, act.decision.pilot, act.body, act.signature, partition)
        return {partition: len(lacks) for partition, lacks in missing.items()}
    finally:
        link.close()


def blocked_releases(server: Server, history: SandboxHistory, change: Change) -> list[str]:
    """In words, each halt that a change of the configuration would leave without people who may release it. Where one
    process has all pilots it decides that itself; on Kafka the decisions of all partitions are read. Raises
    Unavailable."""
    link = open_server(server)
    link.close()
    before = history.state
    if not isinstance(link, KafkaLink) or before.sandbox is None:
        return []
    new = changed(before.sandbox, change)
    at = max(wall_ms(), history.versions[-1].decision.at)
    after = SandboxState(new, {}, next_tenure(before.tenure, before.sandbox, new, at))
    from monitor.kafka.sandbox_record import kafka_halts

    authorities = [one.id for one in before.sandbox.authorities]
    halts = asyncio.run(kafka_halts(brokers(server), server.prefix, authorities, server.trusted))
    return list(unreleasable(before, after, halts))


def open_server(server: Server) -> HttpLink | KafkaLink:
    """The link to a monitor. Raises click.BadParameter for a bad address."""
    try:
        link = open_link(server.to, prefix=server.prefix)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    assert isinstance(link, HttpLink | KafkaLink)
    return link


def brokers(server: Server) -> str:
    """The brokers of a monitor on Kafka."""
    return ",".join(kafka_servers(server.to.removeprefix("kafka://").rstrip("/")))
