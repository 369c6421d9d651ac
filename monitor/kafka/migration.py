"""How far the move from shared topics to separate topics per participant has come: what `topics migrate` reports.

The move is made by workers that run with `--each --also-shared`; nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from monitor.kafka import state_keys
from monitor.kafka.output_routes import Written, decode_written
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.topics import (
    ANY,
    TopicMismatch,
    TopicNames,
    check_topics,
    existing_partitions,
    participant_topics,
    partition_count,
)

Next: TypeAlias = Literal["create_topics", "start_workers", "move"]


class ParticipantStatus(Struct, frozen=True):
    """One participant. `partitions` is in how many partitions its topics hold the command in force of each pilot and
    get every later one; `next` what is to be done for it."""

    participant: str
    mismatches: tuple[TopicMismatch, ...]
    partitions: int
    next: Next


class MigrationStatus(Struct, frozen=True):
    """All participants, and the shared telemetry topic: records that no worker has stepped, and when the newest was
    written (ms; `None`: there is none)."""

    partitions: int
    participants: tuple[ParticipantStatus, ...]
    unread: int
    newest: int | None

    @property
    def done(self) -> bool:
        """Whether every participant can use its topics, and nothing is left in the shared telemetry topic."""
        return not self.unread and all(p.next == "move" for p in self.participants)


class _Partition(Struct, frozen=True):
    written: Written
    unread: int
    newest: int | None


async def migration_status(bootstrap: str, prefix: str, participants: Sequence[str]) -> MigrationStatus:
    """Look at the topics and at what the workers have noted. Raises `Unavailable`, `LogBroken`."""
    names = TopicNames(prefix, tuple(participants), per_participant=True)
    count = await partition_count(bootstrap, names.control)
    wrong = await check_topics(bootstrap, participant_topics(names, count, 1))
    shared = names.shared_telemetry in await existing_partitions(bootstrap, [names.shared_telemetry + ANY])
    reader = PartitionReader(bootstrap)
    await reader.start()
    try:
        rows = [await _partition(reader, names, number, shared) for number in range(count)]
    finally:
        await reader.stop()
    return MigrationStatus(
        count,
        tuple(_participant(names, name, wrong, rows) for name in participants),
        sum(row.unread for row in rows),
        max((row.newest for row in rows if row.newest is not None), default=None),
    )


def _participant(
    names: TopicNames, name: str, wrong: Sequence[TopicMismatch], rows: Sequence[_Partition]
) -> ParticipantStatus:
    own = {names.telemetry_of(name), names.commands_of(name), names.permits_of(name)}
    mine = tuple(m for m in wrong if m.topic in own)
    written = sum(name in row.written.own for row in rows)
    what: Next = "create_topics" if mine else "move" if written == len(rows) else "start_workers"
    return ParticipantStatus(name, mine, written, what)


async def _partition(reader: PartitionReader, names: TopicNames, number: int, shared: bool) -> _Partition:
    live = state_keys.LiveKeys()
    async for raw in reader.all(names.state, number):
        if state_keys.parse(raw.key)[0] != state_keys.SNAPSHOT:
            live.feed(raw.key, raw.value)
    written = live.values.get((state_keys.WRITTEN, ""))
    found = Written() if written is None else decode_written(written)
    if not shared:
        return _Partition(found, 0, None)
    first, end = await reader.bounds(names.shared_telemetry, number)
    at = max(first, _stepped(live).get(names.shared_telemetry, 0))
    # Offsets may be markers of transactions: only records count.
    unread = [raw async for raw in reader.all(names.shared_telemetry, number, at)] if at < end else []
    last = unread[-1:] or (await reader.chunk(names.shared_telemetry, number, max(first, end - 5), end))[0][-1:]
    return _Partition(found, len(unread), int(last[0].timestamp) if last else None)


def _stepped(live: state_keys.LiveKeys) -> dict[str, int]:
    """The next offset of each telemetry topic, as of the last checkpoint or write."""
    found: dict[str, int] = {}
    if (raw := live.values.get((state_keys.WATERMARK, ""))) is not None:
        found |= state_keys.decode_watermark(raw).position.telemetry
    if (raw := live.values.get((state_keys.THROUGH, ""))) is not None:
        for topic, at in state_keys.decode_position(raw).telemetry.items():
            found[topic] = max(at, found.get(topic, 0))
    return found
