"""A telemetry topic for each participant: a new one is read without a restart, one with wrong settings is named and
not read."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from monitor.charter.control import Admission
from monitor.charter.spec import Participant
from monitor.kafka.topics import TopicNames, create_topics, participant_topics
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Decision, Level, Reason
from monitor.testing.kafka import Fresh, Sent, until
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
