"""The clock that leases run on: it counts through sleep, and nobody can set it."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]
SECOND = 1_000_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boottime() -> Clock:
    """Nanoseconds since this machine started, its sleep included. Raises OSError where the system has no such clock."""
    which = getattr(time, "CLOCK_BOOTTIME", None)
    if which is None and sys.platform == "darwin":  # its monotonic clock goes on while the machine sleeps
        which = time.CLOCK_MONOTONIC
    if which is None:
        raise OSError("this system has no clock that counts through sleep, so no lease can be kept on it")
    return functools.partial(time.clock_gettime_ns, which)


def boot_id() -> str:
    """Which start of this machine it is; readings of `boottime` compare only within one."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:  # not Linux: the moment of the start, to the minute, tells as much
        return str(round((time.time() - boottime()() / SECOND) / 60))
