"""The body of `add-checkpoint`, written and read. https://c2sp.org/tlog-witness

    old <size of the checkpoint that the witness cosigned last>
    <hash of the consistency proof, base64>              0 to 63 lines
    <empty line>
    <the signed checkpoint>

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint import parse as parse_checkpoint
from monitor.tlog.errors import BadFormat
from monitor.tlog.note import SignedNote, parse_note
from monitor.tlog.text import HASH_BYTES, decode_utf8, from_base64, from_decimal, short, to_base64

WHAT = "add-checkpoint"
MAX_PROOF = 63  # hashes; a tree has at most 2^63 - 1 leaves
MAX_REQUEST_BYTES = 64 * 1024  # a proof of 63 hashes has 2.8 KiB, an ML-DSA-44 signature 3.3 KiB


class AddCheckpoint(NamedTuple):
    """A request. Nothing in it is verified but its form."""

    old_size: int
    proof: tuple[bytes, ...]
    note: SignedNote
    checkpoint: Checkpoint


def write(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of a request; `note` is the signed checkpoint as it stands. Raises ValueError for a proof that is too
    long."""
    if len(proof) > MAX_PROOF:
        raise ValueError(f"a proof of {len(proof)} hashes; tlog-witness allows {MAX_PROOF}")
    head = "".join(f"{line}\n" for line in (f"old {old_size}", *map(to_base64, proof)))
    return head.encode() + b"\n" + note


def parse(body: bytes) -> AddCheckpoint:
    """Read a request. Raises BadFormat, with line and fix."""
    head, empty, rest = decode_utf8(body, WHAT, MAX_REQUEST_BYTES).partition("\n\n")
    if not empty:
        raise BadFormat(WHAT, "no empty line", "separate the proof from the checkpoint by an empty line")
    first, *hashes = head.split("\n")
    if not first.startswith("old "):
        raise BadFormat(WHAT, f"no old size: {short(first)}", "begin with 'old ' and a decimal size", 1)
    if len(hashes) > MAX_PROOF:
        raise BadFormat(WHAT, f"a proof of {len(hashes)} hashes", f"the limit is {MAX_PROOF}")
    old_size = from_decimal(first.removeprefix("old "), WHAT, 1)
    proof = tuple(from_base64(line, WHAT, number, HASH_BYTES) for number, line in enumerate(hashes, 2))
    note = parse_note(rest.encode())
    return AddCheckpoint(old_size, proof, note, parse_checkpoint(note.text))
