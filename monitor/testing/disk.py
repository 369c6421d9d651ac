"""A small disk that can be filled: a tmpfs of a few MB, for tests of full disks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.errors import Unavailable


class SmallDisk:
    """Mounted at `path` (created) with so many `megabytes` and places for `files`. Raises `Unavailable` without
    root."""

    def __init__(self, path: Path, megabytes: int, files: int = 10_000) -> None:
        self.path = path
        if shutil.which("mount") is None or os.geteuid() != 0:
            raise Unavailable("a small disk needs root and `mount`")
        path.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m,nr_inodes={files}", "none", str(path)]
        done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"a small disk needs the right to mount one: {done.stderr.strip()}")

    def fill(self) -> None:
        """Write until no space is left."""
        with (self.path / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 65536)

    def free(self) -> None:
        """Delete what `fill` wrote."""
        (self.path / "ballast").unlink()

    def unmount(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", "-l", str(self.path)], check=True)


@contextmanager
def small(path: Path, megabytes: int, files: int = 10_000) -> Iterator[SmallDisk]:
    """A disk for one `with`."""
    disk = SmallDisk(path, megabytes, files)
    try:
        yield disk
    finally:
        disk.unmount()
