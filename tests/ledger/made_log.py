"""A publication in memory, made from any entries with the formats alone: what a holder of the key could publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.notary.authority_leaf import Leaf
from monitor.publication.log_key import AUTHORITY, LogKey, log_name
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.cosignature import cosign
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.merkle import leaf_hash, root
from monitor.tlog.note import parse_note
from monitor.tlog.tiles import bundles_of, encode_bundle, grow

ORIGIN = "sandbox.example/ledger"
KEY = LogKey(ORIGIN, bytes(range(32)))
THIEF = LogKey(ORIGIN, bytes(range(1, 33)))
WITNESSES = tuple(
    Signer(f"witness.example/{name}", KeyType.COSIGNATURE_ED25519, bytes([number]) * 32)
    for number, name in enumerate(("north", "south"), 1)
)
TIME = 1_700_000_000


@dataclass
class MadeStore:
    """A `Store` over files in memory."""

    files: dict[str, bytes] = field(default_factory=dict)
    where: str = "memory"

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def stamps(self) -> list[int]:
        return sorted({int(path.split("/")[2]) for path in self.files if path.startswith("authority/stamp/")})

    def logs(self) -> list[str]:
        return sorted(path.removesuffix("/checkpoint") for path in self.files if path.endswith("/checkpoint"))


def add_log(store: MadeStore, log: str, entries: Sequence[bytes], key: LogKey = KEY) -> Leaf:
    """Publish a log with these entries, signed and cosigned."""
    hashes = [leaf_hash(entry) for entry in entries]
    for tile, data in grow(0, hashes, lambda tile: b""):
        store.files[f"{log}/{tile.path}"] = data
    for tile in bundles_of(len(entries)):
        first = tile.index * 256
        store.files[f"{log}/{tile.path}"] = encode_bundle(entries[first : first + tile.width])
    store.files[f"{log}/checkpoint"] = signed(key, log, len(entries), root(hashes))
    return Leaf(key.origin_of(log), len(entries), root(hashes))


def signed(key: LogKey, log: str, size: int, head: bytes) -> bytes:
    """A checkpoint, signed by `key` and cosigned by both witnesses."""
    checkpoint = Checkpoint(key.origin_of(log), size, head)
    note = parse_note(key.sign(log, size, head))
    return note.adding([cosign(checkpoint, TIME, witness) for witness in WITNESSES]).data


def published(logs: Mapping[str, Sequence[bytes]], key: LogKey = KEY, earlier: Sequence[Leaf] = ()) -> MadeStore:
    """The publication of the logs of these pilots; `earlier` leaves stand first in the authority log."""
    store = MadeStore()
    leaves = [*earlier, *(add_log(store, log_name(pilot), entries, key) for pilot, entries in sorted(logs.items()))]
    add_log(store, AUTHORITY, [leaf.encode() for leaf in leaves], key)
    return store


def policy(quorum: str = "both") -> bytes:
    """The policy of the authority log: both witnesses."""
    lines = [f"log {KEY.verifier(AUTHORITY).vkey}"]
    lines += [f"witness {one.name.rpartition('/')[2]} {one.verifier.vkey}" for one in WITNESSES]
    return "\n".join([*lines, "group both all north south", f"quorum {quorum}", ""]).encode()
