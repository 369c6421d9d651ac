"""Key files: 32 random bytes that only their owner may read, made once and never overwritten."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from monitor.errors import Refused
from monitor.model.signing import Signer


def new_key(path: Path) -> Signer:
    """Make the key file at `path`, on the disk when this returns. Raises Refused when there is one already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = secrets.token_bytes(32)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(seed)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(beside, path)  # unlike a rename it never replaces a key that is there
    except FileExistsError:
        raise Refused(f"{path} is there already; a key is never overwritten") from None
    finally:
        beside.unlink()
    return Signer(seed)


def read_key(path: Path) -> Signer:
    """The key in the file at `path`. Raises Refused when there is none, or others may read it."""
    try:
        mode = path.stat().st_mode
        seed = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}; make it with `sandbox-monitor keys new`") from error
    if mode & 0o077:
        raise Refused(f"{path} may be read by others than its owner; run chmod 600 on it")
    if len(seed) != 32:
        raise Refused(
            f"{path} is no key file: it has {len(seed)} bytes, not 32; restore it from a backup, or move it away and make a new "
            "one, whose public key everybody who trusted the old one has to be given"
        )
    return Signer(seed)


def own_key(path: Path) -> Signer:
    """The key in the file at `path`, made on first use."""
    return read_key(path) if path.exists() else new_key(path)
