"""Follows `control`: charters for consumers of decisions that need a pilot's limits, tier or sector; or all acts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monitor.charter.control import Admission, Amendment, ControlBase
from monitor.charter.exit_acts import Graduation
from monitor.charter.spec import Charter, hash_of
from monitor.errors import LogBroken, Unavailable
from monitor.kafka.partition_reader import PartitionReader, to_records
from monitor.kafka.topics import partition_count
from monitor.model.records import Rejected
from monitor.validate.parse import validate_control

PAUSE_SECONDS = 2.0


def _ignore() -> None:
    """Nothing happens."""


async def follow_charters(
    bootstrap: str, topic: str, learn: Callable[[Charter], None], client_id: str, ended: Callable[[], None] = _ignore
) -> None:
    """Call `learn` with every charter on the control log `topic`, in force or not; never returns.

    A charter that cannot be hashed, and so never comes into force, is left out. Otherwise as `follow_acts`.
    """

    def take(act: ControlBase) -> None:
        if not isinstance(act, Admission | Amendment | Graduation) or act.charter is None:
            return
        if hash_of(act.charter) is not None:
            learn(act.charter)

    await follow_acts(bootstrap, topic, take, client_id, ended)


async def follow_acts(
    bootstrap: str, topic: str, take: Callable[[ControlBase], None], client_id: str, ended: Callable[[], None] = _ignore
) -> None:
    """Call `take` with every well-formed act on the control log `topic`, whether it took effect or not; never returns.

    Calls `ended` each time that the end of the log is reached. Retries while the broker is unavailable or refuses
    access.
    """
    at: dict[int, int] = {}
    while True:
        reader = PartitionReader(bootstrap, client_id=client_id)
        try:
            await reader.start()
            while True:
                for partition in range(await partition_count(bootstrap, topic)):
                    await _take(reader, topic, partition, at, take)
                ended()
                await asyncio.sleep(PAUSE_SECONDS)
        except (Unavailable, LogBroken):  # reported by those who follow the outputs
            await asyncio.sleep(PAUSE_SECONDS)
        finally:
            await reader.stop()


async def _take(
    reader: PartitionReader, topic: str, partition: int, at: dict[int, int], take: Callable[[ControlBase], None]
) -> None:
    first, end = await reader.bounds(topic, partition)
    start = max(first, at.get(partition, 0))
    while start < end:
        raw, start = await reader.chunk(topic, partition, start, end)
        for record in to_records(raw):
            act = validate_control(record, topic, partition, secret=b"")
            if not isinstance(act, Rejected):
                take(act)
    at[partition] = start
