"""C2SP signed notes: a text, an empty line and signature lines. https://c2sp.org/signed-note

    <text, ends with a newline>
    <empty line>
    — <key name> <base64 of: 4 bytes key id, signature>

Signatures by unknown keys are ignored; one wrong signature by a known key refuses the whole note.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from monitor.tlog.errors import BadFormat, SignatureFault, SignatureRefused
from monitor.tlog.keys import KEY_ID_BYTES, Signer, Verifier
from monitor.tlog.text import check_name, decode_utf8, from_base64, printable, short, to_base64

WHAT = "note"
DASH = "— "
MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 100  # as Go's sumdb/note; the specification asks for at least 16
MAX_SIGNATURE_BYTES = 8192  # post-quantum signatures have up to 5,000 bytes


class Signature(NamedTuple):
    """A signature line: the name and id of a key, and what it signed with."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line, with its newline."""
        return f"{DASH}{self.name} {to_base64(self.key_id + self.signature)}\n"

    def is_by(self, verifier: Verifier) -> bool:
        """Whether it claims to be by this key."""
        return self.name == verifier.name and self.key_id == verifier.key_id


class SignedNote(NamedTuple):
    """A text with its final newline, and its signatures in order."""

    text: str
    signatures: tuple[Signature, ...]

    @property
    def data(self) -> bytes:
        """The note as bytes."""
        return (self.text + "\n" + "".join(signature.line for signature in self.signatures)).encode()

    def adding(self, signatures: Iterable[Signature]) -> SignedNote:
        """This note with further signatures; of each key the first line is kept, so that repeats do not add up."""
        kept = {(each.name, each.key_id): each for each in reversed((*self.signatures, *signatures))}
        return SignedNote(self.text, tuple(reversed(kept.values())))


class Verified(NamedTuple):
    """A signature that holds, with its key and its time in seconds since 1970 (`None` where the type has no time)."""

    signature: Signature
    verifier: Verifier
    time: int | None


def parse_note(data: bytes) -> SignedNote:
    """The note in these bytes; `parse_note(data).data == data`. Verifies nothing.

    Raises:
        BadFormat: with line and fix.
    """
    whole = decode_utf8(data, WHAT, MAX_NOTE_BYTES)
    text, empty, block = whole.rpartition("\n\n")
    if not empty:
        raise BadFormat(WHAT, "no empty line", "separate text and signatures by an empty line")
    return SignedNote(text + "\n", parse_signatures(block, text.count("\n") + 3))


def parse_signatures(block: str, first_line: int = 1) -> tuple[Signature, ...]:
    """The signature lines of a note, or of a witness's answer; at least one.

    Raises:
        BadFormat: with line (counted from `first_line`) and fix.
    """
    if not block:
        raise BadFormat(WHAT, "no signature", "add at least one signature line")
    if not block.endswith("\n"):
        raise BadFormat(WHAT, "does not end with a newline", "end each signature line with a newline")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise BadFormat(WHAT, f"{len(lines)} signatures", f"the limit is {MAX_SIGNATURES}")
    return tuple(_signature(line, number) for number, line in enumerate(lines, first_line))


def _signature(line: str, number: int) -> Signature:
    fix = "a signature line is: em dash, space, key name, space, base64"
    if not line.startswith(DASH):
        raise BadFormat(WHAT, f"no signature line: {short(line)}", fix, number)
    name, space, encoded = line.removeprefix(DASH).partition(" ")
    if not space:
        raise BadFormat(WHAT, f"no signature line: {short(line)}", fix, number)
    check_name(name, WHAT, number)
    data = from_base64(encoded, WHAT, number)
    if not KEY_ID_BYTES < len(data) <= MAX_SIGNATURE_BYTES:
        raise BadFormat(WHAT, f"signature of {len(data)} bytes", "it has 4 bytes key id and the signature", number)
    return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def sign_note(text: str, signers: Iterable[Signer], time: int | None = None) -> SignedNote:
    """A note with one signature by each signer, in their order.

    Args:
        text: with its final newline.
        signers: at least one.
        time: seconds since 1970, for those whose type carries a time.

    Raises:
        BadFormat: the text cannot be that of a note, or of a checkpoint where a cosigner signs it.
        ValueError: no signer, or a time is missing.
    """
    if not text.endswith("\n"):
        raise BadFormat(WHAT, "text does not end with a newline", "add it")
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise BadFormat(WHAT, "text is no Unicode text", "remove lone surrogates") from None
    decode_utf8(encoded, WHAT, MAX_NOTE_BYTES // 2)
    signatures = tuple(sign(text, signer, time) for signer in signers)
    if not signatures:
        raise ValueError("signers: a note needs at least one")
    return SignedNote(text, signatures)


def sign(text: str, signer: Signer, time: int | None = None) -> Signature:
    """One signature of a text; `time` is used where the key's type carries one."""
    kind = signer.verifier.kind
    return Signature(signer.name, signer.verifier.key_id, signer.sign(text, time if kind.timed else None))


def verify_note(note: SignedNote, verifiers: Iterable[Verifier]) -> tuple[Verified, ...]:
    """Check all signatures by these keys; each key counts once, with its first line.

    Returns:
        One result per key that signed, in the order of the note. Never empty.

    Raises:
        SignatureRefused: a signature by one of the keys does not verify, or none of them signed.
        BadFormat: a cosignature of a text that is no checkpoint.
    """
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    found: dict[Verifier, Verified] = {}
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is not None:
            time = verifier.verify(note.text, signature.signature)
            found.setdefault(verifier, Verified(signature, verifier, time))
    if not found:
        raise SignatureRefused(
            SignatureFault.NO_KNOWN_KEY, ", ".join(sorted({printable(name) for name, _ in known}))[:200]
        )
    return tuple(found.values())
