"""Tile paths, entry bundles, and trees over tiles."""

from __future__ import annotations

import pytest

from monitor.tlog.errors import BadFormat, HashUnavailable
from monitor.tlog.merkle import HashTree, consistency_proof, inclusion_proof, leaf_hash, tree_root
from monitor.tlog.tiles import (
    Tile,
    TileHashes,
    bundles_of,
    encode_bundle,
    grow,
    parse_bundle,
    parse_tile_path,
    tiles_of,
)

# The index of the first row and the widths of the tree of 70,000 are examples of the specification.
PATHS = {
    Tile(0, 1234067): "tile/0/x001/x234/067",
    Tile(0, 0): "tile/0/000",
    Tile(63, 999, 255): "tile/63/999.p/255",
    Tile(None, 1000): "tile/entries/x001/000",
    Tile(None, 273, 112): "tile/entries/273.p/112",
}


@pytest.mark.parametrize("tile", PATHS)
def test_a_tile_has_one_path(tile: Tile) -> None:
    """Paths are those of the specification, and lead back to the tile."""
    assert tile.path == PATHS[tile]
    assert parse_tile_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/0", "tile/0/1234", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/x000/001",
        "tile/0/001/002", "tile/0/x01/002", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/",
        "tile/data/000", "/tile/0/000", "tile/0/000/", "tile/0/../000", "tile/0/٠٠٠",
    ],
)  # fmt: skip
def test_other_paths_are_refused(path: str) -> None:
    """No second spelling, no level above 63, no width outside of 1 to 255."""
    with pytest.raises(BadFormat):
        parse_tile_path(path)


def test_the_tiles_of_70000_leaves() -> None:
    """273 full tiles and one of 112 on level 0, one full and one of 17 on level 1, one of 1 on level 2."""
    found = list(tiles_of(70_000))
    assert found[:273] == [Tile(0, index) for index in range(273)]
    assert found[273:] == [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert [tile.level for tile in bundles_of(70_000)] == [None] * 274


@pytest.mark.parametrize("steps", [[1] * 70, [255, 1, 1, 300], [1000], [256, 256, 65_536 - 512, 1]])
def test_tiles_grow_with_the_tree(steps: list[int]) -> None:
    """However a tree grows, its tiles are those that it has, and give its root and proofs."""
    tree, stored = HashTree(), dict[Tile, bytes]()
    for step in steps:
        old = tree.size
        new = [leaf_hash(b"%d" % number) for number in range(old, old + step)]
        for leaf in new:
            tree.append(leaf)
        written = dict(grow(old, new, stored.__getitem__))
        assert list(written) == list(tiles_of(tree.size, old))
        stored |= written
    size = tree.size
    source = TileHashes(stored.__getitem__, size)
    assert tree_root(source, size) == tree.root()
    for number in {0, size // 3, size - 1}:
        assert inclusion_proof(source, number, size) == inclusion_proof(tree, number, size)
        assert consistency_proof(source, number, size) == consistency_proof(tree, number, size)


def test_a_removed_partial_tile_is_read_from_the_full_one() -> None:
    """A log may delete a partial tile when it has the full one; a reader at the older size still finds its hashes."""
    leaves = [leaf_hash(b"%d" % number) for number in range(300)]
    stored = dict(grow(0, leaves, {}.__getitem__))

    def read(tile: Tile) -> bytes:
        if tile not in stored:
            raise HashUnavailable(tile.path)
        return stored[tile]

    assert tree_root(TileHashes(read, 100), 100) == HashTree(leaves[:100]).root()


def test_bundles_carry_entries() -> None:
    """A bundle gives back its entries; a cut, lengthened or miscounted one is refused."""
    entries = [b"", b"a", b"x" * 65_535]
    data = encode_bundle(entries)
    assert data[:5] == b"\x00\x00\x00\x01a"
    assert parse_bundle(data, 3) == entries
    for bad, width in ((data, 2), (data, 4), (data[:-1], 3), (data + b"\0", 3), (data[:1], 1), (b"", 1)):
        with pytest.raises(BadFormat):
            parse_bundle(bad, width)
    with pytest.raises(BadFormat):
        encode_bundle([b"x" * 65_536])
