"""One process at a time writes a directory of ledgers."""

from __future__ import annotations

from pathlib import Path

from monitor.errors import LedgerBroken
from monitor.files.lock import try_lock


def own(directory: Path) -> int:
    """Lock the directory for this process; returns a descriptor, close it to unlock.

    Raises LedgerBroken when another process writes it, OSError when the lock file cannot be opened.
    """
    lock = try_lock(directory / "lock", mode=0o644)
    if lock is None:
        raise LedgerBroken(f"{directory}: another process writes this ledger; stop it first")
    return lock
