"""What a witness remembers: for each log the checkpoint that it cosigned last, as a signed note in one file.

    <dir>/witness                    the witness's public keys, one vkey per line; made once, with `create`
    <dir>/logs/<sha256 of origin>    the signed note, with the log's signatures and the cosignatures
    <dir>/evidence/...               see `evidence.py`
    <dir>/lock                       held by the one process that works on it

A witness that forgot what it cosigned could cosign a fork. So a directory without the file `witness` is refused unless
it is being created, and a file that cannot be read stops the start instead of counting as empty.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from monitor.errors import Refused
from monitor.files.durable import create_file, replace_file, sync_directory
from monitor.files.lock import try_lock
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint import parse as parse_checkpoint
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import Verifier
from monitor.tlog.note import parse_note


class Latest(NamedTuple):
    """The checkpoint that was cosigned last: parsed, and the note as bytes. `time` is that of the cosignature, seconds
    since 1970."""

    checkpoint: Checkpoint
    note: bytes
    time: int


class WitnessState:
    """The state in `directory`, locked from the constructor until `close`; `flag` is the option that sets `create`.
    Raises Refused, with the fix."""

    def __init__(self, directory: Path, keys: Sequence[Verifier], *, create: bool = False, flag: str = "--new") -> None:
        self.directory, self._logs, self._flag = directory, directory / "logs", flag
        self._lock: int | None = None
        try:
            if create:
                self._create(keys)
            self._check(keys)
            self._lock = try_lock(directory / "lock")
        except OSError as error:
            raise Refused(f"{directory} cannot be used: {error.strerror}") from error
        if self._lock is None:
            raise Refused(f"another witness runs on {directory}; stop it, or give this one another directory")

    def close(self) -> None:
        """Unlock the directory. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def latest(self, origin: str, keys: Iterable[Verifier]) -> Latest | None:
        """The checkpoint cosigned last for a log; None when there was none. Raises Refused when it cannot be read."""
        path = self._path(origin)
        fix = "restore it from a backup that is as new; without one retire this witness's key"
        try:
            raw = path.read_bytes()
            note = parse_note(raw)
            checkpoint = parse_checkpoint(note.text)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror}; {fix}") from error
        except TlogError as error:
            raise Refused(f"{path} is damaged: {error}; {fix}") from error
        if checkpoint.origin != origin:
            raise Refused(f"{path} holds a checkpoint of {checkpoint.origin!r}, not of {origin!r}; {fix}")
        own = [(key, each.signature) for key in keys for each in note.signatures if each.is_by(key)]
        times = [int.from_bytes(signature[:8], "big") for _, signature in own]
        return Latest(checkpoint, raw, max(times, default=0))

    def store(self, origin: str, note: bytes) -> None:
        """Make `note` the checkpoint cosigned last. Durable when this returns: a cosignature that left this process
        without it could be contradicted after a restart. Raises OSError."""
        replace_file(self._path(origin), note, mode=0o644)

    def _path(self, origin: str) -> Path:
        return self._logs / hashlib.sha256(origin.encode()).hexdigest()

    def _create(self, keys: Sequence[Verifier]) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        sync_directory(self.directory.parent)
        try:
            create_file(self.directory / "witness", "".join(f"{key.vkey}\n" for key in keys).encode(), mode=0o644)
        except FileExistsError:
            raise Refused(f"{self.directory} already is the directory of a witness; leave out {self._flag}") from None

    def _check(self, keys: Sequence[Verifier]) -> None:
        marker = self.directory / "witness"
        try:
            known = set(marker.read_text().split("\n"))
        except FileNotFoundError:
            raise Refused(
                f"{self.directory} is not the directory of a witness: a witness that lost what it cosigned could "
                f"cosign a fork. Mount or restore it; only the first start of a new key creates it, with {self._flag}"
            ) from None
        for key in keys:
            if key.vkey not in known:
                raise Refused(
                    f"{self.directory} belongs to another key than {key.name}+{key.key_id.hex()}; give that key, or a "
                    f"new directory with {self._flag}"
                )
