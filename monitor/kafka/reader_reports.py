"""What the readers of outputs report: records read and skipped, lag, failures, progress; as metrics and in the log."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

from monitor.clock import wall_ms
from monitor.logs import EventLogger
from monitor.model.output_records import OutputRejection
from monitor.projections.metrics import Metrics

logger = EventLogger(__name__)

LOGGED = 10  # lines per reason and topic in each span of `LOGGED_EVERY_S`; every skip is counted
LOGGED_EVERY_S = 60.0
SERIES = 64  # topics that may be label values; further ones count as "other"


class SkippedOutput(Struct, frozen=True):
    """A record that a reader skipped, and why."""

    topic: str
    partition: int
    offset: int
    reason: OutputRejection


class _Logged(Struct):
    """Of one topic and reason: lines in the present span, since when (s), and skips without a line."""

    since: float
    lines: int = 0
    silent: int = 0


class ReaderReports:
    """Reports of one reader of a process. A record that it skips again after an outage counts once.

    Where two readers of a process read one topic, one of them reports skips (`skips`) and one its progress and lag
    (`progress`). `on_skip` is called for each skipped record that counts.
    """

    def __init__(
        self,
        metrics: Metrics | None = None,
        on_skip: Callable[[SkippedOutput], None] = lambda skipped: None,
        *,
        skips: bool = True,
        progress: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._skips, self._progress = skips, progress
        self._on_skip = on_skip
        self._monotonic = monotonic
        self._counted: dict[tuple[str, int, bool], int] = {}  # the highest offset that was counted
        self._logged: dict[tuple[str, OutputRejection], _Logged] = {}
        self._topics: set[str] = set()

    def watch(self, topic: str) -> None:
        """The topic is read from now on: its skips are counted from zero."""
        topic = self._label(topic)
        if self._metrics is not None and self._skips:
            self._metrics.reads(topic)

    def skipped(self, topic: str, partition: int, offset: int, reason: OutputRejection) -> None:
        """Count a record that is not an output of the monitor, and log it at a limited rate."""
        # What does not fit in a ledger is found later than what cannot be read.
        key = topic, partition, reason is OutputRejection.OUT_OF_ORDER
        if not self._skips or offset <= self._counted.get(key, -1):
            return
        self._counted[key] = offset
        if self._metrics is not None:
            self._metrics.skipped_output(self._label(topic), reason)
        self._on_skip(SkippedOutput(topic, partition, offset, reason))
        self._log(topic, partition, offset, reason)

    def read(self, topic: str, partition: int, position: int, lag: int, records: int) -> None:
        """`records` were read up to `position`; `lag` records of the partition are not read yet."""
        if self._metrics is not None and self._progress:
            self._metrics.reading(self._label(topic), partition, position, lag, records)

    def progress(self) -> None:
        """The log was asked and answered: the reader works, whether or not there was a record."""
        if self._metrics is not None and self._progress:
            self._metrics.heartbeat(wall_ms())

    def failed(self, error: Exception) -> None:
        """Reading failed, and is tried again."""
        if self._metrics is not None:
            self._metrics.reading_failed()
        logger.warning("outputs.reading_failed", error=error)

    def _label(self, topic: str) -> str:
        if topic in self._topics or len(self._topics) < SERIES:
            self._topics.add(topic)
            return topic
        return "other"

    def _log(self, topic: str, partition: int, offset: int, reason: OutputRejection) -> None:
        now = self._monotonic()
        logged = self._logged.setdefault((topic, reason), _Logged(now))
        if now - logged.since >= LOGGED_EVERY_S:
            logged.since, logged.lines = now, 0
        if logged.lines >= LOGGED:
            logged.silent += 1
            return
        logged.lines += 1
        logger.warning(
            "outputs.skipped",
            topic=topic,
            partition=partition,
            offset=offset,
            reason=reason.value,
            without_a_line=logged.silent or None,
            detail="not an output of the monitor; who may write to this topic? (runbook, SandboxForeignRecords)",
        )
        logged.silent = 0
