"""A telemetry topic for each participant: a new one is read without a restart, one with wrong settings is named and
not read."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from monitor.charter.control import Admission, Override
from monitor.charter.spec import Participant
from monitor.kafka.log import KafkaLog
from monitor.kafka.output_consumer import read_outputs
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.settings import LogSettings
from monitor.kafka.topics import TopicNames, create_topics, participant_topics
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Command, Decision, Level, Outputs, Position, Reason
from monitor.testing.kafka import Fresh, Sent, until
from monitor.testing.records import command
from monitor.testing.workers import Worker
from tests.unit.engine.test_machine import charter

pytestmark = pytest.mark.kafka


def admission(pilot: str, firm: str) -> Admission:
    made = charter(pilot=pilot, participant=Participant(firm))
    return Admission(id=f"admit-{pilot}", pilot=pilot, author="anna", charter=made)


def death(names: TopicNames, firm: str, pilot: str, partition: int) -> Sent:
    event = Emitter(f"svc/{pilot}", pilot).incident(int(time.time() * 1000), Severity.SERIOUS_INCIDENT, Harm.DEATH)
    return f"{names.prefix}.telemetry.{firm}", pilot.encode(), encode(event), (), partition


def test_a_new_participant_is_read_without_a_restart(tmp_path: Path) -> None:
    """Two firms have topics; a third one is created while the worker runs, and its pilot is halted like any other."""
    fresh = Fresh(partitions=2, participants=("acme", "bolt"))
    acts = [admission(f"p-{firm}", firm) for firm in ("acme", "bolt", "cove")]
    where = {"p-acme": 0, "p-bolt": 1, "p-cove": 1}
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", "--each").wait_ready()

    async def halted(pilot: str) -> bool:
        return any(
            isinstance(s.value, Decision) and s.value.pilot == pilot and s.value.level == Level.HALT
            for s in await fresh.seen()
        )

    async def admitted() -> bool:
        decisions = [s.value for s in await fresh.seen() if isinstance(s.value, Decision)]
        return {d.pilot for d in decisions if d.reason is Reason.ADMITTED} == set(where)

    async def go() -> None:
        await fresh.send(fresh.control(acts, where.__getitem__))
        await until(admitted)
        await fresh.send([death(fresh.names, "acme", "p-acme", 0)])
        await until(lambda: halted("p-acme"), 40)
        wrong = participant_topics(TopicNames(fresh.names.prefix, ("dune",)), 1, 1)  # one partition is too few
        right = participant_topics(TopicNames(fresh.names.prefix, ("cove",)), 2, 1)
        await create_topics(fresh.bootstrap, [*wrong, *right])
        await fresh.send([death(fresh.names, "cove", "p-cove", 1), death(fresh.names, "bolt", "p-bolt", 1)])
        await until(lambda: halted("p-cove"), 60)
        await until(lambda: halted("p-bolt"), 20)

    try:
        asyncio.run(go())
        assert worker.running
        assert worker.ready
        assert f"{fresh.names.prefix}.telemetry.dune: has 1 partitions, not 2; fix:" in worker.log.read_text()
        assert worker.stop() == 0
    finally:
        if worker.running:
            worker.kill()


def test_readers_find_commands_topics_that_are_created_later() -> None:
    """A reader of the commands of all participants reads a topic that did not exist when it began, from its first
    record, and goes on with the others where it was."""
    fresh = Fresh(participants=("acme",))
    names = TopicNames(fresh.names.prefix)
    made = participant_topics(TopicNames(fresh.names.prefix, ("bolt",)), 1, 1)
    seen: list[tuple[str, int]] = []

    async def write(participant: str, standing: int) -> None:
        settings = LogSettings(
            bootstrap=fresh.bootstrap,
            prefix=names.prefix,
            group=names.prefix,
            participants=(participant,),
            per_participant=True,
        )
        log = KafkaLog(settings, 0)
        try:
            await log.claim()
            outputs = Outputs(commands=[command(standing)], participants={"p-1": participant})
            await log.write(outputs, Position({"t": standing}), None)
        finally:
            await log.close()

    async def go() -> None:
        async def follow() -> None:
            async for item in read_outputs(fresh.bootstrap, names.every_commands):
                assert isinstance(item.value, Command)
                seen.append((item.topic, item.value.standing))

        reading = asyncio.create_task(follow())
        await write("acme", 1)
        await until(lambda: asyncio.sleep(0, len(seen) == 1))
        await create_topics(fresh.bootstrap, made)
        await write("bolt", 2)
        await until(lambda: asyncio.sleep(0, len(seen) == 2))
        await write("acme", 3)
        await until(lambda: asyncio.sleep(0, len(seen) == 3))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    asyncio.run(go())
    acme, bolt = names.commands_of("acme"), names.commands_of("bolt")
    assert seen == [(acme, 1), (bolt, 2), (acme, 3)]


def test_deleted_topics_of_one_firm_stop_no_other_firm(tmp_path: Path) -> None:
    """All topics of a firm are deleted while the worker runs: it goes on; the other firm's pilot is halted, and what is
    for the firm's own pilot goes to the shared topic, from which it reaches new topics of the firm."""
    fresh = Fresh(participants=("acme", "bolt"))
    names, worker = fresh.names, Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", "--each")
    acme = participant_topics(TopicNames(names.prefix, ("acme",)), 1, 1)

    def halt(pilot: str) -> Override:
        return Override(id=f"halt-{pilot}", pilot=pilot, author="anna", level="halt", reason="stop")

    async def commanded(topic: str, pilot: str) -> bool:
        found = [s for s in await fresh.seen() if isinstance(s.value, Command) and s.value.pilot == pilot]
        return topic in {s.topic for s in found}

    async def go() -> None:
        await fresh.send(fresh.control([admission("p-acme", "acme"), admission("p-bolt", "bolt")]))
        await until(lambda: decided(fresh, 2))
        admin = AIOKafkaAdminClient(bootstrap_servers=fresh.bootstrap)
        await admin.start()
        await admin.delete_topics([topic.name for topic in acme])
        await admin.close()
        await until(lambda: asyncio.sleep(0, "participants.gone" in worker.log.read_text()))
        await fresh.send(fresh.control([halt("p-acme"), halt("p-bolt")]))
        await until(lambda: commanded(names.commands_of("bolt"), "p-bolt"))
        await until(lambda: commanded(names.commands, "p-acme"))
        await create_topics(fresh.bootstrap, acme)
        reader = PartitionReader(fresh.bootstrap)
        await reader.start()
        try:
            await until(lambda: written(reader, names.commands_of("acme")))
        finally:
            await reader.stop()

    try:
        worker.wait_ready(180)
        asyncio.run(go())
        assert worker.running
    finally:
        worker.kill()


async def decided(fresh: Fresh, decisions: int) -> bool:
    """Whether so many decisions were made."""
    return len([s for s in await fresh.seen() if isinstance(s.value, Decision)]) >= decisions


async def written(reader: PartitionReader, topic: str) -> bool:
    """Whether the topic has a committed record."""
    return bool([raw async for raw in reader.all(topic, 0)])
