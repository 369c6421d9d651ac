"""The SDK with a real Kafka broker: no acknowledged event is lost, order is kept, a halt is obeyed at once."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from monitor.client.bulk import open_bulk
from monitor.errors import Halted, Unavailable
from monitor.model.events import CommandAcknowledged, Event, Heartbeat
from monitor.model.records import Command
from monitor.sdk import Pilot
from monitor.sdk.kafka_link import REQUEST_TIMEOUT_S, partition_of
from monitor.simulation.fleet import Fleet
from monitor.testing.broker import KafkaBroker
from monitor.testing.records import command
from monitor.testing.wait import Until
from tests.processes import piped

pytestmark = [
    pytest.mark.kafka,
    # kafka-python 3.0 does not close the sockets of failed connections.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]
PARTITIONS = 4
BATCH = msgspec.json.Decoder(list[Event])
until = Until(60.0)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One broker for this file, with the topics that the SDK uses."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as running:
        admin = KafkaAdminClient(bootstrap_servers=running.bootstrap)
        compacted = {"cleanup.policy": "compact"}
        admin.create_topics(
            [
                NewTopic("sandbox.telemetry", PARTITIONS, 1),
                NewTopic("sandbox.control", PARTITIONS, 1),
                NewTopic("sandbox.commands", PARTITIONS, 1, topic_configs=compacted),
            ]
        )
        admin.close()
        yield running


@pytest.fixture(autouse=True)
def no_warning_of_ours_in_other_tests() -> Iterator[None]:
    """Collect the sockets that kafka-python leaves open while their warnings are expected."""
    yield
    gc.collect()


def make(broker: KafkaBroker, home: Path, pilot: str, **more: Any) -> Pilot:
    """A pilot that sends nothing automatically."""
    return Pilot(
        pilot,
        participant="firm",
        **{"to": f"kafka://{broker.bootstrap}", "spool_dir": home, "heartbeat_s": 0, "follow": False} | more,
    )


def arrived(broker: KafkaBroker, pilot: str, topic: str = "sandbox.telemetry") -> list[Any]:
    """Every record of `pilot` in its partition, as (headers, events)."""
    at = TopicPartition(topic, partition_of(pilot, PARTITIONS))
    consumer = KafkaConsumer(
        bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, group_id=None
    )
    try:
        consumer.assign([at])
        end = consumer.end_offsets([at])[at]
        records = []
        while consumer.position(at) < end:
            for batch in consumer.poll(timeout_ms=500).values():
                records += [r for r in batch if r.key == pilot.encode()]
        return records
    finally:
        consumer.close()


def events(broker: KafkaBroker, pilot: str) -> list[Event]:
    """Every event of `pilot`, in order."""
    return [event for record in arrived(broker, pilot) for event in BATCH.decode(record.value)]


def first_of_each(found: list[Event]) -> list[tuple[str, int]]:
    """(source, number) in order of first arrival."""
    return list(dict.fromkeys((e.source, int(e.sequence)) for e in found))


def put_command(broker: KafkaBroker, command: Command, **settings: Any) -> None:
    """Write a command like the monitor: in a committed transaction, keyed by pilot."""
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=f"test-{command.pilot}", **settings)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send("sandbox.commands", msgspec.json.encode(command), key=command.pilot.encode())
    producer.commit_transaction()
    producer.close()


def test_events_arrive_packed_keyed_and_in_order(broker: KafkaBroker, tmp_path: Path) -> None:
    """A record is a CloudEvents batch of up to `pack` events, with its content type, in the pilot's partition."""
    with make(broker, tmp_path, "packed", pack=40) as pilot, pilot.together():
        for n in range(100):
            pilot.complaint(f"c-{n}")
    records = arrived(broker, "packed")
    assert [len(BATCH.decode(r.value)) for r in records] == [40, 40, 20]
    assert {tuple(r.headers) for r in records} == {(("content-type", b"application/cloudevents-batch+json"),)}
    assert [int(e.sequence) for e in events(broker, "packed")] == list(range(1, 101))


def test_a_restart_of_the_broker_loses_nothing(broker: KafkaBroker, tmp_path: Path) -> None:
    """Reports return while the broker is down; after its restart all events arrive, first arrivals in order."""
    with make(broker, tmp_path, "outage", pack=10) as pilot:
        for n in range(50):
            pilot.complaint(f"before-{n}")
        pilot.flush()
        broker.kill()
        began = time.monotonic()
        for n in range(100):
            pilot.complaint(f"during-{n}")
        # A call costs one fsync, whatever the broker does: if one in ten waited for the broker, this would take longer.
        assert time.monotonic() - began < 10 * REQUEST_TIMEOUT_S
        with pytest.raises(Unavailable, match="wait in the spool"):
            pilot.flush(1.0)
        broker.start()
        for n in range(50):
            pilot.complaint(f"after-{n}")
        pilot.flush(60)
        assert pilot.status().waiting_bytes == 0
    assert first_of_each(events(broker, "outage")) == [(pilot.source, n) for n in range(1, 201)]


