"""The key file of a witness: one private key as signed-note text per line, readable by its owner only.

The first line is Ed25519, which every client understands; a second one is ML-DSA-44, which a quantum computer does not
break. Both sign each checkpoint, and the policy says which suffices.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from monitor.errors import Refused
from monitor.files.durable import create_file
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import KeyType, Signer, parse_skey

KINDS = (KeyType.COSIGNATURE_ED25519, KeyType.COSIGNATURE_ML_DSA_44)
_MAKE = "make it with `sandbox-monitor keys new-witness`"


def new_witness_key(path: Path, name: str, *, post_quantum: bool = False) -> list[Signer]:
    """Create the key file, durable when this returns. `name` is a URL without scheme that names the witness.

    Raises Refused when the file exists, the name is not usable or this installation has no ML-DSA-44.
    """
    try:
        signers = [Signer(name, kind, secrets.token_bytes(32)) for kind in (KINDS if post_quantum else KINDS[:1])]
    except TlogError as error:
        raise Refused(f"{error}; give a URL without scheme, as witness.example.org") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        create_file(path, "".join(f"{signer.skey}\n" for signer in signers).encode())
    except FileExistsError:
        raise Refused(f"{path} exists already; a key is never overwritten") from None
    return signers


def read_witness_key(path: Path) -> list[Signer]:
    """The keys in the file. Raises Refused when it is missing, damaged, readable by others or of another kind."""
    try:
        mode, text = path.stat().st_mode, path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not the key of a witness, but binary; give that, or {_MAKE}") from error
    except OSError as error:
        raise Refused(f"{path} cannot be read as a witness key: {error.strerror}; {_MAKE}") from error
    if mode & 0o077:
        raise Refused(f"{path} can be read by others than its owner; run chmod 600 on it")
    try:
        signers = [parse_skey(line.strip()) for line in text.splitlines() if line.strip()]
    except TlogError as error:
        raise Refused(f"{path} is not a witness key: {error}; restore it from a backup, or {_MAKE}") from error
    kinds = [signer.verifier.kind for signer in signers]
    if not signers or len(set(kinds)) != len(kinds) or not set(kinds) <= set(KINDS):
        raise Refused(f"{path} is not a witness key: it needs one key for cosignatures of each type, no other; {_MAKE}")
    return signers
