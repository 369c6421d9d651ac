"""What a witness makes of a checkpoint, given the one it cosigned last. Pure: no clock, no disk.

The order of the checks is that of https://c2sp.org/tlog-witness: the log is known (404), it signed (403), the old size
is not above the new one (400), the old size is the one cosigned last (409), the proof leads from that root to this one
(422), and a checkpoint of the same size has the same root (409).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from monitor.tlog.add_checkpoint import AddCheckpoint
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import ProofRefused, TlogError
from monitor.tlog.keys import Verifier
from monitor.tlog.merkle import EMPTY_ROOT, verify_consistency
from monitor.tlog.note import SignedNote, verify_note
from monitor.witness.answers import AddAnswer, Response, conflict, refusal

Logs = Mapping[str, Sequence[Verifier]]
"""The logs that a witness follows: origin -> keys of the log."""


class Accepted(NamedTuple):
    """A checkpoint that may be cosigned. `note` has the signatures of the log that hold, no others."""

    checkpoint: Checkpoint
    note: SignedNote


class Refusal(NamedTuple):
    """A checkpoint that may not be cosigned. `signed`: the log signed it. `fork`: it and the one cosigned last, both
    signed by the log, cannot both be true; an append-only log never signs two such checkpoints."""

    response: Response
    signed: bool = False
    fork: bool = False


def signatures(request: AddCheckpoint, logs: Logs) -> Accepted | Refusal:
    """Check that the log is known and signed, before anything that depends on what was cosigned."""
    origin = request.checkpoint.origin
    keys = logs.get(origin)
    if not keys:
        return Refusal(refusal(AddAnswer.UNKNOWN_LOG, f"this witness does not follow the log {origin!r}"))
    try:
        verified = verify_note(request.note, keys)
    except TlogError as error:
        return Refusal(refusal(AddAnswer.NOT_SIGNED, str(error)))
    note = SignedNote(request.note.text, tuple(each.signature for each in verified))
    return Accepted(request.checkpoint, note)


def growth(request: AddCheckpoint, latest: Checkpoint | None) -> Refusal | None:
    """Check a signed checkpoint against the one that was cosigned `latest`. Returns None when it may be cosigned."""
    new, old = request.checkpoint, request.old_size
    size, root = (latest.size, latest.root) if latest is not None else (0, EMPTY_ROOT)
    fork = latest is not None and new.size == size and new.root != root
    if old > new.size:
        return Refusal(refusal(AddAnswer.MALFORMED, f"old size {old} is above the checkpoint's {new.size}"), True, fork)
    if old != size:
        return Refusal(conflict(AddAnswer.OLD_SIZE, size), True, fork)
    if fork and not request.proof:
        return Refusal(conflict(AddAnswer.FORK, size), True, True)
    try:
        verify_consistency(size, root, new.size, new.root, request.proof)
    except ProofRefused as error:
        return Refusal(refusal(AddAnswer.BAD_PROOF, str(error)), True, fork)
    return None
