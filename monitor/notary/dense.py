"""Finds missing entries: the decisions of a pilot are numbered 1, 2, 3 ... by `standing`, so a gap is a missing entry.

Commands and charters repeat the standing of their decision and are ignored. Two kinds of ledger have gaps and are
sound:

- decisions of the second stage about a vendor (they name no charter) are numbered over all vendors together;
- older versions could give two findings that one event cleared the same id, and the second was dropped as a repeat. A
  number missing right after a `cleared` may be such a loss (one for each further segment whose exposure cap was
  cleared); the ledger alone cannot tell.

Standard library only.
"""

from __future__ import annotations

from typing import Any

from monitor.notary.encoding import Entry

SEGMENTS = 64
"""Upper bound on the segments of one indicator whose exposure caps one period may clear."""


class Standings:
    """Follows the entries of one ledger in order. `first` and `last` are the lowest and highest standing of a decision
    (`None`: none yet), `doubtful` the numbers that an older version may have lost."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.last: int | None = None
        self.doubtful: tuple[int, ...] = ()
        self._before: Entry | None = None

    def hole_before(self, entry: Entry) -> range:
        """The standings that are missing between the last decision taken and `entry`; an empty range when none is."""
        skipped = self._skipped(entry)
        if not skipped:
            return skipped  # without reading the body of the last one
        return range(0) if len(skipped) <= self._may_be_lost() else skipped

    def take(self, entry: Entry) -> None:
        """Add the next entry."""
        if not entry.type.numbered:
            return
        if skipped := self._skipped(entry):
            self.doubtful = (*self.doubtful, *skipped)
        self.first = entry.standing if self.first is None else self.first
        self.last, self._before = entry.standing, entry

    def _skipped(self, entry: Entry) -> range:
        if not entry.type.numbered or self.last is None or entry.standing <= self.last + 1:
            return range(0)
        return range(self.last + 1, entry.standing) if _body(entry).get("charter") else range(0)

    def _may_be_lost(self) -> int:
        """How many decisions after the last one an older version may have dropped as repeats of it."""
        record = {} if self._before is None else _body(self._before)
        if record.get("reason") != "cleared":
            return 0
        finding = record.get("finding")
        return SEGMENTS if isinstance(finding, dict) and finding.get("rule") == "exposure_cap" else 1


def _body(entry: Entry) -> dict[str, Any]:
    """The record. An unreadable body counts as a decision under a charter; the check of encodings reports it."""
    try:
        return entry.record()
    except ValueError:
        return {"charter": "?"}


def named(hole: range) -> str:
    """The missing standings in words.

    >>> named(range(9, 15)), named(range(4, 5))
    ('standings 9 to 14 are missing', 'standing 4 is missing')
    """
    if len(hole) == 1:
        return f"standing {hole.start} is missing"
    return f"standings {hole.start} to {hole.stop - 1} are missing"
