"""Restores the leaves of the authority log from a copy of its publication, where the notary's directory is an older
copy.

The leaves follow from nothing else that is stored: without them the log could never be continued. What is taken over
must lead to a checkpoint that the log key signed, so a forged copy is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from monitor.errors import Refused
from monitor.files.durable import Disk, RealDisk
from monitor.files.side_file import move_aside
from monitor.notary.authority_leaf import decode_leaf
from monitor.notary.format import frame, header
from monitor.notary.ownership import own
from monitor.publication.authority_leaves import NAME, AuthorityLeaves
from monitor.publication.log_key import AUTHORITY, LogKey
from monitor.publication.prove import Published, Read
from monitor.tlog.errors import TlogError
from monitor.tlog.merkle import Frontier, leaf_hash
from monitor.tlog.tiles import WIDTH

OLD = ".old"


def restore_leaves(ledgers: Path, key: LogKey, read: Read, disk: Disk | None = None) -> Iterator[str]:
    """Make `authority.leaves` in `ledgers` hold what the publication behind `read` shows. Yields lines of a report.

    An existing file must be the beginning of it; it is kept as `authority.leaves.old`. Raises Refused when the
    publication is not signed by this key, holds fewer leaves or other ones; LedgerBroken when a notary is running or
    the existing file is damaged; OSError.
    """
    disk = disk or RealDisk()
    lock = own(ledgers)
    try:
        entries = _published(key, read)
        here = AuthorityLeaves(ledgers, key.authority, disk, roots_at=(), after={})
        yield f"{ledgers / NAME}: {here.size} leaves; the publication has {len(entries)}"
        tree = Frontier()
        for entry in entries[: here.size]:
            tree.push(leaf_hash(entry))
        if len(entries) < here.size:
            raise Refused(f"the publication has fewer leaves ({len(entries)}) than here; give a newer copy")
        if tree.root() != here.root:
            raise Refused(
                "the first leaves here differ from those in the publication: this directory holds another history than "
                "what was signed; restore the newest copy of it"
            )
        if len(entries) == here.size:
            yield "nothing to restore"
            return
        if here.size:
            yield f"the old file is kept as {move_aside(ledgers / NAME, OLD)}"
        frames = b"".join(frame(number, entry) for number, entry in enumerate(entries))
        disk.replace(ledgers / NAME, header(key.authority) + frames)
        yield f"{ledgers / NAME}: {len(entries)} leaves; start the notary: it continues the log, and refuses any ledger"
        yield "that holds less than what was published of it (`ledger rebuild` enters what is missing)"
    finally:
        os.close(lock)


def _published(key: LogKey, read: Read) -> list[bytes]:
    """All leaves of the published authority log, which lead to a checkpoint of this key."""
    try:
        log = Published.open(read, AUTHORITY)
        head = key.opened(AUTHORITY, log.note.data)
        entries = [entry for bundle in range(-(-head.size // WIDTH)) for entry in log.entries(bundle)]
        tree = Frontier()
        for entry in entries:
            decode_leaf(entry)
            tree.push(leaf_hash(entry))
    except (TlogError, ValueError) as error:
        raise Refused(f"the publication cannot be used: {error}") from error
    if tree.root() != head.root:
        raise Refused("the publication cannot be used: its entries do not lead to its signed checkpoint")
    return entries
