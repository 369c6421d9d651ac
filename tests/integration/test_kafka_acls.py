"""A broker with logins and an authorizer, and the grants that `sandbox-monitor topics acls` applies: each user can do
its part, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from monitor.__main__ import cli
from monitor.access.kafka_handshake import require_login
from monitor.cli.topics import topics as command
from monitor.errors import Refused
from monitor.kafka.acl_admin import AclAdmin, AclEntry
from monitor.kafka.topics import TopicNames
from monitor.sdk import Pilot
from monitor.simulation.fleet import Fleet
from monitor.testing.secure_broker import OPERATOR, SecureBroker
from monitor.testing.wait import Until
from monitor.testing.workers import Worker

pytestmark = pytest.mark.kafka
FIRMS = ("firm-1", "firm-2")
NAMES = TopicNames("sandbox", FIRMS)
PARTICIPANTS = [word for firm in FIRMS for word in ("--participant", firm)]
until = Until(60.0, every=0.05)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """A broker that refuses everything that is not granted; topics and grants are made by the commands."""
    with SecureBroker(tmp_path_factory.mktemp("acls") / "broker", firms=FIRMS) as broker:
        created = run(broker, OPERATOR, "create", "--partitions", "1", *PARTICIPANTS)
        assert created.exit_code == 0, created.output
        applied = run(broker, OPERATOR, "acls", "--apply", *PARTICIPANTS)
        assert applied.exit_code == 0, applied.output
        until(lambda: run(broker, OPERATOR, "acls", "--check", *PARTICIPANTS).exit_code == 0)
        yield broker


def run(broker: SecureBroker, user: str, *words: str) -> Result:
    """`sandbox-monitor topics ...` as a user."""
    arguments = [words[0], "--bootstrap", broker.address(user), *words[1:]]
    return CliRunner().invoke(command, arguments, env=broker.environment(user))


def test_applying_the_grants_again_changes_nothing(secure: SecureBroker) -> None:
    """The second run adds nothing, finds nothing stale and exits with 0."""
    again = run(secure, OPERATOR, "acls", "--apply", *PARTICIPANTS)
    assert (again.exit_code, again.stdout) == (0, ""), again.output


def test_a_grant_beyond_the_list_is_found_and_removed_on_request(secure: SecureBroker) -> None:
    """A former firm's grant, one for everybody and one by prefix are stale; one on other topics is not."""
    stale = [
        AclEntry("gone", "Write", "topic", "sandbox.telemetry.gone"),
        AclEntry("*", "Read", "topic", "*"),
        AclEntry("other", "Read", "topic", "sand", prefixed=True),
        AclEntry("other", "Alter", "cluster", "kafka-cluster"),
    ]
    foreign = AclEntry("other", "Read", "topic", "orders")
    with AclAdmin(secure.authority, secure.login(OPERATOR)) as admin:
        admin.add([*stale, foreign])
        until(lambda: admin.existing() >= {*stale, foreign})
        checked = run(secure, OPERATOR, "acls", "--check", *PARTICIPANTS)
        applied = run(secure, OPERATOR, "acls", "--apply", *PARTICIPANTS)
        for answer in (checked, applied):
            assert answer.exit_code == 1
            assert answer.stdout.splitlines() == [f"stale: {entry}" for entry in sorted(stale)]
        removed = run(secure, OPERATOR, "acls", "--apply", "--remove-stale", *PARTICIPANTS)
        assert removed.exit_code == 0, removed.output
        until(lambda: not admin.existing() & set(stale))
        assert foreign in admin.existing()
        admin.remove([foreign])


def test_only_the_operator_changes_grants(secure: SecureBroker) -> None:
    """Any other user is told to log in as the operator; exit code 1."""
    refused = run(secure, "monitor", "acls", "--apply", *PARTICIPANTS)
    assert refused.exit_code == 1
    assert "log in as the operator" in str(refused.exception)


def test_a_participant_with_the_name_of_another_user_is_refused(secure: SecureBroker) -> None:
    """It would have the other user's grants."""
    refused = run(secure, OPERATOR, "acls", "--participant", "regulator")
    assert refused.exit_code == 1
    assert "regulator has the name of a user of the authority" in str(refused.exception)


def test_a_firm_that_comes_later_gets_a_user(secure: SecureBroker) -> None:
    """`topics users` makes it with a password that only its owner can read; a user that exists keeps its password."""
    words = ("users", "--participant", "firm-9", "--password-dir", str(secure.clients))
    assert run(secure, OPERATOR, *words).stdout == "created firm-9\n"
    until(lambda: accepted(secure, "firm-9"))
    assert run(secure, OPERATOR, *words).stdout == ""
    assert secure.password_file("firm-9").stat().st_mode & 0o077 == 0
    refused = run(secure, "monitor", *words)
    assert refused.exit_code == 1
    assert "log in as the operator" in str(refused.exception)


def accepted(broker: SecureBroker, user: str) -> bool:
    """Whether the broker takes the user's login: it learns of a user a moment after it was made."""
    try:
        require_login([broker.firms], broker.login(user))
    except Refused:
        return False
    return True


