"""The plaintexts behind the commitments: text and salt in a separate directory, to be disclosed or erased.

One file per subject, `NAME.words`, readable by its owner only; one line of JSON per text:
`{"field","id","pilot","salt","text"}`. An erased text keeps its line without salt and text, so that it is not written
again. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from monitor.files.durable import Disk, RealDisk
from monitor.files.lock import wait_lock
from monitor.notary.commitment import SALT, Plaintext, PlaintextBroken, line, lines

KEY = "commitment.key"


def plaintext_dir(ledger: Path) -> Path:
    """The directory of the plaintexts of the ledgers in `ledger`: outside it, so that `ledger` can be given to
    anyone."""
    real = ledger.resolve()  # through links: `ledger erase` must find what the notary keeps
    return real.with_name(real.name + "-words")


class PlaintextStore:
    """The plaintexts of one directory of ledgers. A method that changes something returns once the change is durable.

    Raises PlaintextBroken when a file cannot be read, OSError when the disk fails.
    """

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self.directory = directory
        self._disk = disk or RealDisk()

    def key(self) -> bytes:
        """Return the key of the salts (32 bytes); create it on first use."""
        path = self.directory / KEY
        if not path.exists():
            self._make_directory()
            _private(path.with_name(path.name + ".new"))
            self._disk.replace(path, secrets.token_bytes(32))
        key = path.read_bytes()
        if len(key) != SALT:
            raise PlaintextBroken(f"{path}: a key has {SALT} bytes, not {len(key)}")
        return key

    def add(self, name: str, plaintexts: Sequence[Plaintext]) -> None:
        """Store the texts of a subject; `name` is the file name of its ledger without `.ledger`.

        A text that is stored or was erased is left as it is. A text stored under another salt is added again and the
        later line counts: the entry of the earlier one was never written (the key was replaced in between).
        """
        self._make_directory()
        path = self._path(name)
        with self._locked():
            raw = path.read_bytes() if path.exists() else b""
            whole = _whole(raw)  # a line that a crash cut short is overwritten; its entry was not written yet
            known = set(lines(path, whole))
            erased = {(one.id, one.field) for one in known if not one.salt}
            fresh = b"".join(_line(one) for one in plaintexts if one not in known and (one.id, one.field) not in erased)
            if fresh and raw:
                self._disk.append(path, len(whole), fresh)
                if len(raw) > len(whole) + len(fresh):
                    self._disk.cut(path, len(whole) + len(fresh))
            elif fresh:
                _private(path.with_name(path.name + ".new"))
                self._disk.replace(path, fresh)

    def of(self, name: str) -> dict[tuple[str, str], Plaintext]:
        """Return the texts of a subject that were not erased, by record id and field."""
        path = self._path(name)
        kept = lines(path, _whole(path.read_bytes())) if path.exists() else ()
        return {(text.id, text.field): text for text in kept if text.salt}

    def erase(self, name: str, entry: str, fields: Collection[str]) -> int:
        """Erase salt and text of these fields (none: all) of the record `entry`. Returns how many were erased."""
        return self._erase(name, lambda text: text.id == entry and (not fields or text.field in fields))

    def erase_all(self, name: str, chosen: Collection[tuple[str, str]]) -> int:
        """Erase salt and text of these records and fields. Returns how many were erased."""
        return self._erase(name, lambda text: (text.id, text.field) in chosen)

    def renew_key(self) -> None:
        """Replace the key of the salts: those of erased texts can then be computed no more. Texts that are kept have
        their salts with them."""
        with self._locked():
            path = self.directory / KEY
            _private(path.with_name(path.name + ".new"), like=path if path.exists() else None)
            self._disk.replace(path, secrets.token_bytes(32))

    def _erase(self, name: str, chosen: Callable[[Plaintext], bool]) -> int:
        path, gone, kept = self._path(name), 0, []
        if not path.exists():
            return 0
        with self._locked():
            for text in lines(path, _whole(path.read_bytes())):
                hit = text.salt != "" and chosen(text)
                gone += hit
                kept.append(_line(text._replace(salt="", text="") if hit else text))
            if gone:
                _private(path.with_name(path.name + ".new"), like=path)
                self._disk.replace(path, b"".join(kept))
        return gone

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.words"

    def _make_directory(self) -> None:
        if not self.directory.is_dir():
            self._disk.directory(self.directory)
            self.directory.chmod(0o700)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the directory, so that texts can be erased while the notary runs."""
        handle = wait_lock(self.directory / "lock")
        try:
            yield
        finally:
            os.close(handle)


def _line(text: Plaintext) -> bytes:
    return line(text).encode() + b"\n"


def _whole(raw: bytes) -> bytes:
    return raw[: raw.rfind(b"\n") + 1]


def _private(path: Path, like: Path | None = None) -> None:
    """Create an empty file that only its owner may read. Its owner is that of `like`, so that the notary can still read
    the file after an administrator has erased a text."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        if like is not None and (owner := like.stat()).st_uid != os.geteuid():
            os.fchown(handle, owner.st_uid, owner.st_gid)
    finally:
        os.close(handle)
