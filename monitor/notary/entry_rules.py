"""The rules that the entries of one ledger obey in their order. Each broken rule has the id of the check that finds it.

Standard library only. The ids are those of `monitor.verifier.checks`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from monitor.notary.dense import Standings, named
from monitor.notary.encoding import CLEAR, Entry, EntryType, Malformed, check, decode
from monitor.notary.format import LogName
from monitor.notary.placement import Parts, Places

_BY_A_PERSON = b'"cause":"control:'
"""In canonical JSON a quote inside a text is escaped, so these bytes are always the field `cause` of a record."""


class Broken(NamedTuple):
    """A rule that an entry breaks: the id of its check, the sentence, and the offset in the entry."""

    check: str
    problem: str
    offset: int = 0


class EntryRules:
    """Follows the entries of a ledger of `subject`; `name` is what the header of its file says, where there is one.

    With `bodies` the JSON of each entry is parsed, compared with its fields and checked to be canonical; without, only
    the fields in front of it are read (several times as fast).
    """

    def __init__(self, subject: str, *, bodies: bool = True, name: LogName | None = None) -> None:
        self.subject = subject
        self.standings = Standings()
        self._bodies = bodies
        self._ids: set[str] = set()
        self._standing: dict[EntryType, int] = {}
        self._epochs: dict[EntryType, int] = {}
        self._parts = Parts()
        self._places = Places(name)
        self._committed_at = -1
        self._count = 0

    @property
    def beginning(self) -> dict[str, Any] | None:
        """What the beginning of a shard says; `None` where the log is no shard, or no bodies are read."""
        return self._places.beginning

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
        track = entry.type.track
        self._ids.add(entry.id)
        self._standing[track], self._epochs[track] = entry.standing, entry.epoch
        self.standings.take(entry)
        self._count += 1
        return entry

    def _in_order(self, entry: Entry) -> Broken | None:
        track = entry.type.track
        last = self._standing.get(track, -1)
        if entry.pilot != self.subject:
            return Broken("entry.pilot", f"an entry of {entry.pilot!r} in the file of {self.subject!r}")
        if entry.id in self._ids:
            return Broken("entry.id", f"the id {entry.id} occurs twice")
        if entry.standing < last or (entry.standing == last and entry.type.numbered):
            return Broken("entry.standing", f"standing {entry.standing} after {last}")
        if hole := self.standings.hole_before(entry):
            return Broken("entry.gap", f"{named(hole)} before this entry of standing {entry.standing}")
        if entry.epoch < self._epochs.get(track, 0):
            return Broken("entry.epoch", f"epoch {entry.epoch} after {self._epochs[track]}: void")
        if self._bodies and (wrong := self._places.take(entry)):
            return Broken("entry.log", wrong)
        if self._bodies and (wrong := self._parts.take(entry)):
            return Broken("entry.parts", wrong)
        if entry.version != CLEAR:
            self._committed_at = self._count
        elif self._committed_at >= 0 and entry.type.numbered and _BY_A_PERSON in entry.body:
            return Broken(
                "entry.version",
                f"an act in format version {CLEAR}, with its texts in clear, after entry {self._committed_at} of a "
                "later version: formats never go back",
            )
        return None
