"""The two places outside this process on which a signature of the authority log depends.

`NewestCheckpoint` makes it impossible for a restored disk to fork the log: the newest signed checkpoint is kept in a
second place and replaced by compare-and-swap before anybody else sees it. `Cosigner` collects what witnesses say about
a checkpoint. The order of a round is

    leaves durable -> tiles durable -> sign -> NewestCheckpoint.swap -> Cosigner.cosign -> visible

so a crash between any two leaves a signed checkpoint that is the newest one in the second place, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

Consistency = Callable[[int], list[bytes]]
"""Given an older size of the same log, returns the consistency proof (RFC 6962, 2.1.2; hashes of 32 bytes) from it to
the checkpoint that is being cosigned; empty for size 0 and for the size of the checkpoint. Raises ValueError when the
size is larger than the checkpoint's."""


class NewestCheckpoint(Protocol):
    """The newest checkpoint of each log, outside of the disk that holds the log.

    Checkpoints are signed notes with the signature of the log alone (no cosignatures), as bytes. The implementation
    compares bytes and does not parse them. Both methods may block on the network or a disk, are called from one thread
    at a time, and raise `monitor.errors.TryAgain` when the second place is unavailable: nothing is signed then, and the
    round is tried again. Any other error stops the publication.
    """

    def newest(self, origin: str) -> bytes | None:
        """The newest checkpoint of the log `origin`; `None` when there never was one. Linearizable: it returns what the
        last successful `swap` of any process stored."""

    def swap(self, origin: str, expected: bytes | None, new: bytes) -> bool:
        """Store `new` if the newest checkpoint is `expected` (`None`: there is none), atomically and durably.

        Returns whether it was stored. False means that somebody else has signed: this process holds an old copy of the
        log, or is a second publisher. After an exception the outcome is unknown; `newest` tells.
        """


class Cosigner(Protocol):
    """Witnesses of one log, or the firm of a pilot log."""

    def cosign(self, origin: str, checkpoint: bytes, consistency: Consistency) -> Sequence[bytes]:
        """Return the cosignatures of `checkpoint` (a signed note) that could be had, each one a complete signature line
        of signed-note with its newline; an empty sequence when there are none.

        It verifies each line before it returns it, keeps its own record of what size each witness holds, and asks
        `consistency` for the proof from there (also after a 409). It decides how long to wait, and never raises for a
        witness that does not answer or refuses: that is logged and counted by the implementation. `Refused` stops this
        checkpoint from becoming visible (a policy that is not satisfied); the round is tried again with the same bytes.
        """

    def close(self) -> None:
        """No further checkpoint comes."""


class NoCosigner:
    """`Cosigner` without witnesses."""

    def cosign(self, origin: str, checkpoint: bytes, consistency: Consistency) -> Sequence[bytes]:
        """No cosignatures."""
        return ()

    def close(self) -> None:
        """Nothing to end."""


class Stamper(Protocol):
    """A time-stamping service (RFC 3161) for checkpoints of the authority log."""

    def stamp(self, origin: str, checkpoint: bytes) -> Mapping[str, bytes]:
        """Return files (name -> content) that are stored in `stamp/SIZE/` next to the checkpoint, before it is visible;
        an empty mapping when none is due or no service answered. It decides how often, and never raises for a service
        that does not answer."""

    def close(self) -> None:
        """No further checkpoint comes."""


class NoStamper:
    """`Stamper` without a service."""

    def stamp(self, origin: str, checkpoint: bytes) -> Mapping[str, bytes]:
        """No stamp."""
        return {}

    def close(self) -> None:
        """Nothing to end."""
