"""The order of a history: the logs of one partition merged as its journal says, in bounded memory, whichever store they
are in.

Up to each `control` or `time` entry: telemetry up to where it says, then control up to where it says, then the entry.
After the last entry: telemetry up to `through`, for which outputs are written already. What came later has no order yet
and is left out. Void entries (of a lower epoch after a higher one) are left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from monitor.engine.history import HistoryLine, control_line, journal_line, telemetry_line
from monitor.engine.log import Journalled
from monitor.model.epochs import EpochFilter
from monitor.model.records import Claim, Position, Record, Skipped

Records = AsyncIterator[Record]


class LookaheadReader:
    """Reads a log once, in order, one record ahead."""

    def __init__(self, records: Records, first: int = 0) -> None:
        self._records = records
        self._waiting: Record | None = None
        self._ended = False
        self.next = first  # offset after the last record, or the highest `stop`

    async def up_to(self, stop: int) -> AsyncIterator[Record]:
        """Yields the next records with an offset below `stop`."""
        while not self._ended:
            if self._waiting is None:
                self._waiting = await anext(self._records, None)
                if self._waiting is None:
                    self._ended = True
                    break
            if self._waiting.offset >= stop:
                break
            record, self._waiting = self._waiting, None
            yield record
        self.next = max(self.next, stop)


class MergedHistory:
    """Merges one partition. `telemetry` opens a topic at its first kept record; after iterating, `next` says up to
    which offset each log is contained."""

    def __init__(
        self,
        journal: AsyncIterator[Journalled],
        control: Records,
        telemetry: Callable[[str], Records],
        through: Position | None,
    ) -> None:
        self._journal, self._open, self._through = journal, telemetry, through
        self._control = LookaheadReader(control)
        self._topics: dict[str, LookaheadReader] = {}
        self._entries = 0

    @property
    def next(self) -> dict[str, int]:
        """Offset after the last contained record of each log."""
        return {
            **{topic: cursor.next for topic, cursor in self._topics.items()},
            "control": self._control.next,
            "journal": self._entries,
        }

    async def lines(self) -> AsyncIterator[HistoryLine]:
        """Yields every input of the machine in order."""
        epochs = EpochFilter()
        async for row in self._journal:
            self._entries = row.offset + 1
            entry = row.entry
            if not epochs.accepts(entry.epoch):
                continue
            if not isinstance(entry, Claim):
                for topic in sorted(entry.telemetry_next):
                    async for record in self._topic(topic).up_to(entry.telemetry_next[topic]):
                        yield telemetry_line(topic, record)
                async for record in self._control.up_to(entry.control_next):
                    yield control_line(record)
            if isinstance(entry, Skipped):
                for topic, (_, kept) in sorted(entry.lost.items()):
                    async for _ in self._topic(topic).up_to(kept):
                        pass  # the log may hold records that the owner never stepped
            yield journal_line(row)
        for topic, stop in sorted(self._through.telemetry.items()) if self._through else ():
            async for record in self._topic(topic).up_to(stop):
                yield telemetry_line(topic, record)

    def _topic(self, topic: str) -> LookaheadReader:
        if topic not in self._topics:
            self._topics[topic] = LookaheadReader(self._open(topic))
        return self._topics[topic]
