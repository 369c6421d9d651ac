"""Gathers evidence into entries: one for each pilot and period end, with all observations and their scores.

The evidence of a pilot is read in the order in which it was emitted. Observations of closed periods that follow each
other and have the same end are one record. It is complete once the pilot's next evidence has another end, or a `Closed`
says that every period up to this end is closed. (Which `Closed` that is depends on the other pilots of the partition,
the record does not.) A late revision of a closed period is a record by itself, and ends the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from monitor.model.canonical import canonical
from monitor.model.records import Closed, Evidence, digest
from monitor.notary.charter_entries import entry_of_body
from monitor.notary.encoding import Entry, encode
from monitor.notary.typed import EVIDENCE, PART

PART_BYTES = 48 * 1024
"""Above so many bytes of observations, as canonical JSON, a record is cut into parts."""
_ABOUT = ("participant", "vendor", "data_source", "model")


class EvidenceGroup(Struct):
    """The observations of one record. `place` is the position of the first one in the log of evidence (Kafka: offset;
    embedded: number of the output), `epoch` the epoch of the owner that wrote it (0 in a log without epochs)."""

    place: int
    observations: list[Evidence]
    epoch: int = 0
    _known: dict[tuple[str, str, int], Evidence] = {}

    @property
    def pilot(self) -> str:
        """The pilot of all observations."""
        return self.observations[0].pilot

    @property
    def end(self) -> int:
        """The end of the period of all observations (ms)."""
        return self.observations[0].end

    def add(self, other: Evidence) -> None:
        """Add an observation, unless it is a repeat."""
        name = (other.indicator, other.segment, other.start)
        if self._known.get(name, self.observations[0]) != other:
            self._known[name] = other
            self.observations.append(other)

    def holds(self, other: Evidence) -> bool:
        """Whether `other`, which follows, belongs to the same record."""
        first = self.observations[0]
        if first.late or other.late or first.end != other.end:
            return False
        return all(getattr(first, name) == getattr(other, name) for name in _ABOUT)


class Gathered(Struct, frozen=True):
    """How far the evidence of one log was gathered: everything before the place `read`, except records that are not
    complete. `pending` has the pilots of these, each with the place of the first observation. `epoch` is the epoch of
    the owner that wrote what is at `resume`."""

    read: int = 0
    pending: dict[str, int] = {}
    epoch: int = 0

    @property
    def resume(self) -> int:
        """The place from which to read after a restart."""
        return min(self.pending.values(), default=self.read)


class EvidenceGatherer:
    """Takes the evidence of one partition in order. Holds at most one incomplete record per pilot. `done` is the
    `gathered` of an earlier gatherer: given everything from its `resume` on, this one returns what that one would have
    returned next."""

    def __init__(self, done: Gathered | None = None) -> None:
        self._done = done or Gathered()
        self._open: dict[str, EvidenceGroup] = {}
        self._next, self._epoch = self._done.read, self._done.epoch

    @property
    def gathered(self) -> Gathered:
        """How far this gatherer is. Valid once it has taken again everything that the earlier one had taken."""
        first = min(self._open.values(), key=lambda group: group.place, default=None)
        pending = {group.pilot: group.place for group in self._open.values()}
        return Gathered(self._next, pending, self._epoch if first is None else first.epoch)

    def _begins(self, pilot: str) -> int:
        """The place before which the evidence of a pilot is gathered. It differs by pilot, because records of several
        pilots overlap in a log."""
        return self._done.pending.get(pilot, self._done.read)

    def take(self, place: int, value: Evidence | Closed, epoch: int = 0) -> list[EvidenceGroup]:
        """Take what stands at `place` of the log. Returns the records that are complete now, in their order."""
        if place < (self._done.read if isinstance(value, Closed) else self._begins(value.pilot)):
            return []
        self._next, self._epoch = max(self._next, place + 1), epoch
        if isinstance(value, Closed):
            done = [group for group in self._open.values() if group.end <= value.through]
            for group in done:
                del self._open[group.pilot]
            return done
        last = self._open.get(value.pilot)
        if last is not None and last.holds(value):
            last.add(value)
            return []
        found = [] if last is None else [self._open.pop(value.pilot)]
        new = EvidenceGroup(place, [value], epoch)
        if value.late:
            return [*found, new]
        self._open[value.pilot] = new
        return found


def evidence_entries(group: EvidenceGroup) -> list[Entry]:
    """The entries of one record: one, or several parts of at most `PART_BYTES` of observations each (one at least).

    Raises ValueError on what neither canonical JSON nor an entry can hold."""
    first = group.observations[0]
    rows = [canonical(observation_row(one)) for one in group.observations]
    about = {name: getattr(first, name) for name in _ABOUT}
    identity = digest(EVIDENCE, group.pilot, group.end, *about.values(), *rows)
    parts = list(_parts(rows))
    entries = []
    for number, part in enumerate(parts, 1):
        body: dict[str, Any] = {
            "kind": EVIDENCE,
            "id": identity if number == 1 else f"{identity}{PART}{number}",
            "pilot": group.pilot,
            "at": max(0, group.end),
            "standing": 0,
            "epoch": 0,
            **about,
            "observations": [],
            "part": number,
            "parts": len(parts),
        }
        entry = entry_of_body(body)
        # Quotes inside texts are escaped, so this is the field; the rows are canonical already.
        whole = entry.body.replace(_NO_ROWS, _NO_ROWS[:-1] + b",".join(part) + b"]", 1)
        entries.append(entry._replace(body=whole))
        encode(entries[-1])
    return entries


_NO_ROWS = b'"observations":[]'


def _parts(rows: list[bytes]) -> Iterable[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for row in rows:
        if part and size + len(row) + 1 > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row) + 1
    yield part


def observation_row(one: Evidence) -> dict[str, Any]:
    """An observation as it stands in an entry. What says nothing is left out."""
    row: dict[str, Any] = {
        "indicator": one.indicator,
        "segment": one.segment,
        "kind": one.kind,
        "start": one.start,
        "k": one.k,
        "m": one.m,
        "scores": msgspec.to_builtins(one.scores),
    }
    if one.unknown:
        row["unknown"] = one.unknown
    if one.late:
        row["late"] = True
    if one.allowed is not None:
        row["allowed"] = one.allowed
    if one.dropped is not UNSET:
        row["dropped"] = one.dropped
    return row