class Process:
    """One process of the monitor under its user's login; its output goes to `log`."""

    def __init__(self, broker: SecureBroker, user: str, log: Path, *words: str) -> None:
        command = [sys.executable, "-m", "monitor", *words, "--bootstrap", broker.address(user)]
        self.log = log
        with log.open("wb") as out:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ | broker.environment(user)
            )

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.child.terminate()
        try:
            return self.child.wait(60)
        finally:
            self.child.kill()


class Commands:
    """The commands of a person, each under a login. Each returns what it printed."""

    def __init__(self, broker: SecureBroker) -> None:
        self._broker = broker

    def act(self, user: str, *words: str, author: str = "regulator-1") -> str:
        """An act, sent to `control`; its outcome is awaited."""
        return self.run(user, *words, "--author", author, "--to", f"kafka://{self._broker.address(user)}")

    def run(self, user: str, *words: str) -> str:
        """Any command. Fails unless it exits with 0."""
        done = CliRunner().invoke(cli, list(words), env=self._broker.environment(user))
        assert done.exit_code == 0, (words, done.output, done.exception)
        return done.output


WHY = ("--reason", "by hand")


def test_every_process_and_command_runs_under_its_grants(secure: SecureBroker, tmp_path: Path) -> None:
    """Worker, notary, actors and second stage, the life of a pilot by the regulator's commands, the firm's service
    and its appeal: each under its own login. The broker denies none of their operations."""
    fleet = Fleet(3, pilots=2, scenarios=["calm"], start=int(time.time() * 1000), hours=1, period="1h")
    admissions = list(fleet.admissions())
    files = [tmp_path / f"{admission.pilot}.json" for admission in admissions]
    for file, admission in zip(files, admissions, strict=True):
        file.write_bytes(msgspec.json.encode(admission.charter))
    before, commands, ledger = len(secure.denials()), Commands(secure), tmp_path / "ledger"
    log, environment = tmp_path / "worker.log", secure.environment("monitor")
    worker = Worker(secure.authority, "sandbox", log, "--each", environment=environment, group="sandbox-monitor")
    lines = tmp_path / "decisions.jsonl"
    processes = {
        "notary": Process(secure, "notary", tmp_path / "notary.log", "notary", "--dir", str(ledger), "--port", "0"),
        "act": Process(
            secure, "act", tmp_path / "act.log", "act", "--dir", str(tmp_path / "act"), "--json-lines", str(lines)
        ),
        "pool": Process(secure, "pool", tmp_path / "pool.log", "pool"),
        "gateway": Process(secure, "gateway", tmp_path / "gateway.log", "gateway", "--port", "0"),
    }
    try:
        worker.wait_ready(300)
        pilot, firm = fleet.pilots[0], admissions[0].charter.participant.id
        life(commands, [str(file) for file in files], secure, tmp_path / "spool", pilot, firm)
        until(lambda: lines.exists() and "released" in lines.read_text())
        until(lambda: list(ledger.glob("*.ledger")) and "released" in commands.run("reader", *shown(ledger, pilot)))
        appeal(commands, secure, tmp_path / "history", ledger, pilot)
        assert [name for name, process in processes.items() if process.child.poll() is not None] == []
    finally:
        ended = {name: process.stop() for name, process in processes.items()}
        ended["worker"] = worker.stop(60)
    assert set(ended.values()) == {0}, {n: p.log.read_text() for n, p in processes.items()}
    assert secure.denials()[before:] == []


def life(commands: Commands, files: list[str], broker: SecureBroker, spool: Path, pilot: str, firm: str) -> None:
    """A pilot is admitted, halted, obeys, is released; another is watched, shelved and dismissed."""
    commands.act("regulator", "admit", *files)
    facts = ("--finding", "f", "--cause", "c", "--action", "a", "--evidence", "e")
    service = Pilot(
        pilot,
        participant=firm,
        to=f"kafka://{broker.firms}",
        spool_dir=spool,
        telemetry_topic=NAMES.telemetry_of(firm),
        options=broker.login(firm),
    )
    with service:
        commands.act("regulator", "override", pilot, "halt", *WHY)
        until(lambda: service.standing.halted)
        commands.act("regulator", "rectify", pilot, *facts, author=firm)
        commands.act("regulator", "evaluate", pilot, "--passed", "--report", "r")
        commands.act("regulator", "approve", pilot)
        commands.act("regulator", "approve", pilot, author="regulator-2")
        commands.act("regulator", "release", pilot, *WHY)
        until(lambda: not service.standing.halted)
        service.flush(30)
    commands.act("regulator", "drill", pilot)
    assert pilot in commands.run("regulator", "charter", "show", pilot, "--to", f"kafka://{broker.authority}")


def shown(ledger: Path, pilot: str) -> list[str]:
    """The command that shows a pilot's ledger."""
    return ["ledger", "show", "--json", str(next(ledger.glob(f"{pilot}*.ledger")))]


def appeal(commands: Commands, broker: SecureBroker, history: Path, ledger: Path, pilot: str) -> None:
    """The history is exported and replayed against the ledger."""
    where = ("--bootstrap", broker.authority, "--quiet")
    out = CliRunner().invoke(cli, ["export", "--pilot", pilot, *where], env=broker.environment("regulator"))
    assert out.exit_code == 0, (out.output, out.exception)
    history.write_bytes(out.stdout_bytes)
    commands.run("reader", "replay", str(history), "--against", str(ledger))
