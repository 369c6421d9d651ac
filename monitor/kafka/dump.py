"""Reads back everything that determined a partition's results: telemetry, control and journal, with times and offsets.

A dump is what an offline machine needs to reach the same decisions with the same ids. `replay_dump` does that: it steps
the logs in the order of the journal, without Kafka or a clock, and returns the outputs.
"""

from __future__ import annotations

from aiokafka import TopicPartition
from msgspec import Struct

from monitor.engine.log import Journalled
from monitor.engine.machine import Machine
from monitor.kafka.journal_records import journal_entry
from monitor.kafka.partition_reader import PartitionReader, high_waters, to_records
from monitor.kafka.topics import TopicNames
from monitor.model.epochs import EpochFilter
from monitor.model.records import Claim, Outputs, Record, Skipped, TimeRead


class PartitionDump(Struct, frozen=True):
    """The complete input of one partition. Offsets have holes where the log has them."""

    partition: int
    telemetry: dict[str, list[Record]]
    control: list[Record]
    journal: list[Journalled]


async def dump_partition(bootstrap: str, names: TopicNames, partition: int) -> PartitionDump:
    """Read a partition up to its present end; waits for an open transaction. Raises `LogBroken`, `Unavailable`."""
    wanted = [*names.telemetry, names.control, names.journal]
    ends = await high_waters(bootstrap, [TopicPartition(topic, partition) for topic in wanted])
    reader = PartitionReader(bootstrap)
    await reader.start()
    try:
        found: dict[str, list[Record]] = {}
        journal: list[Journalled] = []
        for topic in wanted:
            at, _ = await reader.bounds(topic, partition)
            records = found[topic] = []
            while at < ends[TopicPartition(topic, partition)]:
                raw, at = await reader.chunk(topic, partition, at, ends[TopicPartition(topic, partition)])
                records += to_records(raw)
                if topic == names.journal:
                    journal += [entry for r in raw if (entry := journal_entry(r)) is not None]
    finally:
        await reader.stop()
    return PartitionDump(
        partition,
        {topic: found[topic] for topic in names.telemetry},
        found[names.control],
        journal,
    )


def replay_dump(logs: PartitionDump, machine: Machine) -> Outputs:
    """Step a dump in the order of its journal; returns all outputs in order. Changes only the state of `machine`.

    Telemetry and control after the last journal entry are stepped last, in that order.
    """
    out = Outputs()
    control = iter(logs.control)
    telemetry = {topic: _Cursor(records) for topic, records in logs.telemetry.items()}
    waiting = next(control, None)
    epochs = EpochFilter()
    for row in logs.journal:
        entry = row.entry
        if not epochs.accepts(entry.epoch):
            continue
        if isinstance(entry, Claim):
            continue
        for topic in sorted(entry.telemetry_next):
            out.extend(machine.telemetry(topic, telemetry[topic].up_to(entry.telemetry_next[topic])))
        while waiting is not None and waiting.offset < entry.control_next:
            out.extend(machine.control(waiting))
            waiting = next(control, None)
        if isinstance(entry, Skipped):
            for topic, (_, kept) in entry.lost.items():
                telemetry[topic].up_to(kept)  # a copy may hold records that the worker never read
            out.extend(machine.lost(entry.lost, entry.keys or {}))
            out.extend(machine.set_aside(entry.aside))
        if isinstance(entry, TimeRead):  # only a `time` entry advances time
            out.extend(machine.time(row.received))
    for topic, cursor in telemetry.items():
        out.extend(machine.telemetry(topic, cursor.up_to(None)))
    return out


class _Cursor:
    def __init__(self, records: list[Record]) -> None:
        self._rows = records
        self._at = 0

    def up_to(self, offset: int | None) -> list[Record]:
        """Records not yet given with an offset below this one (None: all that are left)."""
        start = self._at
        while self._at < len(self._rows) and (offset is None or self._rows[self._at].offset < offset):
            self._at += 1
        return self._rows[start : self._at]
