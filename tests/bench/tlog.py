"""What `monitor.tlog` takes per operation: `python -m tests.bench.tlog`.

Prints one line per operation: how many per second, and its cost in units of one bare SHA-256 of 65 bytes (a node hash),
which does not depend on the machine. The tree of ten million leaves repeats one tile, so that it needs no memory; its
roots and proofs are real.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from monitor.tlog import cosignature, merkle
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import open_checkpoint, sign_checkpoint
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.policy import parse_policy
from monitor.tlog.proof import TlogProof, parse_proof
from monitor.tlog.tiles import Tile, TileHashes, encode_bundle, grow, parse_bundle

ENTRIES = 200_000
TEN_MILLION = 10_000_000
ENTRY = b"x" * 500
SECONDS = 0.5


def main() -> None:
    """Measure and print."""
    unit = per_call(lambda: hashlib.sha256(b"\x01" * 65).digest())
    print(f"{'operation':44} {'per second':>12} {'node hashes':>12}")
    for name, count, run in (*trees(), *big_tree(), *signatures()):
        seconds = per_call(run) / count
        print(f"{name:44} {1 / seconds:12,.0f} {seconds / unit:12.1f}")


def per_call(run: Callable[[], object], seconds: float = SECONDS) -> float:
    """Seconds of one call: the best of three rounds, which together take about `seconds`."""
    best, calls = float("inf"), 1
    for _ in range(3):
        while True:
            began = time.perf_counter()
            for _ in range(calls):
                run()
            took = time.perf_counter() - began
            if took >= seconds / 3 or calls > 1_000_000:
                break
            calls = max(calls * 2, int(calls * seconds / 3 / max(took, 1e-9)))
        best = min(best, took / calls)
    return best


Row = tuple[str, int, Callable[[], object]]


def trees() -> list[Row]:
    """Hashes, roots and tiles of 200,000 leaves."""
    leaves = [merkle.leaf_hash(b"%d" % number) for number in range(ENTRIES)]
    bundle = encode_bundle([ENTRY] * 256)
    tile = leaves[:256]

    def push() -> None:
        frontier = merkle.Frontier()
        for leaf in leaves:
            frontier.push(leaf)

    return [
        ("leaf hash of an entry of 500 bytes", 1, lambda: merkle.leaf_hash(ENTRY)),
        ("entries of a bundle: read, leaf hashes, root", 256,
         lambda: merkle.root([*map(merkle.leaf_hash, parse_bundle(bundle))])),
        ("root, per leaf", ENTRIES, lambda: merkle.root(leaves)),
        ("root of a tile, per leaf", 256, lambda: merkle.root(tile)),
        ("frontier: push", ENTRIES, push),
        ("tree in memory: append", ENTRIES, lambda: merkle.HashTree(leaves)),
        ("tiles: grow, per leaf", ENTRIES, lambda: sum(1 for _ in grow(0, leaves, {}.__getitem__))),
    ]  # fmt: skip


class Repeated:
    """The tiles of a log in which all full tiles of level 0 are the same."""

    def __init__(self, size: int) -> None:
        leaves = [merkle.leaf_hash(b"%d" % number) for number in range(256)]
        self.leaves, self.rows = leaves, [leaves]
        while size >> 8 * len(self.rows):
            self.rows.append([merkle.root(self.rows[-1])] * 256)

    def read(self, tile: Tile) -> bytes:
        """The bytes of a tile."""
        return b"".join(self.rows[tile.level or 0][: tile.width])


def big_tree() -> list[Row]:
    """One proof among ten million leaves, from tiles that nothing has cached."""
    log = Repeated(TEN_MILLION)
    index = 7_654_321
    leaf = log.leaves[index % 256]
    source = TileHashes(log.read, TEN_MILLION)
    root, proof = merkle.tree_root(source, TEN_MILLION), merkle.inclusion_proof(source, index, TEN_MILLION)
    merkle.verify_inclusion(leaf, index, TEN_MILLION, proof, root)
    return [
        ("inclusion proof among 10 million, cold", 1,
         lambda: merkle.inclusion_proof(TileHashes(log.read, TEN_MILLION), index, TEN_MILLION)),
        ("inclusion proof among 10 million, cached", 1, lambda: merkle.inclusion_proof(source, index, TEN_MILLION)),
        ("consistency proof to 10 million, cold", 1,
         lambda: merkle.consistency_proof(TileHashes(log.read, TEN_MILLION), 9_999_999, TEN_MILLION)),
        ("verify inclusion among 10 million", 1,
         lambda: merkle.verify_inclusion(leaf, index, TEN_MILLION, proof, root)),
    ]  # fmt: skip


def signatures() -> list[Row]:
    """Signing and verifying checkpoints, and a whole proof file."""
    log = Signer("example.com/log", KeyType.ED25519, b"l" * 32)
    ed25519 = Signer("witness.example/ed", KeyType.COSIGNATURE_ED25519, b"w" * 32)
    ml_dsa_44 = Signer("witness.example/ml", KeyType.COSIGNATURE_ML_DSA_44, b"q" * 32)
    tree = merkle.HashTree(merkle.leaf_hash(b"%d" % number) for number in range(1000))
    head = Checkpoint(log.name, 1000, tree.root())
    note = sign_checkpoint(head, [log, ed25519], time=5)
    data = TlogProof(500, tuple(merkle.inclusion_proof(tree, 500, 1000)), note).data
    policy = parse_policy(f"log {log.verifier.vkey}\nwitness w {ed25519.verifier.vkey}\nquorum w\n".encode())
    quantum = sign_checkpoint(head, [log, ml_dsa_44], time=5)
    return [
        ("checkpoint: sign, Ed25519", 1, lambda: sign_checkpoint(head, [log])),
        ("checkpoint: open, one Ed25519", 1, lambda: open_checkpoint(note.data, log.name, [log.verifier])),
        ("cosign, Ed25519", 1, lambda: cosignature.cosign(head, 5, ed25519)),
        ("cosign, ML-DSA-44", 1, lambda: cosignature.cosign(head, 5, ml_dsa_44)),
        ("verify a cosignature, Ed25519", 1, lambda: cosignature.verify(note, ed25519.verifier)),
        ("verify a cosignature, ML-DSA-44", 1, lambda: cosignature.verify(quantum, ml_dsa_44.verifier)),
        ("proof file: read and verify, two signatures", 1,
         lambda: parse_proof(data).verify(tree.node(0, 500), policy)),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
