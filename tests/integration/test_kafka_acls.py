"""A broker with logins and an authorizer, and the lines that `sandbox-monitor topics acls` prints: each user can do
its part, and nothing else."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from click.testing import CliRunner
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from monitor.access.kafka_login import access
from monitor.charter.control import Override
from monitor.cli.topics import topics as command
from monitor.client.control import send_act
from monitor.kafka.output_consumer import read_outputs
from monitor.kafka.topics import TopicNames, create_topics, topics
from monitor.model.records import Decision
from monitor.sdk import Pilot
from monitor.simulation.fleet import Fleet
from monitor.testing.broker import KafkaBroker, free_port
from monitor.testing.wait import Until
from monitor.testing.workers import Worker

pytestmark = pytest.mark.kafka
USERS = ("monitor", "reader", "regulator", "firm-1", "firm-2")
FIRMS = ("firm-1", "firm-2")
NAMES = TopicNames("sandbox", FIRMS)
JAAS = "org.apache.kafka.common.security.plain.PlainLoginModule required"
until = Until(60.0, every=0.05)


class Guarded:
    """The broker: `open` is the operator's address, `bootstrap` that of all others, who have to log in."""

    def __init__(self, broker: KafkaBroker, bootstrap: str, home: Path) -> None:
        self.open, self.bootstrap, self.home = broker.bootstrap, bootstrap, home

    def environment(self, user: str) -> dict[str, str]:
        file = self.home / f"{user}.password"
        file.write_text(f"{user}-secret\n")
        return {
            "SANDBOX_KAFKA_USER": user,
            "SANDBOX_KAFKA_PASSWORD_FILE": str(file),
            "SANDBOX_KAFKA_MECHANISM": "PLAIN",
        }

    def reach(self, user: str) -> tuple[set[str], set[str]]:
        """The topics that a user can write, and those that it can read, found by trying each."""
        return asyncio.run(self._reach(access(self.environment(user))))

    async def _reach(self, login: dict[str, str]) -> tuple[set[str], set[str]]:
        async def tried(way: Callable[[dict[str, str], str], Awaitable[None]]) -> set[str]:
            async def one(topic: str) -> bool:
                try:
                    async with asyncio.timeout(6):
                        await way(login, topic)
                except (KafkaError, TimeoutError):
                    return False
                return True

            found = await asyncio.gather(*map(one, EVERY))
            return {topic for topic, may in zip(EVERY, found, strict=True) if may}

        return await tried(self._write), await tried(self._read)

    async def _write(self, login: dict[str, str], topic: str) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, request_timeout_ms=3_000, **login) as producer:
            await producer.send_and_wait(topic, b"{}", partition=0)

    async def _read(self, login: dict[str, str], topic: str) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, request_timeout_ms=3_000, **login)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, 0)])
            await consumer.seek_to_beginning()
            await consumer.end_offsets([TopicPartition(topic, 0)])  # to be told of the topic
            await consumer.getmany(timeout_ms=1_000)  # to be given its records
        finally:
            await consumer.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A broker that refuses everything that is not granted; the command's lines are granted."""
    home = tmp_path_factory.mktemp("acls")
    port, login, controller = free_port(), free_port(), free_port()
    users = " ".join(f'user_{user}="{user}-secret"' for user in USERS)
    settings = {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},LOGIN://127.0.0.1:{login},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},LOGIN://127.0.0.1:{login}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.login.plain.sasl.jaas.config": f"{JAAS} {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # who comes through the operator's own door
        "allow.everyone.if.no.acl.found": "false",
        "group.min.session.timeout.ms": "1000",
    }
    with KafkaBroker(home / "broker", port, controller, settings) as broker:
        asyncio.run(create_topics(broker.bootstrap, topics(NAMES, 1, 1)))
        flags = [word for firm in FIRMS for word in ("--participant", firm)]
        printed = CliRunner().invoke(command, ["acls", "--bootstrap", broker.bootstrap, *flags])
        assert printed.exit_code == 0, printed.output
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        made = admin.create_acls([acl for line in printed.stdout.splitlines() for acl in parsed(line)])
        admin.close()
        assert not made["failed"]
        guarded = Guarded(broker, f"127.0.0.1:{login}", home)
        # The broker takes a moment to know what was granted.
        until(lambda: guarded.reach("regulator")[0] == {NAMES.control})
        yield guarded


