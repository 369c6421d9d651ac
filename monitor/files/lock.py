"""File locks: one process at a time works on a directory. The kernel ends a lock with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def try_lock(path: Path, *, mode: int = 0o600) -> int | None:
    """Lock the file (created when missing) without waiting.

    Returns the descriptor that holds the lock (close it to unlock), or `None` when another process holds it. Raises
    OSError when the file cannot be opened.
    """
    return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB, mode)


def wait_lock(path: Path, *, mode: int = 0o600) -> int:
    """Lock the file (created when missing). Blocks until no other process holds it. Returns the descriptor that holds
    the lock (close it to unlock). Raises OSError."""
    handle = _lock(path, fcntl.LOCK_EX, mode)
    assert handle is not None
    return handle


def _lock(path: Path, how: int, mode: int) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, mode)
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        os.close(handle)
        raise
    return handle
