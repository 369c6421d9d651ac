"""CPU of one worker with both partitions, and of two workers with one each, at the same load."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from monitor.testing.broker_runtime import REPOSITORY
from monitor.testing.kafka import Fresh
from monitor.testing.workers import Worker
from tests.bench.stream.latency import PILOTS
from tests.bench.stream.load import Load


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stepped(worker: Worker) -> float:
    """Events that a worker has stepped."""
    found = re.search(r"^\w*events_total ([0-9.e+]+)$", worker.metrics(), re.M)
    return float(found[1]) if found else 0.0


def paced(rate: int, seconds: int, topics: Fresh, load: Load) -> int:
    """Send `rate` events a second, from a separate process; returns how many those were."""
    command = [sys.executable, "-m", "tests.bench.stream.live", topics.bootstrap, topics.telemetry]
    numbers = map(str, (PILOTS, rate, seconds, 0, topics.partitions))
    done = subprocess.run([*command, *numbers], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return int(done.stdout)


def run(workers: int, sender: Callable[[Fresh, Load], int]) -> float:
    """Microseconds of CPU per event that `sender` sends, all workers together."""
    topics = Fresh(partitions=2)
    load = Load(PILOTS, period_ms=5000, start=int(time.time() * 1000) - 60_000, per_period=1_000_000)
    log = REPOSITORY / "var" / f"bench-{topics.names.prefix}"
    started = [Worker(topics.bootstrap, topics.names.prefix, Path(f"{log}-{i}.log")) for i in range(workers)]
    try:
        for worker in started:
            worker.wait_ready()
        number = {pilot: i % 2 for i, pilot in enumerate(load.pilots)}
        acts = load.admissions()

        async def send() -> None:
            await topics.send(topics.control(acts, lambda pilot: number[pilot]))

        asyncio.run(send())
        time.sleep(3)
        began, before = [cpu(w.process.pid) for w in started], sum(map(stepped, started))
        wanted = sender(topics, load)
        deadline = time.monotonic() + 60
        while (events := sum(map(stepped, started)) - before) < wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        if events < wanted:
            raise TimeoutError(f"{events:.0f} of {wanted} events were stepped")
        return sum(cpu(w.process.pid) - b for w, b in zip(started, began, strict=True)) / events * 1e6
    finally:
        for worker in started:
            worker.kill()
