"""Enters committed outputs in the ledger: decisions and commands with the charters they put in force, and evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monitor.embedded.charter_versions import stored_charters
from monitor.embedded.output_reader import OutputReader, evidence_of
from monitor.embedded.store import Store
from monitor.model.records import Closed, Evidence, Outputs
from monitor.notary.evidence_entries import EvidenceGatherer
from monitor.notary.notary import Notary

DECISIONS, EVIDENCE = "seq", "evidence"
"""The names in the notary's position: the last output to which decisions and commands were read, and the next one of
evidence."""
MOST = 2_000  # evidence read at once


class LedgerRecorder:
    """Reads outputs in order, from where the ledger durably stands: `read`, then `enter`, in turn. `recorded` is called
    with the number of new entries."""

    def __init__(self, store: Store, notary: Notary, recorded: Callable[[int], None]) -> None:
        self._store, self._notary, self._recorded = store, notary, recorded
        position = notary.position
        self._reader = OutputReader(store, ("decisions", "commands"), position.get(DECISIONS, 0))
        gathered = notary.gathered(EVIDENCE)
        self._evidence_at = max(gathered.resume - 1, 0)  # the last one that is not read again
        self._evidence: list[tuple[int, Evidence | Closed]] = []
        self._gatherer = EvidenceGatherer(gathered)

    async def read(self) -> Outputs | None:
        """The next decisions and commands; the next evidence is kept for `enter`. `None` at the end of both."""
        outputs = await self._reader.read()
        rows = await self._store.outputs("evidence", self._evidence_at, MOST)
        self._evidence = [(place, evidence_of(raw)) for place, raw in rows]
        return outputs if outputs is not None or not rows else Outputs()

    async def enter(self, outputs: Outputs) -> None:
        """Enter what was read; it is durable when this returns. Raises LedgerBroken."""
        if outputs.decisions or outputs.commands:
            await self._enter_decisions(outputs)
        if self._evidence:
            await self._enter_evidence()

    async def _enter_decisions(self, outputs: Outputs) -> None:
        notary = self._notary
        charters = await stored_charters(self._store, notary.charters_wanted(outputs.decisions))
        new = await asyncio.to_thread(
            notary.record,
            outputs.decisions,
            outputs.commands,
            partition=0,
            position={**notary.position, DECISIONS: self._reader.at},
            charters=charters,
        )
        self._recorded(new)

    async def _enter_evidence(self) -> None:
        notary = self._notary
        groups = [group for place, value in self._evidence for group in self._gatherer.take(place, value)]
        self._evidence_at = self._evidence[-1][0]
        if groups:
            gathered = self._gatherer.gathered
            self._recorded(await asyncio.to_thread(notary.record_evidence, groups, log=EVIDENCE, gathered=gathered))
