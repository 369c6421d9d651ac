"""`NewestCheckpoint` in a directory on another disk than the ledgers: one file per log, replaced under a lock."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from monitor.errors import Unavailable
from monitor.files.durable import replace_file
from monitor.files.lock import wait_lock


class NewestFile:
    """Keeps checkpoints in `directory`, which must exist: a missing one is a disk that is not mounted, never an empty
    store. Several processes may use one directory. Raises Unavailable when it cannot be read or written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def newest(self, origin: str) -> bytes | None:
        """See `NewestCheckpoint`."""
        try:
            return self._read(origin)
        except OSError as error:
            raise self._unavailable(error) from error

    def swap(self, origin: str, expected: bytes | None, new: bytes) -> bool:
        """See `NewestCheckpoint`. The new checkpoint is durable when this returns."""
        try:
            lock = wait_lock(self.directory / "lock")
            try:
                if self._read(origin) != expected:
                    return False
                replace_file(self._path(origin), new, mode=0o644)
                return True
            finally:
                os.close(lock)
        except OSError as error:
            raise self._unavailable(error) from error

    def _read(self, origin: str) -> bytes | None:
        if not self.directory.is_dir():
            raise FileNotFoundError(2, "no such directory", str(self.directory))
        path = self._path(origin)
        return path.read_bytes() if path.exists() else None

    def _path(self, origin: str) -> Path:
        return self.directory / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.checkpoint"

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(
            f"{self.directory} cannot be used as the second place of checkpoints: {error.strerror}; mount or create it"
        )
