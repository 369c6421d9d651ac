"""The board: one small file, mapped by every process that serves a pilot on this machine, written by one of them.

It holds what the guard needs to know before each piece of work, as 64-bit words that are read and written whole, and the
commands' standing. A process becomes the writer by taking a lock that ends with its life. Readings of the clock in it are
good for one start of the machine: on the next the board begins anew.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import time
from pathlib import Path

import msgspec

from monitor.files.durable import replace_file
from monitor.files.lock import try_lock, wait_lock
from monitor.model.notice import Notice
from monitor.sdk.clock import boot_id
from monitor.sdk.lease import Lease
from monitor.sdk.standing import Standing

SIZE = 8192
NOTICE = 32_768  # bytes of a notice at most
# Words. OPEN_UNTIL: until when (ns) work may begin, as far as commands say; 0 = no. CONFIRMED: when the writer last knew.
OPEN_UNTIL, CONFIRMED, STATE, STANDING, LEASE_SENT, LEASE_UNTIL, LEASE_STOP, RESENDS, SEQUENCE, LENGTH = range(10)
UNKNOWN, RUNNING, HALTED, RELEASED = range(4)  # STATE
SECRET, BOOT, TEXT = 256, 512, 1024  # places of bytes


class SharedState:
    """The board in `base` (created when missing). Any number of threads and processes read; only a leader `put`s.

    Raises OSError when the directory cannot be written.
    """

    def __init__(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._base = base
        self._lead: int | None = None
        self._noticed: Notice | None = None
        gate = wait_lock(base / "lock")
        try:
            self._map = self._mapped(base / "board")
            # now, and not when the disk may be full
            os.close(os.open(base / "leader", os.O_RDWR | os.O_CREAT, 0o600))
        finally:
            os.close(gate)
        self.words = memoryview(self._map).cast("q")
        self.secret = bytes(self._map[SECRET : SECRET + 32])

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
            self._lead = try_lock(self._base / "leader")
        return self._lead is not None

    def put(self, standing: Standing) -> None:
        """Put what the commands say. A reader in the middle of it reads again."""
        raw = msgspec.json.encode(standing)
        self.words[SEQUENCE] |= 1
        self._map[TEXT : TEXT + len(raw)] = raw
        self.words[LENGTH] = len(raw)
        self.words[STANDING] = standing.number
        self.words[SEQUENCE] += 1

    def put_lease(self, lease: Lease) -> None:
        """Put a newer lease."""
        self.words[LEASE_STOP] = 0 if lease.stop is None else 1 + lease.stop
        self.words[LEASE_SENT] = lease.sent
        self.words[LEASE_UNTIL] = lease.until

    def put_notice(self, notice: Notice) -> None:
        """Put what the monitor says of the pilot's telemetry. Without room on the disk the older one stays."""
        raw = msgspec.json.encode(notice)
        if notice == self._noticed or len(raw) > NOTICE:
            return
        fresh = self._base / "notice.new"
        with contextlib.suppress(OSError):
            fresh.write_bytes(raw)
            fresh.replace(self._base / "notice")
            self._noticed = notice

    # Readers.

    @property
    def standing(self) -> Standing:
        """What the commands said when the writer last knew. Unknown, should a writer have died in the middle of writing it."""
        for _ in range(100):
            turn = self.words[SEQUENCE]
            raw = bytes(self._map[TEXT : TEXT + self.words[LENGTH]])
            if not turn & 1 and self.words[SEQUENCE] == turn:
                return msgspec.json.decode(raw, type=Standing) if raw else Standing()
            time.sleep(0.001)
        return Standing()

    @property
    def notice(self) -> Notice | None:
        """What the monitor said last of the pilot's telemetry, also to an earlier start; None before it said
        anything."""
        try:
            return msgspec.json.decode((self._base / "notice").read_bytes(), type=Notice)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    @property
    def lease(self) -> Lease:
        """The lease of the last permit."""
        stop = self.words[LEASE_STOP]
        return Lease(self.words[LEASE_SENT], self.words[LEASE_UNTIL], bool(stop - 1) if stop else None)

    # Resuming: any process may, and it is kept on the disk.

    def resume(self, release: str) -> None:
        """The firm has resumed from the release with this command id; the next start knows it too."""
        replace_file(self._base / "resumed", f"{release}\n".encode())

    @property
    def resumed(self) -> str:
        """Command id of the last release that the firm resumed from; empty when there was none."""
        try:
            # a damaged file names no release, so the firm resumes again
            return (self._base / "resumed").read_bytes().decode(errors="replace").strip()
        except (FileNotFoundError, IsADirectoryError):
            return ""

    def forked(self) -> None:
        """In a forked child: let go of the parent's lock without ending it there."""
        if self._lead is not None:
            os.close(self._lead)
            self._lead = None

    def close(self) -> None:
        """Let go of the lead; another process may lead. What the guard reads stays mapped, so that a late call is refused, not torn."""
        if self._lead is not None:
            os.close(self._lead)
            self._lead = None
