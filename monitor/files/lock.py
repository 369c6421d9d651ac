"""One process writes a directory of ledgers: a lock file sees to it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from monitor.errors import LedgerBroken


def hold(path: Path) -> int:
    """Lock the file, made if missing; returns its descriptor; close it to unlock.

    Raises LedgerBroken when another process holds it, OSError.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise LedgerBroken(f"{path.parent}: another process writes this ledger; stop it first") from None
    return handle
