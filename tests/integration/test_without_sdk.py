"""The examples without the SDK obey a real monitor and check its signatures: shell on Kafka, Node over HTTP."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from monitor.charter import Responses
from monitor.control import Approval, Evaluation, Rectification, Release
from monitor.model import Command, Reason
from monitor.sdk.bulk import open_bulk
from monitor.signing import Signer
from monitor.telemetry import Harm, Severity
from monitor.testing.events import Emitter
from monitor.testing.worlds import Embedded, Kafka, World

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
LEASE = Responses(lease="8s", acknowledge_within="20s")


def until(true: Callable[[], bool], seconds: float = 40.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)


class Example:
    """An example as a process; its service is a file that is there while it serves."""

    def __init__(self, home: Path, command: list[str], environment: dict[str, str]) -> None:
        self.serving, self.halted = home / "serving", home / "state" / "halted"
        self.log = home / "example.log"
        (home / "state").mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, f"touch {self.serving}", f"rm -f {self.serving}"],
                env={**os.environ, **environment},
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def up(self) -> bool:
        """Whether the service serves."""
        return self.serving.exists()

    def kill(self) -> None:
        """SIGKILL, the programs it runs included."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def obeys(world: World, pilot: str, start: Callable[[], Example]) -> None:
    """Permit, start, halt by a reported death, stop, acknowledgement, verification; killed and started again it stays stopped;
    after the release it stays stopped until its file is removed."""
    example = start()
    try:
        until(example.up)
        now = int(time.time() * 1000)
        world.report(Emitter("outside/1", pilot).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH))
        until(lambda: not example.up(), 15)
        world.seen.wait(pilot, Reason.HALT_VERIFIED)
        assert Reason.COMMAND_ACKNOWLEDGED in [d.reason for d in world.seen.of(pilot)]
        example.kill()
        example = start()
        time.sleep(4)
        assert not example.up()
        by = {"pilot": pilot, "author": "regulator-1"}
        world.act(Rectification(id="r1", **by, finding="f", cause="c", action="a", evidence="e"))
        world.act(Evaluation(id="e1", **by, passed=True, report="r"))
        world.act(Approval(id="a1", **by))
        world.act(Approval(id="a2", pilot=pilot, author="regulator-2"))
        world.act(Release(id="l1", **by))
        world.seen.wait(pilot, Reason.RELEASED)
        time.sleep(4)
        assert not example.up()
        example.halted.unlink()
        until(example.up)
    finally:
        example.kill()


@pytest.mark.kafka
@pytest.mark.skipif(shutil.which("kcat") is None, reason="needs kcat: deploy/local/install-test-servers.sh")
def test_the_shell_example_obeys_and_believes_nobody_else(tmp_path: Path) -> None:
    """On Kafka, in two partitions, its own word signed. Afterwards a release and permits that a stranger signed lift nothing."""
    (tmp_path / "world").mkdir()
    world = Kafka(tmp_path / "world", 2, LEASE)
    pilot = world.next().pilot
    trust = str(world.settings(world.proxy())["trust"])
    environment = {"PREFIX": "halt", "EVERY": "1", "TRUST": trust, "KEY": str(world.key)}
    command = ["sh", str(EXAMPLES / "obey.sh"), world.broker.bootstrap, pilot, "firm-1/shell", str(tmp_path / "state")]

    started: list[Example] = []

    def start() -> Example:
        started.append(Example(tmp_path, command, environment))
        return started[-1]

    try:
        obeys(world, pilot, start)
        pilot = command[3] = world.next().pilot
        example = start()
        until(example.up)
        now = int(time.time() * 1000)
        world.report(Emitter("outside/2", pilot).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH))
        until(lambda: not example.up() and example.halted.exists())
        world.seen.wait(pilot, Reason.HALT_VERIFIED)
        forged = Command(
            id="f",
            pilot=pilot,
            action="release",
            standing=10_000,
            epoch=9,
            reason=Reason.RELEASED,
            decision="d",
            at=0,
        )
        producer = open_bulk(f"kafka://{world.broker.bootstrap}", prefix="halt")
        body = msgspec.json.encode(forged)
        signature = Signer(b"s" * 32).sign("command", body)
        producer._send("halt.commands", pilot, body, [("signature", signature.encode())])  # type: ignore[attr-defined]
        producer.flush()
        producer.close()
        until(lambda: "a command was not believed" in example.log.read_text())
        example.halted.unlink()  # now nothing but the command keeps it
        time.sleep(3)
        assert not example.up()
        assert example.halted.exists()
    finally:
        for one in started:
            one.kill()
        world.close()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node: deploy/local/install-test-servers.sh")
def test_the_node_example_obeys(tmp_path: Path) -> None:
    """Over HTTP, its own word signed."""
    (tmp_path / "world").mkdir()
    world = Embedded(tmp_path / "world", 1, LEASE)
    pilot = world.next().pilot
    settings = world.settings(world.proxy())
    where = [str(settings["to"]), pilot, "firm-1/node", str(settings["trust"]).strip()]
    command = ["node", str(EXAMPLES / "obey.mjs"), *where, str(tmp_path / "state" / "halted")]
    try:
        obeys(world, pilot, lambda: Example(tmp_path, command, {"KEY": str(world.key)}))
    finally:
        world.close()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node: deploy/local/install-test-servers.sh")
def test_the_node_example_believes_only_its_authority(tmp_path: Path) -> None:
    """With the key of another authority no permit is believed, so it never serves."""
    (tmp_path / "world").mkdir()
    world = Embedded(tmp_path / "world", 1, LEASE)
    settings = world.settings(world.proxy())
    where = [str(settings["to"]), world.next().pilot, "firm-1/node", Signer(b"s" * 32).public]
    command = ["node", str(EXAMPLES / "obey.mjs"), *where, str(tmp_path / "state" / "halted")]
    example = Example(tmp_path, command, {"KEY": str(world.key)})
    try:
        until(lambda: "was not believed" in example.log.read_text())
        time.sleep(2)
        assert not example.up()
    finally:
        example.kill()
        world.close()
