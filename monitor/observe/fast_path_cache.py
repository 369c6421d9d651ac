"""Cache of fast paths: the resident pilots that became hot last keep their detectors and open periods as objects.

The detectors of all other pilots are packed, in a tenth of the memory, until a period closes or evidence is
evaluated. No output depends on which pilots are hot.
"""

from __future__ import annotations

from itertools import islice

from monitor.deadlines.rules import ClockTable
from monitor.observe.fast_path import FastPath
from monitor.state.pilot import PilotState
from monitor.state.seen import RecentSources

HOT_PILOTS = 4096  # default number of hot pilots of one partition
PACKED_AT_ONCE = 64  # pilots packed together: finding the first key of a dict is slow after many deletions


class HotPilots:
    """At most `most` hot pilots, and the fast path of each pilot that has used one."""

    def __init__(self, epoch: int, most: int = HOT_PILOTS) -> None:
        self._epoch, self._most = epoch, most
        self._pilots: dict[str, PilotState] = {}  # hot pilots, in the order in which they became hot
        self._fast_paths: dict[str, FastPath] = {}
        self._recent = RecentSources()
        self._table: ClockTable | None = None  # that gives complaints a deadline

    def use(self, pilot: PilotState) -> None:
        """Make a pilot hot, as its detectors or open periods are needed next; pack others when there are too many."""
        if pilot.id in self._pilots:
            return
        if len(self._pilots) >= self._most:
            for name in list(islice(self._pilots, PACKED_AT_ONCE)):
                packed = self._pilots.pop(name)
                packed.pack_detectors()
                for source in packed.sources.values():
                    source.seen.settle()
                if (fast_path := self._fast_paths.get(name)) is not None:
                    fast_path.release_periods()
        self._pilots[pilot.id] = pilot

    def fast_path(self, pilot: PilotState) -> FastPath:
        """Returns the fast path of a pilot, which becomes hot."""
        self.use(pilot)
        fast_path = self._fast_paths.get(pilot.id)
        if fast_path is None:
            fast_path = self._fast_paths[pilot.id] = FastPath(pilot, self._epoch, self._recent, self._table)
        return fast_path

    def disturbed(self, pilot: PilotState) -> None:
        """An event of the pilot took the slow path."""
        if (fast_path := self._fast_paths.get(pilot.id)) is not None:
            fast_path.disturbed()

    def epoch(self, epoch: int) -> None:
        """Outputs carry another epoch from here on."""
        self._epoch = epoch
        self._fast_paths.clear()

    def complaint_deadlines(self, table: ClockTable | None) -> None:
        """The table that gives a complaint a deadline under a charter with a promise; `None`: there is none."""
        if table is not self._table:
            self._table = table
            self._fast_paths.clear()

    def changed(self, pilot: PilotState) -> None:
        """A timer fires or an act takes effect: the fast path of the pilot is no longer valid."""
        self._fast_paths.pop(pilot.id, None)

    def evicted(self, name: str) -> None:
        """The pilot is no longer resident."""
        self._pilots.pop(name, None)
        self._fast_paths.pop(name, None)
