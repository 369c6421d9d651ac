"""Garbage on every topic of the monitor ends none of its processes: a halt goes through it to service, ledger and
alert, and people see on the board, in the metrics and in the log what was skipped."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.__main__ import cli
from monitor.cli.ledger import ledger
from monitor.kafka.output_consumer import read_outputs
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Command, Level
from monitor.notary.store import file_name
from monitor.notary.verify import verify
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh, until
from monitor.testing.ports import free_port
from monitor.testing.wait import Until
from monitor.testing.workers import Worker
from tests.security.garbage import forged, garbage, send
from tests.security.goals import Goal
from tests.strength import examples

pytestmark = pytest.mark.kafka
PILOT = "pilot-0001"
until_true = Until(90.0, every=0.2)


@contextmanager
def started(name: str, home: Path, fresh: Fresh, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """One command of the monitor as a separate process; it is killed at the end."""
    command = [sys.executable, "-m", "monitor", name, "--bootstrap", fresh.bootstrap, "--prefix", fresh.names.prefix]
    with (home / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def got(port: int, path: str) -> str:
    """A page; empty while nothing responds."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def counted(exposition: str, name: str, *parts: str) -> float:
    """The sum of the samples of a metric whose labels contain all `parts`."""
    lines = [line for line in exposition.splitlines() if line.startswith(f"{name}{{") and all(p in line for p in parts)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def litter(fresh: Fresh, count: int, seed: int) -> int:
    """Garbage on every topic; returns how many records of it are on those that the notary reads."""
    n = fresh.names
    topics = (n.decisions, n.commands, n.permits, n.evidence, n.rejected, n.control, n.journal, n.state)
    compacted = (n.commands, n.permits, n.state)  # these take no record without a key
    rows = [
        row for topic in topics for row in garbage(topic, count, seed) if row[1] is not None or topic not in compacted
    ]
    random.Random(seed).shuffle(rows)
    send(fresh.bootstrap, [*rows, *forged(n.decisions)] if seed else rows)
    return sum(row[0] in (n.decisions, n.commands, n.evidence) for row in rows)


async def halts(fresh: Fresh) -> list[Command]:
    """The halts on `commands`."""
    topic = fresh.names.commands
    seen = [s.value async for s in read_outputs(fresh.bootstrap, [topic], follow=False)]
    return [value for value in seen if isinstance(value, Command) and value.halts]


def test_a_halt_goes_through_garbage_on_every_topic(tmp_path: Path, goal: Goal) -> None:
    """Worker, notary, actors and second stage start on garbage and get more of it while they run; a worker recovers
    through it. A death then halts the pilot: the command is written, delivered and in the ledger, and nothing ended."""
    fresh, count = Fresh(), examples(14, 300)
    fleet = Fleet(1, pilots=2, hours=48, start=int(time.time() * 1000) - 48 * 3_600_000)
    board, metrics, delivered = free_port(), free_port(), tmp_path / "decisions.jsonl"
    foreign = litter(fresh, count, 0)
    log = tmp_path / "worker.log"
    worker = Worker(fresh.bootstrap, fresh.names.prefix, log).wait_ready()
    ports = ("--port", str(board), "--metrics-port", str(metrics))
    try:
        with (
            started("notary", tmp_path, fresh, "--dir", str(tmp_path / "ledger"), *ports) as notary,
            started("act", tmp_path, fresh, "--dir", str(tmp_path / "act"), "--json-lines", str(delivered)) as act,
            started("pool", tmp_path, fresh) as pool,
        ):
            asyncio.run(fresh.send(fresh.control(fleet.admissions())))
            until_true(lambda: "pilot-0002" in got(board, "/api/board.json"))
            foreign += litter(fresh, count, 1)
            worker.kill()  # the next one recovers from a journal and a state with garbage in them
            worker = Worker(fresh.bootstrap, fresh.names.prefix, log).wait_ready()
            death = Emitter("svc/1", PILOT).incident(
                int(time.time() * 1000), severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
            )
            asyncio.run(fresh.send([(fresh.telemetry, PILOT.encode(), encode(death), (), 0)]))

            async def halted() -> bool:
                return bool(await halts(fresh))

            asyncio.run(until(halted, 90))
            written = tmp_path / "ledger" / file_name(PILOT)
            until_true(lambda: delivered.exists() and '"level":3' in delivered.read_text())
            until_true(lambda: written.exists() and verify(written).entries >= 3)
            name = "sandbox_monitor_foreign_records_total"
            until_true(lambda: counted(got(metrics, "/metrics"), name) >= foreign)
            told: dict[str, Any] = json.loads(got(board, "/api/board.json"))
            page = got(board, "/")
            alive = [process.poll() is None for process in (notary, act, pool)]
            exposition = got(metrics, "/metrics")
    finally:
        worker.kill()
    shown = CliRunner().invoke(
        cli,
        ["charter", "show", PILOT, "--to", f"kafka://{fresh.bootstrap}", "--prefix", fresh.names.prefix],
    )
    goal("processes_ended_by_garbage", alive.count(False), 0, note=f"{foreign} foreign records")
    goal("foreign_records_counted_share", counted(exposition, name) / foreign, 1.0, least=True)
    [view] = [pilot for pilot in told["pilots"] if pilot["pilot"] == PILOT]
    assert view["level"] == Level.HALT.word
    assert told["notices"]["skipped_records"]
    assert "foreign record" in page
    assert "not in the ledger" in page
    assert counted(exposition, name, "out_of_order") == 1
    assert counted(exposition, name, fresh.names.journal) >= count
    verified = CliRunner().invoke(ledger, ["verify", str(tmp_path / "ledger")])
    assert verified.exit_code == 1
    assert "a decision of standing 10000 was read" in verified.output
    assert shown.exit_code == 0, shown.output
