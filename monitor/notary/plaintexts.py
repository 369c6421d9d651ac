"""The words behind the commitments: text and salt in a directory of their own, to be shown to who may see them, or erased.

One file per model file, `NAME.words`, readable by its owner only; one line of JSON per text: `{"field","id","pilot","salt","text"}`.
An erased one keeps its line without salt and text, so that it is not written again. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from monitor.files.durable import Disk, RealDisk
from monitor.files.lock import wait_lock
from monitor.notary.commitment import SALT, Words, WordsBroken, line, lines

KEY = "commitment.key"


def beside(ledger: Path) -> Path:
    """The directory of the words of the ledgers in the directory `ledger`: not in it, so that those can be handed out whole."""
    real = ledger.resolve()  # however it is named: who erases must find what the notary keeps
    return real.with_name(real.name + "-words")


class WordsFile:
    """The words of one directory of ledgers. Every method that changes something returns once it is on the disk.

    Raises WordsBroken when a file cannot be read, OSError when the disk refuses.
    """

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self.directory = directory
        self._disk = disk or RealDisk()

    def key(self) -> bytes:
        """The key of the salts (32 bytes), made on first use."""
        path = self.directory / KEY
        if not path.exists():
            self._made()
            _private(path.with_name(path.name + ".new"))
            self._disk.replace(path, secrets.token_bytes(32))
        key = path.read_bytes()
        if len(key) != SALT:
            raise WordsBroken(f"{path}: a key has {SALT} bytes, not {len(key)}")
        return key

    def add(self, name: str, words: Sequence[Words]) -> None:
        """Keep the texts of a model file, `name` being that of its ledger without the ending. What is there, or was erased, stays
        so; a text that is there under another salt comes again, and the later line counts: its entry was never written."""
        self._made()
        path = self._path(name)
        with self._alone():
            raw = path.read_bytes() if path.exists() else b""
            whole = _whole(raw)  # a line that a crash cut short is written over
            known = set(lines(path, whole))
            erased = {(one.id, one.field) for one in known if not one.salt}
            fresh = b"".join(_line(one) for one in words if one not in known and (one.id, one.field) not in erased)
            if fresh and raw:
                self._disk.append(path, len(whole), fresh)
                if len(raw) > len(whole) + len(fresh):
                    self._disk.cut(path, len(whole) + len(fresh))
            elif fresh:
                _private(path.with_name(path.name + ".new"))
                self._disk.replace(path, fresh)

    def of(self, name: str) -> dict[tuple[str, str], Words]:
        """The texts of a model file that were not erased, by record id and field."""
        path = self._path(name)
        kept = lines(path, _whole(path.read_bytes())) if path.exists() else ()
        return {(words.id, words.field): words for words in kept if words.salt}

    def erase(self, name: str, entry: str, fields: Collection[str]) -> int:
        """Erase salt and text of these fields of the record `entry`; returns how many there were."""
        path, gone, kept = self._path(name), 0, []
        if not path.exists():
            return 0
        with self._alone():
            for words in lines(path, _whole(path.read_bytes())):
                hit = words.id == entry and words.field in fields and words.salt != ""
                gone += hit
                kept.append(_line(words._replace(salt="", text="") if hit else words))
            if gone:
                _private(path.with_name(path.name + ".new"), like=path)
                self._disk.replace(path, b"".join(kept))
        return gone

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.words"

    def _made(self) -> None:
        if not self.directory.is_dir():
            self._disk.directory(self.directory)
            self.directory.chmod(0o700)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Alone with the files, so that words can be erased while the notary runs."""
        handle = wait_lock(self.directory / "lock")
        try:
            yield
        finally:
            os.close(handle)


def _line(words: Words) -> bytes:
    return line(words).encode() + b"\n"


def _whole(raw: bytes) -> bytes:
    return raw[: raw.rfind(b"\n") + 1]


def _private(path: Path, like: Path | None = None) -> None:
    """An empty file that only its owner may read; what is written into it stays so. The owner is that of `like`: where an
    administrator erases, the notary must go on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        if like is not None and (owner := like.stat()).st_uid != os.geteuid():
            os.fchown(handle, owner.st_uid, owner.st_gid)
    finally:
        os.close(handle)
