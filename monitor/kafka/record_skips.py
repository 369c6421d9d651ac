"""Skips records of telemetry at which the worker ends each time, as the operator has decided (`--skip`).

The skip is journalled, so that recovery and every replay skip the same record; the pilots concerned get a finding, and
the record is rejected. Acts of people are never skipped, nor is what was stepped already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from monitor.kafka.owned_partition import OwnedPartition
from monitor.logs import EventLogger

logger = EventLogger(__name__)


class RecordPlace(NamedTuple):
    """One record of a topic."""

    topic: str
    partition: int
    offset: int


def parse_place(text: str) -> RecordPlace:
    """A place as people write it. Raises ValueError.

    >>> parse_place("sandbox.telemetry/0/1234")
    RecordPlace(topic='sandbox.telemetry', partition=0, offset=1234)
    """
    topic, *numbers = text.split("/")
    if not topic or len(numbers) != 2 or not all(n.isascii() and n.isdigit() and len(n) < 19 for n in numbers):
        raise ValueError(f"{text!r} is not TOPIC/PARTITION/OFFSET, as in sandbox.telemetry/0/1234")
    return RecordPlace(topic, int(numbers[0]), int(numbers[1]))


async def skip_records(owned: OwnedPartition, places: Iterable[str], batch: int) -> None:
    """Skip those of `places` that are in this partition's telemetry: step what precedes them, then journal the skip.

    A place that was stepped or skipped before, or that holds no record, changes nothing and is logged. Raises what the
    log raises.
    """
    log, runner = owned.log, owned.runner
    here = [place for place in map(parse_place, places) if place.partition == owned.partition]
    for topic, _, offset in sorted(place for place in here if place.topic in log.names.telemetry):
        for other, stop in runner.written.items():  # a skip is journalled only behind all that was emitted
            await _step(owned, other, stop, batch)
        await _step(owned, topic, offset, batch)
        at, where = runner.next_telemetry.get(topic, 0), f"{topic}/{owned.partition}/{offset}"
        if at > offset:
            logger.warning("record.not_skipped", record=where, next=at, detail="it was stepped or skipped before")
            continue
        found = await log.telemetry(topic, offset, offset + 1)
        if not found:
            logger.warning("record.not_skipped", record=where, detail="there is no such record")
            continue
        key = (found[0].key or b"").decode(errors="replace")
        logger.error("record.skipped", stage="observe", record=where, key=key, detail="as --skip asks")
        await runner.skip({topic: (at, offset + 1)}, {topic: key})


async def _step(owned: OwnedPartition, topic: str, stop: int, batch: int) -> None:
    """Step a topic up to an offset, as carefully as the loop of the worker would."""
    log, runner = owned.log, owned.runner
    while (at := runner.next_telemetry.get(topic, 0)) < stop:
        records = list(await log.telemetry(topic, max(at, (await log.firsts([topic]))[topic]), stop))
        if not records:
            return
        while records:
            size = owned.careful.batch(topic, batch)
            part, records = records[:size], records[size:]
            await runner.telemetry(topic, part)
            owned.careful.stepped(topic, len(part))
            if owned.careful.active and not runner.replaying:
                await runner.checkpoint()
