"""Temporary directories that do not pile up: each names its process, and creating one removes those of dead processes.

A process that is killed cannot clean up after itself; the next one does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def scratch(kind: str) -> str:
    """The prefix for a temporary directory of this `kind` (no hyphen in it), after those of dead processes are gone.

    >>> scratch("doctest").startswith("sandbox-doctest-")
    True
    """
    for path in Path(tempfile.gettempdir()).glob(f"sandbox-{kind}-*-*"):
        owner = path.name.split("-")[2]
        if owner.isdecimal() and not _lives(int(owner)):
            shutil.rmtree(path, ignore_errors=True)
    return f"sandbox-{kind}-{os.getpid()}-"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
