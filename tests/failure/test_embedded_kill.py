"""SIGKILL the embedded monitor in the middle of a stream, again and again: nothing that was acknowledged is lost or
counted twice."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import structs

from monitor.charter.spec import canonical_charter
from monitor.embedded.ingress import BATCH
from monitor.embedded.output_reader import OutputReader
from monitor.embedded.store import TOPIC, Store
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.model.events import Envelope
from monitor.model.records import Claim, JournalEntry, Level, Outputs, Reason
from monitor.notary.evidence_entries import EvidenceGatherer, evidence_entries
from monitor.notary.format import DECISIONS, EVIDENCE
from monitor.notary.verify import entries, ledgers, verify
from monitor.simulation.fleet import Fleet
from monitor.testing.clock import MovingClock
from monitor.testing.memory_log import MemoryStore
from monitor.testing.wait import Until
from tests.processes import piped

SERVE = ["-m", "monitor", "serve"]
# The same process with a failpoint, which the command line has no business to offer.
FAILPOINT = """
import asyncio, os, signal, sys
from pathlib import Path
from monitor.embedded.monitor import Monitor
from monitor.embedded.run import run_until_stopped

directory, port, point, left = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])

def failpoint(name):
    global left
    left -= name == point
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

async def run():
    monitor = Monitor(directory, port=port, checkpoint_every_ms=50, failpoint=failpoint)
    await run_until_stopped(monitor, lambda: print("board", monitor.address, flush=True))

asyncio.run(run())
"""
# How each owner dies: after so many seconds of the stream, or at the n-th passing of a labelled point.
DEATHS: list[tuple[str, float]] = [
    ("seconds", 0.05),
    ("before_write", 2),
    ("after_write", 2),
    ("seconds", 0.2),
    ("before_checkpoint", 2),
    ("after_checkpoint", 1),
    ("after_append", 4),
    ("seconds", 0.4),
]


def fleet() -> Fleet:
    start = time.time_ns() // 1_000_000 - 10_000
    stories = ["step", "death", "spike", "calm", "duplicates", "group"]
    return Fleet(5, pilots=6, scenarios=stories, start=start, hours=60, period="1s", onset=8)


def batches(events: list[Envelope], size: int) -> list[bytes]:
    return [msgspec.json.encode(events[i : i + size]) for i in range(0, len(events), size)]


class Served:
    """One monitor process after another over one directory."""

    def __init__(self, directory: Path, charters: list[str]) -> None:
        self.directory, self.charters = directory, charters
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self, death: tuple[str, float] | None) -> None:
        if death is None or death[0] == "seconds":
            charters = [part for path in self.charters for part in ("--charter", path)]
            command = [*SERVE, "--dir", str(self.directory), "--port", "0", "--checkpoint", "0.2", *charters]
        else:
            command = ["-c", FAILPOINT, str(self.directory), "0", death[0], str(int(death[1]))]
        self.process = piped([sys.executable, *command], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        # A failpoint may be reached while recovering, before the door opens: then there is no address.
        self.port = urlsplit(line.split()[1]).port or 0 if line else 0

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.reap()

    def reap(self) -> int:
        assert self.process is not None
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def post(connection: http.client.HTTPConnection, body: bytes) -> bool:
    """Whether the batch was acknowledged."""
    try:
        connection.request("POST", "/v1/telemetry", body, {"Content-Type": BATCH})
        with connection.getresponse() as answer:
            answer.read()
            return answer.status == 202
    except (OSError, http.client.HTTPException):
        connection.close()
        return False


def stream(served: Served, bodies: list[bytes]) -> tuple[list[bytes], int]:
    """Send everything, through all deaths; returns what was acknowledged and how many owners there were."""
    acknowledged: list[bytes] = []
    left: Iterator[bytes] = iter(bodies)
    body = next(left, None)
    owners, patience = 0, 300
    for death in [*DEATHS, None]:
        served.start(death)
        owners += 1
        timer = threading.Timer(death[1], served.process.kill) if death and death[0] == "seconds" else None  # type: ignore[union-attr]
        if timer is not None:
            timer.start()
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        while served.port and body is not None:
            if not post(connection, body):  # the sender does not know whether it was stored, so it sends it again
                if death is None and (patience := patience - 1):
                    time.sleep(0.1)  # this owner is not killed: it is busy
                    continue
                break
            acknowledged.append(body)
            body = next(left, None)
            time.sleep(0.004)  # so that every death comes in the middle of the stream
        connection.close()
        if timer is not None:
            timer.join()
        if death is not None:
            assert body is not None, "the stream ended before the last death: this test would prove nothing"
            assert served.reap() == -signal.SIGKILL
    return acknowledged, owners


async def contents(path: Path) -> tuple[MemoryStore, Outputs]:
    """The file's logs copied into memory, with the journal's own times, and what was emitted."""
    clock = MovingClock(0)
    memory, store = MemoryStore(clock), Store(path)
    for record in await store.telemetry(TOPIC, 0, 1 << 40, records=1 << 30, size=1 << 40):
        memory.feed(TOPIC, record.value, received=record.received, key=record.key, headers=record.headers)
    for record in await store.control(0, 1 << 40, records=1 << 30, size=1 << 40):
        memory.feed_control(record.value, received=record.received, key=record.key, headers=record.headers)
    rows = await store.read(lambda db: db.execute("SELECT received, entry FROM journal ORDER BY place").fetchall())
    for received, entry in rows:
        clock.set(received)
        memory.forge(msgspec.json.decode(entry, type=JournalEntry))
    seen, reader = Outputs(), OutputReader(store)
    while (more := await reader.read()) is not None:
        seen.extend(more)
    await store.close()
    return memory, seen


async def stepped_again(memory: MemoryStore) -> Outputs:
    """The outputs of a new machine, with the settings that the owners claimed, for the same logs and journal from the
    start."""
    log = memory.log()
    claim = next(j.entry for j in memory.journal() if isinstance(j.entry, Claim))

    def machine(partition: int, epoch: int) -> Machine:
        made = Machine(partition, epoch)
        made.take_claim(structs.replace(claim, epoch=epoch))
        return made

    runner = Runner(log, clock=memory.clock, machine=machine)
    await runner.recover()
    while records := await log.telemetry(TOPIC, runner.next_telemetry.get(TOPIC, 0), 1 << 40):
        await runner.telemetry(TOPIC, records)
    return memory.outputs()


def plain(outputs: Outputs) -> dict[str, list[bytes]]:
    """Bytes of decisions and commands, apart from the epoch, which names the owner; of evidence as it is."""
    return {
        "decisions": [msgspec.json.encode(msgspec.structs.replace(d, epoch=0)) for d in outputs.decisions],
        "commands": [msgspec.json.encode(msgspec.structs.replace(c, epoch=0)) for c in outputs.commands],
        "evidence": [msgspec.json.encode(e) for e in outputs.evidence],
    }


def halted_in(path: Path) -> int:
    """How many pilots have a decision of level halt in the store."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT COUNT(DISTINCT pilot) FROM decisions WHERE instr(value, ?) > 0", (b'"level":3',))
        return int(rows.fetchone()[0])


