"""The state that all processes of a pilot on one machine share: one memory-mapped file with a seqlock.

One process, the leader, writes; all read, without locks and without system calls. The file begins with 64-bit words,
each of which is read and written whole. The commands' state is longer than a word and protected by a *seqlock*: the
writer makes `SEQUENCE` odd, writes, and makes it even again; a reader retries when it saw an odd number or another one
after reading. The leader is elected by a file lock, which the kernel releases when the process dies.

Clock readings in the file are comparable only within one boot of the machine: the file of an earlier boot is replaced.
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
from monitor.sdk.command_state import CommandState
from monitor.sdk.lease import Lease

SIZE = 8192
MAX_NOTICE_BYTES = 32_768
# Index of each word. OPEN_UNTIL: until when (ns) work may begin, as far as commands say; 0 = not at all. CONFIRMED:
# when (ns) the leader last confirmed STATE; 0 = never. STANDING: of the newest command. RESENDS: how often it was
# received again. LEASE_STOP: 0 not stated, 1 work may go on, 2 stop. LENGTH: bytes of the encoded commands' state.
(
    OPEN_UNTIL, CONFIRMED, STATE, STANDING, LEASE_SENT, LEASE_UNTIL, LEASE_STOP, RESENDS, SEQUENCE, LENGTH,
) = range(10)  # fmt: skip
UNKNOWN, RUNNING, HALTED, RELEASED = range(4)  # values of STATE
SECRET, BOOT, TEXT = 256, 512, 1024  # offsets of bytes
READ_RETRIES, READ_PAUSE_S = 100, 0.001


class SharedState:
    """The shared file in `base` (created when missing). Any number of threads and processes read; the leader writes.

    Raises OSError when the directory cannot be written.
    """

    def __init__(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.base = base
        self._lead: int | None = None
        self._written_notice: Notice | None = None
        gate = wait_lock(base / "lock")
        try:
            self._map = self._mapped(base / "board")
            # Created now: later the disk may be full.
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
            # Not synced: a power failure is a new boot, and then the file is replaced.
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(body)
            fresh.replace(path)
        file_descriptor = os.open(path, os.O_RDWR)
        try:
            return mmap.mmap(file_descriptor, SIZE)
        finally:
            os.close(file_descriptor)

    # The leader.

    @property
    def leading(self) -> bool:
        """Whether this object is the leader."""
        return self._lead is not None

    def lead(self) -> bool:
        """Try to become the leader; return whether this object is. Does not block."""
        if self._lead is None:
            self._lead = try_lock(self.base / "leader")
        return self._lead is not None

    def write_commands(self, state: CommandState) -> None:
        """Publish what the commands say. Leader only."""
        raw = msgspec.json.encode(state)
        self.words[SEQUENCE] |= 1  # odd: being written
        self._map[TEXT : TEXT + len(raw)] = raw
        self.words[LENGTH] = len(raw)
        self.words[STANDING] = state.number
        self.words[SEQUENCE] += 1

    def write_lease(self, lease: Lease) -> None:
        """Publish a newer lease. Leader only."""
        self.words[LEASE_STOP] = 0 if lease.stop is None else 1 + lease.stop
        self.words[LEASE_SENT] = lease.sent
        self.words[LEASE_UNTIL] = lease.until

    def write_notice(self, notice: Notice) -> None:
        """Publish the monitor's newest notice. Leader only. On a full disk the older one stays."""
        raw = msgspec.json.encode(notice)
        if notice == self._written_notice or len(raw) > MAX_NOTICE_BYTES:
            return
        fresh = self.base / "notice.new"
        with contextlib.suppress(OSError):
            fresh.write_bytes(raw)
            fresh.replace(self.base / "notice")
            self._written_notice = notice

    # Readers.

    @property
    def commands(self) -> CommandState:
        """What the commands say. Unknown if a leader died while it was writing and no other one has written since.

        Blocks for up to 0.1 s while a write is in progress.
        """
        for _ in range(READ_RETRIES):
            sequence = self.words[SEQUENCE]
            raw = bytes(self._map[TEXT : TEXT + self.words[LENGTH]])
            if not sequence & 1 and self.words[SEQUENCE] == sequence:
                return msgspec.json.decode(raw, type=CommandState) if raw else CommandState()
            time.sleep(READ_PAUSE_S)
        return CommandState()

    @property
    def notice(self) -> Notice | None:
        """The newest notice, also one from before this process started; None when there was none."""
        try:
            return msgspec.json.decode((self.base / "notice").read_bytes(), type=Notice)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    @property
    def lease(self) -> Lease:
        """The lease of the newest permit."""
        stop = self.words[LEASE_STOP]
        return Lease(self.words[LEASE_SENT], self.words[LEASE_UNTIL], bool(stop - 1) if stop else None)

    # Resuming: any process may write it.

    def resume(self, release: str) -> None:
        """Record that the firm resumed from the release with this command id. Durable when this returns: a restarted
        service must not need a second act of the firm. Raises OSError."""
        replace_file(self.base / "resumed", f"{release}\n".encode())

    @property
    def resumed(self) -> str:
        """Command id of the release that the firm last resumed from; "" when there was none."""
        try:
            # A damaged file names no release, so that the firm resumes again.
            return (self.base / "resumed").read_bytes().decode(errors="replace").strip()
        except (FileNotFoundError, IsADirectoryError):
            return ""

    def forked(self) -> None:
        """Close the parent's lock in a forked child, without releasing it in the parent."""
        self.close()

    def close(self) -> None:
        """Give up the lead. The file stays mapped, so that a later call of the guard is refused and does not crash."""
        if self._lead is not None:
            os.close(self._lead)
            self._lead = None
