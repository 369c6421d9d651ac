"""After a restore: resets the cursor, so that the notary reads its logs from the beginning and appends missing
entries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from monitor.files.durable import Disk, RealDisk
from monitor.files.side_file import move_aside
from monitor.notary.cursor import NAME, empty
from monitor.notary.format import LedgerReader, LogName, read_index
from monitor.notary.not_entered import NAME as NOT_ENTERED
from monitor.notary.ownership import own
from monitor.notary.verify import cursor_of, verify

OLD = ".old"


def rebuild(directory: Path, disk: Disk | None = None) -> Iterator[str]:
    """Set the cursor of a directory of ledgers to the beginning of the logs. Yields lines of a report for people.

    Every ledger is verified before the cursor is changed. Raises Damage when one is not sound (nothing can be appended
    to it), LedgerBroken when a notary has the directory open, OSError.
    """
    lock = own(directory)
    try:
        cursor = cursor_of(directory)
        for path in sorted(directory.glob("*.ledger")):
            index = path.with_suffix(".index")
            if _is_cut(path, index):
                yield f"{index}: knows more entries than {path.name} has; moved to {move_aside(index, OLD)}"
            sound = verify(path)
            first = sound.name == LogName(sound.subject)
            known = (cursor.entries or {}).get(sound.subject) if first else cursor.logs.get(path.stem)
            of = f" of {known} that the cursor knows" if known is not None else ""
            yield f"{path}: {sound.entries} entries{of}, up to standing {sound.last or 0}, root {sound.root}"
            yield from sound.remarks
        for index in sorted(directory.glob("*.index")):
            if not index.with_suffix(".ledger").exists():
                yield f"{index}: its ledger is missing and will be rebuilt; moved to {move_aside(index, OLD)}"
        if (directory / NAME).exists():
            yield f"{directory / NAME}: moved to {move_aside(directory / NAME, OLD)}"
        if (directory / NOT_ENTERED).exists():
            yield f"{directory / NOT_ENTERED}: moved to {move_aside(directory / NOT_ENTERED, OLD)}"
        (disk or RealDisk()).replace(directory / NAME, empty().line())
        yield "the next start reads the decisions log from its beginning; verify the ledgers afterwards"
    finally:
        os.close(lock)


def _is_cut(path: Path, index: Path) -> bool:
    """Whether a ledger holds fewer entries than its index, and all of them match it. Raises Damage."""
    known = read_index(index)
    with path.open("rb") as file:
        held = [(item.end, item.leaf) for item in LedgerReader(path, file)]
    return len(held) < len(known) and held == known[: len(held)]
