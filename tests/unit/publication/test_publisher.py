"""What a round makes visible, in which order, and that it is the same after every crash."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from monitor.errors import Refused, SigningRefused, Unavailable
from monitor.files.durable import DurableBatch, RealDisk
from monitor.publication.hooks import Consistency
from monitor.publication.log_key import AUTHORITY, log_name
from monitor.publication.newest_file import NewestFile
from monitor.publication.pilot_logs import LEAF_PROOF
from monitor.publication.publisher import Round
from monitor.publication.refusals import SigningRefusal
from monitor.publication.second_place import SecondPlace
from monitor.tlog.checkpoint import Checkpoint, parse
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.merkle import verify_consistency
from monitor.tlog.note import parse_note, sign
from tests.strength import examples
from tests.unit.publication.world import KEY, Recording, World, checked, files_of, followed

STEP = 8 - examples(1, 7)  # every seventh step of the usual run, each in the full one
P1, P2 = log_name("p-1"), log_name("p-2")


def test_a_round_publishes_each_pilot_log_and_one_leaf_for_each_that_changed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.enter(1, 3)
    world.enter(1, 2, "p-2")
    assert world.round() == Round(2, 5, 2, {})
    assert checked(world.published, ["p-1", "p-2"]) == {AUTHORITY: 2, "p-1": 3, "p-2": 2}
    world.enter(4, 4)
    assert world.round() == Round(3, 6, 1, {})
    assert world.round() == Round(3, 6, 0, {})
    assert checked(world.published, ["p-1", "p-2"]) == {AUTHORITY: 3, "p-1": 4, "p-2": 2}
    head = world.notary.head("p-1")
    assert head is not None
    assert followed(world.published, P1)[0].root.hex() == head.root


def test_nothing_is_published_before_the_first_entry(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.round() == Round(0, 0, 0, {})
    assert not (world.published / AUTHORITY / "checkpoint").exists()


@pytest.mark.parametrize("steps", [(255, 1, 1), (256, 256, 3), (1, 300, 212), (700,)])
def test_tiles_do_not_depend_on_the_rounds(tmp_path: Path, steps: tuple[int, ...]) -> None:
    """However a log is cut into rounds, the tiles of its checkpoint are those of its entries."""
    world = World(tmp_path)
    done = 0
    for step in steps:
        world.enter(done + 1, done + step)
        done += step
        world.round()
        assert checked(world.published, ["p-1"])["p-1"] == done


def test_the_partial_tiles_of_every_published_size_stay_until_the_full_tile_is_visible(tmp_path: Path) -> None:
    world = World(tmp_path)
    for size in (3, 200, 255):
        world.enter(world.notary.heads["p-1"].size + 1 if world.notary.heads else 1, size)
        world.round()
    partial = {path for path in files_of(world.published / P1) if ".p/" in path}
    assert partial == {f"tile/{level}/000.p/{width}" for level in ("0", "entries") for width in (3, 200, 255)}
    world.enter(256, 256)
    world.round()
    assert set(files_of(world.published / P1)) == {
        "checkpoint", "authority.tlog-proof", "tile/0/000", "tile/entries/000", "tile/1/000.p/1"
    }  # fmt: skip


def test_a_deleted_publication_is_made_again_with_the_tiles_of_every_checkpoint(tmp_path: Path) -> None:
    world = World(tmp_path)
    for size in (3, 250, 257, 300):
        world.enter(world.notary.heads["p-1"].size + 1 if world.notary.heads else 1, size)
        world.round()
    before = files_of(world.published)
    shutil.rmtree(world.published)
    world.restart()
    world.round()
    again = files_of(world.published)
    assert {path for path in before if before[path] != again.get(path)} <= {f"{P1}/{LEAF_PROOF}"}
    assert {path for path in again if not path.startswith(AUTHORITY)} == {
        path for path in before if not path.startswith(AUTHORITY)
    }


def test_a_publication_that_is_deleted_while_the_notary_runs_is_made_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.enter(1, 3)
    world.enter(1, 1, "p-2")
    world.round()
    shutil.rmtree(world.published)
    world.enter(4, 4)
    for _ in range(2):
        try:
            world.round()
        except OSError:
            continue
    world.restart()
    world.round()
    assert checked(world.published, ["p-1", "p-2"]) == {AUTHORITY: 3, "p-1": 4, "p-2": 1}


def test_a_damaged_tile_is_made_again_from_the_entries(tmp_path: Path) -> None:
    """The root of what is written is compared with the ledger's: a changed tile on the disk is never signed."""
    world = World(tmp_path)
    world.enter(1, 5)
    world.round()
    tile = world.published / P1 / "tile/0/000.p/5"
    tile.write_bytes(bytes(160))
    world.enter(6, 6)
    world.round()
    assert checked(world.published, ["p-1"])["p-1"] == 6


