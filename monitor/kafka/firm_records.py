"""What the logs hold of one pilot, as lines: its history, its decisions, its rejections. For the firm that runs it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import cast

import msgspec

from monitor.engine.history_export import HistoryExport, header_of
from monitor.errors import Refused
from monitor.files.program import program_id
from monitor.kafka.history_source import PartitionHistory, partitions_of
from monitor.kafka.output_consumer import ConsumedOutput, read_outputs
from monitor.kafka.reader_trust import OutputTrust
from monitor.kafka.topics import TopicNames, participants_of
from monitor.model.records import Decision, Rejected


class FirmRecords:
    """Reads what the logs hold of a pilot, up to where they end when reading begins. `trust` judges outputs.

    Each generator raises Unavailable and LogBroken.
    """

    def __init__(self, bootstrap: str, prefix: str, trust: OutputTrust) -> None:
        self._bootstrap, self._prefix, self._trust = bootstrap, prefix, trust

    async def history(self, pilot: str) -> AsyncGenerator[bytes, None]:
        """The history of a pilot, as `sandbox-monitor export --pilot` writes it. Raises Refused when there is none."""
        bootstrap, records = self._bootstrap, 0
        names = TopicNames(self._prefix, await participants_of(bootstrap, self._prefix))
        for partition in await partitions_of(bootstrap, names, [pilot]):
            async with PartitionHistory(bootstrap, names, partition) as log:
                missing = await log.missing()
                header = header_of(
                    "kafka",
                    partition,
                    [pilot],
                    keyed=True,
                    control_topic=names.control,
                    missing=missing,
                    program=program_id(),
                )
                made = HistoryExport(header, await log.ordered())
                async with contextlib.aclosing(made.lines()) as lines:
                    async for line in lines:
                        yield line
                records += made.records
        if not records:
            raise Refused(f"no record of {pilot} is in the logs of this monitor")

    async def decisions(self, pilot: str) -> AsyncGenerator[bytes, None]:
        """Every decision about a pilot, one JSON object per line: what `replay --against` compares with."""
        async for value in self._outputs(TopicNames(self._prefix).decisions):
            if isinstance(value, Decision) and value.pilot == pilot:
                yield msgspec.json.encode(value) + b"\n"

    async def rejections(self, pilot: str, participant: str) -> AsyncGenerator[bytes, None]:
        """Every rejection of telemetry and acts about a pilot, one JSON object per line, except of what came on the
        topic of another participant: that is not its firm's."""
        names = TopicNames(self._prefix)
        ours = {names.control, names.shared_telemetry, names.telemetry_of(participant)}
        async for value in self._outputs(names.rejected):
            if isinstance(value, Rejected) and value.pilot == pilot and value.topic in ours:
                yield msgspec.json.encode(value) + b"\n"

    async def _outputs(self, topic: str) -> AsyncGenerator[object, None]:
        read = read_outputs(self._bootstrap, [topic], follow=False, client_id="sandbox-gateway", trust=self._trust)
        async with contextlib.aclosing(cast(AsyncGenerator[ConsumedOutput, None], read)) as outputs:
            async for seen in outputs:
                yield seen.value
