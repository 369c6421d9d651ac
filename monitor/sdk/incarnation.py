"""One emitter incarnation per start of a process: its own directory, locked; what earlier ones left is found and adopted.

`source` of an event names an incarnation, so that numbers start at 1 with each and are never used twice. Several
processes may serve one pilot: a directory whose process lives is locked and left alone.
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
    """The spool of one incarnation and the lock that says that its owner lives."""

    def __init__(self, name: str, spool: Spool, lock: int) -> None:
        self.name = name
        self.spool = spool
        self._lock = lock

    def close(self) -> None:
        """Let go; the directory goes too if everything was delivered, else the next start finds it."""
        gate = wait_lock(self.spool.directory.parent / "lock")
        try:
            self.end()
        finally:
            os.close(gate)

    def end(self) -> None:
        """`close` for a caller that holds the gate."""
        if self.spool.unsent:
            self.spool.close()
        else:
            self.spool.delete()
        os.close(self._lock)

    def set_aside(self) -> Path:
        """Keep a damaged directory for people to look at, out of the way of the next start."""
        self.spool.close()
        kept = self.spool.directory.rename(self.spool.directory.with_name(f"{DAMAGED}{self.name}"))
        os.close(self._lock)
        return kept


def begin(home: Path, pilot: str, limit: int) -> tuple[Incarnation, list[Incarnation]]:
    """A new incarnation of `pilot` under `home`, and those of dead processes that still hold events, oldest first.

    The adopted ones count towards `limit` (bytes) of the new one. Raises OSError when the directory cannot be written,
    `SpoolFull` when its disk has no room; either way what earlier ones left stays for the next try.
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
    """A new incarnation; those that are adopted are added to the list."""
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    gate = wait_lock(base / "lock")
    try:
        for directory in sorted(path for path in base.iterdir() if path.is_dir() and not path.name.startswith(DAMAGED)):
            lock = try_lock(directory / "lock")
            if lock is not None:
                old = _held(directory, limit, lock)
                if old.spool.unsent:
                    adopted.append(old)
                else:
                    old.end()
        name = f"{wall_ms():013d}-{secrets.token_hex(3)}"
        directory = base / name
        directory.mkdir(mode=0o700)
        sync_directory(base)
        lock = wait_lock(directory / "lock")
        assert lock is not None
        return _held(directory, max(0, limit - sum(old.spool.used for old in adopted)), lock)
    finally:
        os.close(gate)


def _held(directory: Path, limit: int, lock: int) -> Incarnation:
    """The incarnation in `directory`. Where its spool cannot be opened the lock goes: no next try may take its owner for alive."""
    try:
        return Incarnation(directory.name, Spool(directory, limit=limit), lock)
    except BaseException:
        os.close(lock)
        raise
