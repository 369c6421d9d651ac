"""A log in memory that signs checkpoints of itself, honest ones and forks: what a witness is tested with."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.tlog import merkle
from monitor.tlog.add_checkpoint import AddCheckpoint
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import sign_checkpoint
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.note import parse_note


class GrownLog:
    """A log `origin` of `size` entries, each named by its number and `branch`; `seed` makes its key."""

    def __init__(self, origin: str, size: int, branch: str = "", seed: int = 1) -> None:
        self.origin = origin
        self.signer = Signer(origin, KeyType.ED25519, bytes([seed]) * 32)
        self.leaves = [merkle.leaf_hash(f"{branch}{number}".encode()) for number in range(size)]
        self._tree = merkle.HashTree(self.leaves)

    @property
    def vkey(self) -> str:
        """Its public key."""
        return self.signer.verifier.vkey

    def forked(self, at: int, size: int) -> GrownLog:
        """The same log up to `at` entries, and other entries up to `size`, signed with the same key."""
        other = GrownLog(self.origin, size, "fork ")
        other.signer = self.signer
        other.leaves[:at] = self.leaves[:at]
        other._tree = merkle.HashTree(other.leaves)
        return other

    def checkpoint(self, size: int) -> Checkpoint:
        """The tree head at a size."""
        return Checkpoint(self.origin, size, merkle.tree_root(self._tree, size))

    def note(self, size: int, signers: Sequence[Signer] = ()) -> bytes:
        """The checkpoint, signed by the log or by `signers`."""
        return sign_checkpoint(self.checkpoint(size), signers or [self.signer]).data

    def proof(self, old: int, size: int) -> list[bytes]:
        """The consistency proof; empty from 0 and between equal sizes."""
        return merkle.consistency_proof(self._tree, old, size) if 0 < old < size else []

    def request(self, old: int, size: int) -> bytes:
        """The body of `add-checkpoint`."""
        return request(old, self.proof(old, size), self.note(size))


def request(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of `add-checkpoint` with any old size and proof."""
    return AddCheckpoint(old, tuple(proof), parse_note(note)).data