def test_a_restart_signs_nothing_new(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.enter(1, 3)
    world.round()
    before = files_of(world.published)
    world.restart()
    assert world.round() == Round(1, 3, 0, {})
    assert files_of(world.published) == before


class Crash(BaseException):
    """The process ends here."""


class CrashingFiles(DurableBatch):
    """Ends the process at its call number `at`: before it, or after it took effect."""

    threads = 1

    def __init__(self, root: Path, at: int, after: bool) -> None:
        super().__init__(root)
        self.calls, self._at, self._after = 0, at, after

    def step(self, name: str, call: Callable[[], None]) -> None:
        self.calls += 1
        if self.calls == self._at and not self._after:
            raise Crash
        call()
        if self.calls == self._at:
            raise Crash

    def discard(self) -> None:
        """A process that has ended removes nothing."""


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_write_leaves_only_complete_checkpoints_and_the_same_tiles_in_the_end(
    tmp_path: Path, after: bool
) -> None:
    """After a crash at each write of two rounds, what is visible is complete; a restart then publishes what an
    undisturbed run does."""
    calm = World(tmp_path / "calm")
    _two_rounds(calm)
    expected = files_of(calm.published)
    at, crashed = 0, True
    while crashed:
        at += STEP
        world = World(tmp_path / f"{at}")
        try:
            _two_rounds(world, CrashingFiles(world.published, at, after))
            crashed = False
        except Crash:
            sizes = checked(world.published, ["p-1", "p-2"])
        world.restart()
        _enter_rest(world)
        world.round()
        assert checked(world.published, ["p-1", "p-2"])["p-1"] == 260
        if crashed:
            assert all(sizes.get(name, 0) <= size for name, size in checked(world.published, ["p-1"]).items())
        again = files_of(world.published)
        logs = [
            path
            for path in expected
            if path.endswith(("checkpoint", "/000", "/001")) and not path.startswith(AUTHORITY)
        ]
        assert all(again[path] == expected[path] for path in logs), at
        world.notary.close()
    assert at > 20


def _two_rounds(world: World, files: DurableBatch | None = None) -> None:
    publisher = world.open_publisher(files)
    world.enter(1, 254)
    world.enter(1, 2, "p-2")
    publisher.round()
    _enter_rest(world)
    publisher.round()


def _enter_rest(world: World) -> None:
    world.enter((world.notary.heads["p-1"].size if world.notary.heads else 0) + 1, 260)


@pytest.mark.parametrize("stored", ["all of them", "none of them", "the first", "the second"])
def test_answers_of_the_second_place_that_are_lost_are_not_taken_for_another_process(
    tmp_path: Path, stored: str
) -> None:
    """Nothing becomes visible while it is unavailable. Whether or not the checkpoints arrived that were not answered,
    the next round finds out, and goes on from what is there."""
    lost = {"all of them": [True] * 3, "none of them": [False] * 3, "the first": [True, False, False]}
    effects = iter(lost.get(stored, [False, True, False]))

    class Outage(NewestFile):
        down = True

        def swap(self, origin: str, expected: bytes | None, new: bytes) -> bool:
            if not self.down:
                return super().swap(origin, expected, new)
            if next(effects):
                super().swap(origin, expected, new)
            raise Unavailable("no answer")

    (tmp_path / "elsewhere").mkdir()
    second = Outage(tmp_path / "elsewhere")
    world = World(tmp_path, second=second)
    for number in range(1, 4):
        world.enter(number, number)
        with pytest.raises(Unavailable):
            world.round()
        assert not (world.published / AUTHORITY / "checkpoint").exists()
    world.enter(4, 4)
    second.down = False
    assert world.round().size == 4
    assert checked(world.published, ["p-1"])["p-1"] == 4
    newest = second.newest(KEY.authority)
    assert newest == (world.published / AUTHORITY / "checkpoint").read_bytes()


def test_after_a_lost_answer_another_process_is_still_found(tmp_path: Path) -> None:
    """What this process never gave to the second place is of somebody else; an emptied place is named as such."""
    for found, reason in ((b"of another process", SigningRefusal.SWAPPED), (None, SigningRefusal.NO_NEWEST)):
        (tmp_path / reason).mkdir()
        place = NewestFile(tmp_path / reason)

        class Lost(NewestFile):
            def swap(self, origin: str, expected: bytes | None, new: bytes) -> bool:
                raise Unavailable("no answer")

        assert place.swap("o", None, b"1")
        lost = SecondPlace(Lost(tmp_path / reason), "o", tmp_path / "in-use", RealDisk())
        lost.opened(b"1")
        with pytest.raises(Unavailable):
            lost.store(b"2")
        if found is None:
            next((tmp_path / reason).glob("*.checkpoint")).unlink()
        else:
            assert place.swap("o", b"1", found)
        with pytest.raises(SigningRefused) as refused:
            lost.store(b"3")
        assert refused.value.reason is reason


def test_a_round_that_lacks_its_quorum_is_not_done_again_from_the_last_visible_one(tmp_path: Path) -> None:
    """Tiles are durable before anybody is asked: a retry writes none of them again, whichever log lacks the quorum,
    and a round with new entries writes what is new. What was partial in between is removed in the end."""
    written: list[Path] = []

    class Counting(DurableBatch):
        def write(self, path: Path, data: bytes) -> None:
            written.append(path)
            super().write(path, data)

    class Lacking(Recording):
        lacks: str | None = KEY.authority

        def cosign(self, origin: str, checkpoint: bytes, consistency: Consistency) -> Sequence[bytes]:
            if origin == self.lacks:
                raise Refused("no quorum")
            return super().cosign(origin, checkpoint, consistency)

    cosigner = Lacking()
    world = World(tmp_path, cosigner=cosigner)
    world.open_publisher(Counting(world.published))
    world.enter(1, 2_000)
    for lacks, refused in ((KEY.authority, True), (KEY.origin_of(P1), False)):
        cosigner.lacks = lacks
        for attempt in range(3):
            written.clear()
            with pytest.raises(Refused) if refused else nullcontext():
                world.round()
            of_pilot = [path for path in written if path.is_relative_to(world.published / P1 / "tile")]
            assert bool(of_pilot) is (refused and attempt == 0), of_pilot
    world.enter(2_001, 2_100)
    written.clear()
    world.round()
    of_pilot = [path for path in written if path.is_relative_to(world.published / P1 / "tile")]
    assert 0 < len(of_pilot) <= 6, "the last bundle and tile of before, and what is new"
    cosigner.lacks = None
    world.round()
    assert checked(world.published, ["p-1"])["p-1"] == 2_100
    partial = [path.name for path in (world.published / P1 / "tile/0").glob("*.p")]
    assert partial == ["008.p"], "those of complete tiles are gone"


def test_cosignatures_are_added_and_a_line_that_is_none_is_left_out(tmp_path: Path) -> None:
    witness = Signer("witness.example/w", KeyType.COSIGNATURE_ED25519, bytes(32))

    class Witness(Recording):
        def cosign(self, origin, checkpoint, consistency):  # type: ignore[no-untyped-def]
            super().cosign(origin, checkpoint, consistency)
            note = parse_note(checkpoint)
            return [sign(note.text, witness, 1_700_000_000).line.encode(), b"no line\n"]

    cosigner = Witness()
    world = World(tmp_path, cosigner=cosigner)
    roots: dict[int, Checkpoint] = {}
    for size in range(1, 6):
        world.enter(size, size)
        world.round()
        names = [one.name for one in parse_note((world.published / AUTHORITY / "checkpoint").read_bytes()).signatures]
        assert names == [KEY.authority, "witness.example/w"]
        origin, note, consistency = cosigner.asked[-2]
        assert (origin, cosigner.asked[-1][0]) == (KEY.authority, KEY.origin_of(P1))
        now = parse(parse_note(note).text)
        for old, was in roots.items():
            verify_consistency(old, was.root, now.size, now.root, consistency(old))
        roots[now.size] = now
        assert consistency(0) == []
        with pytest.raises(ValueError, match="not"):
            consistency(now.size + 1)
