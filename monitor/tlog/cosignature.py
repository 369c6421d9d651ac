"""C2SP tlog-cosignature: a cosigner states that a checkpoint is consistent with all it saw of that log before.

https://c2sp.org/tlog-cosignature. A cosignature is a signature line of the checkpoint's note, made with a key of type
`0x04` (Ed25519) or `0x06` (ML-DSA-44), over what `messages.py` describes. Its first 8 bytes are the time, big-endian,
in seconds since 1970.
"""

from __future__ import annotations

from monitor.tlog import checkpoint
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import SignatureFault, SignatureRefused
from monitor.tlog.keys import Signer, Verifier, signature_time
from monitor.tlog.messages import Subtree
from monitor.tlog.note import Signature, SignedNote
from monitor.tlog.text import printable


def cosign(head: Checkpoint, time: int, signer: Signer) -> Signature:
    """The cosignature of a checkpoint at `time`; the caller has verified that it is consistent.

    Raises:
        BadFormat: the checkpoint cannot be written, or the time is out of range.
        ValueError: the signer's key is not of a cosigner (type `0x01`).
    """
    return Signature(signer.name, signer.verifier.key_id, signer.sign(head.text, time))


def verify(note: SignedNote, verifier: Verifier) -> int:
    """The time at which this cosigner signed the note; the latest, if it signed more than once.

    Raises:
        SignatureRefused: it did not sign, one of its signatures is wrong, or its key carries no time.
        BadFormat: the text is no checkpoint.
    """
    times = [verifier.verify(note.text, line.signature) for line in note.signatures if line.is_by(verifier)]
    known = [time for time in times if time is not None]
    if not known:
        raise SignatureRefused(SignatureFault.NO_KNOWN_KEY, f"cosigner {printable(verifier.name)}")
    return max(known)


def time_of(line: Signature) -> int:
    """The time in a cosignature that was verified elsewhere, in seconds since 1970.

    Raises:
        SignatureRefused: it is too short, or the time is above 2^63 - 1.
    """
    return signature_time(line.signature)


def cosign_subtree(subtree: Subtree, signer: Signer, time: int = 0) -> bytes:
    """The cosignature of a range of leaves by an ML-DSA-44 key; `time` 0 where nothing is said about the largest tree.

    Raises:
        BadFormat: a field is out of range, or a time is given for a subtree that does not start at leaf 0.
        ValueError: the key is of another type.
    """
    return signer.sign_subtree(subtree, time)


def verify_subtree(subtree: Subtree, signature: bytes, verifier: Verifier) -> int:
    """The time of a verified cosignature of a range of leaves; 0 where the cosigner stated none.

    Raises:
        SignatureRefused: it does not verify.
        BadFormat: a field is out of range.
        ValueError: the key is of another type.
    """
    return verifier.verify_subtree(subtree, signature)


def subtree_of(text: str) -> Subtree:
    """The subtree that a checkpoint states: all leaves from the first.

    Raises:
        BadFormat: the text is no checkpoint.
    """
    head = checkpoint.parse(text)
    return Subtree(head.origin, 0, head.size, head.root)
