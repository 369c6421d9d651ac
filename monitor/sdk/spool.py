"""A bounded, append-only spool on disk: records that were synced survive a SIGKILL and a power failure, in order.

One directory holds one incarnation. It consists of segments named after the position of their first byte. A record is
its length and a CRC-32 of length and payload (both big-endian, 4 bytes), then the payload. A torn record at the end,
left by a crash, was never acknowledged to a caller and is dropped when the spool is opened. The file `sent` holds the
position up to which everything was delivered; it is not synced, since a repeated delivery is harmless.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

from monitor.errors import Refused, TryAgain
from monitor.files.durable import sync_directory, write_all

HEADER = struct.Struct(">II")
SENT = struct.Struct(">QI")
SUFFIX = ".segment"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SpoolFull(TryAgain):
    """The spool or its disk is full. The event was *not* recorded: call again when there is room."""


class SpoolBroken(Refused):
    """The disk failed: the event may be lost, and no other one can be recorded until the process is restarted."""


class Spool:
    """Appends, syncs, reads and releases records of one directory (created when missing).

    Safe for many appending threads and one reading thread. `limit` bounds the bytes on disk, `segment_bytes` is the
    size at which a new segment is started. Positions count bytes since the incarnation began and never decrease.
    """

    def __init__(self, directory: Path, *, limit: int, segment_bytes: int = 4 << 20) -> None:
        self.directory = directory
        self.limit = limit
        self.segment_bytes = max(1, min(segment_bytes, limit // 4))  # a full spool has segments to release
        self._append = threading.Lock()
        self._sync = threading.Lock()
        self._broken: OSError | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self._starts = sorted(int(path.stem) for path in directory.glob(f"*{SUFFIX}"))
        self.written = self._starts[-1] + self._valid(self._starts[-1]) if self._starts else 0
        self.durable = self.written
        self.sent = self._sent()
        self._reader: tuple[int, int] | None = None  # start of the segment, file descriptor
        if not self._starts:
            self._file = self._begin(0)
        else:
            self._file = os.open(self._path(self._starts[-1]), os.O_WRONLY)
            os.ftruncate(self._file, self.written - self._starts[-1])  # the torn record
            os.lseek(self._file, 0, os.SEEK_END)

    def _path(self, start: int) -> Path:
        return self.directory / f"{start:020d}{SUFFIX}"

    def _begin(self, start: int) -> int:
        file = os.open(self._path(start), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # The name is durable before a record in the file is acknowledged.
            sync_directory(self.directory)
        except OSError:
            os.close(file)
            self._path(start).unlink()
            raise
        self._starts.append(start)
        return file

    def _valid(self, start: int) -> int:
        """Length of the intact records at the beginning of a segment."""
        raw = self._path(start).read_bytes()
        end = 0
        for end, _ in records(raw):  # noqa: B007
            pass
        return end

    def _sent(self) -> int:
        try:
            raw = (self.directory / "sent").read_bytes()
        except FileNotFoundError:
            raw = b""
        if len(raw) == SENT.size:
            position, check = SENT.unpack(raw)
            if check == zlib.crc32(raw[:8]):
                return int(min(max(position, self._starts[0] if self._starts else 0), self.written))
        return self._starts[0] if self._starts else 0

    @property
    def used(self) -> int:
        """Bytes on disk, including delivered ones in the oldest segment."""
        return self.written - self._starts[0]

    @property
    def unsent(self) -> int:
        """Bytes that are not delivered yet."""
        return self.written - self.sent

    def append(self, payload: bytes) -> int:
        """Write one record (at least one byte) and return the position after it; durable only after `sync(position)`.

        Raises `SpoolFull`, with the limit, or `SpoolBroken`; in both cases nothing of the record stays in the spool.
        """
        if not payload:
            raise ValueError("a record needs at least one byte")
        record = HEADER.pack(len(payload), check_of(payload)) + payload
        with self._append:
            self._raise_if_broken()
            if self.used + len(record) > self.limit:
                raise SpoolFull(
                    f"the spool {self.directory} holds {self.used} of at most {self.limit} bytes; the event was not "
                    "recorded: make the monitor reachable again, or set spool_bytes to a larger value"
                )
            try:
                if self.written - self._starts[-1] >= self.segment_bytes:
                    self._rotate()
                write_all(self._file, record)
            except OSError as error:
                self._undo(error)
                if error.errno in NO_ROOM:
                    raise SpoolFull(no_room(self.directory, error)) from error
                raise SpoolBroken(
                    f"cannot write to the spool {self.directory}: {error}; nothing was recorded"
                ) from error
            self.written += len(record)
            return self.written

    def _undo(self, error: OSError) -> None:
        """Remove a partly written record; if that fails too, the spool accepts no more records."""
        try:
            os.ftruncate(self._file, self.written - self._starts[-1])
            os.lseek(self._file, 0, os.SEEK_END)
        except OSError:
            self._broken = error

    def _rotate(self) -> None:
        """Start a new segment. Raises OSError when there is no room for one; the last one stays in use then."""
        with self._sync:
            try:
                os.fsync(self._file)
            except OSError as error:
                self._broken = error
                self._raise_if_broken()
            self.durable = self.written
            before, self._file = self._file, self._begin(self.written)
            os.close(before)

    def _raise_if_broken(self) -> None:
        if self._broken:
            raise SpoolBroken(f"the spool {self.directory} is closed after a disk error: {self._broken}")

    def sync(self, position: int) -> None:
        """Block until everything before `position` is on the disk. Threads that wait at the same time share one fsync.

        Raises `SpoolBroken` when the sync fails: it is unknown then what was written.
        """
        with self._sync:
            if self.durable >= position:
                return
            self._raise_if_broken()
            upto = self.written
            try:
                os.fdatasync(self._file)
            except OSError as error:
                self._broken = error
                self._raise_if_broken()
            self.durable = upto

    def read(self, limit: int, bytes_limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` durable records after `sent`, each as (position after it, payload).

        At most `bytes_limit` bytes, but at least one record if there is one; all from one segment. Raises `SpoolBroken`
        when a record is damaged.
        """
        if self.sent >= self.durable:
            return []
        start = max(s for s in tuple(self._starts) if s <= self.sent)
        later = [s for s in tuple(self._starts) if s > self.sent]
        end = min([self.durable, *later[:1]])
        file = self._open(start)
        want = min(end - self.sent, bytes_limit)
        taken = self._take(os.pread(file, want, self.sent - start), limit)
        if not taken:  # one record larger than bytes_limit
            taken = self._take(os.pread(file, end - self.sent, self.sent - start), 1)
        if not taken:
            raise SpoolBroken(
                f"{self._path(start)} is damaged at byte {self.sent - start}: keep the file, it holds events"
            )
        return taken

    def _take(self, raw: bytes, limit: int) -> list[tuple[int, bytes]]:
        taken: list[tuple[int, bytes]] = []
        for end, payload in records(raw):
            taken.append((self.sent + end, payload))
            if len(taken) == limit:
                break
        return taken

    def _open(self, start: int) -> int:
        if self._reader is None or self._reader[0] != start:
            self._shut_reader()
            self._reader = (start, os.open(self._path(start), os.O_RDONLY))
        return self._reader[1]

    def _shut_reader(self) -> None:
        if self._reader is not None:
            os.close(self._reader[1])
            self._reader = None

    def release(self, position: int) -> None:
        """Mark everything before `position` as delivered and remove segments that hold nothing else.

        Does not raise on a full disk: removing makes room, and a mark that cannot be written costs repeated deliveries.
        """
        self.sent = position
        with contextlib.suppress(OSError):
            self._mark(position)
        with self._append:
            while len(self._starts) > 1 and self._starts[1] <= position:
                gone = self._starts[0]
                if self._reader is not None and self._reader[0] == gone:
                    self._shut_reader()
                self._path(gone).unlink()
                del self._starts[0]
            if self.unsent == 0 and self.used >= self.segment_bytes:
                with contextlib.suppress(OSError):
                    self._rotate()  # so that the last segment can be removed, too

    def _mark(self, position: int) -> None:
        raw = struct.pack(">Q", position)
        file = os.open(self.directory / "sent", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(file, raw + struct.pack(">I", zlib.crc32(raw)), 0)
        finally:
            os.close(file)

    def close(self) -> None:
        """Sync and close the files; they stay on disk."""
        with self._append, self._sync:
            if self._file >= 0:
                try:
                    os.fsync(self._file)
                finally:
                    os.close(self._file)
                    self._file = -1
                    self._broken = self._broken or OSError("closed")
        self._shut_reader()

    def delete(self) -> None:
        """Close and remove the directory. Raises ValueError while something is not delivered."""
        if self.unsent:
            raise ValueError(f"{self.unsent} bytes were not delivered")
        self.close()
        for path in sorted(self.directory.iterdir()):  # `sent` sorts after the segments, so it is removed last
            path.unlink()
        self.directory.rmdir()


def no_room(directory: Path, error: OSError) -> str:
    """The message for a full disk, with the fix."""
    return (
        f"no room on the disk of the spool {directory} ({error.strerror}); the event was not recorded: free space "
        "there, or set spool_dir to a disk with room"
    )


def records(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (end, payload) of each intact record from the beginning of `raw`, up to the first torn or damaged one."""
    at = 0
    while at + HEADER.size <= len(raw):
        length, check = HEADER.unpack_from(raw, at)
        end = at + HEADER.size + length
        payload = raw[at + HEADER.size : end]
        if not length or end > len(raw) or check_of(payload) != check:
            return
        yield end, payload
        at = end


def check_of(payload: bytes) -> int:
    """CRC-32 over length and payload. Without the length, `ff ff ff ff` is its own CRC."""
    return zlib.crc32(payload, zlib.crc32(len(payload).to_bytes(4, "big")))
