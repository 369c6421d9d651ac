"""A restored disk, a second publisher and another history are refused before anything is signed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli.ledger import ledger
from monitor.errors import SigningRefused
from monitor.publication.log_key import LogKey
from monitor.publication.log_source import LedgerSource
from monitor.publication.publisher import IN_USE, PublicationSettings, Publisher
from monitor.publication.refusals import SigningRefusal
from tests.unit.publication.world import KEY, World, checked, files_of


def backed_up(tmp_path: Path, published: bool) -> World:
    """A world of which an older copy of the disk was restored; with or without the publication."""
    world = World(tmp_path)
    world.enter(1, 3)
    world.round()
    shutil.copytree(world.ledgers, tmp_path / "backup")
    if published:
        shutil.copytree(world.published, tmp_path / "backup-published")
    world.enter(4, 5)
    world.round()
    world.notary.close()
    shutil.rmtree(world.ledgers)
    shutil.copytree(tmp_path / "backup", world.ledgers)
    if published:
        shutil.rmtree(world.published)
        shutil.copytree(tmp_path / "backup-published", world.published)
    return world


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("reentered", [False, True])
def test_a_restored_disk_signs_nothing(tmp_path: Path, published: bool, reentered: bool) -> None:
    """Neither at the size of the backup nor when the same decisions are entered again."""
    world = backed_up(tmp_path, published)
    before = files_of(world.published)
    world.restart()
    if reentered:
        world.enter(4, 9)
    for _ in range(3):
        with pytest.raises(SigningRefused, match="older copy") as refused:
            world.round()
        assert refused.value.reason is SigningRefusal.OLDER
    assert files_of(world.published) == before


def restored(world: World, key: Path) -> Result:
    arguments = ["restore-authority", str(world.ledgers), "--log-key", str(key), "--from", str(world.published)]
    return CliRunner().invoke(ledger, arguments)


def said(done: Result) -> str:
    """What the command printed, and the error that `sandbox-monitor` prints for it."""
    return f"{done.output}{done.exception}"


def test_the_leaves_are_restored_from_the_publication_and_the_log_continues(tmp_path: Path) -> None:
    """With the entries entered again from the decisions log, signing resumes where it ended."""
    world, key = backed_up(tmp_path, published=False), tmp_path / "log.key"
    key.touch(0o600)
    key.write_text(KEY.text)
    done = restored(world, key)
    assert done.exit_code == 0, done.output
    world.restart()
    assert list(world.round().refused.values()) == [SigningRefusal.PILOT_OLDER]
    world.enter(4, 6)
    assert world.round().refused == {}
    assert checked(world.published, ["p-1"]) == {"authority": 3, "p-1": 6}
    assert "another process" in said(restored(world, key))
    world.notary.close()
    assert "nothing to restore" in said(restored(world, key))


def test_leaves_are_not_restored_from_a_forged_an_older_or_another_publication(tmp_path: Path) -> None:
    world, key = World(tmp_path / "a"), tmp_path / "log.key"
    key.touch(0o600)
    key.write_text(KEY.text)
    world.enter(1, 1)
    world.round()
    shutil.copytree(world.published, tmp_path / "older")
    world.enter(2, 2)
    world.round()
    world.notary.close()
    shutil.rmtree(world.published)
    shutil.copytree(tmp_path / "older", world.published)
    assert "fewer leaves" in said(restored(world, key))
    bundle = world.published / "authority/tile/entries/000.p/1"
    bundle.write_bytes(bundle.read_bytes().replace(b'"size":1', b'"size":2'))
    assert "do not lead to its signed checkpoint" in said(restored(world, key))
    other = World(tmp_path / "b")
    for number in range(1, 4):
        other.enter(number, number, "p-2")
        other.round()
    other.notary.close()
    shutil.rmtree(world.published)
    shutil.copytree(other.published, world.published)
    assert "another history" in said(restored(world, key))
    key.write_text(LogKey(KEY.origin, bytes(32)).text)
    assert "cannot be used" in said(restored(world, key))


def test_without_a_second_place_the_published_checkpoint_counts(tmp_path: Path) -> None:
    world = backed_up(tmp_path, published=False)
    world.restart()
    settings = PublicationSettings(directory=world.published, key=KEY)
    with pytest.raises(SigningRefused, match="older copy"):
        Publisher(world.ledgers, lambda: world.notary.heads, settings).round()


def test_another_history_of_the_same_length_is_refused(tmp_path: Path) -> None:
    """Another authority log that is at least as long is found by its root."""
    world = World(tmp_path / "a")
    world.enter(1, 3)
    world.round()
    world.notary.close()
    other = World(tmp_path / "b")
    for number in range(1, 4):
        other.enter(number, number)
        other.round()
    other.notary.close()
    shutil.rmtree(world.ledgers)
    shutil.copytree(other.ledgers, world.ledgers)
    world.restart()
    with pytest.raises(SigningRefused, match="another root") as refused:
        world.round()
    assert refused.value.reason is SigningRefusal.DIFFERENT


def test_a_second_publisher_is_stopped_at_its_first_checkpoint(tmp_path: Path) -> None:
    """Two copies of one disk run at once: the one that signs second finds the other's checkpoint."""
    world = World(tmp_path)
    world.enter(1, 3)
    world.round()
    shutil.copytree(world.ledgers, tmp_path / "clone/ledger")
    twin = World(tmp_path / "clone", second=world.second)
    twin.round()
    twin.enter(4, 4)
    world.enter(4, 5)
    world.round()
    with pytest.raises(SigningRefused) as refused:
        twin.round()
    assert refused.value.reason is SigningRefusal.SWAPPED
    assert checked(twin.published, ["p-1"])["p-1"] == 3
    twin.notary.close()


