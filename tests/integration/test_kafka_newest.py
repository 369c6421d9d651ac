"""The newest checkpoint in a Kafka topic: compare-and-swap that no other process, kill or old disk gets past."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.errors import LogBroken, SigningRefused, Unavailable
from monitor.kafka.log import KafkaLog
from monitor.kafka.newest_topic import NewestTopic
from monitor.kafka.settings import LogSettings
from monitor.kafka.topics import Topic, create_topics
from monitor.model.records import Outputs
from monitor.publication.log_key import AUTHORITY, new_log_key
from monitor.publication.refusals import SigningRefusal
from monitor.testing.kafka import Fresh
from monitor.testing.records import decision
from monitor.testing.wait import Until
from tests.unit.publication.world import World

pytestmark = pytest.mark.kafka

ORIGIN = "sandbox.example/ledger/authority"
Place = Callable[..., NewestTopic]


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def place() -> Iterator[Place]:
    """Opens the second place, as another process would, on the topics of this test."""
    fresh, opened = Fresh(), list[NewestTopic]()

    def begin(reach: Callable[[str], None] = lambda name: None) -> NewestTopic:
        opened.append(NewestTopic(fresh.bootstrap, fresh.names, reach=reach))
        return opened[-1]

    begin.fresh = fresh  # type: ignore[attr-defined]
    yield begin
    for found in opened:
        found.close()


def test_a_checkpoint_is_stored_only_over_the_expected_one(place: Place) -> None:
    """As in a directory: nothing, then the first, then the next; another process sees what was stored last."""
    one = place()
    assert one.newest(ORIGIN) is None
    assert not one.swap(ORIGIN, b"other", b"first")
    assert one.swap(ORIGIN, None, b"first")
    assert not one.swap(ORIGIN, None, b"second")
    assert one.swap(ORIGIN, b"first", b"second")
    assert one.swap("another log", None, b"x")
    two = place()
    assert (two.newest(ORIGIN), two.newest("another log"), two.newest("none")) == (b"second", b"x", None)
    assert two.swap(ORIGIN, b"second", b"third")
    assert one.newest(ORIGIN) == b"third"
    assert not one.swap(ORIGIN, b"second", b"fork")


def test_a_swap_between_comparison_and_commit_of_another_is_never_lost(place: Place) -> None:
    """The first process has compared; a second one stores; the first one's commit fails, and the second's stands."""
    two, swapped = place(), list[bool]()

    def act_between(name: str) -> None:
        if name == "compared" and not swapped:
            swapped.append(two.swap(ORIGIN, b"base", b"of two"))

    assert place().swap(ORIGIN, None, b"base")
    one = place(act_between)
    with pytest.raises(Unavailable, match="newer producer"):
        one.swap(ORIGIN, b"base", b"of one")
    assert swapped == [True]
    assert (one.newest(ORIGIN), two.newest(ORIGIN)) == (b"of two", b"of two")
    assert not one.swap(ORIGIN, b"base", b"of one")


def test_what_a_killed_process_left_open_is_not_stored(place: Place) -> None:
    """The write was acknowledged, its transaction was not committed: the next process sees the checkpoint before."""

    def die(name: str) -> None:
        if name == "in_transaction":
            raise Killed

    assert place().swap(ORIGIN, None, b"first")
    with pytest.raises(Killed):
        place(die).swap(ORIGIN, b"first", b"never")
    after = place()
    assert after.swap(ORIGIN, b"first", b"second")
    assert after.newest(ORIGIN) == b"second"


def test_a_topic_that_may_lose_records_is_refused(place: Place) -> None:
    """`cleanup.policy=delete` would forget the newest checkpoint after a while: refused, with the fix."""
    fresh: Fresh = place.fresh  # type: ignore[attr-defined]
    wrong = Topic(fresh.names.checkpoints, 1, 1, {"cleanup.policy": "delete"})
    asyncio.run(create_topics(fresh.bootstrap, [wrong]))
    with pytest.raises(LogBroken, match=r"cleanup\.policy"):
        place().newest(ORIGIN)


def test_a_restored_old_disk_does_not_sign(place: Place, tmp_path: Path) -> None:
    """The disk of ledgers and publication is an older copy; the topic knows better: nothing is signed or shown."""
    world = World(tmp_path / "w", second=place())
    world.enter(1, 3)
    world.round()
    copy = tmp_path / "copy"
    shutil.copytree(world.ledgers, copy / "ledgers")
    shutil.copytree(world.published, copy / "published")
    world.enter(4, 6)
    world.round()
    world.notary.close()
    for name, target in (("ledgers", world.ledgers), ("published", world.published)):
        shutil.rmtree(target)
        shutil.copytree(copy / name, target)
    world.second = place()
    before = (world.published / "authority" / "checkpoint").read_bytes()
    world.restart()
    world.enter(4, 7)  # another history than the one that was signed
    with pytest.raises(SigningRefused) as refused:
        world.round()
    assert refused.value.reason in (SigningRefusal.OLDER, SigningRefusal.DIFFERENT)
    assert (world.published / "authority" / "checkpoint").read_bytes() == before
    world.notary.close()


def test_the_notary_publishes_with_the_topic_as_its_second_place(place: Place, tmp_path: Path) -> None:
    """`notary --newest-topic` as a process: what is visible is in the topic, byte for byte but for cosignatures."""
    fresh: Fresh = place.fresh  # type: ignore[attr-defined]
    settings = LogSettings(bootstrap=fresh.bootstrap, prefix=fresh.names.prefix, group=fresh.names.prefix)

    async def decide() -> None:
        log = KafkaLog(settings, 0)
        await log.claim()
        await log.write(Outputs(decisions=[decision(1), decision(2)]), None, None)
        await log.close()

    asyncio.run(decide())
    key = new_log_key(tmp_path / "log.key", "sandbox.example/ledger")
    published = tmp_path / "published" / AUTHORITY / "checkpoint"
    command = [
        sys.executable, "-m", "monitor", "notary", "--bootstrap", fresh.bootstrap, "--prefix", fresh.names.prefix,
        "--dir", str(tmp_path / "ledger"), "--port", "0", "--publish", str(tmp_path / "published"),
        "--log-key", str(tmp_path / "log.key"), "--newest-topic",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            Until(180.0)(lambda: published.exists() or process.poll() is not None)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=180)
            assert process.returncode == 0, said
        finally:
            process.kill()
    assert place().newest(key.authority) == published.read_bytes()
    assert key.opened(AUTHORITY, published.read_bytes()).size >= 1
