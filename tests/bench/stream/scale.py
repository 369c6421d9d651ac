"""How cost, memory and recovery grow with the number of pilots. Runs in a separate process per size.

A state topic is filled with the snapshots of so many pilots with some hours behind them, through the worker's own log
(fence, transactions) and by another process; then it is recovered as a worker would, and packed telemetry of all pilots
in turn is stepped.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from monitor.engine.log import Checkpoint
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.kafka.log import KafkaLog
from monitor.kafka.settings import LogSettings
from monitor.model.records import Outputs, Position, Record
from monitor.observe.fast_path_cache import HOT_PILOTS
from tests.bench.stream.load import Load
from tests.bench.stream.pure import HOUR, PER_PERIOD, START

CHUNK = 2_000  # snapshots in one transaction
INDICATORS = 9  # of the fleet's charter
KINDS = 15  # charters that differ in more than the pilot's name: five firms, three vendors
BEHIND = 1_000  # records of 100 events that each pilot has behind it: five periods


def resident() -> int:
    """KB of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def moment(turn: int) -> int:
    """Event time (ms) of a pilot's record number `turn`."""
    return START + turn * 100 * HOUR // PER_PERIOD


def seeds() -> list[list[Any]]:
    """Snapshots of one pilot of each kind, with `BEHIND` records behind it."""
    machine = Machine()
    load = Load(KINDS, period_ms=HOUR, start=START, per_period=PER_PERIOD)
    for i, act in enumerate(load.admissions()):
        machine.control(Record(i, START, act.pilot.encode(), msgspec.json.encode(act)))
    for turn in range(BEHIND):
        at = moment(turn)
        machine.telemetry(
            "telemetry", [Record(turn, at + 50, p.encode(), load.packed(p, at, 100)) for p in load.pilots]
        )
    return [
        msgspec.msgpack.decode(raw) for name, raw in sorted(machine.snapshots(machine.pilots).items()) if name and raw
    ]


def named(seed: list[Any], name: str) -> bytes:
    """The same pilot under another name; the hash is only of the right form, as nothing here compares it."""
    sources = {source.replace(seed[1], name): known for source, known in seed[8].items()}
    digest = hashlib.sha256(name.encode()).hexdigest()
    return msgspec.msgpack.encode([seed[0], name, *seed[2:8], sources, *seed[9:15], digest, *seed[16:]])


async def fill(bootstrap: str, prefix: str, pilots: list[str]) -> None:
    """Write the state of so many pilots."""
    log = KafkaLog(LogSettings(bootstrap=bootstrap, prefix=prefix, group=prefix), 0)
    await log.claim()
    known = seeds()
    for start in range(0, len(pilots), CHUNK):
        names = pilots[start : start + CHUNK]
        states: dict[str, bytes | None] = {n: named(known[(start + i) % KINDS], n) for i, n in enumerate(names)}
        await log.write(Outputs(), None, Checkpoint(Position(journal=1), states))
    await log.close()


async def measure(bootstrap: str, prefix: str, load: Load, events: int) -> dict[str, float]:
    """Recover, then step `events` events once every pilot has been heard, and what that made ready is put away."""
    pilots = len(load.pilots)
    gc.collect()
    before, began, busy = resident(), time.perf_counter(), time.process_time()
    log = KafkaLog(LogSettings(bootstrap=bootstrap, prefix=prefix, group=prefix), 0)
    runner = Runner(log, clock=lambda: int(time.monotonic() * 1000))
    await runner.recover()
    recovered, busy = time.perf_counter() - began, time.process_time() - busy
    await log.close()
    gc.collect()
    packed = resident() - before
    machine, spent, counted, first, turn = runner.machine, 0.0, 0, 0.0, 0
    settled = pilots + min(
        pilots, 2 * HOT_PILOTS
    )  # by then those made ready last by their first record are put away again
    while counted < events:
        batch = []
        for _ in range(min(50, pilots)):
            pilot, at = load.pilots[turn % pilots], moment(BEHIND + turn // pilots)
            batch.append(Record(turn, at + 50, pilot.encode(), load.packed(pilot, at, 100)))
            turn += 1
        clock = time.process_time()
        machine.telemetry("telemetry", batch)
        clock = time.process_time() - clock
        if turn <= pilots:  # a pilot's first record after recovery makes ready what was only read
            first += clock
        elif turn > settled:
            spent, counted = spent + clock, counted + len(batch) * 100
    assert machine.fast_path_events > 0.99 * machine.events, "the load goes on where the state stands, and is ordinary"
    gc.collect()
    per = pilots * INDICATORS
    return {
        "cost": spent / counted * 1e6,
        "first": first / pilots / 100 * 1e6,
        "kb": (resident() - before) / per,
        "kb_recovered": packed / per,
        "recovery": recovered,
        "recovery_cpu": busy,
        "pilots": len(machine.pilots),
    }


def main() -> None:
    bootstrap, prefix, pilots, events, what = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
    load = Load(pilots, period_ms=HOUR, start=START, per_period=PER_PERIOD)
    if what == ["fill"]:
        asyncio.run(fill(bootstrap, prefix, load.pilots))
        return
    subprocess.run([sys.executable, "-m", "tests.bench.stream.scale", *sys.argv[1:], "fill"], check=True)
    load.go_on(BEHIND * 100)
    print(json.dumps(asyncio.run(measure(bootstrap, prefix, load, events))))


if __name__ == "__main__":
    main()
