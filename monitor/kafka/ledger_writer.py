"""Appends decisions that were read to the ledger, and reports those that cannot be entered."""

from __future__ import annotations

import asyncio

from monitor.console.notices import Notices
from monitor.errors import LedgerBroken
from monitor.kafka.output_consumer import ConsumedOutput
from monitor.kafka.reader_reports import ReaderReports
from monitor.logs import EventLogger
from monitor.model.output_records import OutputRejection
from monitor.model.records import Decision, command_of
from monitor.notary.not_entered import LINES, NotEntered, append, beyond, read_not_entered
from monitor.notary.notary import Notary
from monitor.projections.metrics import Metrics

logger = EventLogger(__name__)

MAX_BATCH = 500  # records that share one durable append


class LedgerWriter:
    """Enters decisions in `ledger`. A decision that does not follow the last one of its pilot is not entered, listed in
    `not-entered.jsonl` and reported; the other pilots' go on."""

    def __init__(self, ledger: Notary, metrics: Metrics, notices: Notices, reports: ReaderReports) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._notices = notices
        self._reports = reports
        self._left_out = read_not_entered(ledger.directory)
        self._shown: set[str] = set()
        self._report()

    async def run(self, unrecorded: asyncio.Queue[ConsumedOutput]) -> None:
        """Append the decisions that have been read, for ever: those of one partition that are waiting share one durable
        write. Raises LedgerBroken.

        The read position is stored with the records, in the same append: a crash between the two would either lose
        decisions or record them twice.
        """
        position = self._ledger.position
        while True:
            batch = [await unrecorded.get()]
            while not unrecorded.empty() and len(batch) < MAX_BATCH:
                batch.append(unrecorded.get_nowait())
            by_partition: dict[int, list[ConsumedOutput]] = {}
            for seen in batch:
                by_partition.setdefault(seen.partition, []).append(seen)
            for partition, rows in by_partition.items():
                position = {**position, f"{rows[-1].topic}/{partition}": rows[-1].position.next}
                # In a thread: an fsync of a slow disk must not stop heartbeats of the readers or the board.
                entries = await asyncio.to_thread(self._enter, partition, rows, position)
                self._metrics.recorded(entries)
                self._report()

    def _enter(self, partition: int, rows: list[ConsumedOutput], position: dict[str, int]) -> int:
        decisions = [row.value for row in rows if isinstance(row.value, Decision)]
        places = {row.value.id: row for row in reversed(rows) if isinstance(row.value, Decision)}
        # A command follows from its decision, so the ledger needs one topic only.
        commands = [command for decision in decisions if (command := command_of(decision)) is not None]

        def set_aside(decision: Decision, why: str) -> None:
            self._set_aside(decision, places[decision.id], why)

        return self._ledger.record(decisions, commands, partition=partition, position=position, set_aside=set_aside)

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
