"""One incarnation per start of a process: its own spool directory, locked; spools of earlier incarnations are adopted.

`source` of an event names the incarnation, so that sequence numbers start at 1 with each and are never used twice.
Several processes may serve one pilot: a directory whose process is running is locked, and is not adopted.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import quote

from monitor.clock import wall_ms
from monitor.files.durable import sync_directory
from monitor.files.lock import try_lock, wait_lock
from monitor.sdk.spool import NO_ROOM, Spool, SpoolFull, no_room

DAMAGED = "damaged-"


class Incarnation:
    """The spool of one incarnation, and the lock that shows that its process is running."""

    def __init__(self, name: str, spool: Spool, lock: int) -> None:
        self.name = name
        self.spool = spool
        self._lock = lock

    def close(self) -> None:
        """Release the lock. Deletes the directory if everything was delivered, else the next start adopts it."""
        gate = wait_lock(self.spool.directory.parent / "lock")
        try:
            self.close_locked()
        finally:
            os.close(gate)

    def close_locked(self) -> None:
        """`close` for a caller that holds the lock of the parent directory."""
        if self.spool.unsent:
            self.spool.close()
        else:
            self.spool.delete()
        os.close(self._lock)

    def set_aside(self) -> Path:
        """Rename a damaged directory, so that it is kept for inspection and not adopted. Returns the new path."""
        self.spool.close()
        kept = self.spool.directory.rename(self.spool.directory.with_name(f"{DAMAGED}{self.name}"))
        os.close(self._lock)
        return kept


def begin(home: Path, pilot: str, limit: int) -> tuple[Incarnation, list[Incarnation]]:
    """Return a new incarnation of `pilot` under `home`, and those of ended processes that hold events, oldest first.

    The bytes of the adopted ones count towards `limit`, that of the new one. Raises OSError when the directory cannot
    be written, `SpoolFull` when its disk is full; either way the adopted spools stay for the next attempt.
    """
    base, adopted = home / quote(pilot, safe=""), list[Incarnation]()
    try:
        return _begin(base, limit, adopted), adopted
    except OSError as error:
        for old in adopted:
            old.close()
        if error.errno in NO_ROOM:
            raise SpoolFull(no_room(base, error)) from error
        raise


def _begin(base: Path, limit: int, adopted: list[Incarnation]) -> Incarnation:
    """Return a new incarnation and append those that it adopts to the list."""
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    gate = wait_lock(base / "lock")
    try:
        for directory in sorted(path for path in base.iterdir() if path.is_dir() and not path.name.startswith(DAMAGED)):
            lock = try_lock(directory / "lock")
            if lock is not None:
                old = _opened(directory, limit, lock)
                if old.spool.unsent:
                    adopted.append(old)
                else:
                    old.close_locked()
        name = f"{wall_ms():013d}-{secrets.token_hex(3)}"
        directory = base / name
        directory.mkdir(mode=0o700)
        # The name is durable before the first event is acknowledged: a synced file in a lost directory is lost.
        sync_directory(base)
        lock = wait_lock(directory / "lock")
        return _opened(directory, max(0, limit - sum(old.spool.used for old in adopted)), lock)
    finally:
        os.close(gate)


def _opened(directory: Path, limit: int, lock: int) -> Incarnation:
    """The incarnation in `directory`. When its spool cannot be opened the lock is released, so that the next attempt
    does not take its process for running."""
    try:
        return Incarnation(directory.name, Spool(directory, limit=limit), lock)
    except BaseException:
        os.close(lock)
        raise