def test_killed_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    """Eight kills, by the clock and at every labelled point: all acknowledged events are stored, every id takes effect
    once, the decisions equal those of an offline step, and the ledgers hold each once."""
    pilots, charters = fleet(), []
    for pilot in pilots.pilots:
        path = tmp_path / f"{pilot}.yaml"
        path.write_bytes(canonical_charter(pilots.charter_for(pilot)))
        charters.append(str(path))
    served = Served(tmp_path / "data", charters)
    bodies = batches([event for _, event in pilots], 6)
    acknowledged, owners = stream(served, bodies)
    assert acknowledged == bodies
    Until(60.0, every=0.2)(lambda: halted_in(tmp_path / "data" / "monitor.db") >= 2)
    time.sleep(1.5)  # a few periods close while it lives
    assert served.process is not None
    served.process.send_signal(signal.SIGTERM)
    assert served.reap() == 0

    memory, seen = asyncio.run(contents(tmp_path / "data" / "monitor.db"))
    stored = Counter(record.value for record in memory._partitions[0].telemetry[TOPIC].records)
    assert not set(bodies) - set(stored), "acknowledged, but not in the log"
    claims = [j.entry.epoch for j in memory.journal() if isinstance(j.entry, Claim)]
    assert claims == list(range(1, owners + 1))

    ids = Counter(d.id for d in seen.decisions)
    assert [i for i, n in ids.items() if n > 1] == []
    for pilot in pilots.pilots:
        assert [d.standing for d in seen.decisions if d.pilot == pilot] == list(
            range(1, 1 + sum(d.pilot == pilot for d in seen.decisions))
        ), pilot
    halted = {d.pilot for d in seen.decisions if d.level is Level.HALT}
    assert {"pilot-0001", "pilot-0002"} <= halted
    assert {c.pilot for c in seen.commands} == halted

    again = asyncio.run(stepped_again(memory))
    for kind, rows in plain(again).items():
        assert rows == plain(seen)[kind], kind

    recorded = [verify(path) for path in ledgers(tmp_path / "data" / "ledger")]
    admitted = sum(d.reason is Reason.ADMITTED for d in seen.decisions)  # each with an entry of its charter
    logged = sum(sound.entries for sound in recorded if sound.log == DECISIONS)
    assert logged == len(seen.decisions) + len({c.id for c in seen.commands}) + admitted
    gatherer, expected = EvidenceGatherer(), dict[str, list[str]]()
    for place, row in enumerate(seen.evidence):
        for group in gatherer.take(place, row):
            expected.setdefault(group.pilot, []).extend(entry.id for entry in evidence_entries(group))
    held = {one.subject: [entry.id for entry in entries(one.file)] for one in recorded if one.log == EVIDENCE}
    assert held == expected


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """One process locks a directory; a second one names its owner and exits with 1, and the first runs on."""
    served = Served(tmp_path, [])
    served.start(None)
    command = [sys.executable, *SERVE, "--dir", str(tmp_path), "--port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 1
    assert served.process is not None
    assert f"used by another monitor (process {served.process.pid})" in second.stderr
    assert served.process.poll() is None
    served.process.send_signal(signal.SIGTERM)
    assert served.reap() == 0


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    """With another program on the port, one line names the port; exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, *SERVE, "--dir", str(tmp_path), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert f":{port} cannot be listened on" in done.stderr
    assert "Traceback" not in done.stderr
