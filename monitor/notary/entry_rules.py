"""The rules that the entries of one ledger obey in their order. Each broken rule has the id of the check that finds it.

Standard library only. The ids are those of `monitor.verifier.checks`.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.notary.dense import Standings, named
from monitor.notary.encoding import CLEAR, Entry, EntryType, Malformed, check, decode

_BY_A_PERSON = b'"cause":"control:'
"""In canonical JSON a quote inside a text is escaped, so these bytes are always the field `cause` of a record."""


class Broken(NamedTuple):
    """A rule that an entry breaks: the id of its check, the sentence, and the offset in the entry."""

    check: str
    problem: str
    offset: int = 0


class EntryRules:
    """Follows the entries of the ledger of `model`.

    With `bodies` the JSON of each entry is parsed, compared with its fields and checked to be canonical; without, only
    the fields in front of it are read (ten times as fast).
    """

    def __init__(self, model: str, *, bodies: bool = True) -> None:
        self.model = model
        self.standings = Standings()
        self._bodies = bodies
        self._ids: set[str] = set()
        self._standing: dict[bool, int] = {}
        self._epochs: dict[bool, int] = {}
        self._committed_at = -1
        self._count = 0

    def take(self, raw: bytes) -> Entry | Broken:
        """Return the next entry, decoded; or the rule that it breaks, after which no further entry may be taken."""
        try:
            entry = decode(raw)
        except Malformed as bad:
            return Broken("entry.encoding", str(bad), bad.offset)
        if self._bodies:
            try:
                check(raw)
            except Malformed as bad:
                return Broken("entry.body", str(bad), bad.offset)
        broken = self._in_order(entry)
        if broken is not None:
            return broken
        command = entry.type is EntryType.COMMAND
        self._ids.add(entry.id)
        self._standing[command], self._epochs[command] = entry.standing, entry.epoch
        self.standings.take(entry)
        self._count += 1
        return entry

    def _in_order(self, entry: Entry) -> Broken | None:
        command = entry.type is EntryType.COMMAND
        last = self._standing.get(command, -1)
        if entry.pilot != self.model:
            return Broken("entry.pilot", f"an entry of {entry.pilot!r} in the file of {self.model!r}")
        if entry.id in self._ids:
            return Broken("entry.id", f"the id {entry.id} occurs twice")
        if entry.standing < last or (entry.standing == last and not command):
            return Broken("entry.standing", f"standing {entry.standing} after {last}")
        if hole := self.standings.hole_before(entry):
            return Broken("entry.gap", f"{named(hole)} before this entry of standing {entry.standing}")
        if entry.epoch < self._epochs.get(command, 0):
            return Broken("entry.epoch", f"epoch {entry.epoch} after {self._epochs[command]}: void")
        if entry.version != CLEAR:
            self._committed_at = self._count
        elif self._committed_at >= 0 and not command and _BY_A_PERSON in entry.body:
            return Broken(
                "entry.version",
                f"an act in format version {CLEAR}, with its texts in clear, after entry {self._committed_at} of a "
                "later version: formats never go back",
            )
        return None