CHILD = """
import sys
from monitor.sdk import Pilot
pilot = Pilot("killed", participant="firm", to=sys.argv[1], spool_dir=sys.argv[2], heartbeat_s=0, follow=False, pack=20)
print(pilot.source, flush=True)
n = 0
while True:
    n += 1
    pilot.complaint(f"c-{n}")
    print(n, flush=True)  # acknowledged to the caller
"""


def test_a_killed_service_loses_nothing_that_was_acknowledged(broker: KafkaBroker, tmp_path: Path) -> None:
    """After each of three SIGKILLs over one spool every event whose call had returned arrives, in order per
    incarnation."""
    acknowledged: dict[str, int] = {}
    for _ in range(3):
        child = piped(
            [sys.executable, "-c", CHILD, f"kafka://{broker.bootstrap}", str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        source = child.stdout.readline().strip()
        for _ in range(150):
            last = child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split("\n")[:-1]  # the last line may be torn
        acknowledged[source] = int((rest or [last])[-1])
        child.stdout.close()
        child.wait()
    with make(broker, tmp_path, "killed") as pilot:
        pilot.flush(60)
    found = first_of_each(events(broker, "killed"))
    assert list(dict.fromkeys(source for source, _ in found)) == list(acknowledged)
    for source, last_number in acknowledged.items():
        numbers = [n for s, n in found if s == source]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= last_number
    assert sum(acknowledged.values()) >= 450


def test_a_halt_on_the_topic_refuses_work_within_a_second(broker: KafkaBroker, tmp_path: Path) -> None:
    """Measured from the commit of the command to the first refusal; acknowledgement and idle heartbeats follow."""
    with make(broker, tmp_path, "guarded", follow=True, heartbeat_s=5.0) as pilot:
        until(lambda: pilot.standing.known)
        with pilot.guard("case-1"):
            pass
        put_command(broker, command(4, pilot="guarded"))
        began = time.monotonic()
        until(lambda: pilot.standing.halted, 5)
        assert time.monotonic() - began < 1.0
        with pytest.raises(Halted, match="guarded is halted since"), pilot.guard():
            pytest.fail("the guard let work begin")
        put_command(broker, command(3, "release", "guarded"))  # lower standing: an old release arrives late

        def quiet() -> int:
            return sum(isinstance(e, Heartbeat) and not e.data.serving for e in events(broker, "guarded")[2:])

        until(lambda: quiet() >= 3)
        assert pilot.standing.halted
    (acknowledged,) = [e for e in events(broker, "guarded") if isinstance(e, CommandAcknowledged)]
    assert (acknowledged.data.command, acknowledged.data.last_decision) == (command(4, pilot="guarded").id, "case-1")


def test_a_service_that_starts_under_a_halt_never_works(broker: KafkaBroker, tmp_path: Path) -> None:
    """The halt is read before the first piece of work, also between commands of other pilots."""
    same = [
        f"other-{n}" for n in range(100) if partition_of(f"other-{n}", PARTITIONS) == partition_of("late", PARTITIONS)
    ]
    put_command(broker, command(7, pilot="late"))
    for other in same[:2]:
        put_command(broker, command(9, "release", other))
    with (
        make(broker, tmp_path, "late", follow=True, guard_timeout=15.0) as pilot,
        pytest.raises(Halted, match="standing 7"),
        pilot.guard(),
    ):
        pytest.fail("the guard let work begin")


def test_no_broker_no_work(tmp_path: Path) -> None:
    """Without a broker the state is unknown: reports are recorded, no work begins, and closing ends in its time."""
    pilot = Pilot("alone", participant="firm", to="kafka://127.0.0.1:9", spool_dir=tmp_path, guard_timeout=0.3)
    pilot.complaint("c-1")
    with pytest.raises(Unavailable, match="not known yet"), pilot.guard():
        pytest.fail("the guard let work begin")
    began = time.monotonic()
    pilot.close(timeout=0.1)
    assert time.monotonic() - began < 8
    (left,) = [path for path in (tmp_path / "alone").iterdir() if path.is_dir()]
    assert b'"c-1"' in b"".join(path.read_bytes() for path in left.glob("*.segment"))


def test_a_fleet_arrives_whole(broker: KafkaBroker) -> None:
    """The bulk sender delivers all events of a fleet in order per pilot, after the admissions."""
    fleet = Fleet(3, pilots=4, scenarios=["calm", "step"], hours=24, prefix="fleet-")
    bulk = open_bulk(f"kafka://{broker.bootstrap}")
    for admission in fleet.admissions():
        bulk.control(admission.pilot, msgspec.json.encode(admission))
    for _, event in fleet:
        bulk.telemetry(event.subject, msgspec.json.encode([event]))
    bulk.flush()
    bulk.close()
    for pilot in fleet.pilots:
        assert events(broker, pilot) == [event for _, event in fleet.of(pilot)]
        assert len(arrived(broker, pilot, "sandbox.control")) == 1
