"""A wall clock that can be moved, for one process that a test starts: a broker whose machine is an hour off.

Built once from `deploy/local/wallclock.c` with the C compiler of the machine. Only the time of day moves; what measures
spans (monotonic clocks, time-outs) stands, as on a machine whose clock is set.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

from monitor.errors import Unavailable
from monitor.testing.broker_runtime import LOCAL, REPOSITORY

SOURCE = LOCAL / "wallclock.c"


class WallClock:
    """Reads `file` (created). Give `environment` to the process; then `move` it at any time. Raises `Unavailable`
    without a compiler."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(_built()), "WALLCLOCK": str(file)}
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 8)

    def move(self, seconds: int) -> None:
        """From now on the clock is so many seconds ahead (below 0: behind)."""
        struct.pack_into("q", self._map, 0, seconds)


def _built() -> Path:
    raw = SOURCE.read_bytes()
    library = REPOSITORY / "var" / f"wallclock-{hashlib.sha256(raw).hexdigest()[:12]}.so"
    if library.exists():
        return library
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Unavailable("no C compiler: deploy/local/install-test-servers.sh installs one")
    library.parent.mkdir(parents=True, exist_ok=True)
    fresh = library.with_suffix(f".{os.getpid()}")  # another process may be building it too
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(fresh), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"the wall clock cannot be built:\n{done.stderr[-1000:]}")
    fresh.replace(library)
    return library
