"""The Merkle tree of RFC 6962: leaf hashes, node hashes and the tree head, one hash that identifies a whole ledger.

Standard library only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry), 32 bytes (RFC 6962, 2.1).

    >>> leaf_hash(b"").hex()
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'
    """
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_head(leaves: Sequence[bytes]) -> bytes:
    """MTH of leaf hashes as RFC 6962, 2.1 defines it; `Frontier` computes the same incrementally."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(tree_head(leaves[:split]), tree_head(leaves[split:]))


class Frontier:
    """The tree head of a growing list of leaf hashes, in O(log n) memory.

    `nodes` are the roots of the perfect subtrees from left to right, one for each set bit of `size`.
    """

    def __init__(self) -> None:
        self.size = 0
        self.nodes: list[bytes] = []

    def push(self, leaf: bytes) -> None:
        """Append the hash of the next leaf."""
        node, size = leaf, self.size
        while size & 1:
            node = node_hash(self.nodes.pop(), node)
            size >>= 1
        self.nodes.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The tree head of all leaves so far (32 bytes).

        >>> Frontier().root() == EMPTY
        True
        """
        if not self.nodes:
            return EMPTY
        *rest, root = self.nodes
        for node in reversed(rest):
            root = node_hash(node, root)
        return root
