"""From shared topics to separate topics for each firm, while pilots are halted: no event and no halt is lost."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner

from monitor.charter.control import Admission, Override
from monitor.charter.spec import Participant
from monitor.cli.topics import topics as command
from monitor.errors import Halted
from monitor.kafka.topics import TopicNames, create_topics, participant_topics
from monitor.model.events import Harm, Severity
from monitor.sdk import Pilot
from monitor.testing.kafka import Fresh
from monitor.testing.wait import Until
from monitor.testing.workers import Worker
from tests.unit.engine.test_machine import charter

pytestmark = [
    pytest.mark.kafka,
    # kafka-python 3.0 does not close the sockets of failed connections.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]
until = Until(120.0, every=0.1)
PILOTS = ("stood", "died", "midway", "later")


class Deployment:
    """One worker at a time on shared topics, and the services of the firm acme."""

    def __init__(self, home: Path) -> None:
        self.home, self.fresh = home, Fresh()
        self.worker: Worker | None = None
        self.services: list[Pilot] = []

    def start(self, *options: str) -> Worker:
        prefix = self.fresh.names.prefix
        log = self.home / "worker.log"
        self.worker = Worker(self.fresh.bootstrap, prefix, log, "--session-timeout", "6", *options)
        return self.worker

    def service(self, pilot: str, topics: Literal["own", "shared"] | None = None) -> Pilot:
        """A service in a directory that no other start of it used: it knows nothing but what it reads."""
        made = Pilot(
            pilot,
            participant="acme",
            to=f"kafka://{self.fresh.bootstrap}",
            topic_prefix=self.fresh.names.prefix,
            topics=topics,
            spool_dir=self.home / f"{pilot}-{len(self.services)}",
            heartbeat_s=0.5,
        )
        self.services.append(made)
        return made

    def send(self, *acts: Admission | Override) -> None:
        asyncio.run(self.fresh.send(self.fresh.control(acts)))

    def halt(self, pilot: str) -> None:
        self.send(Override(id=f"halt-{pilot}", pilot=pilot, author="anna", level="halt", reason="stop"))

    def create_topics(self) -> None:
        names = TopicNames(self.fresh.names.prefix, ("acme",))
        asyncio.run(create_topics(self.fresh.bootstrap, participant_topics(names, 1, 1)))

    def migrate(self) -> tuple[int, str]:
        flags = ["--bootstrap", self.fresh.bootstrap, "--prefix", self.fresh.names.prefix, "--participant", "acme"]
        answer = CliRunner().invoke(command, ["migrate", *flags])
        return answer.exit_code, answer.output

    def close(self) -> None:
        for service in self.services:
            service.close(2.0)
        if self.worker is not None:
            self.worker.kill()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A worker on shared topics with four admitted pilots of one firm, of which one is halted."""
    made = Deployment(tmp_path)
    try:
        made.start().wait_ready()
        plans = {pilot: charter(pilot=pilot, participant=Participant("acme")) for pilot in PILOTS}
        made.send(*(Admission(id=f"admit-{p}", pilot=p, author="anna", charter=c) for p, c in plans.items()))
        made.halt("stood")
        yield made
    finally:
        made.close()
        gc.collect()


def halted(service: Pilot) -> bool:
    """Whether the guard of the service refuses work because of a halt."""
    try:
        with service.guard():
            return False
    except Halted:
        return service.standing.halted


def test_a_migration_loses_no_event_and_no_halt(deployment: Deployment) -> None:
    """A pilot that was halted before, a death that was reported while no worker ran, a halt while the worker that moves
    is killed, and one after the shared topics: each service is halted, whichever topics it reads."""
    d = deployment
    old = {pilot: d.service(pilot, "shared") for pilot in ("stood", "died", "midway")}
    both = d.service("later")
    until(lambda: halted(old["stood"]) and both.standing.known)
    assert d.worker is not None
    assert d.worker.stop() == 0
    assert "shared topics, for trials" in d.worker.log.read_text()
    old["died"].incident("i-1", Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
    old["died"].flush(30)

    moving = d.start("--each", "--also-shared").wait_ready()
    until(lambda: halted(old["died"]))
    assert d.migrate()[0] == 1
    d.create_topics()
    d.halt("midway")
    moving.kill()  # before, while or after it found the topics
    d.start("--each", "--also-shared").wait_ready()
    until(lambda: halted(old["midway"]))
    new = {pilot: d.service(pilot, "own") for pilot in old}
    until(lambda: all(halted(service) for service in new.values()))
    assert not halted(both)
    for service in old.values():
        service.close(10.0)
    both.close(10.0)
    until(lambda: d.migrate()[0] == 0)
    assert "its services may move" in d.migrate()[1]

    assert d.worker.stop() == 0
    own = d.service("later")
    d.start("--each").wait_ready()
    until(lambda: own.standing.known)
    d.halt("later")
    until(lambda: halted(own))
    assert own.status().send_error == ""
    assert "telemetry.shared_topic_not_read" not in d.worker.log.read_text()
