"""The tiles and entry bundles of one log on the disk: grows them from one size to the next, durable with the next
commit of its batch.

Tiles are never read to decide what is true: the root of what was written is compared with the root of the log, and
tiles that differ are made again from the entries.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from monitor.errors import LedgerBroken
from monitor.files.durable import DurableBatch
from monitor.logs import EventLogger
from monitor.publication.edge import Edge, edge_tiles
from monitor.publication.log_source import LogSource
from monitor.tlog.errors import HashUnavailable
from monitor.tlog.merkle import leaf_hash
from monitor.tlog.text import HASH_BYTES
from monitor.tlog.tiles import HEIGHT, WIDTH, Tile, TileHashes, encode_bundle, split_tile

_log = EventLogger(__name__)


class LogTiles:
    """The tiles of the log in `directory`, written through `files`."""

    def __init__(self, directory: Path, files: DurableBatch) -> None:
        self.directory = directory
        self._files = files
        self._complete: list[Path] = []  # tiles whose partial ones are not needed any more

    def grow(self, source: LogSource, start: int, end: int, root: bytes, sizes: Collection[int] = ()) -> None:
        """Write what a tree of `end` entries has and one of `start` does not have, with the next commit.

        `root` is the root at `end`. `sizes` are sizes in between for which a checkpoint was published: their partial
        tiles are written too, unless the complete tile is. Raises LedgerBroken when the entries have another root,
        OSError with the outcome unknown: calling it again is safe.
        """
        edge = self._edge(start)
        if edge is None or not self._write(edge, source, end, root, sizes):
            if start:
                _log.warning("publication.tiles_rebuilt", stage="record", log=self.directory.name, entries=end)
            if not self._write(Edge(), source, end, root, sizes):
                raise LedgerBroken(f"{self.directory.name}: the entries do not have the root of their ledger; restart")

    def forget_partial(self) -> None:
        """Remove the partial tiles of complete ones. Call it once the checkpoint is visible that has the complete ones:
        clients that hold an older checkpoint take the complete tile instead (tlog-tiles)."""
        for path in self._complete:
            self._files.remove_tree(path.with_name(path.name + ".p"))
        self._complete = []

    def _write(self, edge: Edge, source: LogSource, end: int, root: bytes, sizes: Collection[int]) -> bool:
        for first in range(edge.size - edge.size % WIDTH, end, WIDTH):
            entries = source.read(first, min(first + WIDTH, end))
            for number, entry in enumerate(entries, first):
                if number < edge.size:
                    continue
                edge.push(leaf_hash(entry))
                if edge.size in sizes and edge.size != end:
                    self._between(edge, entries[: edge.size - first], end)
            for tile, hashes in edge.drain():
                self._put(tile, hashes)
            self._put(Tile(None, first // WIDTH, len(entries)), encode_bundle(entries))
        if edge.root() != root:
            return False
        for tile, hashes in edge.partial():
            self._put(tile, hashes)
        return True

    def _between(self, edge: Edge, entries: Sequence[bytes], end: int) -> None:
        """The partial tiles and bundle of a size in between, where no complete one takes their place by `end`."""
        for tile, hashes in edge.partial():
            if _complete_at(tile) > end:
                self._put(tile, hashes)
                if tile.level == 0:
                    self._put(Tile(None, tile.index, tile.width), encode_bundle(entries))

    def _put(self, tile: Tile, data: bytes) -> None:
        where = self.directory / tile.path
        self._files.write(where, data)
        if tile.width == WIDTH:
            self._complete.append(where)

    def _edge(self, size: int) -> Edge | None:
        """The edge of a published tree of this size; `None` when its tiles are not here."""
        try:
            return Edge(
                size, [split_tile(self._read(tile), tile.width) if tile.width else [] for tile in edge_tiles(size)]
            )
        except HashUnavailable:
            return None

    def _read(self, tile: Tile) -> bytes:
        return read_tile(self.directory, tile)


def read_tile(directory: Path, tile: Tile) -> bytes:
    """The bytes of a tile of the log in `directory`. Raises HashUnavailable when it is missing or of another length."""
    try:
        data = (directory / tile.path).read_bytes()
    except OSError as error:
        raise HashUnavailable(f"{directory / tile.path}: {error.strerror}") from None
    if len(data) != tile.width * HASH_BYTES:
        raise HashUnavailable(f"{directory / tile.path}: {len(data)} bytes instead of {tile.width * HASH_BYTES}")
    return data


def hashes_of(directory: Path, size: int) -> TileHashes:
    """The hashes of the published log in `directory`, for proofs of a tree of `size` leaves."""
    return TileHashes(lambda tile: read_tile(directory, tile), size)


def _complete_at(tile: Tile) -> int:
    """The size at which the tile is complete."""
    return (tile.index + 1) << HEIGHT * ((tile.level or 0) + 1)
