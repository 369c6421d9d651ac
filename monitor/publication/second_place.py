"""Stores each signed checkpoint of the authority log in the second place, before anybody else sees it."""

from __future__ import annotations

from pathlib import Path

from monitor.errors import SigningRefused
from monitor.files.durable import Disk
from monitor.publication.hooks import NewestCheckpoint
from monitor.publication.refusals import SigningRefusal


class SecondPlace:
    """`place` holds the newest checkpoint of the log `origin`; the file `in_use` is made once it was used.

    An answer of the place may be lost, so what it holds then is asked for before anything else is stored: only a
    checkpoint that this process never gave to it shows that another one signs.
    """

    def __init__(self, place: NewestCheckpoint, origin: str, in_use: Path, disk: Disk) -> None:
        self._place, self._origin, self._in_use, self._disk = place, origin, in_use, disk
        self._newest: bytes | None = None
        self._tried: bytes | None = None  # given to the place, which did not answer

    def opened(self, newest: bytes | None) -> None:
        """The place was read: it holds `newest`."""
        self._newest, self._tried = newest, None

    def store(self, note: bytes) -> None:
        """Make `note` the newest checkpoint. Raises SigningRefused when another process stored one, TryAgain when the
        place is unavailable: the outcome is unknown then, and the next call finds out."""
        if self._tried is not None:
            self._settle()
        if note == self._newest:
            return
        self._tried = note
        if not self._place.swap(self._origin, self._newest, note):
            self._settle()
            if self._newest != note:
                self._tried = note
                if not self._place.swap(self._origin, self._newest, note):
                    raise self._another()
        if not self._in_use.exists():
            # After the swap: a crash in between leaves a second place that is used and not marked, which the next
            # start accepts. Marked first, it would leave one that is marked and empty, which the next start refuses.
            self._disk.replace(self._in_use, self._origin.encode() + b"\n")
        self._newest, self._tried = note, None

    def _settle(self) -> None:
        """Find out whether the checkpoint was stored whose outcome is not known."""
        found = self._place.newest(self._origin)
        if found is None and self._newest is not None:
            raise SigningRefused(
                f"the second place knows no checkpoint of {self._origin}, but it was in use; fix: mount the one that "
                "was used",
                SigningRefusal.NO_NEWEST,
            )
        if found not in (self._newest, self._tried):
            raise self._another()
        self._newest, self._tried = found, None

    def _another(self) -> SigningRefused:
        return SigningRefused(
            f"{self._origin}: another process stored a checkpoint in the second place: two notaries publish this log, "
            "or a copy of this disk is in use elsewhere; fix: stop the other one",
            SigningRefusal.SWAPPED,
        )
