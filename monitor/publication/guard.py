"""Whether the authority log may sign: what the disk holds must continue the newest checkpoint that was ever signed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from monitor.errors import SigningRefused
from monitor.publication.hooks import NewestCheckpoint
from monitor.publication.log_key import AUTHORITY, LogKey
from monitor.publication.refusals import SigningRefusal
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import TlogError

FIX = (
    "fix: restore the newest copy of the notary's directory; where only the ledgers could be restored, run "
    "`sandbox-monitor ledger restore-authority` with a copy of the publication"
)


class Signed(NamedTuple):
    """A checkpoint of the authority log that was signed earlier, and where it was found. `note` carries the log's
    signature alone."""

    checkpoint: Checkpoint
    note: bytes
    place: str


def signed_before(
    key: LogKey, published: Path, second: NewestCheckpoint | None, in_use: Path
) -> tuple[Signed | None, Signed | None]:
    """The newest checkpoints in the second place and in the publication, `None` where there is none.

    Raises SigningRefused when one of them holds a checkpoint that this key did not sign, or when the second place is
    empty although it was in use (`in_use`); TryAgain when it is unavailable.
    """
    elsewhere = None
    if second is not None:
        raw = second.newest(key.authority)
        if raw is None and in_use.exists():
            raise SigningRefused(
                f"the second place knows no checkpoint of {key.authority}, but it was in use; fix: mount the one that "
                f"was used; if it is lost for good, delete {in_use}, and the newest published checkpoint counts",
                SigningRefusal.NO_NEWEST,
            )
        elsewhere = None if raw is None else _opened(key, raw, "the second place")
    path = published / AUTHORITY / "checkpoint"
    return elsewhere, _opened(key, path.read_bytes(), str(path)) if path.exists() else None


def check_continues(found: Signed | None, size: int, roots: Mapping[int, bytes]) -> None:
    """Raise SigningRefused unless the authority log of `size` leaves continues a checkpoint that was signed. `roots`
    are its roots by size."""
    if found is None:
        return
    was = found.checkpoint
    if was.size > size:
        raise SigningRefused(
            f"{was.origin}: the disk holds {size} leaves, {found.place} has a signed checkpoint of {was.size}: this is "
            f"an older copy, and signing would fork the log; {FIX}",
            SigningRefusal.OLDER,
        )
    if roots.get(was.size) != was.root:
        raise SigningRefused(
            f"{was.origin}: the first {was.size} leaves have another root than the signed checkpoint in {found.place}: "
            f"signing would fork the log; {FIX}",
            SigningRefusal.DIFFERENT,
        )


def _opened(key: LogKey, raw: bytes, place: str) -> Signed:
    try:
        checkpoint = key.opened(AUTHORITY, raw)
    except TlogError as error:
        raise SigningRefused(
            f"the checkpoint in {place} is not one of {key.authority} that the log key signed ({error}): it belongs to "
            "another log; fix: give the log key that signed it, or another directory",
            SigningRefusal.DIFFERENT,
        ) from error
    return Signed(checkpoint, key.sign(AUTHORITY, checkpoint.size, checkpoint.root), place)
