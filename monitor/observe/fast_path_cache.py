"""Ready: of the pilots that are awake, those whose detectors and open periods are at hand as objects, the latest first.

Of the others the detectors rest as bytes, a tenth of their memory, until a period ends or evidence is looked at. Nothing that
is put out depends on who is ready.
"""

from __future__ import annotations

from itertools import islice

from monitor.observe.fast_path import Folder
from monitor.state.pilot import Pilot
from monitor.state.seen import Recent

READY = 4096  # pilots at hand in one partition
TOGETHER = 64  # pilots put away at once: the first key of a dict is quick to find only now and then


class Ready:
    """At most `most` pilots at hand, and a folder for each pilot that was ever asked for one."""

    def __init__(self, epoch: int, most: int = READY) -> None:
        self._epoch, self._most = epoch, most
        self._pilots: dict[str, Pilot] = {}  # at hand, oldest first
        self._folders: dict[str, Folder] = {}
        self._recent = Recent()

    def use(self, pilot: Pilot) -> None:
        """A pilot's detectors or open periods are about to be asked for; those of others are put away when they are too many."""
        if pilot.id in self._pilots:
            return
        if len(self._pilots) >= self._most:
            for name in list(islice(self._pilots, TOGETHER)):
                put_away = self._pilots.pop(name)
                put_away.rest()
                for source in put_away.sources.values():
                    source.seen.settle()
                if (folder := self._folders.get(name)) is not None:
                    folder.rest()
        self._pilots[pilot.id] = pilot

    def folder(self, pilot: Pilot) -> Folder:
        """What takes batches of the pilot's ordinary events."""
        self.use(pilot)
        folder = self._folders.get(pilot.id)
        if folder is None:
            folder = self._folders[pilot.id] = Folder(pilot, self._epoch, self._recent)
        return folder

    def disturbed(self, pilot: Pilot) -> None:
        """An event went the long way."""
        if (folder := self._folders.get(pilot.id)) is not None:
            folder.disturbed()

    def epoch(self, epoch: int) -> None:
        """From here on what is emitted carries another epoch."""
        self._epoch = epoch
        self._folders.clear()

    def changed(self, pilot: Pilot) -> None:
        """A timer fires or an act takes effect: what the folder knows no longer holds."""
        self._folders.pop(pilot.id, None)

    def asleep(self, name: str) -> None:
        """The pilot goes to sleep."""
        self._pilots.pop(name, None)
        self._folders.pop(name, None)
