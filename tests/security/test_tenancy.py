"""What a firm can read and write of another firm: nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from monitor.charter.control import Admission, Override
from monitor.charter.spec import Participant
from monitor.client.control import send_act
from monitor.kafka.topics import TopicNames
from monitor.sdk import Pilot
from monitor.testing.secure_broker import SecureBroker
from monitor.testing.wait import Until
from monitor.testing.workers import Worker
from tests.security.goals import Goal
from tests.unit.engine.test_machine import charter

pytestmark = pytest.mark.kafka
FIRMS = ("firm-1", "firm-2")
until = Until(90.0, every=0.1)


def everything(names: TopicNames) -> list[str]:
    """Every topic of a deployment, the shared ones included."""
    shared = (names.control, names.journal, names.state, names.decisions, names.evidence, names.rejected)
    outputs = [topic for firm in FIRMS for topic in (names.commands_of(firm), names.permits_of(firm))]
    return [*names.telemetry, *shared, names.commands, names.permits, names.shared_telemetry, *outputs]


def readable(broker: SecureBroker, firm: str, topics: list[str]) -> list[tuple[str, bytes, bytes]]:
    """Every record (topic, key, value) that the login of a firm can read; no error is an answer either."""
    found: list[tuple[str, bytes, bytes]] = []
    for topic in topics:
        consumer = KafkaConsumer(
            bootstrap_servers=broker.firms,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_uncommitted",
            **broker.login(firm),
        )
        at = TopicPartition(topic, 0)
        try:
            consumer.assign([at])
            for _ in range(4):
                for batch in consumer.poll(timeout_ms=500).values():
                    found += [(topic, r.key or b"", r.value or b"") for r in batch]
        except (KafkaError, AssertionError):
            continue
        finally:
            consumer.close(autocommit=False)
    return found


# kafka-python 3.0 may leave the TLS socket of a connection that it gave up to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_firm_sees_no_record_of_another_firm(secure_broker: SecureBroker, tmp_path: Path, goal: Goal) -> None:
    """Two firms with a halted pilot and a running one each: each service is halted or gets permits through its firm's
    topics, and the firm's login reads no record about the other firm on any topic."""
    names = secure_broker.deploy("tenancy", FIRMS)
    log, login = tmp_path / "worker.log", secure_broker.environment("monitor")
    worker = Worker(secure_broker.authority, "tenancy", log, "--each", environment=login)
    regulator = {
        "to": f"kafka://{secure_broker.authority}",
        "options": secure_broker.login("regulator"),
        "prefix": "tenancy",
    }
    pilots = {f"{state}-{firm}": firm for firm in FIRMS for state in ("halted", "running")}
    services: list[Pilot] = []
    try:
        worker.wait_ready()
        for pilot, firm in pilots.items():
            plan = charter(pilot=pilot, participant=Participant(firm))
            act(Admission(id=f"admit-{pilot}", pilot=pilot, author="anna", charter=plan), regulator)
            if pilot.startswith("halted"):
                act(Override(id=f"halt-{pilot}", pilot=pilot, author="anna", level="halt", reason="stop"), regulator)
        for pilot, firm in pilots.items():
            way = {"to": f"kafka://{secure_broker.firms}", "options": secure_broker.login(firm)}
            more = {"topic_prefix": "tenancy", "heartbeat_s": 0.5, "permits": "required"}
            services.append(Pilot(pilot, participant=firm, spool_dir=tmp_path / pilot, **way, **more))
        until(lambda: all(served(service) for service in services))
    finally:
        for service in services:
            service.close(5.0)
        worker.kill()
    topics, seen = everything(names), dict.fromkeys(FIRMS, 0)
    own: dict[str, set[str]] = {}
    for firm in FIRMS:
        found = readable(secure_broker, firm, topics)
        others = [p.encode() for p, owner in pilots.items() if owner != firm]
        seen[firm] = sum(any(o in key or o in value for o in others) for _, key, value in found)
        own[firm] = {topic for topic, _, _ in found}
    assert own == {firm: {names.commands_of(firm), names.permits_of(firm)} for firm in FIRMS}
    goal("records_of_another_firm_visible_to_a_firm", sum(seen.values()), 0, note="every topic, read by two firms")


def served(service: Pilot) -> bool:
    """Whether the service knows that it is halted, or has a permit to work."""
    if service.pilot.startswith("halted"):
        return service.standing.halted
    return service.status().permit_s is not None


def act(what: Admission | Override, regulator: dict[str, Any]) -> None:
    """Send an act as the regulator and wait for its decision."""
    answer = send_act(pilot=what.pilot, name=what.id, body=msgspec.json.encode(what), wait=60.0, **regulator)
    assert answer is not None
    assert answer.decision is not None, answer
