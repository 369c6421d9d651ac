"""A notary with a publication, and a client that checks what is published with the C2SP formats alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from monitor.files.durable import DurableBatch
from monitor.notary.authority_leaf import Leaf, decode_leaf
from monitor.notary.notary import Notary
from monitor.publication.hooks import Consistency, Cosigner, NewestCheckpoint, NoCosigner
from monitor.publication.log_key import AUTHORITY, LogKey, log_name
from monitor.publication.newest_file import NewestFile
from monitor.publication.pilot_logs import LEAF_PROOF
from monitor.publication.publisher import PublicationSettings, Publisher, Round
from monitor.testing.records import decision
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.merkle import leaf_hash, root, verify_inclusion
from monitor.tlog.proof import parse_proof
from monitor.tlog.tiles import bundles_of, parse_bundle, tiles_of

KEY = LogKey("sandbox.example/ledger", bytes(range(32)))


class World:
    """Ledgers, publication and second place below `path`; everything is opened anew by `restart`."""

    def __init__(self, path: Path, *, second: NewestCheckpoint | None = None, cosigner: Cosigner | None = None) -> None:
        self.ledgers, self.published, self.place = path / "ledger", path / "published", path / "elsewhere"
        self.place.mkdir(parents=True, exist_ok=True)
        self.second = second or NewestFile(self.place)
        self.cosigner = cosigner or NoCosigner()
        self.notary = Notary(self.ledgers)
        self.publisher = self.open_publisher()

    def open_publisher(self, files: DurableBatch | None = None) -> Publisher:
        settings = PublicationSettings(directory=self.published, key=KEY, second=self.second, cosigner=self.cosigner)
        self.publisher = Publisher(self.ledgers, lambda: self.notary.heads, settings, files=files)
        return self.publisher

    def restart(self) -> Publisher:
        self.notary.close()
        self.notary = Notary(self.ledgers)
        return self.open_publisher()

    def enter(self, first: int, last: int, pilot: str = "p-1") -> None:
        self.notary.record([decision(number, pilot) for number in range(first, last + 1)])

    def round(self) -> Round:
        return self.publisher.round()


def followed(published: Path, log: str) -> tuple[Checkpoint, list[bytes]]:
    """The checkpoint and all entries of a published log, each tile and bundle checked against the root."""
    directory = published / log
    checkpoint = KEY.opened(log, (directory / "checkpoint").read_bytes())
    entries: list[bytes] = []
    for bundle in bundles_of(checkpoint.size):
        entries += parse_bundle((directory / bundle.path).read_bytes(), bundle.width)
    hashes = [leaf_hash(entry) for entry in entries]
    assert len(hashes) == checkpoint.size
    assert root(hashes) == checkpoint.root
    for tile in tiles_of(checkpoint.size):
        level = tile.level or 0
        first = tile.index << 8 * (level + 1)
        expected = [
            root(hashes[at : at + (1 << 8 * level)])
            for at in range(first, first + (tile.width << 8 * level), 1 << 8 * level)
        ]
        assert (directory / tile.path).read_bytes() == b"".join(expected), tile.path
    return checkpoint, entries


def checked(published: Path, pilots: Iterable[str]) -> dict[str, int]:
    """Follow everything that is visible: each pilot checkpoint has its leaf in the authority log. Returns sizes."""
    sizes: dict[str, int] = {}
    leaves: list[Leaf] = []
    if (published / AUTHORITY / "checkpoint").exists():
        checkpoint, entries = followed(published, AUTHORITY)
        sizes[AUTHORITY] = checkpoint.size
        leaves = [decode_leaf(entry) for entry in entries]
    for pilot in pilots:
        if (published / log_name(pilot) / "checkpoint").exists():
            checkpoint, _ = followed(published, log_name(pilot))
            sizes[pilot] = checkpoint.size
            assert Leaf(checkpoint.origin, checkpoint.size, checkpoint.root) in leaves
            proof = parse_proof((published / log_name(pilot) / LEAF_PROOF).read_bytes())
            head = KEY.opened(AUTHORITY, proof.note.data)
            proved = leaves[proof.index]
            assert proved.origin == checkpoint.origin
            verify_inclusion(leaf_hash(proved.encode()), proof.index, head.size, proof.hashes, head.root)
    return sizes


def files_of(directory: Path) -> dict[str, bytes]:
    """Every published file by its path."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.name.endswith(".new")
    }


class Recording:
    """A `Cosigner` that keeps what it was asked, and returns `lines`."""

    def __init__(self, lines: Sequence[bytes] = ()) -> None:
        self.lines = lines
        self.asked: list[tuple[str, bytes, Consistency]] = []

    def cosign(self, origin: str, checkpoint: bytes, consistency: Consistency) -> Sequence[bytes]:
        self.asked.append((origin, checkpoint, consistency))
        return self.lines

    def close(self) -> None:
        pass
