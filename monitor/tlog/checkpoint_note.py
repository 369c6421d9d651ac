"""Signed checkpoints: sign a tree head, and open one that somebody sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from monitor.tlog import checkpoint as body
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import SignatureFault, SignatureRefused
from monitor.tlog.keys import Signer, Verifier
from monitor.tlog.note import SignedNote, Verified, parse_note, sign_note, verify_note


class OpenedCheckpoint(NamedTuple):
    """A checkpoint whose signature by the log was verified; `verified` has all signatures that hold."""

    checkpoint: Checkpoint
    note: SignedNote
    verified: tuple[Verified, ...]


def sign_checkpoint(checkpoint: Checkpoint, signers: Iterable[Signer], time: int | None = None) -> SignedNote:
    """The checkpoint, signed by each signer; `time` (seconds since 1970) for those whose type carries one."""
    return sign_note(checkpoint.text, signers, time)


def open_checkpoint(
    data: bytes, origin: str, log: Sequence[Verifier], others: Iterable[Verifier] = ()
) -> OpenedCheckpoint:
    """Parse and verify a signed checkpoint.

    Args:
        data: the note.
        origin: the expected origin.
        log: keys of the log, one of which must have signed.
        others: further keys (firm, witnesses) whose signatures are verified if present.

    Raises:
        BadFormat: it is no note, or its text no checkpoint.
        SignatureRefused: another origin, no signature by the log, or a wrong signature by any of the keys.
    """
    note = parse_note(data)
    head = body.parse(note.text)
    if head.origin != origin:
        raise SignatureRefused(SignatureFault.ORIGIN, f"{head.origin!r} instead of {origin!r}")
    verified = verify_note(note, (*log, *others))
    if not any(each.verifier in log for each in verified):
        raise SignatureRefused(SignatureFault.NO_LOG_KEY, f"origin {origin!r}")
    return OpenedCheckpoint(head, note, verified)
