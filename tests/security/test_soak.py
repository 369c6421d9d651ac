"""Minutes of hostile load on a real broker and worker: memory and files stay as they are, others' halts are in time.

`SOAK_MINUTES` (default 30) is how long the load lasts, after two minutes in which the worker warms up.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from pathlib import Path
from random import Random

import pytest

from monitor.testing.workers import Worker
from tests.security.batches import CODECS, RawProducer, batch, bomb, hostile, record
from tests.security.goals import Goal
from tests.security.latency import HOSTILE_FIRM, Duel, attacks, percentile

pytestmark = [pytest.mark.kafka, pytest.mark.long]

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
WARM_UP_S = min(120.0, 20 * MINUTES)
EVERY_S = 5.0  # between two halts of the honest firm
MIB = 1024 * 1024
RATIO = 6.0  # of the 99th percentile to the calm one, on a machine that does other work as well


def resident_mib(worker: Worker) -> float:
    """Resident memory now."""
    return int(Path(f"/proc/{worker.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def open_files(worker: Worker) -> int:
    """Open file handles now."""
    return len(list(Path(f"/proc/{worker.process.pid}/fd").iterdir()))


def hostile_batches(pilot: str) -> list[bytes]:
    """A mixture of everything that a hostile firm may send."""
    random, key = Random(3), pilot.encode()
    found = [raw for made in attacks(pilot).values() for raw in made()[:6]]
    found += [bomb(codec, 32 * MIB) for codec in CODECS if codec]
    found += [hostile(random) for _ in range(40)]
    found += [batch([record(n, random.choice([b"{}", b"", b"[]", b"\xff"]), key) for n in range(2_000)], codec=4)]
    found += [batch([record(0, b"{}", key, headers=[(b"", None)] * 1_000_000)], codec=4)]
    random.shuffle(found)
    return found


def test_hostile_load_for_minutes(tmp_path: Path, goal: Goal) -> None:
    """Under hostile load resident memory grows by less than 5 % after the warm-up, file handles stay flat, and every
    halt of the other firm comes in time."""
    duel = Duel(tmp_path, 22 + int((60 * MINUTES + WARM_UP_S) / EVERY_S))
    memory: list[float] = []
    files: list[int] = []

    async def story() -> tuple[list[float], list[float]]:
        await duel.admit()
        calm = await duel.latencies(duel.honest[:20], 0.2)
        batches = hostile_batches(duel.hostile)
        async with RawProducer(duel.fresh.bootstrap, duel.topic[HOSTILE_FIRM]) as producer:
            taken = [raw for raw in batches if await producer.send(raw) is not None]
        waiting = iter(duel.honest[20:])
        halts: list[float] = []
        began = time.monotonic()
        async with duel.load(taken, 5.0):
            while time.monotonic() - began < 60 * MINUTES + WARM_UP_S:
                some = [pilot for _, pilot in zip(range(4), waiting, strict=False)]
                halts += await duel.latencies(some, EVERY_S)
                if time.monotonic() - began > WARM_UP_S:
                    memory.append(resident_mib(duel.worker))
                    files.append(open_files(duel.worker))
        return calm, halts

    try:
        calm, halts = asyncio.run(story())
        assert duel.worker.running, duel.worker.tail()
    finally:
        duel.close()
    third = max(1, len(memory) // 3)
    first, last = sorted(memory[:third])[third // 2], sorted(memory[-third:])[third // 2]
    note = f"{MINUTES:g} minutes, {first:.0f} to {last:.0f} MiB"
    goal("soak-memory-growth-percent", 100 * (last / first - 1), 5, note=note)
    goal("soak-open-files-growth", max(files[-third:]) - max(files[:third]), 2, note=f"of {max(files)}")
    assert all(math.isfinite(each) for each in halts), "a halt was lost"
    before, after = percentile(calm, 0.99), percentile(halts, 0.99)
    goal("soak-send-to-halt-p99-ms", after, RATIO * before, note=f"calm {before:.0f} ms, {len(halts)} halts")
