"""A firm that may read its own topics only: status and rejections of its pilot come from commands and permits.

To its login the topics of others are not there, so this broker has none of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest
from click.testing import CliRunner, Result
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from monitor.__main__ import cli
from monitor.errors import Unavailable
from monitor.halt_ground import Ground
from monitor.model.notice import Notice, Rejection
from monitor.model.records import Permit
from monitor.testing.broker import KafkaBroker
from monitor.testing.records import command

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]
NOTICE = Notice(
    rejected={"bad_time": 3},
    uncounted={"counted_nowhere": 2},
    newest=(Rejection(1_000, "time", "bad_time", "no offset"), Rejection(2_000, "data.unit", "counted_nowhere", "x")),
    findings=("counted_nowhere",),
)
GROUND = Ground(
    indicator="complaints", rule="limit_e_process", observed=36.0, expected=6.09, exposure=6090.0, unit="decisions"
)


@pytest.fixture(scope="module")
def to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with the topics of firm-1, a halt of its pilot, and permits, the last of another pilot."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as running:
        admin = KafkaAdminClient(bootstrap_servers=running.bootstrap)
        admin.create_topics([NewTopic(f"sandbox.{name}.firm-1", 2, 1) for name in ("telemetry", "commands", "permits")])
        admin.close()
        producer = KafkaProducer(bootstrap_servers=running.bootstrap, acks="all")
        halt = command(7, "halt", ground=GROUND)
        records = [
            ("commands", "p-1", halt),
            ("permits", "p-1", Permit(pilot="p-1", nonce="n", standing=7, epoch=1, lease_ms=60_000)),
            ("permits", "p-1", Permit(pilot="p-1", nonce="m", standing=7, epoch=1, lease_ms=60_000, notice=NOTICE)),
            ("permits", "p-2", Permit(pilot="p-2", nonce="m", standing=0, epoch=1, lease_ms=60_000)),
        ]
        for name, pilot, record in records:
            producer.send(f"sandbox.{name}.firm-1", msgspec.json.encode(record), key=pilot.encode())
        producer.flush()
        producer.close()
        yield f"kafka://{running.bootstrap}"


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_a_firm_sees_its_halt_with_the_numbers_and_what_has_no_effect(to: str) -> None:
    """Command, numbers, findings and rejections; a hint says where the rest is. `--json` has the same."""
    shown = typed("status", "p-1", "--to", to, "--author", "firm-1")
    assert shown.exit_code == 0, shown.output
    assert "p-1: halted" in shown.output
    assert "complaints: 36 events in 6,090 decisions where at most 6.09 are allowed" in shown.output
    assert "3 events rejected, time (bad_time): no offset" in shown.output
    assert "data.unit (counted_nowhere)" in shown.output
    assert "topics of firm-1" in shown.stderr
    found = json.loads(typed("status", "p-1", "--to", to, "--author", "firm-1", "--json").stdout)
    assert (found["command"]["standing"], found["notice"]["rejected"]) == (7, {"bad_time": 3})


def test_rejections_come_from_the_newest_permit(to: str) -> None:
    """Each kind with its number and fix; those of another pilot are not shown."""
    shown = typed("rejections", "p-1", "--to", to, "--author", "firm-1", "--json")
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(row["reason"], row["events"]) for row in rows] == [("counted_nowhere", 2), ("bad_time", 3)]
    assert all(row["fix"] for row in rows)
    assert typed("rejections", "p-2", "--to", to, "--author", "firm-1", "--json").stdout == ""


def test_without_an_author_the_missing_topic_is_named(to: str) -> None:
    """Nothing is guessed: who has no rights and names no firm is told what is not there."""
    with pytest.raises(Unavailable, match=r"has no topic sandbox\.decisions"):
        typed("status", "p-1", "--to", to)
