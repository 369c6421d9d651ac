"""Where entries of version 3 may stand: the parts of a record one after another, each type in its log.

Standard library only.
"""

from __future__ import annotations

from monitor.notary.encoding import Entry, EntryType
from monitor.notary.format import EVIDENCE, LogName
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


def misplaced(name: LogName, number: int, kind: EntryType) -> str:
    """What is wrong with an entry of this type as entry `number` of this log, "" when nothing is."""
    if kind is EntryType.SHARD:
        return "" if number == 0 and name.year else "the beginning of a shard stands elsewhere than at its beginning"
    if number == 0 and name.year:
        return "the beginning of the shard is missing"
    if (kind is EntryType.EVIDENCE) != (name.log == EVIDENCE):
        return f"an entry of type {kind.name.lower()} in the log {name.log}"
    return ""
