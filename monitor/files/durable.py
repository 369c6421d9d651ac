"""The one home of fsync: append, replace and cut, each durable when it returns.

`Disk` is the seam: tests put a disk there that breaks at a chosen write. Any OSError leaves the outcome unknown.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """What a ledger needs of a file system. Every method but `note` returns only once the bytes are on the disk."""

    def directory(self, path: Path) -> None:
        """Make a directory, with its parents: one fsync (of the parent)."""

    def append(self, path: Path, at: int, data: bytes) -> None:
        """Write `data` at byte `at`, the end of an existing file (or over its unsynced end), and sync it: one fsync."""

    def replace(self, path: Path, data: bytes) -> None:
        """Make `path` hold exactly `data`; readers and crashes see all of it or nothing: two fsyncs (file, directory)."""

    def cut(self, path: Path, size: int) -> None:
        """Shorten the file to `size` bytes: one fsync."""

    def note(self, path: Path, at: int, data: bytes) -> None:
        """Write `data` at byte `at`, making the file end there, without a sync: for what can be made again."""


class RealDisk:
    """`Disk` on POSIX files."""

    def directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        _sync(path.parent)

    def append(self, path: Path, at: int, data: bytes) -> None:
        handle = os.open(path, os.O_WRONLY)
        try:
            _write(handle, at, data)
            os.fsync(handle)
        finally:
            os.close(handle)

    def replace(self, path: Path, data: bytes) -> None:
        new = path.with_name(path.name + ".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            _write(handle, 0, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(new, path)
        _sync(path.parent)

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
            _write(handle, at, data)
        finally:
            os.close(handle)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(handle: int, at: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, at)
        at, view = at + written, view[written:]
