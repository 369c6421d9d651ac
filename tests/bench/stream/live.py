"""Live load: packed records at a steady rate, and now and then a burst of one pilot. Runs in a separate process."""

from __future__ import annotations

import asyncio
import sys
import time

from aiokafka import AIOKafkaProducer

from monitor.kafka.topics import LARGE
from tests.bench.stream.load import Load

BATCH_TYPE = ("content-type", b"application/cloudevents-batch+json")
PACK = 100
BURST = 10  # times the rate, of one pilot, during one second in five


async def main() -> None:
    bootstrap, topic, pilots, rate, seconds, burst, partitions = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:8])
    load = Load(pilots, period_ms=5000, start=int(time.time() * 1000) - 60_000, per_period=1_000_000)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=LARGE, linger_ms=0, acks="all") as out:
        began, sent, waiting = time.perf_counter(), 0, []
        while (passed := time.perf_counter() - began) < seconds:
            due = int(passed * rate / PACK)
            turns = list(range(sent, min(due, sent + 50)))
            sent = min(due, sent + 50)
            if burst and int(passed) % 5 == 4:
                turns += [0] * int(rate * BURST / PACK * 0.02)
            waiting.extend([await put(out, load, topic, turn % pilots, partitions) for turn in turns])
            await asyncio.sleep(0.005 if sent >= due and not burst else 0.02 if sent >= due else 0)
            waiting = [future for future in waiting if not future.done()]
        await asyncio.gather(*waiting)
    print(sum(load.sent(pilot) for pilot in load.pilots))


async def put(out: AIOKafkaProducer, load: Load, topic: str, index: int, partitions: int) -> asyncio.Future[object]:
    """Send the next record of a pilot."""
    pilot, now = load.pilots[index], int(time.time() * 1000)
    value = load.packed(pilot, now, PACK)
    future: asyncio.Future[object] = await out.send(
        topic, value, pilot.encode(), index % partitions, headers=[BATCH_TYPE]
    )
    return future


if __name__ == "__main__":
    asyncio.run(main())
