"""HotPilots: of the pilots that are awake, those whose detectors and open periods are at hand as objects, the latest first.

Of the others the detectors rest as bytes, a tenth of their memory, until a period ends or evidence is looked at. Nothing that
is put out depends on who is ready.
"""

from __future__ import annotations

from itertools import islice

from monitor.observe.fast_path import FastPath
from monitor.state.pilot import Pilot
from monitor.state.seen import RecentSources

HOT_PILOTS = 4096  # pilots at hand in one partition
TOGETHER = 64  # pilots put away at once: the first key of a dict is quick to find only now and then


class HotPilots:
    """At most `most` pilots at hand, and a fast_path for each pilot that was ever asked for one."""

    def __init__(self, epoch: int, most: int = HOT_PILOTS) -> None:
        self._epoch, self._most = epoch, most
        self._pilots: dict[str, Pilot] = {}  # at hand, oldest first
        self._fast_paths: dict[str, FastPath] = {}
        self._recent = RecentSources()

    def use(self, pilot: Pilot) -> None:
        """A pilot's detectors or open periods are about to be asked for; those of others are put away when they are too many."""
        if pilot.id in self._pilots:
            return
        if len(self._pilots) >= self._most:
            for name in list(islice(self._pilots, TOGETHER)):
                put_away = self._pilots.pop(name)
                put_away.pack_detectors()
                for source in put_away.sources.values():
                    source.seen.settle()
                if (fast_path := self._fast_paths.get(name)) is not None:
                    fast_path.rest()
        self._pilots[pilot.id] = pilot

    def fast_path(self, pilot: Pilot) -> FastPath:
        """What takes batches of the pilot's ordinary events."""
        self.use(pilot)
        fast_path = self._fast_paths.get(pilot.id)
        if fast_path is None:
            fast_path = self._fast_paths[pilot.id] = FastPath(pilot, self._epoch, self._recent)
        return fast_path

    def disturbed(self, pilot: Pilot) -> None:
        """An event went the long way."""
        if (fast_path := self._fast_paths.get(pilot.id)) is not None:
            fast_path.disturbed()

    def epoch(self, epoch: int) -> None:
        """From here on what is emitted carries another epoch."""
        self._epoch = epoch
        self._fast_paths.clear()

    def changed(self, pilot: Pilot) -> None:
        """A timer fires or an act takes effect: what the fast_path knows no longer holds."""
        self._fast_paths.pop(pilot.id, None)

    def evicted(self, name: str) -> None:
        """The pilot goes to sleep."""
        self._pilots.pop(name, None)
        self._fast_paths.pop(name, None)
