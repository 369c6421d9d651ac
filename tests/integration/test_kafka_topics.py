"""`sandbox-monitor topics` on a real broker: creates missing topics, finds wrong settings, names the fix."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from click.testing import CliRunner

from monitor.cli.topics import topics as command
from monitor.errors import LogBroken, Unavailable
from monitor.kafka.topics import Topic, TopicNames, check_topics, create_topics, require_topics, topics
from monitor.testing.kafka import Fresh
from monitor.testing.ports import free_port

pytestmark = pytest.mark.kafka


def test_created_topics_pass_the_check() -> None:
    """What `topics create` creates, `topics check` accepts, with separate topics for participants."""
    fresh = Fresh(partitions=2, participants=("acme", "bolt"))
    assert asyncio.run(check_topics(fresh.bootstrap, topics(fresh.names, 2, 1))) == []


def test_every_mismatch_is_found_with_its_fix() -> None:
    """A missing topic, a wrong count, a wrong setting: each is named, with a command that fixes it."""
    fresh = Fresh(partitions=2)
    names = TopicNames(f"{fresh.names.prefix}-wrong")
    wanted = topics(names, 2, 1)

    async def story() -> list[tuple[str, str]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=fresh.bootstrap)
        await admin.start()
        right = {t.name: t for t in wanted}
        telemetry, state = right.pop(names.telemetry[0]), right.pop(names.state)
        del right[names.evidence]
        own_time = {**telemetry.settings, "message.timestamp.type": "CreateTime"}
        await admin.create_topics([NewTopic(telemetry.name, 2, 1, topic_configs=own_time)])
        await admin.create_topics([NewTopic(state.name, 1, 1, topic_configs=state.settings)])
        await admin.close()
        await create_topics(fresh.bootstrap, list(right.values()))
        return [(m.topic, m.fix) for m in await check_topics(fresh.bootstrap, wanted)]

    found = dict(asyncio.run(story()))
    assert set(found) == {names.telemetry[0], names.state, names.evidence}
    assert "--add-config message.timestamp.type=LogAppendTime" in found[names.telemetry[0]]
    assert "--partitions 2" in found[names.state]
    assert "sandbox-monitor topics create" in found[names.evidence]
    with pytest.raises(LogBroken, match="CreateTime, not LogAppendTime"):
        asyncio.run(require_topics(fresh.bootstrap, wanted))


def test_the_exit_code_shows_the_result() -> None:
    """0 when all is right, 1 with the mismatches as JSON otherwise."""
    fresh = Fresh()
    prefix = f"{fresh.names.prefix}-cli"
    flags = ["--bootstrap", fresh.bootstrap, "--prefix", prefix, "--partitions", "1", "--json"]
    before = CliRunner().invoke(command, ["check", *flags])
    assert (before.exit_code, len(json.loads(before.stdout)["mismatches"])) == (1, 10)
    made = CliRunner().invoke(command, ["create", *flags])
    assert (made.exit_code, len(json.loads(made.stdout)["created"])) == (0, 11)  # that of the users' channel as well
    assert json.loads(CliRunner().invoke(command, ["check", *flags]).stdout) == {"mismatches": []}


def test_a_topic_the_cluster_refuses_is_an_error() -> None:
    """More replicas than brokers cannot be created: that is reported."""
    fresh = Fresh()
    with pytest.raises(LogBroken, match="replication"):
        asyncio.run(create_topics(fresh.bootstrap, [Topic(f"{fresh.names.prefix}.three", 1, 3, {})]))


def test_no_broker_is_unavailable() -> None:
    """Without a broker the error is `Unavailable`: try again."""
    with pytest.raises(Unavailable):
        asyncio.run(check_topics(f"127.0.0.1:{free_port()}", topics(TopicNames(), 1, 1)))
