"""Random histories of a monitor with its ledger, exported as a firm gets them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TypeVar

from msgspec import structs

from monitor.engine.history_export import HistoryExport, header_of
from monitor.engine.history_order import MergedHistory
from monitor.files.program import program_id
from monitor.model.records import Claim, Closed, Outputs
from monitor.model.subjects import is_pilot
from monitor.notary.evidence_entries import EvidenceGatherer, EvidenceGroup
from monitor.notary.notary import Notary
from monitor.testing.history.check import Difference
from monitor.testing.history.in_process import InProcessHistory

T = TypeVar("T")


class RecordedHistory(InProcessHistory):
    """A history of `monitor.testing.history` with its workload and faults; instead of being judged it is kept."""

    outputs: Outputs

    @classmethod
    def of(cls, seed: int, home: Path | None = None) -> RecordedHistory:
        """Run one: in memory, or in `home` on SQLite."""
        logging.getLogger("monitor").setLevel(logging.CRITICAL)  # owners crash on purpose
        made = cls(seed, home)
        made.run()
        return made

    async def _judge(self) -> list[Difference]:
        self.dump, self.outputs, _, _ = await self.store.read()
        return []

    @property
    def pilots(self) -> list[str]:
        """Those of which there is a decision."""
        return sorted({decision.pilot for decision in self.outputs.decisions if is_pilot(decision.pilot)})

    def exported(self, pilots: Iterable[str] = ()) -> bytes:
        """What `export` writes: of these pilots, or of all."""
        return asyncio.run(self._exported(list(pilots)))

    async def _exported(self, pilots: list[str]) -> bytes:
        firms = {topic: f"firm-{number + 1}" for number, topic in enumerate(self.topics)}
        owners = firms if len(firms) > 1 else {}  # as a worker's claim says; the claim of the logs in memory does not
        journal = [
            structs.replace(row, entry=structs.replace(row.entry, owners=owners))
            if isinstance(row.entry, Claim)
            else row
            for row in self.dump.journal
        ]
        telemetry = self.dump.telemetry
        merged = MergedHistory(
            _each(journal), _each(self.dump.control), lambda topic: _each(telemetry.get(topic, [])), None
        )
        header = header_of("kafka", 0, pilots, keyed=True, control_topic="control", program=program_id())
        return b"".join([line async for line in HistoryExport(header, merged).lines()])

    def ledger(self, directory: Path) -> Path:
        """The ledgers of all pilots."""
        directory.mkdir()
        notary = Notary(directory)
        notary.record(self.outputs.decisions, self.outputs.commands)
        notary.record_evidence(self.evidence())
        notary.close()
        return directory

    def evidence(self, *pilots: str) -> list[EvidenceGroup]:
        """The evidence of these pilots (none: of all), as a notary gathers it; the last of each pilot is still open."""
        gatherer = EvidenceGatherer()
        mine = (one for one in self.outputs.evidence if isinstance(one, Closed) or not pilots or one.pilot in pilots)
        return [group for place, one in enumerate(mine) for group in gatherer.take(place, one)]


async def _each(those: Iterable[T]) -> AsyncIterator[T]:
    for one in those:
        yield one
