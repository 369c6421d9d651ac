"""Merkle trees of RFC 6962 and RFC 9162 (section 2.1): roots, inclusion proofs, consistency proofs, and their checks.

A tree is stored as hashes of perfect subtrees: the node (level, index) covers the leaves from `index << level` to
`(index + 1) << level`. A `HashSource` gives these nodes; every root and proof needs O(log n) of them. `HashTree` keeps
them in memory (one append costs one hash on average), `tiles.TileHashes` reads them from tiles, and `Frontier` computes
the root of a growing tree in O(log n) memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias

from monitor.tlog.errors import HashUnavailable, ProofFault, ProofRefused
from monitor.tlog.text import HASH_BYTES, MAX_INTEGER

Node: TypeAlias = tuple[int, int]
EMPTY_ROOT = hashlib.sha256(b"").digest()
_sha256 = hashlib.sha256


class HashSource(Protocol):
    """Gives stored hashes of perfect subtrees."""

    def node(self, level: int, index: int) -> bytes:
        """The root of the leaves from `index << level` to `(index + 1) << level`, 32 bytes.

        Raises:
            HashUnavailable: it is not stored or cannot be read.
        """


Hashes: TypeAlias = Sequence[bytes] | HashSource


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry), 32 bytes.

    >>> leaf_hash(b"").hex()
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'
    """
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes."""
    return _sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of these leaf hashes.

    Hashes pairs level by level and moves an odd last one up, which gives the tree that RFC 6962 defines from the top.

    >>> root([]) == EMPTY_ROOT
    True
    """
    if not leaf_hashes:
        return EMPTY_ROOT
    level = list(leaf_hashes)
    while len(level) > 1:
        odd = level[-1:] if len(level) & 1 else []
        pairs = iter(level)
        level = [_sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)] + odd
    return level[0]


def perfect_subtrees(start: int, end: int) -> list[Node]:
    """The nodes that cover the leaves from `start` to `end`, left to right, as the proofs of RFC 6962 group them.

    `start` must be a multiple of the largest power of two that is not above `end - start`.

    >>> perfect_subtrees(0, 7)
    [(2, 0), (1, 2), (0, 6)]
    """
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def tree_root(hashes: Hashes, size: int | None = None) -> bytes:
    """The root of the first `size` leaves (all of a sequence, if `None`), from O(log n) nodes of a source.

    Raises:
        HashUnavailable: a node cannot be read.
        ProofRefused: `size` is out of range.
    """
    source, size = _source(hashes, size)
    return subtree_root(source, 0, size) if size else EMPTY_ROOT


def subtree_root(source: HashSource, start: int, end: int) -> bytes:
    """The root of the leaves from `start` to `end`; `start` as in `perfect_subtrees`, `end > start`."""
    return join(source.node(level, index) for level, index in perfect_subtrees(start, end))


def join(roots: Iterable[bytes]) -> bytes:
    """The root over adjacent perfect subtrees of falling size, left to right."""
    *rest, joined = roots
    for left in reversed(rest):
        joined = node_hash(left, joined)
    return joined


def inclusion_proof(hashes: Hashes, index: int, size: int | None = None) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962, 2.1.1: the hash of the leaf's sibling first.

    Args:
        hashes: leaf hashes, or a source of stored nodes.
        index: of the leaf, from 0.
        size: of the tree; may be left out for a sequence.

    Raises:
        HashUnavailable: a node cannot be read.
        ProofRefused: no such leaf.
    """
    source, size = _source(hashes, size)
    if not 0 <= index < size:
        raise ProofRefused(ProofFault.INDEX, f"index {index}, size {size}")
    return [subtree_root(source, start, end) for start, end in _path(index, size)]


def _path(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose roots prove the inclusion of leaf `index`."""
    ranges, start, end = [], 0, size
    while end - start > 1:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if index < split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    return ranges[::-1]


