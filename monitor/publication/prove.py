"""Two stacked proofs in one file: an entry is in its pilot log, and that log's checkpoint is in the authority log.

    <tlog-proof>     index of the entry, its path, the pilot checkpoint; `extra` holds the entry, if it has at most
                     48,000 bytes (a longer one is in the bundle of its index)
    <tlog-proof>     index of the leaf, its path, the authority checkpoint with the cosignatures of its witnesses

Both parts are complete files of C2SP tlog-proof; the second begins at the second line `c2sp.org/tlog-proof@v1`. The
leaf of the second follows from the checkpoint of the first: its origin, size and root as canonical JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from monitor.notary.authority_leaf import Leaf
from monitor.notary.encoding import Malformed, decode
from monitor.publication.log_key import AUTHORITY, is_log_of
from monitor.publication.pilot_logs import LEAF_PROOF
from monitor.tlog.checkpoint import Checkpoint, parse
from monitor.tlog.errors import BadFormat, HashUnavailable
from monitor.tlog.keys import Verifier
from monitor.tlog.merkle import inclusion_proof, leaf_hash, verify_inclusion
from monitor.tlog.note import SignedNote, parse_note, verify_note
from monitor.tlog.policy import Policy
from monitor.tlog.proof import HEADER, MAX_EXTRA_BYTES, TlogProof, parse_proof
from monitor.tlog.tiles import WIDTH, Tile, TileHashes, parse_bundle, width_at

Read = Callable[[str], bytes]
"""Gives the content of a path below the publication. Raises HashUnavailable when it is not there."""


class Published(NamedTuple):
    """One published log at its visible checkpoint."""

    log: str
    read: Read
    note: SignedNote
    head: Checkpoint

    @classmethod
    def open(cls, read: Read, log: str) -> Published:
        """The log as it is visible now. Raises HashUnavailable, BadFormat."""
        note = parse_note(read(f"{log}/checkpoint"))
        return cls(log, read, note, parse(note.text))

    def entries(self, bundle: int) -> list[bytes]:
        """The entries of a bundle."""
        width = width_at(0, bundle, self.head.size)
        return parse_bundle(self._tile(Tile(None, bundle, width)), width)

    def proof(self, index: int, extra: bytes | None = None) -> TlogProof:
        """The proof of one entry. Raises ProofRefused when there is no such entry."""
        hashes = TileHashes(self._tile, self.head.size)
        return TlogProof(index, tuple(inclusion_proof(hashes, index, self.head.size)), self.note, extra)

    def _tile(self, tile: Tile) -> bytes:
        try:
            return self.read(f"{self.log}/{tile.path}")
        except HashUnavailable:
            if tile.level is not None or tile.width == WIDTH:
                raise
        # A log that has grown since has the full bundle instead.
        whole = parse_bundle(self.read(f"{self.log}/{tile.full.path}"))[: tile.width]
        return b"".join(len(entry).to_bytes(2, "big") + entry for entry in whole)


def stacked_proof(read: Read, log: str, index: int) -> bytes:
    """The file that proves entry `index` of a pilot log. Raises HashUnavailable, BadFormat, ProofRefused."""
    pilot, leaf = Published.open(read, log), None
    entry = pilot.entries(index // WIDTH)[index % WIDTH] if 0 <= index < pilot.head.size else b""
    first = pilot.proof(index, entry if 0 < len(entry) <= MAX_EXTRA_BYTES else None)
    authority = Published.open(read, AUTHORITY)
    leaf = Leaf(pilot.head.origin, pilot.head.size, pilot.head.root).encode()
    return first.data + authority.proof(_leaf_index(read, log, authority, leaf)).data


def index_of(read: Read, log: str, identity: str, progress: Callable[[int], object] = lambda seen: None) -> int | None:
    """The index of the entry with this id, `None` when the log has none; reads every bundle, the newest first."""
    pilot = Published.open(read, log)
    for bundle in reversed(range(-(-pilot.head.size // WIDTH))):
        for place, entry in enumerate(pilot.entries(bundle)):
            try:
                if decode(entry).id == identity:
                    return bundle * WIDTH + place
            except Malformed:  # of a newer version
                continue
        progress(pilot.head.size - bundle * WIDTH)
    return None


def split_proofs(data: bytes) -> tuple[TlogProof, TlogProof]:
    """The two proofs of a stacked file. Raises BadFormat."""
    head = f"\n{HEADER}\n".encode()
    at = data.find(head)
    if at < 0:
        raise BadFormat("stacked proof", "one proof only", "give the file that `ledger prove` wrote")
    return parse_proof(data[: at + 1]), parse_proof(data[at + 1 :])


def check_stacked(
    data: bytes, entry: bytes | None, verifier: Callable[[str], Verifier], policy: Policy | None = None
) -> bytes:
    """Check a stacked file: the entry is in a log of the pilot that it names, and that log's checkpoint is in the
    authority log of the same sandbox. `verifier` gives the key of an origin; `policy`, of the authority log, says
    whose cosignatures its checkpoint needs (`None`: the keys of the logs alone, so a split view is not excluded).

    Returns the entry (the one in the file, if `entry` is `None`). Raises TlogError (BadFormat: the entry is missing, is
    no entry, or is not of this pilot; PolicyRefused).
    """
    first, second = split_proofs(data)
    found = first.extra if entry is None else entry
    if found is None:
        raise _bad("the entry is not in the file", "give the entry")
    pilot, authority = first.checkpoint, second.checkpoint
    base, _, log = pilot.origin.rpartition("/")
    if not base or log == AUTHORITY or authority.origin != f"{base}/{AUTHORITY}":
        problem = f"a proof in {pilot.origin} does not go with one in {authority.origin}"
        raise _bad(problem, "give an entry of a pilot log, and its leaf in the authority log of the same sandbox")
    leaf = Leaf(pilot.origin, pilot.size, pilot.root).encode()
    for proof, head, proved in ((first, pilot, found), (second, authority, leaf)):
        if not verify_note(proof.note, [verifier(head.origin)]):
            raise _bad(f"no signature by the key of {head.origin}", "give the right key")
        verify_inclusion(leaf_hash(proved), proof.index, head.size, proof.hashes, head.root)
    _check_pilot(found, log)
    if policy is not None and (refusal := policy.satisfied(second.note).refusal) is not None:
        raise refusal
    return found


def _check_pilot(entry: bytes, log: str) -> None:
    try:
        pilot = decode(entry).pilot
    except Malformed as error:
        raise _bad(f"not an entry of a known format: {error}", "use a newer version of this program") from None
    if not is_log_of(log, pilot):
        raise _bad(
            f"an entry of the pilot {pilot} in the log {log}", "this log was not made by a notary of this program"
        )


def _bad(problem: str, fix: str) -> BadFormat:
    return BadFormat("stacked proof", problem, fix)


def _leaf_index(read: Read, log: str, authority: Published, leaf: bytes) -> int:
    """Where the leaf is in the authority log: as the published proof says, or the last one that is equal."""
    try:
        index = parse_proof(read(f"{log}/{LEAF_PROOF}")).index
        if index < authority.head.size and authority.entries(index // WIDTH)[index % WIDTH] == leaf:
            return index
    except (HashUnavailable, BadFormat):
        pass  # between two rounds; the authority log itself is the source
    for bundle in reversed(range(-(-authority.head.size // WIDTH))):
        entries = authority.entries(bundle)
        if leaf in entries:
            return bundle * WIDTH + entries.index(leaf)
    raise HashUnavailable(f"{log}: its checkpoint has no leaf in the authority log yet; try again")
