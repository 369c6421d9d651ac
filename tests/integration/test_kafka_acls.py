"""A broker with logins and an authorizer, and the grants that `sandbox-monitor topics acls` applies: each user can do
its part, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from monitor.charter.control import Override
from monitor.cli.topics import topics as command
from monitor.client.control import send_act
from monitor.kafka.acl_admin import AclAdmin, AclEntry
from monitor.kafka.output_consumer import read_outputs
from monitor.kafka.topics import TopicNames
from monitor.model.records import Decision
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


def test_the_whole_way_with_logins(secure: SecureBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The regulator admits and halts, the worker decides, the firm's service obeys and is heard, the reader reads the
    record: each under its own login."""
    fleet = Fleet(3, pilots=1, scenarios=["calm"], start=int(time.time() * 1000), hours=1, period="1h")
    (admission,), (name,) = fleet.admissions(), fleet.pilots
    halt = Override(id="stop-1", pilot=name, author="regulator-1", level="halt", reason="stop")
    log, login = tmp_path / "worker.log", secure.environment("monitor")
    worker = Worker(secure.authority, "sandbox", log, *PARTICIPANTS, environment=login, group="sandbox-monitor")
    regulator, to = secure.login("regulator"), f"kafka://{secure.authority}"
    try:
        worker.wait_ready()
        for act, words in ((admission, 0.0), (halt, 30.0)):
            answer = send_act(to, name, act.id, msgspec.json.encode(act), wait=words, options=regulator)
        assert answer is not None
        assert answer.decision is not None, answer
        with Pilot(
            name,
            participant="firm-1",
            to=f"kafka://{secure.firms}",
            spool_dir=tmp_path / "spool",
            telemetry_topic=NAMES.telemetry[0],
            options=secure.login("firm-1"),
        ) as pilot:
            until(lambda: pilot.standing.halted)
            pilot.flush(20)
        assert worker.stop() == 0, worker.tail()
    finally:
        worker.kill()
    for variable, value in secure.environment("reader").items():
        monkeypatch.setenv(variable, value)

    async def record() -> list[str]:
        seen = read_outputs(secure.authority, [NAMES.decisions], follow=False)
        return [s.value.level.name async for s in seen if isinstance(s.value, Decision) and s.value.pilot == name]

    assert "HALT" in asyncio.run(record())
