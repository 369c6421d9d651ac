"""Makes a bundle from a publication (a directory or its URL). The same publication and range give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.notary.authority_leaf import Leaf
from monitor.notary.commitment import Plaintext, line
from monitor.notary.encoding import Malformed, decode
from monitor.notary.entry_rules import Broken, EntryRules
from monitor.tlog import checkpoint as body
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import HashUnavailable, TlogError
from monitor.tlog.merkle import inclusion_proof, subtree_root
from monitor.tlog.note import parse_note
from monitor.tlog.proof import TlogProof, parse_proof
from monitor.tlog.tiles import WIDTH, Tile, TileHashes, bundles_of, parse_bundle, width_at
from monitor.verifier import bundle as layout
from monitor.verifier.bundle import Manifest
from monitor.verifier.keyring import AUTHORITY
from monitor.verifier.published import LEAF_PROOF
from monitor.verifier.stamp_files import NAMES
from monitor.verifier.stores import Store


class NoBundle(Exception):
    """The bundle cannot be made; the message says why, and the fix."""


class Published:
    """One log of a publication at its visible checkpoint. Raises NoBundle, Unreadable."""

    def __init__(self, store: Store, log: str) -> None:
        self._store, self.log = store, log
        self.note = self.read("checkpoint")
        try:
            self.head: Checkpoint = body.parse(parse_note(self.note).text)
        except TlogError as error:
            raise NoBundle(f"{store.where}/{log}/checkpoint: {error}") from None

    def read(self, path: str) -> bytes:
        """A file of this log."""
        data = self._store.read(f"{self.log}/{path}")
        if data is None:
            raise NoBundle(f"{self._store.where}/{self.log}/{path}: no such file; is this a publication?")
        return data

    def entries(self, start: int, end: int) -> list[bytes]:
        """The entries `start` to `end` (exclusive)."""
        found: list[bytes] = []
        for number in range(start // WIDTH, -(-end // WIDTH)):
            tile = Tile(None, number, width_at(0, number, self.head.size))
            data = self._store.read(f"{self.log}/{tile.path}")
            whole = tile.full if data is None else tile
            entries = parse_bundle(self.read(whole.path) if data is None else data, whole.width)
            first = number * WIDTH
            found += entries[max(start - first, 0) : end - first]
        return found

    def hashes(self) -> TileHashes:
        """The hashes of its tiles."""
        return TileHashes(self._tile, self.head.size)

    def _tile(self, tile: Tile) -> bytes:
        data = self._store.read(f"{self.log}/{tile.path}")
        if data is None:
            raise HashUnavailable(f"{self._store.where}/{self.log}/{tile.path}: no such file")
        return data


def make_bundle(
    store: Store,
    log: str,
    start: int,
    end: int | None,
    *,
    policies: Sequence[bytes] = (),
    texts: Sequence[Plaintext] = (),
    verifier: Mapping[str, str],
) -> bytes:
    """The bundle of the entries `start` to `end` (exclusive; `None`: to the last) of a published log.

    `start` moves back to the first part of a record of several entries. `texts` of other entries are left out. Raises
    NoBundle, Unreadable, TlogError.
    """
    pilot, authority = Published(store, log), Published(store, AUTHORITY)
    end = pilot.head.size if end is None else end
    if not 0 <= start < end <= pilot.head.size:
        asked = f"entries {start} to {end - 1}"
        raise NoBundle(f"{asked}: give a range within 0 to {pilot.head.size - 1}, which {log} shows")
    start, entries = _whole_records(pilot, start, end)
    source = pilot.hashes()
    hashes = [subtree_root(source, low, high) for low, high in layout.outside(start, end, pilot.head.size)]
    leaf, stamp = _leaf_proof(store, pilot, authority)
    files = {
        layout.CHECKPOINT: pilot.note,
        layout.ENTRIES: b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries),
        layout.RANGE: b"".join(hashes),
        layout.LEAF: leaf.data,
    }
    files |= {f"{layout.POLICIES}{number}": data for number, data in enumerate(policies)}
    files |= stamp
    ids = {decode(entry).id for entry in entries}
    name = decode(entries[0]).pilot
    words = sorted(line(text) + "\n" for text in texts if text.id in ids and text.pilot == name and text.salt)
    if words:
        files[layout.WORDS] = "".join(words).encode()
    manifest = Manifest(pilot.head.origin, name, start, end, pilot.head.size, layout.digests(files), dict(verifier))
    return layout.pack({layout.MANIFEST: manifest.encode(), **files})


def _whole_records(pilot: Published, start: int, end: int) -> tuple[int, list[bytes]]:
    while True:
        entries = pilot.entries(start, end)
        try:
            found = EntryRules(decode(entries[0]).pilot).take(entries[0])
        except Malformed as bad:
            raise NoBundle(f"{pilot.log}: entry {start}: {bad}; run `ledger verify`") from None
        if not isinstance(found, Broken) or found.check != "entry.parts" or start == 0:
            return start, entries
        start -= 1


def _leaf_proof(store: Store, pilot: Published, authority: Published) -> tuple[TlogProof, dict[str, bytes]]:
    """The proof that the checkpoint of the pilot log is in the authority log, and the files of its time stamp.

    At the newest stamped checkpoint that has the leaf, else at the visible one, which may have no stamp yet."""
    leaf = Leaf(pilot.head.origin, pilot.head.size, pilot.head.root).encode()
    index = _index(pilot, authority, leaf)
    sizes = [size for size in store.stamps() or [authority.head.size] if index < size <= authority.head.size]
    for size in reversed(sizes):
        place = f"{AUTHORITY}/stamp/{size}"
        stamp = {name: data for name in NAMES if (data := store.read(f"{place}/{name}")) is not None}
        if "checkpoint" in stamp and "token.tsr" in stamp:
            note = parse_note(stamp["checkpoint"])
            path = inclusion_proof(authority.hashes(), index, size)
            return TlogProof(index, tuple(path), note), {f"{layout.STAMPS}{name}": stamp[name] for name in stamp}
    path = inclusion_proof(authority.hashes(), index, authority.head.size)
    return TlogProof(index, tuple(path), parse_note(authority.note)), {}


def _index(pilot: Published, authority: Published, leaf: bytes) -> int:
    try:
        index = parse_proof(pilot.read(LEAF_PROOF)).index
        if index < authority.head.size and authority.entries(index, index + 1) == [leaf]:
            return index
    except (NoBundle, TlogError):
        pass  # the authority log itself is the source
    for tile in reversed(list(bundles_of(authority.head.size))):
        first = tile.index * WIDTH
        entries = authority.entries(first, first + tile.width)
        if leaf in entries:
            return first + entries.index(leaf)
    raise NoBundle(
        f"{pilot.log}: its checkpoint is not in the visible authority log yet; try again after the next round"
    )
