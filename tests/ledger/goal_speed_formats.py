"""Goals `speed_*` of the library: entries verified per second, and a proof among ten million entries.

In full the limits are those of the promise, on this machine. `QUICK` runs on loaded machines too: there the limits are
multiples of one SHA-256 of 65 bytes, measured next to it, which a slow machine slows down as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from monitor.tlog import merkle
from monitor.tlog.tiles import TileHashes, encode_bundle, parse_bundle
from tests.bench.tlog import TEN_MILLION, Repeated, per_call
from tests.ledger.goal import QUICK, Goal

ENTRIES_PER_S = 100_000
PROOF_MS = 10.0
HASHES_PER_ENTRY = 15.0  # a hash takes 0.75 microseconds where 100,000 entries/s are 10 microseconds each
HASHES_PER_PROOF = 13_000.0
SECONDS = 0.1 if QUICK else 0.5


def run() -> Iterator[Goal]:
    """Both goals."""
    unit = per_call(lambda: hashlib.sha256(b"\x01" * 65).digest(), SECONDS)
    bundle = encode_bundle([b"x" * 500] * 256)
    entry = per_call(lambda: merkle.root([*map(merkle.leaf_hash, parse_bundle(bundle))]), SECONDS) / 256
    log, index = Repeated(TEN_MILLION), 7_654_321
    proof = per_call(lambda: merkle.inclusion_proof(TileHashes(log.read, TEN_MILLION), index, TEN_MILLION), SECONDS)
    if QUICK:
        yield _limit("speed_verify_entry_in_hashes", entry / unit, HASHES_PER_ENTRY)
        yield _limit("speed_proof_among_10_million_in_hashes", proof / unit, HASHES_PER_PROOF)
        return
    yield Goal("speed_verify_entries_per_s", f"{1 / entry:.0f}", str(ENTRIES_PER_S), 1 / entry >= ENTRIES_PER_S)
    yield _limit("speed_proof_among_10_million_ms", proof * 1000, PROOF_MS)


def _limit(name: str, value: float, most: float) -> Goal:
    return Goal(name, f"{value:.1f}", f"{most:.0f}", value <= most)
