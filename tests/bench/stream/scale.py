"""How cost, memory and recovery grow with the number of pilots. Runs in a process of its own per size.

A state topic is filled with the snapshots of so many pilots through the worker's own log (fence, transactions), then
recovered as a worker would, and packed telemetry of all pilots in turn is stepped.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import sys
import time
from pathlib import Path

import msgspec

from monitor.log import Checkpoint
from monitor.machine import Machine
from monitor.model import Outputs, Position, Record
from monitor.runner import Runner
from monitor.stream.kafka_log import KafkaLog
from tests.bench.stream.load import Load
from tests.bench.stream.pure import HOUR, PER_PERIOD, START

CHUNK = 2_000  # snapshots in one transaction
INDICATORS = 9  # of the fleet's charter
KINDS = 15  # charters that differ in more than the pilot's name: five firms, three vendors


def resident() -> int:
    """KB of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def seeds() -> list[list[object]]:
    """Snapshots of one pilot of each kind, just admitted."""
    machine = Machine()
    load = Load(KINDS, period_ms=HOUR, start=START, per_period=PER_PERIOD)
    for i, act in enumerate(load.admissions()):
        machine.control(Record(i, START, act.pilot.encode(), msgspec.json.encode(act)))
    return [
        msgspec.msgpack.decode(raw) for name, raw in sorted(machine.snapshots(machine.pilots).items()) if name and raw
    ]


def named(seed: list[object], name: str) -> bytes:
    """The same pilot under another name; the hash is only of the right form, as nothing here compares it."""
    charter = {**seed[2], "pilot": name}  # type: ignore[dict-item]
    return msgspec.msgpack.encode([seed[0], name, charter, *seed[3:-1], hashlib.sha256(name.encode()).hexdigest()])


async def main() -> None:
    bootstrap, prefix, pilots, events = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    load = Load(pilots, period_ms=HOUR, start=START, per_period=PER_PERIOD)
    old = KafkaLog(bootstrap, 0, prefix, prefix)
    await old.claim()
    known = seeds()
    at = Position(journal=1)
    for start in range(0, pilots, CHUNK):
        names = load.pilots[start : start + CHUNK]
        states: dict[str, bytes | None] = {n: named(known[(start + i) % KINDS], n) for i, n in enumerate(names)}
        await old.write(Outputs(), None, Checkpoint(at, states))
    await old.close()
    del old
    gc.collect()
    before = resident()
    began = time.perf_counter()
    log = KafkaLog(bootstrap, 0, prefix, prefix)
    runner = Runner(log, clock=lambda: int(time.monotonic() * 1000))
    await runner.recover()
    recovered = time.perf_counter() - began
    await log.close()
    gc.collect()
    machine, spent, found = runner.machine, 0.0, 0
    turn = counted = 0
    while counted < events:
        batch = []
        for _ in range(50):
            moment = START + (turn // pilots) * 100 * HOUR // PER_PERIOD
            pilot = load.pilots[turn % pilots]
            batch.append(Record(turn, moment + 50, pilot.encode(), load.packed(pilot, moment, 100)))
            turn += 1
        clock = time.process_time()
        found += len(machine.telemetry("telemetry", batch).permits)
        if turn > pilots:  # a pilot's first record makes its source known: once in its life
            spent, counted = spent + time.process_time() - clock, counted + len(batch) * 100
    gc.collect()
    kb = (resident() - before) / pilots
    row = {
        "cost": spent / counted * 1e6,
        "kb": kb / INDICATORS,
        "recovery": recovered,
        "pilots": len(machine.pilots),
    }
    print(json.dumps(row))


if __name__ == "__main__":
    asyncio.run(main())
