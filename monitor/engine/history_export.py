"""The lines of an exported history: of a whole partition, or of some pilots and nothing of others. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterable, Mapping

from msgspec import UNSET

from monitor.engine.history import FORMAT, EndLine, Header, HistoryLine, JournalLine, encode
from monitor.engine.history import OF_PILOTS as HISTORY_OF_PILOTS
from monitor.engine.history_of import PilotSelection
from monitor.engine.history_order import MergedHistory

NEVER = (
    "outputs: `replay` makes them again",
    "the key of the digests of rejected bytes: digests differ, reasons do not",
)
OF_PILOTS = (
    "records, acts and events of other pilots; events of theirs in a shared record stand as null",
    "time entries that no result of these pilots depends on",
    "host names of workers, names of other participants",
    "acts on the sandbox, and names and contacts in its configuration: each configuration that came into force stands "
    "in their place, with a commitment to the act",
    "what the partition says as a whole (`closed` among the evidence)",
)
AFTER = "records received after the last journal entry: their order is not fixed yet"


def header_of(
    runtime: str,
    partition: int,
    pilots: Iterable[str],
    *,
    keyed: bool,
    control_topic: str,
    missing: Mapping[str, int] | None = None,
    program: str = "",
) -> Header:
    """The first line of an export: what it contains, what is missing, and which `program` writes it."""
    chosen = tuple(sorted(pilots))
    return Header(
        history=HISTORY_OF_PILOTS if chosen else FORMAT,
        program=program or UNSET,
        runtime=runtime,
        partition=partition,
        pilots=chosen,
        keyed=keyed,
        control_topic=control_topic,
        missing=dict(missing or {}),
        not_contained=(*NEVER, AFTER, *(OF_PILOTS if chosen else ())),
    )


class HistoryExport:
    """One partition. `records` and `received` (ms, of the last one) rise while `lines` is read; `selection` is there
    when the header names pilots."""

    def __init__(self, header: Header, ordered: MergedHistory) -> None:
        self.header = header
        self.selection: PilotSelection | None = None
        if header.pilots:
            self.selection = PilotSelection(frozenset(header.pilots), header.partition, keyed=header.keyed)
        self.records = self.received = 0
        self._ordered = ordered

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Yield the lines, each with its line break: header, history, end."""
        chosen, written = self.selection, hashlib.sha256()
        yield _summed(written, self.header)
        async for line in self._ordered.lines():
            self.received = max(self.received, line.received)
            for kept in (line,) if chosen is None else chosen.feed(line):
                self.records += not isinstance(kept, JournalLine)
                yield _summed(written, kept)
        for kept in () if chosen is None else chosen.rest():
            yield _summed(written, kept)
        ends = self._ordered.next if chosen is None else {}
        yield encode(EndLine(next=ends, records=self.records, received=self.received, digest=written.hexdigest()))


def _summed(written: hashlib._Hash, line: Header | HistoryLine) -> bytes:
    raw = encode(line)
    written.update(raw)
    return raw
