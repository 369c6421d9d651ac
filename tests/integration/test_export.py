"""`export` writes the input of a monitor as JSON lines, from either runtime, ready for replay."""

from __future__ import annotations

import asyncio
import io
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.export import export
from monitor.embedded.store import Incoming, Store
from monitor.engine.replay import read_lines
from monitor.model.events import Envelope, encode
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh
from monitor.validate.parse import validate

FLEET = Fleet(7, pilots=4, hours=24, period="1h")
EVENTS = [event for _, event in FLEET]


def told(arguments: list[str]) -> list[tuple[int, Envelope]]:
    """Times of reception and events that `export` writes."""
    done = CliRunner().invoke(export, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    lines = list(read_lines(io.BytesIO(done.stdout_bytes)))
    return [(line.record.received, e) for line in lines for e in validate(line.record, "t", 0, secret=b"").events]


def test_the_input_of_the_embedded_monitor_is_exported(tmp_path: Path) -> None:
    """Every event in order of receipt with its time; one pilot alone; invalid records are omitted and counted."""
    moments = iter(range(1_800_000_000_000, 1_900_000_000_000, 1000))

    async def feed() -> None:
        store = Store(tmp_path / "monitor.db", clock=lambda: next(moments))
        for event in EVENTS[:400]:
            await store.feed([Incoming(encode(event), event.subject.encode())])
        await store.feed([Incoming(b"rubbish")])
        await store.close()

    asyncio.run(feed())
    out = told(["--telemetry", "--dir", str(tmp_path)])
    assert [event for _, event in out] == EVENTS[:400]
    assert [at for at, _ in out] == [1_800_000_000_000 + 1000 * i for i in range(400)]
    alone = told(["--telemetry", "--dir", str(tmp_path), "--pilot", FLEET.pilots[1]])
    assert [event for _, event in alone] == [event for event in EVENTS[:400] if event.subject == FLEET.pilots[1]]
    assert "1 invalid left out" in CliRunner().invoke(export, ["--telemetry", "--dir", str(tmp_path)]).stderr


@pytest.mark.kafka
def test_the_input_on_kafka_is_exported() -> None:
    """Partitions are merged by the time of reception, and each pilot's events keep their order."""
    fresh = Fresh(partitions=3)
    number = {pilot: i % 3 for i, pilot in enumerate(FLEET.pilots)}
    for chunk in (EVENTS[:500], EVENTS[500:900]):
        asyncio.run(fresh.send((fresh.telemetry, e.subject.encode(), encode(e), (), number[e.subject]) for e in chunk))
    out = told(["--telemetry", "--bootstrap", fresh.bootstrap, "--prefix", fresh.names.prefix])
    assert [at for at, _ in out] == sorted(at for at, _ in out)
    found: defaultdict[str, list[Envelope]] = defaultdict(list)
    for _, event in out:
        found[event.subject].append(event)
    assert found == {p: [e for e in EVENTS[:900] if e.subject == p] for p in FLEET.pilots}


def test_a_directory_without_a_monitor_is_an_error(tmp_path: Path) -> None:
    """The error names the expected argument, and no file is written."""
    done = CliRunner().invoke(export, ["--dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "holds no monitor.db: give --dir of `serve`" in str(done.exception)
    assert not list(tmp_path.iterdir())
