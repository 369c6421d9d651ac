"""The shell example obeys a real monitor on a real broker: starts under a permit, stops at a halt, stays stopped, resumes by hand."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.control import Approval, ControlBase, Evaluation, Rectification, Release
from monitor.model import Outputs, Reason
from monitor.sdk.kafka_link import partition_of
from monitor.telemetry import Harm, Severity, encode
from monitor.testing.events import Emitter
from monitor.testing.kafka import Fresh, gathered
from monitor.testing.simulator import Fleet
from monitor.testing.workers import Worker

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(shutil.which("kcat") is None, reason="needs kcat: deploy/local/install-test-servers.sh"),
]
PILOT, PARTITIONS = "pilot-0001", 4
SCRIPT = Path(__file__).parents[2] / "deploy" / "examples" / "obey.sh"


def until(true: Callable[[], bool], seconds: float = 40.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)


@pytest.fixture(name="fresh")
def a_worker(tmp_path: Path) -> Iterator[Fresh]:
    """A worker with the pilot admitted, in several partitions: a client that partitions otherwise would not be heard."""
    fresh = Fresh(PARTITIONS)
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log")
    try:
        worker.wait_ready()
        fleet = Fleet(1, pilots=1, hours=48, start=int(time.time() * 1000) - 48 * 3_600_000)
        put(fresh, *fleet.admissions())
        until(lambda: Reason.ADMITTED in reasons(fresh))
        yield fresh
    finally:
        worker.kill()


def put(fresh: Fresh, *acts: ControlBase) -> None:
    """Control records, each in the partition of its pilot."""
    asyncio.run(fresh.send(fresh.control(acts, lambda pilot: partition_of(pilot, PARTITIONS))))


def out(fresh: Fresh) -> Outputs:
    """Everything that the worker put out."""
    return gathered(asyncio.run(fresh.seen()))


def reasons(fresh: Fresh) -> list[Reason]:
    """The reasons of all decisions."""
    return [decision.reason for decision in out(fresh).decisions]


class Obeyed:
    """The example as a process; its service is a file that is there while it serves."""

    def __init__(self, fresh: Fresh, home: Path) -> None:
        self.serving, self.halted = home / "serving", home / "state" / "halted"
        environment = {**os.environ, "PREFIX": fresh.names.prefix, "EVERY": "1"}
        arguments = [fresh.bootstrap, PILOT, "firm-1/shell", str(home / "state")]
        arguments += [f"touch {self.serving}", f"rm -f {self.serving}"]
        self.process = subprocess.Popen(["sh", str(SCRIPT), *arguments], env=environment, start_new_session=True)

    def up(self) -> bool:
        """Whether the service serves."""
        return self.serving.exists()

    def kill(self) -> None:
        """SIGKILL, the programs it runs included."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def test_the_example_obeys_a_halt_and_nothing_but_a_person_resumes_it(fresh: Fresh, tmp_path: Path) -> None:
    """Permit, start, halt by a reported death, stop, acknowledgement, verification; killed and started again it stays stopped;
    after the release it stays stopped until its file is removed."""
    example = Obeyed(fresh, tmp_path)
    try:
        until(example.up)
        now = int(time.time() * 1000)
        death = Emitter("outside/1", PILOT).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
        where = partition_of(PILOT, PARTITIONS)
        asyncio.run(fresh.send([(fresh.telemetry, PILOT.encode(), encode(death), (), where)]))
        began = time.monotonic()
        until(lambda: not example.up(), 15)
        assert time.monotonic() - began < 10
        until(lambda: Reason.HALT_VERIFIED in reasons(fresh))
        assert Reason.COMMAND_ACKNOWLEDGED in reasons(fresh)
        example.kill()
        example = Obeyed(fresh, tmp_path)
        time.sleep(4)
        assert not example.up()
        by = {"pilot": PILOT, "author": "regulator-1"}
        put(
            fresh,
            Rectification(id="r1", **by, finding="f", cause="c", action="a", evidence="e"),
            Evaluation(id="e1", **by, passed=True, report="r"),
            Approval(id="a1", **by),
            Approval(id="a2", pilot=PILOT, author="regulator-2"),
            Release(id="l1", **by),
        )
        until(lambda: Reason.RELEASED in reasons(fresh))
        time.sleep(4)
        assert not example.up()
        example.halted.unlink()
        until(example.up)
        assert out(fresh).rejected == []
    finally:
        example.kill()
