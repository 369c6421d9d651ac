"""Merkle trees: each refusal names its fault, and sources give nothing that is not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from monitor.tlog.errors import HashUnavailable, ProofFault, ProofRefused
from monitor.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    HashTree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    perfect_subtrees,
    root,
    root_from_inclusion,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(7)]
TREE = HashTree(LEAVES)
ROOTS = [root(LEAVES[:size]) for size in range(8)]
PATH = inclusion_proof(TREE, 3, 7)
GROWTH = consistency_proof(TREE, 3, 7)

REFUSED: dict[str, tuple[Callable[[], object], ProofFault]] = {
    "proof of a leaf that is not there": (lambda: inclusion_proof(TREE, 7, 7), ProofFault.INDEX),
    "proof of a negative index": (lambda: inclusion_proof(TREE, -1, 7), ProofFault.INDEX),
    "proof in an empty tree": (lambda: inclusion_proof(TREE, 0, 0), ProofFault.INDEX),
    "proof in a list that is shorter": (lambda: inclusion_proof(LEAVES, 3, 8), ProofFault.INDEX),
    "negative size of a list": (lambda: tree_root(LEAVES, -1), ProofFault.INDEX),
    "negative size of a source": (lambda: tree_root(TREE, -1), ProofFault.RANGE),
    "size above 2^63 - 1": (lambda: tree_root(TREE, 2**63), ProofFault.RANGE),
    "growth from a larger tree": (lambda: consistency_proof(TREE, 7, 6), ProofFault.SIZE),
    "growth from a negative size": (lambda: consistency_proof(TREE, -1, 6), ProofFault.SIZE),
    "leaf at the size": (lambda: verify_inclusion(LEAVES[3], 7, 7, PATH, ROOTS[7]), ProofFault.INDEX),
    "leaf in an empty tree": (lambda: verify_inclusion(LEAVES[0], 0, 0, [], EMPTY_ROOT), ProofFault.INDEX),
    "negative index": (lambda: verify_inclusion(LEAVES[3], -1, 7, PATH, ROOTS[7]), ProofFault.RANGE),
    "size too large": (lambda: verify_inclusion(LEAVES[3], 3, 2**63, PATH, ROOTS[7]), ProofFault.RANGE),
    "short leaf": (lambda: verify_inclusion(b"leaf", 3, 7, PATH, ROOTS[7]), ProofFault.HASH_LENGTH),
    "short root": (lambda: verify_inclusion(LEAVES[3], 3, 7, PATH, b"root"), ProofFault.HASH_LENGTH),
    "long hash": (lambda: root_from_inclusion(LEAVES[3], 3, 7, [PATH[0] + b"\0", *PATH[1:]]), ProofFault.HASH_LENGTH),
    "no hashes": (lambda: verify_inclusion(LEAVES[3], 3, 7, [], ROOTS[7]), ProofFault.LENGTH),
    "another leaf": (lambda: verify_inclusion(LEAVES[2], 3, 7, PATH, ROOTS[7]), ProofFault.ROOT),
    "from a larger tree": (lambda: verify_consistency(7, ROOTS[7], 3, ROOTS[3], GROWTH), ProofFault.SIZE),
    "from a negative size": (lambda: verify_consistency(-1, ROOTS[3], 7, ROOTS[7], GROWTH), ProofFault.RANGE),
    "short old root": (lambda: verify_consistency(3, b"root", 7, ROOTS[7], GROWTH), ProofFault.HASH_LENGTH),
    "short hash": (lambda: verify_consistency(3, ROOTS[3], 7, ROOTS[7], [b"", *GROWTH[1:]]), ProofFault.HASH_LENGTH),
    "from nothing with a root": (lambda: verify_consistency(0, ROOTS[3], 7, ROOTS[7], []), ProofFault.EMPTY_ROOT),
    "nothing with a root": (lambda: verify_consistency(0, ROOTS[1], 0, ROOTS[1], []), ProofFault.EMPTY_ROOT),
    "from nothing with hashes": (lambda: verify_consistency(0, EMPTY_ROOT, 7, ROOTS[7], GROWTH), ProofFault.LENGTH),
    "same size with hashes": (lambda: verify_consistency(7, ROOTS[7], 7, ROOTS[7], GROWTH), ProofFault.LENGTH),
    "same size, two roots": (lambda: verify_consistency(7, ROOTS[3], 7, ROOTS[7], []), ProofFault.ROOT),
    "no growth hashes": (lambda: verify_consistency(3, ROOTS[3], 7, ROOTS[7], []), ProofFault.LENGTH),
    "another old root": (lambda: verify_consistency(3, ROOTS[2], 7, ROOTS[7], GROWTH), ProofFault.OLD_ROOT),
    "another new root": (lambda: verify_consistency(3, ROOTS[3], 7, ROOTS[6], GROWTH), ProofFault.ROOT),
    "short hash appended": (lambda: HashTree([b"leaf"]), ProofFault.HASH_LENGTH),
    "frontier of another size": (lambda: Frontier(3, [ROOTS[1]]), ProofFault.LENGTH),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_refusal_names_its_fault(case: str) -> None:
    """A proof that cannot be made, or does not hold, is refused with the fault that it has."""
    attempt, fault = REFUSED[case]
    with pytest.raises(ProofRefused) as caught:
        attempt()
    assert caught.value.fault is fault


def test_what_holds_is_accepted_at_the_limits() -> None:
    """From nothing, and to the same size, the empty proof holds; the first and the last leaf are proved."""
    verify_consistency(0, EMPTY_ROOT, 7, ROOTS[7], [])
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    verify_consistency(7, ROOTS[7], 7, ROOTS[7], [])
    assert consistency_proof(TREE, 0, 7) == consistency_proof(TREE, 7, 7) == []
    for index in (0, 6):
        verify_inclusion(LEAVES[index], index, 7, inclusion_proof(LEAVES, index), ROOTS[7])
    assert tree_root(LEAVES) == TREE.root() == ROOTS[7]
    assert tree_root(TREE, 0) == HashTree().root() == EMPTY_ROOT
    assert list(TREE.leaves()) == LEAVES


@pytest.mark.parametrize("place", [(0, 7), (0, -1), (1, 3), (3, 0), (-1, 0), (2, 1)])
def test_a_tree_gives_no_node_that_it_does_not_have(place: tuple[int, int]) -> None:
    """Nodes are roots of perfect subtrees of leaves that are there."""
    with pytest.raises(HashUnavailable):
        TREE.node(*place)


def test_a_source_of_hashes_needs_a_size() -> None:
    """A list of leaves says how many there are; a source of stored nodes does not."""
    with pytest.raises(ValueError, match="size"):
        tree_root(TREE)


def test_few_nodes_are_read() -> None:
    """Root and proofs in a tree of n leaves read at most as many nodes as the path and its border have."""

    class Counting:
        """Counts what is read."""

        def __init__(self) -> None:
            self.read = 0

        def node(self, level: int, index: int) -> bytes:
            self.read += 1
            return bytes(32)

    size = 10_000_019
    for run in (
        lambda source: tree_root(source, size),
        lambda source: inclusion_proof(source, 5_000_001, size),
        lambda source: consistency_proof(source, 9_999_999, size),
    ):
        source = Counting()
        run(source)
        assert 1 <= source.read <= 2 * size.bit_length()
    assert len(perfect_subtrees(0, size)) == size.bit_count()
