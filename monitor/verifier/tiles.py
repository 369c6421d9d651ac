"""Reads the entries of a published log, and checks that its hash tiles are those of the entries."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.tlog.errors import BadFormat
from monitor.tlog.merkle import leaf_hash, root
from monitor.tlog.text import HASH_BYTES
from monitor.tlog.tiles import HEIGHT, WIDTH, Tile, bundles_of, parse_bundle, width_at
from monitor.verifier.stores import Store


class Missing(Exception):
    """A file of a published log is missing or cannot be parsed; `check` is the id of the check that fails."""

    def __init__(self, check: str, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.check = check


class LogTiles:
    """The log in the directory `log` of a store, at `size` entries. Reads each file once, in order."""

    def __init__(self, store: Store, log: str, size: int) -> None:
        self._store, self._log, self._size = store, log, size
        self._rows: list[list[bytes]] = [[]]  # of each level the hashes of its open tile
        self._done: list[int] = [0]  # of each level how many tiles were completed

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Every entry with its leaf hash. Raises Missing at the first tile that is not that of the entries."""
        for bundle in bundles_of(self._size):
            data = self._fetch(bundle, "checkpoint.size")
            try:
                entries = parse_bundle(data, bundle.width) if len(data) else []
            except BadFormat as error:
                entries = self._longer(bundle, data, error)
            for entry in entries:
                leaf = leaf_hash(entry)
                self._push(0, leaf)
                yield entry, leaf
        self._check_open_tiles()

    def _longer(self, bundle: Tile, data: bytes, error: BadFormat) -> list[bytes]:
        """The first entries of a complete bundle that has taken the place of a partial one."""
        try:
            return parse_bundle(data, WIDTH)[: bundle.width]
        except BadFormat:
            raise Missing("checkpoint.size", f"{self._log}/{bundle.path}", str(error)) from None

    def _push(self, level: int, value: bytes) -> None:
        while True:
            if level == len(self._rows):
                self._rows.append([])
                self._done.append(0)
            row = self._rows[level]
            row.append(value)
            if len(row) < WIDTH:
                return
            self._compare(Tile(level, self._done[level]), row)
            value, self._rows[level] = root(row), []
            self._done[level] += 1
            level += 1

    def _check_open_tiles(self) -> None:
        for level, row in enumerate(self._rows):
            if row:
                width = width_at(level, self._done[level], self._size)
                self._compare(Tile(level, self._done[level], width), row)

    def _compare(self, tile: Tile, row: list[bytes]) -> None:
        data = self._fetch(tile, "tile.hash")[: tile.width * HASH_BYTES]
        expected = b"".join(row)
        if data != expected:
            place = next((n for n in range(tile.width) if data[n * 32 : n * 32 + 32] != row[n]), 0)
            number = (tile.index * WIDTH + place) << HEIGHT * tile.level if tile.level else tile.index * WIDTH + place
            raise Missing(
                "tile.hash", f"{self._log}/{tile.path}", f"hash {place} is not that of the entries from {number} on"
            )

    def _fetch(self, tile: Tile, check: str) -> bytes:
        data = self._store.read(f"{self._log}/{tile.path}")
        if data is None and tile.width < WIDTH:
            data = self._store.read(f"{self._log}/{tile.full.path}")
        if data is None:
            raise Missing(check, f"{self._log}/{tile.path}", "no such file; it belongs to the tree of the checkpoint")
        return data
