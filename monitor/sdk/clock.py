"""The clock of leases: monotonic, includes the time that the machine sleeps, and cannot be set."""

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
    """Return a clock of nanoseconds since boot, sleep included. Raises OSError where the system has no such clock."""
    which = getattr(time, "CLOCK_BOOTTIME", None)
    if which is None and sys.platform == "darwin":  # its monotonic clock includes sleep
        which = time.CLOCK_MONOTONIC
    if which is None:
        raise OSError("this system has no clock that includes sleep, so a lease cannot be measured on it")
    return functools.partial(time.clock_gettime_ns, which)


def boot_id() -> str:
    """Return an identifier of this boot; readings of `boottime` are comparable only within one boot."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:  # not Linux: the time of boot, rounded to a minute, serves as the identifier
        return str(round((time.time() - boottime()() / SECOND) / 60))
