"""Which program this is: the version, and a digest of the source of everything that a decision follows from."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import detectors
from monitor import __version__

# The folders of `monitor` that a decision follows from, next to the package `detectors`.
DECIDING = (
    "model", "charter", "deadlines", "lifecycle", "validate", "indicators", "compile", "state", "assess", "decide",
    "detect", "observe", "engine",
)  # fmt: skip


@cache
def program_id() -> str:
    """`VERSION+DIGEST`, the same wherever the same sources are installed. Two programs with one id decide alike; with
    another digest they may, too. Reads a megabyte of files once.

    >>> program_id().startswith(__version__ + "+")
    True
    """
    home = Path(__file__).resolve().parents[1]
    found = hashlib.sha256()
    for folder in (Path(detectors.__file__).resolve().parent, *(home / name for name in DECIDING)):
        for path in sorted(folder.rglob("*.py")):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}".encode()
            found.update(hashlib.sha256(name).digest() + hashlib.sha256(path.read_bytes()).digest())
    return f"{__version__}+{found.hexdigest()[:12]}"
