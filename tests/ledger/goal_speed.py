"""Goals `speed_*`: entries per second through notary and publication, the time until a checkpoint shows them, and the
time of one proof among ten million entries."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from monitor.notary.authority_leaf import Leaf
from monitor.notary.encoding import encode
from monitor.notary.entries import entry_of
from monitor.projections.metrics import Metrics
from monitor.publication.edge import Edge, edge_tiles
from monitor.publication.log_key import AUTHORITY, log_name
from monitor.publication.prove import check_stacked, stacked_proof
from monitor.publication.publisher import Round
from monitor.publication.service import PublicationService
from monitor.testing.records import decision
from monitor.testing.slowness import Slowness
from monitor.tlog.errors import HashUnavailable
from monitor.tlog.merkle import leaf_hash, root
from monitor.tlog.tiles import WIDTH, Tile, encode_bundle
from tests.ledger.goal import QUICK, Goal
from tests.ledger.publication import BATCH, KEY, World

SECONDS = 3.0 if QUICK else 60.0
RATE = 1_000.0  # entries per second that must become visible
OFFERED = 2_000.0
PILOTS = 20
VISIBLE_S = 5.0
AMONG = 10_000_000
PROOFS = 20 if QUICK else 500
PROOF_S = 0.010


def run() -> Iterator[Goal]:
    """The goals."""
    with Slowness() as slowness:
        yield from sustained(slowness)
    with Slowness() as slowness:
        yield from proof(slowness)


def _busy(slowness: Slowness) -> float:
    """How much slower this machine may be, where a small run shares it with other tests; 1 in the full run."""
    return 2 * slowness.factor if QUICK else 1.0


def sustained(slowness: Slowness) -> Iterator[Goal]:
    """Offer decisions of twenty pilots at a constant rate, and note when each is entered and when it is visible."""
    with tempfile.TemporaryDirectory() as scratch:
        world = World(Path(scratch))
        watched = Watched(world)
        service = PublicationService(watched.publisher, Metrics())  # type: ignore[arg-type]
        service.start()
        began, number = time.monotonic(), 0
        pilots = [f"p-{each}" for each in range(PILOTS)]
        while time.monotonic() - began < SECONDS:
            first = number // PILOTS + 1
            standings = range(first, first + BATCH // PILOTS)
            world.notary.record([decision(standing, pilot) for standing in standings for pilot in pilots])
            watched.entered(pilots, standings[-1])
            number += BATCH
            ahead = began + number / OFFERED - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        service.stop()
        took = time.monotonic() - began
        world.notary.close()
    rate = watched.visible / took
    late = sorted(watched.delays)[int(len(watched.delays) * 0.99)]
    busy = _busy(slowness)
    enough, soon = rate >= RATE / busy, late <= VISIBLE_S * busy
    yield Goal("speed_entries", f"{rate:.0f}/s for {took:.0f} s", f">={RATE / busy:.0f}/s", enough)
    yield Goal("speed_published_p99", f"{late:.2f} s", f"<={VISIBLE_S * busy:.0f} s", soon)


class Watched:
    """Notes after each round which entries became visible, and how long after they were entered."""

    def __init__(self, world: World) -> None:
        self.delays: list[float] = []
        self.visible = 0
        self._world, self._inner = world, world.publisher
        self._pending: dict[str, list[tuple[int, float]]] = {}
        self._lock = threading.Lock()

    @property
    def publisher(self) -> Watched:
        """To be given to the service."""
        return self

    def entered(self, pilots: list[str], size: int) -> None:
        """The ledgers of the pilots have this size now."""
        with self._lock:
            for pilot in pilots:
                self._pending.setdefault(pilot, []).append((size, time.monotonic()))

    def close(self) -> None:
        """As `Publisher.close`."""
        self._inner.close()

    def round(self) -> Round:
        """As `Publisher.round`."""
        done = self._inner.round()
        now = time.monotonic()
        self.visible = done.entries
        with self._lock:
            for pilot, batches in self._pending.items():
                path = self._world.published / log_name(pilot) / "checkpoint"
                shown = int(path.read_bytes().split(b"\n")[1]) if path.exists() else 0
                self.delays += [now - at for size, at in batches if size <= shown]
                self._pending[pilot] = [one for one in batches if one[0] > shown]
        return done


def proof(slowness: Slowness) -> Iterator[Goal]:
    """Prove random entries of a log of ten million, each from the files, and check each proof."""
    with tempfile.TemporaryDirectory() as scratch:
        directory, log = Path(scratch), log_name("p-1")
        rng = random.Random(1)
        indexes = [0, AMONG - 1, *(rng.randrange(AMONG) for _ in range(PROOFS))]
        entries = large_log(directory, log, indexes)

        def read(path: str) -> bytes:
            try:
                return (directory / path).read_bytes()
            except OSError as error:
                raise HashUnavailable(path) from error

        took, wrong = [], 0
        for index in indexes:
            tries = []
            for _ in range(3):  # the quickest of three: what other processes take is not the proof's
                began = time.perf_counter()
                made = stacked_proof(read, log, index)
                tries.append(time.perf_counter() - began)
            took.append(min(tries))
            found = check_stacked(made, None, lambda origin: KEY.verifier(origin.removeprefix(KEY.origin + "/")))
            wrong += found != entries[index % WIDTH]
    slow = sorted(took)[int(len(took) * 0.99) - 1]
    limit = PROOF_S * _busy(slowness)
    holds = slow <= limit and not wrong
    yield Goal("speed_proof_p99", f"{slow * 1000:.1f} ms, {wrong} wrong", f"<={limit * 1000:.0f} ms", holds)


def large_log(directory: Path, log: str, indexes: list[int]) -> list[bytes]:
    """Publish a log of ten million entries, of which only the tiles are written that prove `indexes`.

    Every bundle holds the same 256 entries, so all full tiles of a level are equal. Returns those entries.
    """
    entries = [encode(entry_of(decision(standing), b"")[0]) for standing in range(1, WIDTH + 1)]
    rows = [[leaf_hash(entry) for entry in entries]]
    edge = edge_tiles(AMONG)
    while len(rows) < len(edge):
        rows.append([root(rows[-1])] * WIDTH)
    head = Edge(AMONG, [row[: tile.width] for row, tile in zip(rows, edge, strict=True)]).root()
    for index in indexes:
        for last in edge:
            level = last.level or 0
            place = index >> 8 * (level + 1)
            tile = last if place == last.index else Tile(level, place)
            _write(directory / log / tile.path, b"".join(rows[level][: tile.width]))
            if level == 0:
                bundle = Tile(None, place, tile.width)
                _write(directory / log / bundle.path, encode_bundle(entries[: tile.width]))
        for last in edge:
            if last.width:
                _write(directory / log / last.path, b"".join(rows[last.level or 0][: last.width]))
    _write(directory / log / "checkpoint", KEY.sign(log, AMONG, head))
    leaf = Leaf(KEY.origin_of(log), AMONG, head).encode()
    _write(directory / AUTHORITY / "tile/entries/000.p/1", encode_bundle([leaf]))
    _write(directory / AUTHORITY / "tile/0/000.p/1", leaf_hash(leaf))
    _write(directory / AUTHORITY / "checkpoint", KEY.sign(AUTHORITY, 1, leaf_hash(leaf)))
    return entries


def _write(path: Path, data: bytes) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
