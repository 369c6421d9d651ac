"""The edge of a tree gives the tiles and roots of the tlog library, from any size to any other."""

from __future__ import annotations

import random

import pytest

from monitor.publication.edge import Edge, edge_sizes, edge_tiles
from monitor.tlog.merkle import HashTree, leaf_hash
from monitor.tlog.tiles import Tile, grow, split_tile, tiles_of

SIZES = (1, 2, 3, 7, 255, 256, 257, 511, 512, 513, 1000)


def hashes(number: int) -> list[bytes]:
    return [leaf_hash(b"%d" % each) for each in range(number)]


@pytest.mark.parametrize("size", SIZES)
def test_the_tiles_of_a_tree_are_those_that_the_library_makes(size: int) -> None:
    leaves, edge = hashes(size), Edge()
    for leaf in leaves:
        edge.push(leaf)
    expected = dict(grow(0, leaves, lambda tile: b""))
    assert dict(edge.drain()) | dict(edge.partial()) == expected
    assert set(expected) == set(tiles_of(size))
    assert edge.drain() == []
    assert [tile for tile in edge_tiles(size) if tile.width] == [tile for tile, _ in edge.partial()]


def test_the_root_is_that_of_the_tree_at_every_size() -> None:
    tree, edge = HashTree(), Edge()
    for leaf in hashes(1200):
        tree.append(leaf)
        edge.push(leaf)
        assert edge.root() == tree.root()


def test_an_edge_continues_from_the_partial_tiles_of_any_size() -> None:
    leaves = hashes(1100)
    rng = random.Random(1)
    for start in (1, 255, 256, 300, 512, *(rng.randrange(1, 1100) for _ in range(10))):
        before = Edge()
        for leaf in leaves[:start]:
            before.push(leaf)
        data = dict(before.partial())
        edge = Edge(start, [split_tile(data[tile], tile.width) if tile.width else [] for tile in edge_tiles(start)])
        assert edge.root() == before.root()
        for leaf in leaves[start:]:
            edge.push(leaf)
        whole = Edge()
        for leaf in leaves:
            whole.push(leaf)
        assert (edge.root(), edge.partial()) == (whole.root(), whole.partial())


@pytest.mark.parametrize("size", [*SIZES, 70_000])
def test_the_sizes_of_an_edge_have_every_partial_tile_in_its_places(size: int) -> None:
    """Whatever size was published before: each of its partial tiles is full by now, or is one of these sizes'."""
    places = {(tile.level, tile.index) for tile in edge_tiles(size)}

    def partial(of: int) -> set[Tile]:
        return {tile for tile in edge_tiles(of) if tile.width and (tile.level, tile.index) in places}

    offered = set().union(*map(partial, edge_sizes(size)), partial(size))
    rng = random.Random(1)
    for earlier in range(1, size) if size < 2_000 else [rng.randrange(1, size) for _ in range(500)]:
        assert partial(earlier) <= offered
    assert len(edge_sizes(size)) <= 255 * len(edge_tiles(size))
