"""C2SP tlog-witness: the bodies of `POST <prefix>/add-checkpoint` and of its answers. https://c2sp.org/tlog-witness

Request:

    old <size of the checkpoint that the witness has>
    <base64 of 32 bytes>           zero to 63: the consistency proof from that size
    <empty line>
    <signed checkpoint>

Answers: 200 with signature lines; 409 with the size that the witness has (`text/x.tlog.size`); 400, 403, 404, 422.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from monitor.tlog import checkpoint as body
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import BadFormat
from monitor.tlog.note import MAX_NOTE_BYTES, Signature, SignedNote, parse_note, parse_signatures
from monitor.tlog.text import HASH_BYTES, MAX_INTEGER, decode_utf8, from_base64, from_decimal, to_base64

WHAT = "add-checkpoint"
PATH = "add-checkpoint"
MAX_HASHES = 63
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + (1 << 12)
SIZE_TYPE = "text/x.tlog.size"  # Content-Type of the answer 409


class AddCheckpoint(NamedTuple):
    """A request to cosign: the note, and the proof that it is consistent with `old_size` leaves. Not verified."""

    old_size: int
    proof: tuple[bytes, ...]
    note: SignedNote

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint in the note.

        Raises:
            BadFormat: the text is no checkpoint.
        """
        return body.parse(self.note.text)

    @property
    def data(self) -> bytes:
        """The body of the request.

        Raises:
            BadFormat: more than 63 hashes, or the size is out of range.
        """
        if not 0 <= self.old_size <= MAX_INTEGER:
            raise BadFormat(WHAT, f"old size {self.old_size}", "a size is from 0 to 2^63 - 1", 1)
        if len(self.proof) > MAX_HASHES:
            raise BadFormat(WHAT, f"{len(self.proof)} hashes", f"the limit is {MAX_HASHES}", 2)
        lines = [f"old {self.old_size}", *map(to_base64, self.proof), "", ""]
        return "\n".join(lines).encode() + self.note.data


def parse_request(data: bytes) -> AddCheckpoint:
    """The request in these bytes; `parse_request(data).data == data`. Its note is a checkpoint; nothing is verified.

    Raises:
        BadFormat: with line and fix; the witness answers 400.
    """
    text = decode_utf8(data, WHAT, MAX_REQUEST_BYTES)
    head, empty, note = text.partition("\n\n")
    if not empty:
        raise BadFormat(WHAT, "no empty line", "separate proof and checkpoint by an empty line")
    first, *lines = head.split("\n")
    if not first.startswith("old "):
        raise BadFormat(WHAT, "no old size", "write: old SIZE", 1)
    old_size = from_decimal(first.removeprefix("old "), WHAT, 1)
    if len(lines) > MAX_HASHES:
        raise BadFormat(WHAT, f"{len(lines)} hashes", f"the limit is {MAX_HASHES}", 2)
    proof = tuple(from_base64(line, WHAT, number, HASH_BYTES) for number, line in enumerate(lines, 2))
    found = AddCheckpoint(old_size, proof, parse_note(note.encode()))
    body.parse(found.note.text)
    return found


def cosignatures(lines: Iterable[Signature]) -> bytes:
    """The body of the answer 200."""
    return "".join(signature.line for signature in lines).encode()


def parse_cosignatures(data: bytes) -> tuple[Signature, ...]:
    """The signature lines of the answer 200; not verified.

    Raises:
        BadFormat: with line and fix.
    """
    return parse_signatures(decode_utf8(data, "cosignatures", MAX_NOTE_BYTES))


def conflict(size: int) -> bytes:
    """The body of the answer 409: the size of the newest checkpoint that the witness cosigned."""
    return b"%d\n" % size


def parse_conflict(data: bytes) -> int:
    """The size in the answer 409.

    Raises:
        BadFormat: it is not one decimal and a newline.
    """
    text = decode_utf8(data, "size", 32)
    if not text.endswith("\n"):
        raise BadFormat("size", "does not end with a newline", "write the size and a newline")
    return from_decimal(text[:-1], "size", 1)
