"""Appends decisions and evidence that were read to the ledger, and reports decisions that cannot be entered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeAlias

from monitor.console.notices import Notices
from monitor.errors import LedgerBroken
from monitor.kafka.output_consumer import ConsumedOutput
from monitor.kafka.reader_reports import ReaderReports
from monitor.logs import EventLogger
from monitor.model.output_records import OutputRejection
from monitor.model.records import Closed, Decision, Evidence, command_of
from monitor.notary.charters import CharterKey, Charters
from monitor.notary.evidence_entries import EvidenceGatherer
from monitor.notary.not_entered import LINES, NotEntered, append, beyond, read_not_entered
from monitor.notary.notary import Notary
from monitor.projections.metrics import Metrics

logger = EventLogger(__name__)

MAX_BATCH = 500  # records that share one durable append
FindCharters: TypeAlias = Callable[[Collection[CharterKey]], Awaitable[Charters]]
"""Returns those of the charters that are on control."""


class LedgerWriter:
    """Enters decisions, the charters that they put in force, and evidence in `ledger`. A decision that does not follow
    the last one of its pilot is not entered, listed in `not-entered.jsonl` and reported; the other pilots' go on."""

    def __init__(
        self, ledger: Notary, metrics: Metrics, notices: Notices, reports: ReaderReports, charters: FindCharters
    ) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._notices = notices
        self._reports = reports
        self._find_charters = charters
        self._gatherers: dict[str, EvidenceGatherer] = {}  # by topic/partition
        self._left_out = read_not_entered(ledger.directory)
        self._shown: set[str] = set()
        self._report()

    async def run(self, decisions: asyncio.Queue[ConsumedOutput], evidence: asyncio.Queue[ConsumedOutput]) -> None:
        """Append what has been read, for ever: records of one partition that are waiting share one durable write.
        Decisions go first, however much evidence waits. Raises LedgerBroken.

        The read position is stored with the records, in the same append: a crash between the two would either lose
        decisions or record them twice.
        """
        waits = {queue: asyncio.create_task(queue.get()) for queue in (decisions, evidence)}
        try:
            while True:
                await asyncio.wait(waits.values(), return_when=asyncio.FIRST_COMPLETED)
                queue = decisions if waits[decisions].done() else evidence
                batch = [waits[queue].result()]
                while not queue.empty() and len(batch) < MAX_BATCH:
                    batch.append(queue.get_nowait())
                waits[queue] = asyncio.create_task(queue.get())
                by_partition: dict[int, list[ConsumedOutput]] = {}
                for seen in batch:
                    by_partition.setdefault(seen.partition, []).append(seen)
                enter = self._enter_decisions if queue is decisions else self._enter_evidence
                for partition, rows in by_partition.items():
                    self._metrics.recorded(await enter(partition, rows))
                    self._report()
        finally:
            for wait in waits.values():
                wait.cancel()

    async def _enter_decisions(self, partition: int, rows: list[ConsumedOutput]) -> int:
        position = {**self._ledger.position, f"{rows[-1].topic}/{partition}": rows[-1].position.next}
        decisions = [row.value for row in rows if isinstance(row.value, Decision)]
        charters = await self._find_charters(self._ledger.charters_wanted(decisions))
        # In a thread: an fsync of a slow disk must not stop heartbeats of the readers or the board.
        return await asyncio.to_thread(self._enter, partition, rows, position, charters)

    async def _enter_evidence(self, partition: int, rows: list[ConsumedOutput]) -> int:
        log = f"{rows[-1].topic}/{partition}"
        if log not in self._gatherers:
            self._gatherers[log] = EvidenceGatherer(self._ledger.gathered(log))
        gatherer = self._gatherers[log]
        groups = [
            group
            for row in rows
            if isinstance(row.value, Evidence | Closed)
            for group in gatherer.take(row.offset, row.value, row.epoch)
        ]
        if not groups:
            return 0
        return await asyncio.to_thread(self._ledger.record_evidence, groups, log=log, gathered=gatherer.gathered)

    def _enter(self, partition: int, rows: list[ConsumedOutput], position: dict[str, int], charters: Charters) -> int:
        decisions = [row.value for row in rows if isinstance(row.value, Decision)]
        places = {row.value.id: row for row in reversed(rows) if isinstance(row.value, Decision)}
        # A command follows from its decision, so the ledger needs one topic only.
        commands = [command for decision in decisions if (command := command_of(decision)) is not None]

        def set_aside(decision: Decision, why: str) -> None:
            self._set_aside(decision, places[decision.id], why)

        return self._ledger.record(
            decisions, commands, partition=partition, position=position, set_aside=set_aside, charters=charters
        )

    def _set_aside(self, decision: Decision, at: ConsumedOutput, why: str) -> None:
        where = f"{at.topic}/{at.partition}/{at.offset}"
        row = NotEntered(decision.pilot, decision.standing, decision.id, why, where)
        if row in self._left_out:  # read again after a crash
            return
        if len(self._left_out) < LINES:
            self._left_out.append(row)
            try:
                append(self._ledger.directory, row)
            except OSError as error:
                raise LedgerBroken(f"{self._ledger.directory}: {error}") from error
        self._reports.skipped(at.topic, at.partition, at.offset, OutputRejection.OUT_OF_ORDER)
        logger.error(
            "ledger.not_entered",
            stage="record",
            pilot=decision.pilot,
            standing=decision.standing,
            at=where,
            detail=f"{why} (runbook, SandboxLedgerIncomplete)",
        )

    def _report(self) -> None:
        """Set the number of ledgers that end before a decision that was not entered, and show them."""
        if not self._left_out:
            return
        found = beyond(self._left_out, self._ledger.last_standings)
        for pilot in found.keys() | self._shown:
            self._notices.not_in_ledger(pilot, len(found.get(pilot, ())))
        self._shown = set(found)
        self._metrics.incomplete_ledgers(len(found))
