"""Reads the topics of a history for the check, and deletes its state for the fault `forgot`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from monitor.errors import LogBroken
from monitor.kafka import state_keys
from monitor.kafka.dump import dump_partition
from monitor.kafka.output_consumer import judged
from monitor.kafka.partition_reader import PartitionReader, high_waters
from monitor.kafka.topics import LARGE, Topic, TopicNames, create_topics
from monitor.model.output_records import JudgedOutput
from monitor.model.records import Position
from monitor.testing.history.check import KINDS as OUTPUTS
from monitor.testing.history.check import Acked, PartitionContents, Written


async def read_contents(
    bootstrap: str, names: TopicNames, partition: int, acked: Sequence[Acked] = (), *, forgot: bool = False
) -> PartitionContents:
    """Read one partition. Raises `TimeoutError` when a transaction in it stays open, `LogBroken` for a record that is
    no output."""
    outputs: dict[str, list[Written]] = {}
    for kind in OUTPUTS:
        outputs[kind] = []
        for topic in _topics_of(names, kind):
            for row in await raw(bootstrap, topic, partition):
                found = judged(row)
                if not isinstance(found, JudgedOutput):
                    raise LogBroken(f"{row.topic}/{row.partition}/{row.offset}: {found}")
                outputs[kind].append(Written(row.offset, found.epoch, found.value, topic))
    live = state_keys.LiveKeys()
    for row in await raw(bootstrap, names.state, partition):
        live.feed(row.key, row.value)
    states = {
        pilot: state_keys.decode_snapshot(value).state
        for (kind, pilot), value in live.values.items()
        if kind == state_keys.SNAPSHOT
    }
    raw_mark = live.values.get((state_keys.WATERMARK, ""))
    mark = state_keys.decode_watermark(raw_mark).position if raw_mark else Position()
    return PartitionContents(
        dump=await dump_partition(bootstrap, names, partition),
        outputs=outputs,
        states=states,
        watermark=mark,
        acked=list(acked),
        forgot=forgot,
    )


def _topics_of(names: TopicNames, kind: str) -> list[str]:
    """Where outputs of a kind are written: commands and permits of a participant are on separate topics."""
    of_participant = {"commands": names.commands_of, "permits": names.permits_of}.get(kind)
    own = [] if of_participant is None else map(of_participant, names.participants)
    return [getattr(names, kind), *own]


async def raw(bootstrap: str, topic: str, partition: int) -> list[Any]:
    """Every committed record of a partition, waiting for a transaction that is still open."""
    tp = TopicPartition(topic, partition)
    end = (await high_waters(bootstrap, [tp]))[tp]
    reader = PartitionReader(bootstrap)
    await reader.start()
    try:
        at, _ = await reader.bounds(topic, partition)
        rows: list[Any] = []
        deadline = time.monotonic() + 40
        while at < end:
            got, at = await reader.chunk(topic, partition, at, end)
            rows += got
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic}/{partition} cannot be read to {end}")
        return rows
    finally:
        await reader.stop()


async def lose_state(bootstrap: str, names: TopicNames, wanted: Sequence[Topic], rng: Random) -> None:
    """Truncate the state topic at the end of a transaction, often to nothing."""
    kept: dict[int, list[Any]] = {}
    for partition in range(wanted[0].partitions):
        rows = await raw(bootstrap, names.state, partition)
        # A checkpoint ends with the watermark, outputs end with `!through`: a transaction may end after either.
        ends = [0] + [
            i + 1
            for i, row in enumerate(rows)
            if i + 1 == len(rows) or row.offset + 1 < rows[i + 1].offset  # the marker of its commit lies between
        ]
        kept[partition] = rows[: rng.choice(ends) if rng.random() < 0.7 else 0]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([names.state])
        deadline = time.monotonic() + 20
        while names.state in await admin.list_topics() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
    finally:
        await admin.close()
    await create_topics(bootstrap, [t for t in wanted if t.name == names.state])
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=LARGE) as producer:
        for partition, rows in kept.items():
            for row in rows:
                await producer.send_and_wait(names.state, row.value, row.key, partition)
