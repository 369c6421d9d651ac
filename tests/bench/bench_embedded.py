"""How much the embedded monitor takes in: events acknowledged over HTTP in batches of 100, and stepped, per second.

    python tests/bench/bench_embedded.py [EVENTS]

Client and monitor run in one process each, on loopback, `synchronous=FULL`. The last line steps the same log again
without HTTP.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec

from monitor.embedded.ingress import BATCH
from monitor.embedded.monitor import Monitor
from monitor.embedded.store import TOPIC
from monitor.engine.machine import Machine
from monitor.simulation.fleet import Fleet

SIZE = 100


def fleet() -> Fleet:
    start = time.time_ns() // 1_000_000 // 3_600_000 * 3_600_000
    return Fleet(1, pilots=20, scenarios=["calm", "busy", "overdispersed"], start=start, hours=10_000, period="1h")


def bodies(events: int) -> list[bytes]:
    """Batches whose events all happen now, in the open period, as live telemetry does."""
    now, batches, batch = datetime.now(UTC), [], []
    for _, event in fleet():
        more = {"data": msgspec.structs.replace(event.data, filed=now)} if hasattr(event.data, "filed") else {}
        batch.append(msgspec.structs.replace(event, time=now, **more))
        if len(batch) == SIZE:
            batches.append(msgspec.json.encode(batch))
            batch = []
            if len(batches) * SIZE >= events:
                return batches
    return batches


def send(address: str, batches: list[bytes], at_once: int) -> float:
    """Seconds until all are acknowledged."""

    async def run() -> float:
        todo = iter(batches)

        async def one(session: aiohttp.ClientSession) -> None:
            for body in todo:
                async with session.post("v1/telemetry", data=body, headers={"Content-Type": BATCH}) as answer:
                    assert answer.status == 202, await answer.text()

        async with aiohttp.ClientSession(address) as session:
            began = time.perf_counter()
            await asyncio.gather(*[one(session) for _ in range(at_once)])
            return time.perf_counter() - began

    return asyncio.run(run())


async def main(events: int) -> None:
    batches = bodies(events)
    events = len(batches) * SIZE
    print(f"{events} events of {sum(map(len, batches)) / events:.0f} bytes in batches of {SIZE}")
    pilots = fleet()
    charters = [pilots.charter_for(pilot) for pilot in pilots.pilots]
    with tempfile.TemporaryDirectory() as name, multiprocessing.get_context("spawn").Pool(1) as client:
        for at_once in (1, 8):
            client.apply(time.time)  # it has started before anything is measured
            monitor = Monitor(Path(name) / str(at_once), port=0, charters=charters)
            await monitor.start()
            began = time.perf_counter()
            seconds = await asyncio.to_thread(client.apply, send, (monitor.address, batches, at_once))
            while monitor.events < events:
                await asyncio.sleep(0.01)
            through = time.perf_counter() - began
            print(
                f"{at_once} at once: {events / seconds:,.0f} events/s acknowledged, {events / through:,.0f} "
                f"events/s stepped too"
            )
            records = await monitor.store.telemetry(TOPIC, 0, 1 << 40, records=1 << 30, size=1 << 40)
            control = await monitor.store.control(0, 1 << 40, records=1 << 30, size=1 << 40)
            await monitor.stop()
    machine = Machine()
    for record in control:
        machine.control(record)
    began = time.perf_counter()
    machine.telemetry(TOPIC, records)
    print(f"machine alone: {events / (time.perf_counter() - began):,.0f} events/s stepped")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
