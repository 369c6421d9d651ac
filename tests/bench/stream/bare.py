"""A bare aiokafka consumer that only decodes and folds, without any delivery guarantee: the practical limit."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from monitor.model.events import Event
from tests.bench.stream.job import Meter, arguments

_batch = msgspec.json.Decoder(list[Event])
_single = msgspec.json.Decoder(Event)


async def main() -> None:
    bootstrap, topic, events = arguments()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        max_partition_fetch_bytes=8 << 20,
        fetch_max_bytes=64 << 20,
    )
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    meter, folded = Meter(events), defaultdict[str, int](int)
    done = False
    while not done:
        rows = (await consumer.getmany(partition, timeout_ms=1000, max_records=5000)).get(partition, ())
        if not rows:
            continue
        meter.start()
        count = 0
        for row in rows:
            value = row.value
            found = _batch.decode(value) if value[:1] == b"[" else (_single.decode(value),)
            for event in found:
                folded[event.subject] += 1
            count += len(found)
        done = meter.add(count)
    await consumer.stop()


asyncio.run(main())
