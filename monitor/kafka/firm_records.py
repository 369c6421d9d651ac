"""What the logs hold of one pilot, as lines: its history, its decisions, its rejections. For the firm that runs it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import cast

import msgspec

from monitor.engine.history_export import HistoryExport, header_of
from monitor.errors import Refused
from monitor.kafka.history_source import PartitionHistory, partitions_of
from monitor.kafka.output_consumer import ConsumedOutput, read_outputs
from monitor.kafka.topics import TopicNames, participants_of
from monitor.model.records import Decision, Rejected


async def history_lines(bootstrap: str, prefix: str, pilot: str) -> AsyncGenerator[bytes, None]:
    """The history of a pilot, as `sandbox-monitor export --pilot` writes it. Raises Refused when there is none,
    Unavailable, LogBroken."""
    names = TopicNames(prefix, await participants_of(bootstrap, prefix))
    records = 0
    for partition in await partitions_of(bootstrap, names, [pilot]):
        async with PartitionHistory(bootstrap, names, partition) as log:
            missing = await log.missing()
            header = header_of("kafka", partition, [pilot], keyed=True, control_topic=names.control, missing=missing)
            made = HistoryExport(header, await log.ordered())
            async with contextlib.aclosing(made.lines()) as lines:
                async for line in lines:
                    yield line
            records += made.records
    if not records:
        raise Refused(f"no record of {pilot} is in the logs of this monitor")


async def decision_lines(bootstrap: str, prefix: str, pilot: str) -> AsyncGenerator[bytes, None]:
    """Every decision about a pilot, one JSON object per line: what `replay --against` compares with."""
    async for value in _outputs(bootstrap, TopicNames(prefix).decisions):
        if isinstance(value, Decision) and value.pilot == pilot:
            yield msgspec.json.encode(value) + b"\n"


async def rejection_lines(bootstrap: str, prefix: str, pilot: str, participant: str) -> AsyncGenerator[bytes, None]:
    """Every rejection of telemetry and acts about a pilot, one JSON object per line, except of what came on the topic
    of another participant: that is not its firm's."""
    names = TopicNames(prefix)
    ours = {names.control, names.shared_telemetry, names.telemetry_of(participant)}
    async for value in _outputs(bootstrap, names.rejected):
        if isinstance(value, Rejected) and value.pilot == pilot and value.topic in ours:
            yield msgspec.json.encode(value) + b"\n"


async def _outputs(bootstrap: str, topic: str) -> AsyncGenerator[object, None]:
    read = read_outputs(bootstrap, [topic], follow=False, client_id="sandbox-gateway")
    async with contextlib.aclosing(cast(AsyncGenerator[ConsumedOutput, None], read)) as outputs:
        async for seen in outputs:
            yield seen.value
