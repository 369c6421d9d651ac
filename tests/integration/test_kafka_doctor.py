"""`doctor` against a real broker: topics as they must be, one that is not, and none."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner

from monitor.cli.doctor import doctor
from monitor.kafka.topics import TopicNames, create_topics, topics
from monitor.testing.broker import shared

pytestmark = pytest.mark.kafka


def run(bootstrap: str, prefix: str) -> tuple[int, list[dict[str, Any]]]:
    arguments = ["--json", "--only", "kafka", "--only", "topics", "--bootstrap", bootstrap, "--prefix", prefix]
    found = CliRunner().invoke(doctor, arguments)
    return found.exit_code, [json.loads(line) for line in found.stdout.splitlines()]


async def _shorten(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        changed = {"cleanup.policy": "compact"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=changed)])
    finally:
        await admin.close()


def test_topics_are_compared_with_what_the_guarantees_need() -> None:
    """In order, then with one setting changed, then under a prefix that has none."""
    bootstrap, prefix = shared().bootstrap, f"d{uuid.uuid4().hex[:8]}"
    names = TopicNames(prefix, ("acme",))
    asyncio.run(create_topics(bootstrap, topics(names, 2, 1)))
    code, rows = run(bootstrap, prefix)
    assert (code, {row["state"] for row in rows}) == (0, {"ok"}), rows
    assert "with 2 partitions" in rows[-1]["what"]
    asyncio.run(_shorten(bootstrap, names.decisions))
    code, rows = run(bootstrap, prefix)
    assert code == 1
    wrong = [row for row in rows if row["state"] == "failed"]
    assert all(names.decisions in row["what"] for row in wrong)
    assert any("kafka-configs.sh" in row["fix"] for row in wrong)
    code, rows = run(bootstrap, prefix + "-none")
    assert code == 1
    assert "topics create" in rows[-1]["fix"]
