"""C2SP tlog-tiles: a log as static files that any web server can publish. https://c2sp.org/tlog-tiles

    tile/<level>/<index>[.p/<width>]     256 (or `width`) hashes of 32 bytes
    tile/entries/<index>[.p/<width>]     256 (or `width`) entries: 2 bytes length (big-endian), the entry

The index is written in groups of three digits, `x` before all but the last: 1234067 is `x001/x234/067`. A hash of level
L + 1 is the root of one full tile of level L. Partial tiles are never hashed into the level above.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from monitor.tlog.errors import BadFormat, HashUnavailable
from monitor.tlog.merkle import root
from monitor.tlog.text import HASH_BYTES, MAX_INTEGER, from_decimal, short

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_LEVEL = 63
MAX_ENTRY_BYTES = 0xFFFF
MAX_BUNDLE_BYTES = WIDTH * (2 + MAX_ENTRY_BYTES)
CACHED_TILES = 256  # of a TileHashes: 2 MiB
WHAT = "tile path"


@dataclass(frozen=True, slots=True)
class Tile:
    """The place of a tile; `level` is `None` for entry bundles, `width` is 256 for a full tile.

    >>> Tile(0, 1234067).path, Tile(None, 5, 3).path
    ('tile/0/x001/x234/067', 'tile/entries/005.p/3')
    """

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The path below the log's prefix.

        Raises:
            BadFormat: level, index or width are out of range.
        """
        if not (self.level is None or 0 <= self.level <= MAX_LEVEL) or not 0 <= self.index <= MAX_INTEGER:
            raise BadFormat(WHAT, f"level {self.level}, index {self.index}", "levels are 0 to 63, an index from 0")
        if not 1 <= self.width <= WIDTH:
            raise BadFormat(WHAT, f"width {self.width}", "a tile has 1 to 256 hashes")
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.append(f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"

    @property
    def full(self) -> Tile:
        """The full tile in the same place."""
        return Tile(self.level, self.index)


def parse_tile_path(path: str) -> Tile:
    """The tile at a path below the prefix; only the one canonical spelling.

    Raises:
        BadFormat: anything else.
    """
    bad = BadFormat(WHAT, short(path), "write tile/LEVEL/INDEX or tile/LEVEL/INDEX.p/WIDTH, as tile/0/x001/234.p/5")
    head, _, rest = path.partition("/")
    level, _, rest = rest.partition("/")
    index, partial, width = rest.partition(".p/")
    groups = index.split("/")
    if head != "tile" or len(path) > 100 or not all(map(_is_group, groups)):
        raise bad
    if any(len(group) != 4 for group in groups[:-1]) or len(groups[-1]) != 3:
        raise bad
    try:
        number = int("".join(group.removeprefix("x") for group in groups))
        tile = Tile(
            None if level == "entries" else from_decimal(level, WHAT),
            number,
            from_decimal(width, WHAT) if partial else WIDTH,
        )
        if tile.path != path:
            raise bad
    except BadFormat:
        raise bad from None
    return tile


def _is_group(group: str) -> bool:
    digits = group.removeprefix("x")
    return len(digits) == 3 and digits.isascii() and digits.isdigit()


def width_at(level: int, index: int, size: int) -> int:
    """Hashes of that tile in a tree of `size` leaves, 0 to 256; entry bundles are as wide as tiles of level 0."""
    return max(0, min(WIDTH, (size >> HEIGHT * level) - index * WIDTH))


def tiles_of(size: int, old_size: int = 0) -> Iterator[Tile]:
    """The hash tiles of a tree of `size` leaves that one of `old_size` does not have, lowest level first."""
    level = 0
    while size >> HEIGHT * level:
        count, old = size >> HEIGHT * level, old_size >> HEIGHT * level
        if count > old:
            for index in range(old // WIDTH, -(-count // WIDTH)):
                yield Tile(level, index, width_at(level, index, size))
        level += 1


def bundles_of(size: int, old_size: int = 0) -> Iterator[Tile]:
    """The entry bundles of a tree of `size` leaves that one of `old_size` does not have."""
    if size > old_size:
        for index in range(old_size // WIDTH, -(-size // WIDTH)):
            yield Tile(None, index, width_at(0, index, size))


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """An entry bundle of up to 256 entries.

    Raises:
        BadFormat: an entry is longer than 65,535 bytes, or there are more than 256.
    """
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise BadFormat("entry bundle", f"entry of {len(entry)} bytes", f"the limit is {MAX_ENTRY_BYTES}")
        parts.append(struct.pack(">H", len(entry)) + entry)
    if len(parts) > WIDTH:
        raise BadFormat("entry bundle", f"{len(parts)} entries", f"the limit is {WIDTH}")
    return b"".join(parts)


def parse_bundle(data: bytes, width: int = WIDTH) -> list[bytes]:
    """The entries of a bundle, which must be exactly `width`.

    Raises:
        BadFormat: an entry is cut, or there are more or fewer.
    """
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at < end and len(entries) < width:
        stop = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > end or stop > end:
            raise BadFormat("entry bundle", f"entry {len(entries)} is cut at byte {end}", "fetch the bundle again")
        entries.append(data[at + 2 : stop])
        at = stop
    if len(entries) != width or at != end:
        problem = f"{len(entries)} entries and {end - at} bytes after them, instead of {width} entries"
        raise BadFormat("entry bundle", problem, "the width is that of the path")
    return entries


def split_tile(data: bytes, width: int = WIDTH) -> list[bytes]:
    """The hashes of a tile, which must be exactly `width`.

    Raises:
        BadFormat: the data have another length.
    """
    if len(data) != width * HASH_BYTES:
        raise BadFormat("tile", f"{len(data)} bytes instead of {width * HASH_BYTES}", "the width is that of the path")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def grow(old_size: int, leaf_hashes: Sequence[bytes], read: Callable[[Tile], bytes]) -> Iterator[tuple[Tile, bytes]]:
    """The tiles that a tree gets when leaves are appended: every full and partial tile of the new size that the old
    one does not have, lowest level first, each once.

    Args:
        old_size: leaves before.
        leaf_hashes: of the new leaves.
        read: gives the bytes of a tile of the old tree; called at most once a level, for its last partial tile.

    Raises:
        BadFormat: a tile that was read has the wrong length.
    """
    level, hashes = 0, list(leaf_hashes)
    while hashes:
        old = old_size >> HEIGHT * level
        index, width = divmod(old, WIDTH)
        row = (split_tile(read(Tile(level, index, width)), width) if width else []) + hashes
        hashes = []
        for start in range(0, len(row), WIDTH):
            tile = row[start : start + WIDTH]
            yield Tile(level, index + start // WIDTH, len(tile)), b"".join(tile)
            if len(tile) == WIDTH:
                hashes.append(root(tile))
        level += 1


class TileHashes:
    """A `merkle.HashSource` over the tiles of a tree of `size` leaves; reads each tile once and keeps the last 256.

    `read` gives the bytes of a tile and raises `HashUnavailable` if it cannot. A partial tile that is gone is looked
    for in the full tile of its place, which a grown log has instead. Tiles are not verified: verify what is made of
    them against a signed root.
    """

    def __init__(self, read: Callable[[Tile], bytes], size: int) -> None:
        self.size = size
        self._read = read
        self._tiles: dict[Tile, bytes] = {}

    def node(self, level: int, index: int) -> bytes:
        """As `merkle.HashSource.node`."""
        if level < 0 or index < 0 or (index + 1) << level > self.size:
            raise HashUnavailable(f"node {index} of level {level} in a tree of {self.size} leaves")
        row, height = divmod(level, HEIGHT)
        place, first = divmod(index << height, WIDTH)
        data = self._tile(Tile(row, place, width_at(row, place, self.size)))
        hashes = data[first * HASH_BYTES : (first + (1 << height)) * HASH_BYTES]
        return root(split_tile(hashes, 1 << height))

    def _tile(self, tile: Tile) -> bytes:
        data = self._tiles.pop(tile, None)
        if data is None:
            data = self._fetch(tile)
            if len(self._tiles) >= CACHED_TILES:
                del self._tiles[next(iter(self._tiles))]
        self._tiles[tile] = data  # as the newest
        return data

    def _fetch(self, tile: Tile) -> bytes:
        try:
            data, width = self._read(tile), tile.width
        except HashUnavailable:
            if tile.width == WIDTH:
                raise
            data, width = self._read(tile.full), WIDTH
        if len(data) != width * HASH_BYTES:
            raise HashUnavailable(f"{tile.path}: {len(data)} bytes instead of {width * HASH_BYTES}")
        return data
