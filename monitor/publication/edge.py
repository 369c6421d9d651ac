"""The right edge of a tree as tiles (C2SP tlog-tiles): what must be written when a log grows, and its root. Pure.

A hash in a tile of level L is the root of 256**L entries. The edge is the incomplete tile of each level; its widths are
the digits of the size in base 256, lowest level first. It needs a few kilobytes for a log of any size, so a log is
published, or rebuilt, in one pass over its entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from monitor.tlog.merkle import EMPTY_ROOT, join, root
from monitor.tlog.tiles import HEIGHT, WIDTH, Tile

Written: TypeAlias = tuple[Tile, bytes]
"""A tile and its hashes."""


class Edge:
    """The edge of a tree of `size` leaves; `levels` are the hashes of the incomplete tiles, lowest level first."""

    def __init__(self, size: int = 0, levels: Sequence[Sequence[bytes]] = ()) -> None:
        self.size = size
        self._levels = [list(hashes) for hashes in levels]
        self._full: list[Written] = []

    def push(self, leaf: bytes) -> None:
        """Append the hash of the next leaf."""
        self.size += 1
        node, level = leaf, 0
        while True:
            if level == len(self._levels):
                self._levels.append([])
            hashes = self._levels[level]
            hashes.append(node)
            if len(hashes) < WIDTH:
                return
            self._full.append((Tile(level, (self.size >> HEIGHT * (level + 1)) - 1), b"".join(hashes)))
            node = root(hashes)
            hashes.clear()
            level += 1

    def drain(self) -> list[Written]:
        """The tiles that became complete since the last call."""
        full, self._full = self._full, []
        return full

    def partial(self) -> list[Written]:
        """The incomplete tiles that a tree of this size has, lowest level first; none is empty."""
        return [
            (Tile(level, self.size >> HEIGHT * (level + 1), len(hashes)), b"".join(hashes))
            for level, hashes in enumerate(self._levels)
            if hashes
        ]

    def root(self) -> bytes:
        """The root (RFC 6962, 2.1) of all leaves so far.

        >>> Edge().root() == EMPTY_ROOT
        True
        """
        nodes = []
        for hashes in reversed(self._levels):
            start = 0
            while start < len(hashes):
                width = 1 << (len(hashes) - start).bit_length() - 1
                nodes.append(root(hashes[start : start + width]))
                start += width
        return join(nodes) if nodes else EMPTY_ROOT


def edge_tiles(size: int) -> list[Tile]:
    """The incomplete tiles of a tree of `size` leaves, lowest level first, with width 0 where a level has none.

    >>> [(tile.index, tile.width) for tile in edge_tiles(70_000)]
    [(273, 112), (1, 17), (0, 1)]
    """
    found = []
    level = 0
    while hashes := size >> HEIGHT * level:
        found.append(Tile(level, hashes // WIDTH, hashes % WIDTH))
        level += 1
    return found


def edge_sizes(size: int) -> frozenset[int]:
    """The sizes below `size` that between them have every partial tile in the place of an incomplete tile of `size`:
    where it is not known which checkpoints were published, these tiles serve all of them.

    >>> sorted(edge_sizes(514))
    [256, 512, 513]
    """
    found: set[int] = set()
    for tile in edge_tiles(size):
        first = tile.index * WIDTH
        found.update((first + width) << HEIGHT * (tile.level or 0) for width in range(1, tile.width + 1))
    return frozenset(found - {size})
