"""The one home of fsync: durable writes of whole files, and of the files of a ledger.

Durable means: the bytes survive a power failure once the call returns. A new name is durable only once its directory
is synced too, so every function that creates or renames a file syncs the directory as well. After an OSError the
outcome is unknown: the write may or may not have taken effect.

`Disk` is the seam for fault injection: tests pass a disk that fails at a chosen write.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol


def replace_file(path: Path, data: bytes, *, mode: int = 0o600, temporary: Path | None = None) -> None:
    """Make `path` hold exactly `data`, durable when this returns. Readers and crashes see the old or the new content.

    Writes a temporary file in the same directory, syncs it, renames it over `path` and syncs the directory (two
    fsyncs). `mode` is the mode of the new file. The temporary name carries the process id, so two processes never
    write the same one, unless the caller names a `temporary` file (one that exists keeps its mode and owner). Raises
    OSError; the temporary file is then removed.
    """
    temporary = temporary or _temporary(path)
    try:
        _write_synced(temporary, data, mode)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    # Without this a power failure may bring the old name back, although the caller was told that the new one stands.
    sync_directory(path.parent)


def create_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Like `replace_file`, but never replaces: raises FileExistsError when `path` exists (also if made meanwhile)."""
    temporary = _temporary(path)
    try:
        _write_synced(temporary, data, mode)
        os.link(temporary, path)  # unlike a rename, a link fails when the name exists
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def append_synced(path: Path, data: bytes) -> None:
    """Append `data` to a file (created when missing) and sync it: one fsync.

    Raises OSError; the file is then cut back to its earlier length, so that no torn line stays.
    """
    with path.open("ab") as file:
        end = file.tell()
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def write_all(handle: int, data: bytes) -> None:
    """Write all of `data` at the current position; `os.write` may write less. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable: one fsync. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


KNOWN_DIRECTORIES = 10_000  # that a batch remembers to exist
STAGED_FILES = 1_000  # of a batch, before it is committed by itself


class Disk(Protocol):
    """What a ledger needs of a file system. Every method but `note` returns only once the bytes are on the disk."""

    def directory(self, path: Path) -> None:
        """Make a directory, with its parents: one fsync (of the parent)."""

    def append(self, path: Path, at: int, data: bytes) -> None:
        """Write `data` at byte `at`, the end of an existing file (or over its unsynced end), and sync it: one fsync."""

    def replace(self, path: Path, data: bytes) -> None:
        """Make `path` hold exactly `data`; readers and crashes see the old or the new content: two fsyncs."""

    def cut(self, path: Path, size: int) -> None:
        """Shorten the file to `size` bytes: one fsync."""

    def note(self, path: Path, at: int, data: bytes) -> None:
        """Write `data` at byte `at`, making the file end there, without a sync: for what can be made again."""


class RealDisk:
    """`Disk` on POSIX files."""

    def directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        sync_directory(path.parent)

    def append(self, path: Path, at: int, data: bytes) -> None:
        handle = os.open(path, os.O_WRONLY)
        try:
            _write_at(handle, at, data)
            os.fsync(handle)
        finally:
            os.close(handle)

    def replace(self, path: Path, data: bytes) -> None:
        replace_file(path, data, mode=0o644, temporary=path.with_name(path.name + ".new"))

    def cut(self, path: Path, size: int) -> None:
        handle = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(handle, size)
            os.fsync(handle)
        finally:
            os.close(handle)

    def note(self, path: Path, at: int, data: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.ftruncate(handle, at)
            _write_at(handle, at, data)
        finally:
            os.close(handle)


class DurableBatch:
    """Writes many files of a directory tree; they appear and are durable once `commit` returns.

    Every file appears whole under its name, and only after the bytes of all files of the batch are synced. Files and
    directories are synced together, which is what makes a round of many small files cheap: a file system commits once
    for all of them. Missing directories are created. After an OSError the outcome is unknown, and the batch is empty;
    writing the same content again is the remedy. A subclass that fails in `step` is the seam for fault injection.
    """

    threads = 8  # that sync at once

    def __init__(self, root: Path) -> None:
        self.root = root
        self._staged: dict[Path, Path] = {}  # path -> its temporary file
        self._changed: set[Path] = set()
        self._known: set[Path] = set()

    def write(self, path: Path, data: bytes) -> None:
        """Let `path`, below `root`, hold exactly `data` after the next commit."""
        if len(self._staged) >= STAGED_FILES:
            self.commit()
        try:
            self._make(path.parent)
            temporary = _temporary(path)
            self._staged[path] = temporary
            self.step("write", lambda: _write_unsynced(temporary, data))
        except BaseException:
            self.discard()
            raise

    def commit(self) -> None:
        """Sync the bytes of all files, give them their names, and sync the directories."""
        try:
            self._sync(_sync_file, self._staged.values())
            for path, temporary in self._staged.items():
                self.step("rename", lambda path=path, temporary=temporary: os.replace(temporary, path))  # type: ignore[misc]
                self._changed.add(path.parent)
            self._staged.clear()
            self._sync(sync_directory, self._changed)
            self._changed.clear()
        except BaseException:
            self.discard()
            raise

    def step(self, name: str, call: Callable[[], None]) -> None:
        """Carry out one change of the disk: `write`, `sync` or `rename`. Syncs come from several threads at once."""
        call()

    def _sync(self, sync: Callable[[Path], None], paths: Collection[Path]) -> None:
        """Sync all of them. A journaling file system writes concurrent syncs in one commit, so several threads are
        faster than one, also on a single disk."""
        calls = [functools.partial(self.step, "sync", functools.partial(sync, path)) for path in sorted(paths)]
        if len(calls) < self.threads * 2 or self.threads < 2:
            for call in calls:
                call()
            return
        with ThreadPoolExecutor(self.threads, "sync") as pool:
            for done in [pool.submit(call) for call in calls]:
                done.result()

    def discard(self) -> None:
        """Forget what was written since the last commit."""
        for temporary in self._staged.values():
            temporary.unlink(missing_ok=True)
        self._staged.clear()
        self._known.clear()  # a directory may have been removed meanwhile

    def remove_tree(self, directory: Path) -> None:
        """Remove a directory with its files, if it is there. Not synced: what comes back after a crash is harmless."""
        shutil.rmtree(directory, ignore_errors=True)
        self._known.discard(directory)

    def _make(self, directory: Path) -> None:
        """Create a directory with its parents; each new name is synced with the next commit."""
        if directory in self._known:
            return
        missing = directory
        while not missing.is_dir():
            self._changed.add(missing.parent)
            missing = missing.parent
        directory.mkdir(parents=True, exist_ok=True)
        if len(self._known) >= KNOWN_DIRECTORIES:
            self._known.clear()
        self._known.add(directory)


def _write_unsynced(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_all(handle, data)
    finally:
        os.close(handle)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.new")


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_at(handle: int, at: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, at)
        at, view = at + written, view[written:]
