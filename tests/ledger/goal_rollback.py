"""Goal `rollback`: a notary on a restored old disk refuses to sign, whatever it enters afterwards."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from monitor.errors import SigningRefused
from monitor.publication.hooks import NewestCheckpoint
from monitor.publication.log_key import AUTHORITY
from monitor.publication.newest_file import NewestFile
from tests.ledger.goal import QUICK, Goal
from tests.ledger.publication import KEY, World

TRIES = 20
Place = Callable[[Path], AbstractContextManager[NewestCheckpoint]]


@contextmanager
def _directory(path: Path) -> Iterator[NewestCheckpoint]:
    path.mkdir()
    yield NewestFile(path)


@contextmanager
def _topic(path: Path) -> Iterator[NewestCheckpoint]:
    from monitor.kafka.newest_topic import NewestTopic
    from monitor.testing.kafka import Fresh

    fresh = Fresh()
    place = NewestTopic(fresh.bootstrap, fresh.names)
    try:
        yield place
    finally:
        place.close()


PLACES: dict[str, Place] = {"directory": _directory, "topic": _topic}
"""Second places by name; each makes an empty one, with a directory for its files."""


def run() -> Iterator[Goal]:
    """One goal for each second place."""
    for name, place in PLACES.items():
        if QUICK and name == "topic":
            yield Goal("rollback_topic", "", f"{TRIES}/{TRIES}", ok=True, skipped="needs a broker; in the full run")
            continue
        refused = sum(_refuses(random.Random(seed), place) for seed in range(TRIES))
        yield Goal(f"rollback_{name}", f"{refused}/{TRIES}", f"{TRIES}/{TRIES}", refused == TRIES)


def _refuses(rng: random.Random, place: Place) -> bool:
    """A random history, a backup somewhere in it, and the backup restored: with or without the publication."""
    with tempfile.TemporaryDirectory() as scratch, place(Path(scratch) / "elsewhere") as second:
        path = Path(scratch)
        world = World(path / "disk", second)
        for _ in range(rng.randint(1, 5)):
            _grow(world, rng)
        world.notary.close()
        shutil.copytree(path / "disk", path / "backup")
        world.restart()
        for _ in range(rng.randint(1, 5)):
            _grow(world, rng)
        world.notary.close()
        kept = rng.random() < 0.5  # the publication is on another disk
        shutil.rmtree(world.ledgers)
        shutil.copytree(path / "backup" / "ledger", world.ledgers)
        if not kept:
            shutil.rmtree(world.published)
            shutil.copytree(path / "backup" / "published", world.published)
        before = second.newest(KEY.authority), (world.published / AUTHORITY / "checkpoint").read_bytes()
        world.restart()
        refused = 0
        for _ in range(3):
            if rng.random() < 0.7:  # the same decisions again, or others
                for pilot in ("a", "b", "c"):
                    world.enter(pilot, rng.randint(1, 4), **rng.choice(({}, {"cause": "another history"})))
            try:
                world.publisher.round()
            except SigningRefused:
                refused += 1
        world.notary.close()
        after = second.newest(KEY.authority), (world.published / AUTHORITY / "checkpoint").read_bytes()
        return refused == 3 and after == before


def _grow(world: World, rng: random.Random) -> None:
    for pilot in rng.sample(("a", "b", "c"), rng.randint(1, 3)):
        world.enter(pilot, rng.randint(1, 5))
    world.publisher.round()
