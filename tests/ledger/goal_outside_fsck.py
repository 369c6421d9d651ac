"""Goal `outside_fsck`: tessera's fsck, in Go, derives the root of our pilot logs and authority log over HTTP, and
notices each changed file."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from monitor.notary.format import LedgerReader
from monitor.publication.authority_leaves import NAME as NAME_OF_LEAVES
from monitor.publication.log_key import AUTHORITY, log_name
from monitor.tlog.merkle import Frontier, leaf_hash
from tests.ledger.go_tools import MODULE, GoUnavailable, program
from tests.ledger.goal import QUICK, Goal, none_of
from tests.ledger.publication import KEY, World, served

NAME = "outside_fsck"
FSCK = "github.com/transparency-dev/tessera/cmd/fsck"
PILOTS = {"one": 1, "partial": 255, "full": 256, "more": 300 if QUICK else 70_000}
ROUNDS = 3 if QUICK else 300


def run() -> Iterator[Goal]:
    """The goal."""
    try:
        fsck = program(FSCK, MODULE.with_name("go_fsck"))
    except GoUnavailable as why:
        yield Goal(NAME, "", "0", ok=True, skipped=str(why))
        return
    with tempfile.TemporaryDirectory() as scratch:
        world = published(Path(scratch))
        logs = [AUTHORITY, *map(log_name, PILOTS)]
        with served(world.published) as url:
            failed = sum(not derived(fsck, url, log, Path(scratch)) for log in logs)
            yield none_of(NAME, failed, len(logs))
            changed = list(_changed(world.published / log_name("more")))
            missed = sum(_accepted_changed(fsck, url, path, Path(scratch)) for path in changed)
            yield none_of(f"{NAME}_changed_file_accepted", missed, len(changed))


def published(scratch: Path) -> World:
    """Logs that grew in rounds, with a restart and a publication that was made again."""
    world = World(scratch)
    for pilot, size in PILOTS.items():
        world.enter(pilot, size // 2)
    world.publisher.round()
    world.restart()
    for number in range(ROUNDS):
        world.enter("rounds", 1)
        world.publisher.round()
        if number == 1:
            shutil.rmtree(world.published)
            world.restart()
    for pilot, size in PILOTS.items():
        world.enter(pilot, size - size // 2)
    world.publisher.round()
    world.notary.close()
    return world


def derived(fsck: Path, url: str, log: str, scratch: Path) -> bool:
    """Whether fsck derives the root and size that the ledger has. Its exit code is 0 whatever it finds."""
    key = scratch / f"{log}.vkey"
    key.write_text(KEY.verifier(log).vkey + "\n")
    done = subprocess.run(
        [fsck, f"--storage_url={url}/{log}/", f"--public_key={key}", "--ui=false", "-N=4"],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    head = Frontier()
    for entry in entries_of(scratch, log):
        head.push(leaf_hash(entry))
    return f"Successfully fsck'd log with size {head.size}" in done.stderr and head.root().hex() in done.stderr


@functools.cache
def entries_of(scratch: Path, log: str) -> tuple[bytes, ...]:
    """The entries of a log from the notary's directory."""
    path = scratch / "ledger" / (NAME_OF_LEAVES if log == AUTHORITY else f"{log}.ledger")
    with path.open("rb") as file:
        return tuple(item.entry for item in LedgerReader(path, file))


def _changed(log: Path) -> Iterator[Path]:
    """Files of which one byte is changed in turn: a bundle and a tile of each level."""
    yield log / "checkpoint"
    yield log / "tile/entries/000"
    for level in sorted((log / "tile").glob("[0-9]*")):
        yield next(path for path in sorted(level.rglob("*")) if path.is_file())


def _accepted_changed(fsck: Path, url: str, path: Path, scratch: Path) -> bool:
    good = path.read_bytes()
    path.write_bytes(good[:-9] + bytes([good[-9] ^ 1]) + good[-8:])
    try:
        return derived(fsck, url, log_name("more"), scratch)
    finally:
        path.write_bytes(good)
