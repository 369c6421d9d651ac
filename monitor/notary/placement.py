"""Where entries of version 3 may stand: the parts of a record one after another, each type in its log.

Standard library only.
"""

from __future__ import annotations

from typing import Any

from monitor.notary.encoding import Entry, EntryType
from monitor.notary.format import DECISIONS, EVIDENCE, LogName
from monitor.notary.typed import whole_id


class Parts:
    """Follows the entries of one ledger: a record of several parts stands whole, in order, with nothing between."""

    def __init__(self) -> None:
        self._open: tuple[str, int, int] | None = None  # id of the record, the part that follows, parts

    def take(self, entry: Entry) -> str:
        """Take the next entry; returns what is wrong with its place, "" when nothing is."""
        expected, self._open = self._open, None
        missing = "" if expected is None else f"part {expected[1]} of {expected[2]} of {expected[0]} is missing"
        if not entry.type.typed:
            return missing
        record = entry.record()
        found = whole_id(record), record["part"], record["parts"]
        if found != (expected or (found[0], 1, found[2])):
            return missing or f"part {found[1]} of {found[2]} of {found[0]} stands before part 1"
        if found[1] < found[2]:
            self._open = (found[0], found[1] + 1, found[2])
        return ""


class Places:
    """Follows the types of the entries of one ledger: each log holds its own, and the beginning of a shard is its first
    entry. `name`: what the header of the file says, `None` where there is no file."""

    def __init__(self, name: LogName | None = None) -> None:
        self._name = name
        self._log = "" if name is None else name.log
        self._count = 0
        self.beginning: dict[str, Any] | None = None  # of a shard: what its first entry says

    def take(self, entry: Entry) -> str:
        """Take the next entry; returns what is wrong with its place, "" when nothing is."""
        first, self._count = self._count == 0, self._count + 1
        if entry.type is EntryType.SHARD:
            return self._begin(entry.record()) if first else "the beginning of a shard stands inside it"
        if first and self._name is not None and self._name.year:
            return f"the beginning of the shard {self._name.year} is missing"
        found = EVIDENCE if entry.type is EntryType.EVIDENCE else DECISIONS
        self._log = self._log or found
        return "" if found == self._log else f"an entry of type {entry.type.name.lower()} in the log {self._log}"

    def _begin(self, record: dict[str, Any]) -> str:
        said, name = (record.get("log"), record.get("year")), self._name
        if name is not None and said != (name.log, name.year):
            return f"the beginning of the shard {said} in the file of {(name.log, name.year)}"
        self._log, self.beginning = str(said[0]), record
        return ""