def parsed(line: str) -> Iterator[ACL]:
    """The arguments of a line of `kafka-acls.sh`."""
    reader = argparse.ArgumentParser()
    for flag in ("--bootstrap-server", "--allow-principal", "--topic", "--group", "--transactional-id"):
        reader.add_argument(flag)
    reader.add_argument("--add", action="store_true", required=True)
    reader.add_argument("--operation", action="append")
    reader.add_argument("--resource-pattern-type", default="literal")
    tool, *words = line.split()
    assert tool == "kafka-acls.sh"
    given = reader.parse_args(words)
    named = {
        ResourceType.TOPIC: given.topic,
        ResourceType.GROUP: given.group,
        ResourceType.TRANSACTIONAL_ID: given.transactional_id,
    }
    ((kind, name),) = ((k, v) for k, v in named.items() if v)
    operations = {"Read": "READ", "Write": "WRITE", "DescribeConfigs": "DESCRIBE_CONFIGS"}
    for operation in given.operation:
        pattern = ResourcePattern(kind, name, ACLResourcePatternType[given.resource_pattern_type.upper()])
        yield ACL(given.allow_principal, "*", ACLOperation[operations[operation]], ACLPermissionType.ALLOW, pattern)


EVERY = (
    *NAMES.telemetry,
    *(NAMES.control, NAMES.journal, NAMES.state, NAMES.rejected, NAMES.decisions, NAMES.commands),
    *(NAMES.permits, NAMES.evidence),
)
OUTPUTS = {NAMES.rejected, NAMES.decisions, NAMES.commands, NAMES.permits, NAMES.evidence}


@pytest.mark.parametrize(
    ("user", "writes", "reads"),
    [
        ("firm-1", {NAMES.telemetry[0]}, {NAMES.commands, NAMES.permits}),
        ("firm-2", {NAMES.telemetry[1]}, {NAMES.commands, NAMES.permits}),
        ("regulator", {NAMES.control}, {NAMES.decisions, NAMES.rejected}),
        ("reader", set(), {NAMES.decisions, NAMES.commands, NAMES.evidence, NAMES.control}),
    ],
    ids=["a firm", "another firm", "the regulator", "notary and actors"],
)
def test_each_user_reaches_its_own_topics_and_no_other(
    guarded: Guarded, user: str, writes: set[str], reads: set[str]
) -> None:
    """Every topic is tried both ways: a firm writes only its telemetry, and reads only commands and permits."""
    assert guarded.reach(user) == (writes, reads)


def test_the_whole_way_with_logins(guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The regulator admits and halts, the worker decides, the firm's service obeys and is heard, the reader reads the
    record: each under its own login."""
    fleet = Fleet(3, pilots=1, scenarios=["calm"], start=int(time.time() * 1000), hours=1, period="1h")
    (admission,), (name,) = fleet.admissions(), fleet.pilots
    halt = Override(id="stop-1", pilot=name, author="regulator-1", level="halt", reason="stop")
    flags = [word for firm in FIRMS for word in ("--participant", firm)]
    log, login = tmp_path / "worker.log", guarded.environment("monitor")
    worker = Worker(guarded.bootstrap, "sandbox", log, *flags, environment=login, group="sandbox-monitor")
    regulator, to = access(guarded.environment("regulator")), f"kafka://{guarded.bootstrap}"
    try:
        worker.wait_ready()
        for act, words in ((admission, 0.0), (halt, 30.0)):
            answer = send_act(to, name, act.id, msgspec.json.encode(act), wait=words, options=regulator)
        assert answer is not None
        assert answer.decision is not None, answer
        with Pilot(
            name,
            participant="firm-1",
            to=to,
            spool_dir=tmp_path / "spool",
            telemetry_topic=NAMES.telemetry[0],
            options=access(guarded.environment("firm-1")),
        ) as pilot:
            until(lambda: pilot.standing.halted)
            pilot.flush(20)
        assert worker.stop() == 0, worker.tail()
    finally:
        worker.kill()
    for variable, value in guarded.environment("reader").items():
        monkeypatch.setenv(variable, value)

    async def record() -> list[str]:
        seen = read_outputs(guarded.bootstrap, [NAMES.decisions], follow=False)
        return [s.value.level.name async for s in seen if isinstance(s.value, Decision) and s.value.pilot == name]

    assert "HALT" in asyncio.run(record())
