"""The read log: one JSON line for each page that was shown or refused, in files of bounded size."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from monitor.console.access.roles import Role
from monitor.logs import EventLogger

log = EventLogger(__name__)
LARGEST = 64 << 20  # bytes of one file
FILES = 10  # the newest one and nine before it
LONGEST_PATH = 2_000  # characters of an address in the log
LONGEST_LINE = 64 << 10  # bytes, more than any line has


class Read(Struct, frozen=True, omit_defaults=True):
    """One request. `at` in ms; `reader` is "" for a request without a reader; `status` is that of the response."""

    at: int
    path: str
    status: int
    reader: str = ""
    role: Role | None = None
    refusal: str = ""


class ReadLog:
    """Appends reads to a file. A full file becomes `<name>.1`, that one `<name>.2`; the tenth is deleted, with a
    warning in the log of the process. One process writes."""

    def __init__(self, path: Path, *, largest: int = LARGEST, files: int = FILES) -> None:
        """Raises OSError where the file cannot be opened."""
        self._path, self._largest, self._files = path, largest, files
        self._open()

    def add(self, read: Read) -> None:
        """Append one line. Raises OSError; the line may then be missing."""
        line = msgspec.json.encode(msgspec.structs.replace(read, path=read.path[:LONGEST_PATH])) + b"\n"
        if self._size + len(line) > self._largest and self._size:
            self._rotate()
        written = os.write(self._file, line)
        if written < len(line):  # the disk is full; half a line would hide the next one
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._size += written

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _open(self) -> None:
        self._file = self._opened()
        self._size = os.fstat(self._file).st_size
        tail = os.pread(self._file, LONGEST_LINE, self._size - min(LONGEST_LINE, self._size)) if self._size else b""
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:  # a crash cut the last line short
            self._size -= torn
            os.ftruncate(self._file, self._size)

    def _opened(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _rotate(self) -> None:
        """The full file stays open until the next one is: its number would be given to another file."""
        last = self._numbered(self._files - 1)
        if last.exists():
            log.warning("read_log.deleted", path=last, detail="copy the files away before they are deleted")
        for number in range(self._files - 1, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                os.replace(older, self._numbered(number))
        full, self._file = self._file, self._opened()
        self._size = os.fstat(self._file).st_size
        os.close(full)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def read_lines(path: Path) -> list[Read]:
    """The reads in a file, oldest first. A last line that a crash cut short is left out.

    Raises:
        OSError: the file cannot be read.
        msgspec.DecodeError: another line is no read.
    """
    lines = path.read_bytes().split(b"\n")
    return [msgspec.json.decode(line, type=Read) for line in lines[:-1] if line]
