"""The examples without the SDK obey a real monitor and check its signatures: shell on Kafka, Node over HTTP."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from monitor.charter.control import Approval, Drill, Evaluation, Rectification, Release
from monitor.charter.spec import Responses
from monitor.client.bulk import open_bulk
from monitor.files.key_file import read_key
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity
from monitor.model.records import Reason
from monitor.model.signing import Signer
from monitor.testing.environments import Embedded, Environment, Kafka
from monitor.testing.records import command
from monitor.testing.wait import Until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "deploy" / "examples"
PAGE = ROOT / "monitor" / "sdk" / "WITHOUT-SDK.md"
LEASE = Responses(lease="4s", acknowledge_within="20s")
until = Until(40.0, every=0.1)


def said(beginning: str, home: Path, **variables: str) -> str:
    """Run the command of the page that begins with this text, in `home`; return its output."""
    (line,) = [line for line in PAGE.read_text().splitlines() if line.startswith(beginning)]
    return subprocess.run(
        ["bash", "-c", line], cwd=home, env={**os.environ, **variables}, check=True, capture_output=True, text=True
    ).stdout.strip()


def world_of(kind: type[Embedded] | type[Kafka], tmp_path: Path, pilots: int = 1) -> Environment:
    """A monitor whose charters name a key that was made with the page's commands; the authority's key is next to it."""
    home, state = tmp_path / "environment", tmp_path / "state"
    home.mkdir()
    state.mkdir()
    said("openssl genpkey", state)
    private = subprocess.run(
        ["openssl", "pkey", "-in", "firm.pem", "-outform", "DER"], cwd=state, check=True, capture_output=True
    )
    (home / "firm.key").touch(mode=0o600)
    (home / "firm.key").write_bytes(private.stdout[-32:])
    environment = kind(home, pilots, LEASE)
    assert said('echo "ed25519:', state) == read_key(environment.key).public
    believe(state, str(environment.settings(environment.proxy())["trust"]))
    return environment


def believe(state: Path, trust: str) -> None:
    """Set the key that the example trusts, with the page's command."""
    said("printf -- ", state, TRUST=trust.strip())


class Example:
    """An example as a process; its service is a file that exists while it serves."""

    def __init__(self, home: Path, command: list[str]) -> None:
        self.serving, self.halted = home / "serving", home / "state" / "halted"
        self.log, self._command = home / "example.log", command
        self.start()

    def start(self) -> None:
        """Start it; also again after it was killed or ended."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, f"touch {self.serving}", f"rm -f {self.serving}"],
                env={**os.environ, "PREFIX": "halt", "FIRM": "firm-1", "EVERY": "1"},
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def up(self) -> bool:
        """Whether the service runs."""
        return self.serving.exists()

    def kill(self) -> None:
        """SIGKILL to it and the programs it runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def obeys(environment: Environment, pilot: str, example: Example) -> None:
    """Permit, start, halt by a reported death, stop, acknowledgement, verification; killed and started again it stays
    stopped; after the release it stays stopped until its file is removed, also on a new disk that meets a drill after
    the release."""
    until(example.up)
    now = int(time.time() * 1000)
    environment.report(Emitter("outside/1", pilot).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH))
    until(lambda: not example.up(), 15)
    environment.decisions.wait(pilot, Reason.HALT_VERIFIED)
    assert Reason.COMMAND_ACKNOWLEDGED in [d.reason for d in environment.decisions.of(pilot)]
    example.kill()
    example.start()
    time.sleep(2.5)
    assert not example.up()
    by = {"pilot": pilot, "author": "regulator-1"}
    environment.act(Rectification(id="r1", **by, finding="f", cause="c", action="a", evidence="e"))
    environment.act(Evaluation(id="e1", **by, passed=True, report="r"))
    environment.act(Approval(id="a1", **by))
    environment.act(Approval(id="a2", pilot=pilot, author="regulator-2"))
    environment.act(Release(id="l1", **by, reason="seen on site"))
    environment.decisions.wait(pilot, Reason.RELEASED)
    time.sleep(2.5)  # by now a permit was given for the next standing
    assert not example.up()
    environment.act(Drill(id="d1", **by))  # the newest command: over HTTP the only one that a new start reads
    environment.decisions.wait(pilot, Reason.DRILL_PASSED)
    assert not example.up()
    example.halted.unlink()
    until(example.up)
    example.kill()
    state = example.halted.parent
    for name in ("lifted", "standing"):  # a disk without a record of release or command
        (state / name).unlink(missing_ok=True)
    example.start()
    until(example.halted.exists)
    time.sleep(2.5)
    assert not example.up()
    example.halted.unlink()
    until(example.up)


