"""The board: one small file, mapped by every process that serves a pilot on this machine, written by one of them.

It holds what the guard needs to know before each piece of work, as 64-bit words that are read and written whole, and the
command that stands. A process becomes the writer by taking a lock that ends with its life. Readings of the clock in it are
good for one start of the machine: on the next the board begins anew.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import threading
import time
from pathlib import Path

import msgspec

from monitor.model import Command
from monitor.sdk.clock import boot_id
from monitor.sdk.lease import Lease

SIZE = 8192
# Words. OPEN: until when (ns) work may begin, as far as commands say; 0 = no. KNOWN: when the writer last knew.
OPEN, KNOWN, STATE, NUMBER, DUE, RESUMED, SENT, UNTIL, STOP, REPEATS, TURN, LENGTH = range(12)
UNKNOWN, FREE, HALTED, RELEASED = range(4)  # STATE
SECRET, BOOT, COMMAND = 256, 512, 1024  # places of bytes


class Board:
    """The board in `base` (created when missing). Any number of threads and processes read; only a leader `put`s.

    Raises OSError when the directory cannot be written.
    """

    def __init__(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._base = base
        self._lead: int | None = None
        gate = os.open(base / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            self._map = self._mapped(base / "board")
        finally:
            os.close(gate)
        self.words = memoryview(self._map).cast("q")
        self._turn = threading.Lock()
        self.secret = bytes(self._map[SECRET : SECRET + 32])
        self.resume(self._kept())

    @staticmethod
    def _mapped(path: Path) -> mmap.mmap:
        boot = boot_id().encode()[:256].ljust(256, b"\0")
        if not path.exists() or path.stat().st_size != SIZE or path.read_bytes()[BOOT : BOOT + 256] != boot:
            fresh = path.with_suffix(".new")
            body = bytearray(SIZE)
            body[SECRET : SECRET + 32] = secrets.token_bytes(32)
            body[BOOT : BOOT + 256] = boot
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(body)
            fresh.replace(path)
        file_descriptor = os.open(path, os.O_RDWR)
        try:
            return mmap.mmap(file_descriptor, SIZE)
        finally:
            os.close(file_descriptor)

    # The writer.

    @property
    def leading(self) -> bool:
        """Whether this object is the writer."""
        return self._lead is not None

    def lead(self) -> bool:
        """Try to become the writer."""
        if self._lead is None:
            lock = os.open(self._base / "leader", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._lead = lock
            except BlockingIOError:
                os.close(lock)
        return self._lead is not None

    def put_command(self, command: Command | None) -> None:
        """Put the standing command. A reader in the middle of it reads again."""
        raw = b"" if command is None else msgspec.json.encode(command)
        with self._turn:
            self.words[TURN] |= 1
            self._map[COMMAND : COMMAND + len(raw)] = raw
            self.words[LENGTH] = len(raw)
            self.words[TURN] += 1

    def put_lease(self, lease: Lease) -> None:
        """Put a newer lease."""
        self.words[STOP] = 0 if lease.stop is None else 1 + lease.stop
        self.words[SENT] = lease.sent
        self.words[UNTIL] = lease.until

    # Readers.

    def command(self) -> Command | None:
        """The standing command, None when there was none."""
        while True:
            turn = self.words[TURN]
            raw = bytes(self._map[COMMAND : COMMAND + self.words[LENGTH]])
            if not turn & 1 and self.words[TURN] == turn:
                return msgspec.json.decode(raw, type=Command) if raw else None
            if not self._turn.locked() and turn & 1 and self._torn():
                return None
            time.sleep(0.001)

    def _torn(self) -> bool:
        """Whether a writer died in the middle of a command: nobody leads, so nobody will finish it."""
        if self.leading:
            return False
        probe = os.open(self._base / "leader", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(probe)
        return True

    @property
    def lease(self) -> Lease:
        """The lease of the last permit."""
        stop = self.words[STOP]
        return Lease(self.words[SENT], self.words[UNTIL], bool(stop - 1) if stop else None)

    # Resuming: any process may, and it is kept on the disk.

    def resume(self, standing: int, keep: bool = False) -> None:
        """The firm has resumed from the release of this standing; with `keep` the next start knows it too."""
        if keep:
            fresh = self._base / "resumed.new"
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(f"{standing}\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._base / "resumed")
        self.words[RESUMED] = max(self.words[RESUMED], standing)

    def _kept(self) -> int:
        try:
            return int((self._base / "resumed").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def forked(self) -> None:
        """In a forked child: let go of the parent's lock without ending it there."""
        if self._lead is not None:
            os.close(self._lead)
            self._lead = None

    def close(self) -> None:
        """Let go; another process may lead. What the guard reads stays mapped, so that a late call is refused, not torn."""
        if self._lead is not None:
            os.close(self._lead)
            self._lead = None
