"""C2SP tlog-proof: one file that proves that an entry is in a log, without any server. https://c2sp.org/tlog-proof

c2sp.org/tlog-proof@v1
extra <base64>                 optional; not authenticated
index <decimal>
<base64 of 32 bytes>           zero or more: the inclusion proof, the leaf's sibling first
<empty line>
<signed checkpoint>
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.tlog import checkpoint as body
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import BadFormat
from monitor.tlog.merkle import verify_inclusion
from monitor.tlog.note import MAX_NOTE_BYTES, SignedNote, parse_note
from monitor.tlog.policy import Policy, Satisfied
from monitor.tlog.text import HASH_BYTES, decode_utf8, from_base64, from_decimal, to_base64

WHAT = "tlog-proof"
HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63
MAX_EXTRA_BYTES = 48_000  # Go's reader takes lines of at most 64 KiB
MAX_PROOF_BYTES = MAX_NOTE_BYTES + (1 << 17)


@dataclass(frozen=True)
class TlogProof:
    """A proof as it is in the file; nothing of it is verified. `extra` is opaque and not authenticated."""

    index: int
    hashes: tuple[bytes, ...]
    note: SignedNote
    extra: bytes | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint in the note.

        Raises:
            BadFormat: the text is no checkpoint.
        """
        return body.parse(self.note.text)

    @property
    def data(self) -> bytes:
        """The file.

        Raises:
            BadFormat: too many hashes, or too many bytes of extra data.
        """
        if len(self.hashes) > MAX_HASHES:
            raise BadFormat(WHAT, f"{len(self.hashes)} hashes", f"the limit is {MAX_HASHES}")
        lines = [HEADER]
        if self.extra is not None:
            if not 1 <= len(self.extra) <= MAX_EXTRA_BYTES:
                raise BadFormat(
                    WHAT, f"{len(self.extra)} bytes of extra data", f"1 to {MAX_EXTRA_BYTES}, or leave it out"
                )
            lines.append(f"extra {to_base64(self.extra)}")
        lines += [f"index {self.index}", *map(to_base64, self.hashes), "", ""]
        return "\n".join(lines).encode() + self.note.data

    def verify(self, leaf: bytes, policy: Policy) -> Satisfied:
        """Check that the entry with this leaf hash is in a tree whose checkpoint the policy accepts.

        Raises:
            SignatureRefused: a signature by a known key is wrong.
            PolicyRefused: no log of the policy signed, or the quorum is not reached.
            ProofRefused: the inclusion proof does not lead to the root of the checkpoint.
        """
        head, found = policy.open(self.note)
        verify_inclusion(leaf, self.index, head.size, self.hashes, head.root)
        return found


def parse_proof(data: bytes) -> TlogProof:
    """The proof in these bytes; `parse_proof(data).data == data`. Verifies nothing.

    Raises:
        BadFormat: with line and fix.
    """
    text = decode_utf8(data, WHAT, MAX_PROOF_BYTES)
    head, empty, note = text.partition("\n\n")
    if not empty:
        raise BadFormat(WHAT, "no empty line", "separate proof and checkpoint by an empty line")
    header, *lines = head.split("\n")
    if header != HEADER:
        raise BadFormat(WHAT, "unknown first line", f"the first line is {HEADER}", 1)
    at = 2
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = from_base64(lines.pop(0).removeprefix("extra "), WHAT, at)
        if not 1 <= len(extra) <= MAX_EXTRA_BYTES:
            raise BadFormat(WHAT, f"{len(extra)} bytes of extra data", f"1 to {MAX_EXTRA_BYTES}, or no such line", at)
        at += 1
    if not lines or not lines[0].startswith("index "):
        raise BadFormat(WHAT, "no index", "write: index NUMBER", at)
    index = from_decimal(lines.pop(0).removeprefix("index "), WHAT, at)
    if len(lines) > MAX_HASHES:
        raise BadFormat(WHAT, f"{len(lines)} hashes", f"the limit is {MAX_HASHES}", at + 1)
    hashes = tuple(from_base64(line, WHAT, number, HASH_BYTES) for number, line in enumerate(lines, at + 1))
    found = TlogProof(index, hashes, parse_note(note.encode()), extra)
    if index >= found.checkpoint.size:
        problem = f"index {index} in a tree of {found.checkpoint.size} leaves"
        raise BadFormat(WHAT, problem, "the index is below the size of the checkpoint", at)
    return found