def test_the_examples_are_short() -> None:
    """An example has at most 40 lines, none wider than a screen."""
    for name in ("obey.sh", "obey.mjs"):
        lines = (EXAMPLES / name).read_text().splitlines()
        assert len(lines) <= 40, name
        assert max(map(len, lines)) <= 130, name


@contextmanager
def obeyed(
    kind: type[Embedded] | type[Kafka], tmp_path: Path, *program: str
) -> Iterator[tuple[Environment, str, Example]]:
    """An environment, its pilot and an example that serves. Before, it has obeyed a halt; after a kill and a restart it
    has stopped the running service and served again; without a network it has stopped at the end of its lease and
    served again afterwards."""
    environment = world_of(kind, tmp_path)
    pilot, proxy = environment.next().pilot, environment.proxy()
    to = f"{'http://' if kind is Embedded else ''}127.0.0.1:{proxy.port}"
    example = Example(tmp_path, [*program, to, pilot, "firm-1/example", str(tmp_path / "state")])
    try:
        obeys(environment, pilot, example)
        example.kill()
        example.start()
        until(lambda: not example.up())  # the service that the killed one left running
        until(example.up)
        proxy.set("cut")
        until(lambda: not example.up())  # its lease is over
        proxy.set("pass")
        until(example.up)
        yield environment, pilot, example
    finally:
        example.kill()
        environment.close()


class SeparateTopics(Kafka):
    """Each firm has separate topics."""

    each = True


def forge(environment: Kafka, pilot: str) -> None:
    """Send a release with a high standing, signed with an untrusted key."""
    forged = command(10_000, "release", pilot, epoch=9)
    producer = open_bulk(f"kafka://{environment.broker.bootstrap}", prefix="halt")
    body = msgspec.json.encode(forged)
    signature = Signer(b"s" * 32).sign("command", body)
    producer._send("halt.commands.firm-1", pilot, body, [("signature", signature.encode())])  # type: ignore[attr-defined]
    producer.flush()
    producer.close()


@pytest.mark.kafka
@pytest.mark.skipif(shutil.which("kcat") is None, reason="needs kcat: deploy/local/install-test-servers.sh")
def test_the_shell_example_obeys_only_its_authority(tmp_path: Path) -> None:
    """On Kafka, in two partitions, through the firm's separate topics, with signed telemetry. A release signed with
    another key lifts nothing; with its file `halted` removed the command keeps it stopped."""
    with obeyed(SeparateTopics, tmp_path, "bash", str(EXAMPLES / "obey.sh")) as (environment, pilot, example):
        assert isinstance(environment, Kafka)
        now = int(time.time() * 1000)
        environment.report(
            Emitter("outside/2", pilot).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
        )
        until(lambda: not example.up() and example.halted.exists())
        forge(environment, pilot)
        until(lambda: "rejected a command" in example.log.read_text())
        example.halted.unlink()
        until(example.halted.exists)
        time.sleep(2.5)
        assert not example.up()
        example.process.terminate()
        example.process.wait(10)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node: deploy/local/install-test-servers.sh")
def test_the_node_example_obeys_only_its_authority(tmp_path: Path) -> None:
    """Over HTTP, with signed telemetry. The service stops with the example. With the key of another authority every
    permit is rejected, and the service does not start again."""
    with obeyed(Embedded, tmp_path, "node", str(EXAMPLES / "obey.mjs")) as (_, _, example):
        example.process.terminate()
        example.process.wait(10)
        assert not example.up()
        believe(tmp_path / "state", Signer(b"s" * 32).public)
        example.start()
        until(lambda: "rejected a " in example.log.read_text())
        time.sleep(1.5)
        assert not example.up()