def test_an_emptied_second_place_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.enter(1, 3)
    world.round()
    for file in world.place.iterdir():
        file.unlink()
    world.restart()
    with pytest.raises(SigningRefused, match="was in use") as refused:
        world.round()
    assert refused.value.reason is SigningRefusal.NO_NEWEST
    (world.ledgers / IN_USE).unlink()  # as the message says
    world.enter(4, 4)
    assert world.round().size == 2


def test_a_publication_of_another_log_is_not_overwritten(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.enter(1, 3)
    world.round()
    settings = PublicationSettings(directory=world.published, key=LogKey("other.example", bytes(32)))
    with pytest.raises(SigningRefused, match="another log"):
        Publisher(world.ledgers, lambda: world.notary.heads, settings).round()


def test_one_pilot_log_that_is_older_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    """Its ledger continues, once it holds again what was published, with the same bytes."""
    world = World(tmp_path)
    world.enter(1, 3)
    world.enter(1, 1, "p-2")
    world.round()
    world.notary.close()
    for file in [*world.ledgers.glob("p-1*"), world.ledgers / "cursor.json"]:
        file.unlink(missing_ok=True)
    world.restart()
    world.enter(1, 2)
    world.enter(2, 2, "p-2")
    done = world.round()
    assert list(done.refused.values()) == [SigningRefusal.PILOT_OLDER]
    assert checked(world.published, ["p-1", "p-2"]) == {"authority": 3, "p-1": 3, "p-2": 2}
    world.enter(3, 4)
    assert world.round().refused == {}
    assert checked(world.published, ["p-1", "p-2"]) == {"authority": 4, "p-1": 4, "p-2": 2}


def test_a_pilot_log_with_another_history_is_left_out(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.enter(1, 3)
    world.round()
    world.notary.close()
    for file in world.ledgers.glob("p-1*"):
        file.unlink()
    world.restart()
    world.enter(2, 6)
    assert list(world.round().refused.values()) == [SigningRefusal.PILOT_DIFFERENT]
    assert checked(world.published, ["p-1"])["p-1"] == 3


def test_a_ledger_with_another_history_is_read_once_not_in_each_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries are only ever appended, so its root at the published size stays another one."""
    world = World(tmp_path)
    world.enter(1, 3)
    world.round()
    world.notary.close()
    for file in world.ledgers.glob("p-1*"):
        file.unlink()
    world.restart()
    reads: list[int] = []
    root_at = LedgerSource.root_at
    monkeypatch.setattr(LedgerSource, "root_at", lambda self, size: (reads.append(size), root_at(self, size))[1])
    for last in range(6, 9):
        world.enter(2, last)
        assert list(world.round().refused.values()) == [SigningRefusal.PILOT_DIFFERENT]
    assert reads == [3]
