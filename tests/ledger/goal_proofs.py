"""Goals `proofs_*`: every inclusion and consistency proof of small trees equals an independent definition, and the
published vectors hold."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.tlog import merkle
from monitor.tlog.tiles import Tile, TileHashes, grow
from tests.ledger.goal import QUICK, Goal, none_of
from tests.ledger.published import vectors
from tests.ledger.slow_tree import SlowTree

SIZE = 48 if QUICK else 256


def run() -> Iterator[Goal]:
    """All goals about proofs."""
    entries = [b"entry %d" % number for number in range(SIZE)]
    slow, leaves = SlowTree(entries), [merkle.leaf_hash(entry) for entry in entries]
    tree = merkle.HashTree(leaves)
    tiles = tiles_of_growth(leaves)
    unequal = {"roots": 0, "inclusion": 0, "consistency": 0}
    tried = dict.fromkeys(unequal, 0)
    for n in range(SIZE + 1):
        expected = slow.mth(0, n)
        from_tiles = TileHashes(tiles.__getitem__, n)
        found = (merkle.root(leaves[:n]), merkle.tree_root(tree, n), merkle.tree_root(from_tiles, n))
        tried["roots"] += 1
        unequal["roots"] += any(each != expected for each in found)
        for m in range(n):
            tried["inclusion"] += 1
            unequal["inclusion"] += not _inclusion_holds(slow, (tree, from_tiles), m, n)
        for m in range(1, n + 1):
            tried["consistency"] += 1
            unequal["consistency"] += not _consistency_holds(slow, (tree, from_tiles), m, n)
    for name, number in tried.items():
        yield none_of(f"proofs_{name}", unequal[name], number)
    published = [holds() for _, holds in vectors()]
    yield none_of("proofs_published", published.count(False), len(published))


def _inclusion_holds(slow: SlowTree, sources: tuple[merkle.HashSource, ...], m: int, n: int) -> bool:
    expected = slow.path(m, 0, n)
    if any(merkle.inclusion_proof(source, m, n) != expected for source in sources):
        return False
    try:
        merkle.verify_inclusion(slow.mth(m, m + 1), m, n, expected, slow.mth(0, n))
    except merkle.ProofRefused:
        return False
    return True


def _consistency_holds(slow: SlowTree, sources: tuple[merkle.HashSource, ...], m: int, n: int) -> bool:
    expected = slow.proof(m, n)
    if any(merkle.consistency_proof(source, m, n) != expected for source in sources):
        return False
    try:
        merkle.verify_consistency(m, slow.mth(0, m), n, slow.mth(0, n), expected)
    except merkle.ProofRefused:
        return False
    return True


def tiles_of_growth(leaves: list[bytes]) -> dict[Tile, bytes]:
    """Every tile that a log publishes which grows by one leaf at a time."""
    tiles: dict[Tile, bytes] = {}
    for size, leaf in enumerate(leaves):
        tiles.update(grow(size, [leaf], tiles.__getitem__))
    return tiles