def consistency_proof(hashes: Hashes, old_size: int, size: int | None = None) -> list[bytes]:
    """PROOF(old_size, D[size]) of RFC 6962, 2.1.2; empty if `old_size` is 0 or `size`.

    Raises:
        HashUnavailable: a node cannot be read.
        ProofRefused: the old tree is larger, or a size is out of range.
    """
    source, size = _source(hashes, size)
    if not 0 <= old_size <= size:
        raise ProofRefused(ProofFault.SIZE, f"old size {old_size}, size {size}")
    return [subtree_root(source, start, end) for start, end in _consistency_path(old_size, size)]


def _consistency_path(old_size: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose roots prove that the first `old_size` leaves did not change."""
    if old_size in (0, size):
        return []
    ranges, start, end = [], 0, size
    while end != old_size:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if old_size <= split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    if start:  # otherwise the subtree is the old tree itself, whose root the verifier has
        ranges.append((start, end))
    return ranges[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a tree of `size` leaves has if `leaf` (a leaf hash) is at `index` (RFC 9162, 2.1.3.2).

    Raises:
        ProofRefused: sizes, number or lengths of the hashes do not fit.
    """
    _check_range(index, size)
    if index >= size:
        raise ProofRefused(ProofFault.INDEX, f"index {index}, size {size}")
    _check_hashes(leaf, *proof)
    # Below the node where the path of the leaf leaves that of the last leaf, a sibling may be on either side;
    # above it, the path is on the right border, where only left siblings exist.
    inner = (index ^ (size - 1)).bit_length()
    expected = inner + (index >> inner).bit_count()
    if len(proof) != expected:
        raise ProofRefused(ProofFault.LENGTH, f"{len(proof)} hashes instead of {expected}")
    node = leaf
    for level, sibling in enumerate(proof):
        right = level < inner and not index >> level & 1
        node = node_hash(node, sibling) if right else node_hash(sibling, node)
    return node


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that `leaf` (a leaf hash) is at `index` in the tree of `size` leaves with that root.

    The proof binds the index only together with the size, so take both size and root from a verified checkpoint.

    Raises:
        ProofRefused: it is not proved.
    """
    _check_hashes(root)
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise ProofRefused(ProofFault.ROOT, f"index {index}, size {size}")


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `size` leaves begins with the tree of `old_size` leaves (RFC 9162, 2.1.4.2).

    From size 0 the proof is empty and the old root that of no leaves, as tlog-witness wants it.

    Raises:
        ProofRefused: it is not proved.
    """
    _check_range(old_size, size)
    _check_hashes(old_root, root, *proof)
    if old_size > size:
        raise ProofRefused(ProofFault.SIZE, f"old size {old_size}, size {size}")
    for number, head in ((old_size, old_root), (size, root)):
        if number == 0 and head != EMPTY_ROOT:
            raise ProofRefused(ProofFault.EMPTY_ROOT)
    if old_size in (0, size):
        if proof:
            raise ProofRefused(ProofFault.LENGTH, f"{len(proof)} hashes instead of 0")
        if old_size == size and old_root != root:
            raise ProofRefused(ProofFault.ROOT, f"two roots of size {size}")
        return
    _verify_growth(old_size, old_root, size, root, proof)


def _verify_growth(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """`verify_consistency` for 0 < old_size < size."""
    # The proof begins at the largest perfect subtree on the right border of the old tree. If that is the whole old
    # tree, its root is the old root, which the proof leaves out.
    shift = (old_size & -old_size).bit_length() - 1
    whole = old_size == 1 << shift
    index, last = (old_size - 1) >> shift, (size - 1) >> shift
    inner = (index ^ last).bit_length()
    expected = inner + (index >> inner).bit_count() + (not whole)
    if len(proof) != expected:
        raise ProofRefused(ProofFault.LENGTH, f"{len(proof)} hashes instead of {expected}")
    seed, path = (old_root, proof) if whole else (proof[0], proof[1:])
    old = new = seed
    for level, sibling in enumerate(path):
        if level < inner and not index >> level & 1:
            new = node_hash(new, sibling)
        else:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
    if old != old_root:
        raise ProofRefused(ProofFault.OLD_ROOT, f"old size {old_size}, size {size}")
    if new != root:
        raise ProofRefused(ProofFault.ROOT, f"old size {old_size}, size {size}")


def _check_range(*numbers: int) -> None:
    for number in numbers:
        if not 0 <= number <= MAX_INTEGER:
            raise ProofRefused(ProofFault.RANGE, str(number))


def _check_hashes(*hashes: bytes) -> None:
    for digest in hashes:
        if len(digest) != HASH_BYTES:
            raise ProofRefused(ProofFault.HASH_LENGTH, f"{len(digest)} bytes")


def _source(hashes: Hashes, size: int | None) -> tuple[HashSource, int]:
    if isinstance(hashes, Sequence):
        size = len(hashes) if size is None else size
        if not 0 <= size <= len(hashes):
            raise ProofRefused(ProofFault.INDEX, f"size {size} of {len(hashes)} leaves")
        return HashTree(hashes[:size]), size
    if size is None:
        raise ValueError("size: needed with a source of hashes")
    _check_range(size)
    return hashes, size


class HashTree:
    """All nodes of a growing tree in memory, 64 bytes per leaf; one append computes one node on average.

    >>> tree = HashTree([leaf_hash(b"a"), leaf_hash(b"b")])
    >>> verify_inclusion(leaf_hash(b"b"), 1, 2, inclusion_proof(tree, 1, 2), tree_root(tree, 2))
    """

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        for leaf in leaf_hashes:
            self.append(leaf)

    @property
    def size(self) -> int:
        """Leaves so far."""
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        if len(leaf) != HASH_BYTES:
            raise ProofRefused(ProofFault.HASH_LENGTH, f"{len(leaf)} bytes")
        levels, level, node = self._levels, 0, leaf
        while True:
            row = levels[level]
            row += node
            if len(row) & HASH_BYTES:  # an odd number of nodes: the last one waits for its sibling
                return
            node = _sha256(b"\x01" + row[-2 * HASH_BYTES :]).digest()
            level += 1
            if level == len(levels):
                levels.append(bytearray())

    def node(self, level: int, index: int) -> bytes:
        """As `HashSource.node`."""
        if not 0 <= level < len(self._levels) or not 0 <= index < len(self._levels[level]) // HASH_BYTES:
            raise HashUnavailable(f"node {index} of level {level} in a tree of {self.size} leaves")
        return bytes(self._levels[level][index * HASH_BYTES : (index + 1) * HASH_BYTES])

    def root(self) -> bytes:
        """The root of all leaves so far."""
        return tree_root(self, self.size)

    def leaves(self) -> Iterator[bytes]:
        """The leaf hashes, from the first."""
        return (self.node(0, index) for index in range(self.size))


class Frontier:
    """The root of a growing list of leaf hashes, in O(log n) memory.

    `nodes` are the roots of the perfect subtrees from left to right, one for each set bit of `size`.
    """

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.nodes: list[bytes] = list(nodes)
        if len(self.nodes) != size.bit_count():
            raise ProofRefused(ProofFault.LENGTH, f"{len(self.nodes)} subtrees of a tree of {size} leaves")

    @classmethod
    def of(cls, source: HashSource, size: int) -> Frontier:
        """The frontier of the first `size` leaves of stored hashes."""
        return cls(size, (source.node(level, index) for level, index in perfect_subtrees(0, size)))

    def push(self, leaf: bytes) -> None:
        """Append the hash of the next leaf."""
        node, size = leaf, self.size
        while size & 1:
            node = _sha256(b"\x01" + self.nodes.pop() + node).digest()
            size >>= 1
        self.nodes.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root of all leaves so far (32 bytes).

        >>> Frontier().root() == EMPTY_ROOT
        True
        """
        return join(self.nodes) if self.nodes else EMPTY_ROOT
