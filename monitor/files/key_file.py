"""Key files: 32 random bytes that only their owner may read, created once and never overwritten."""

from __future__ import annotations

import secrets
from pathlib import Path

from monitor.errors import Refused
from monitor.files.durable import create_file
from monitor.model.signing import Signer


def new_key(path: Path) -> Signer:
    """Create the key file at `path`. File and name are durable when this returns. Raises Refused when it exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = secrets.token_bytes(32)
    try:
        create_file(path, seed)
    except FileExistsError:
        raise Refused(f"{path} exists already; a key is never overwritten") from None
    return Signer(seed)


def read_key(path: Path) -> Signer:
    """Return the key in the file at `path`. Raises Refused when it is missing, damaged or readable by others."""
    try:
        mode = path.stat().st_mode
        seed = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}; make it with `sandbox-monitor keys new`") from error
    if mode & 0o077:
        raise Refused(f"{path} can be read by others than its owner; run chmod 600 on it")
    if len(seed) != 32:
        raise Refused(
            f"{path} is not a key file: it has {len(seed)} bytes, not 32; restore it from a backup, or move it "
            f"away, make a "
            "new one and give its public key to everyone who trusted the old one"
        )
    return Signer(seed)


def own_key(path: Path) -> Signer:
    """Return the key in the file at `path`; create it on first use."""
    return read_key(path) if path.exists() else new_key(path)
