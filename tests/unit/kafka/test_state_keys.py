"""Which snapshots of the state topic are used, are damaged, or were written by no owner."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from monitor.kafka.state_keys import LiveKeys, Snapshot, Watermark, encode, key
from monitor.model.output_records import HIGHEST_EPOCH
from monitor.model.records import Position
from tests.strength import examples

Row = tuple[bytes, bytes | None]
BAD = b"\x91\x01"


def snapshot(epoch: int, state: bytes, pilot: str = "p") -> Row:
    return key("snapshot", epoch, pilot), encode(Snapshot(Position(), state))


def watermark(epoch: int) -> Row:
    return key("!watermark", epoch), encode(Watermark(Position(), epoch))


def bad(epoch: int, pilot: str = "p") -> Row:
    return key("snapshot", epoch, pilot), BAD


def gone(row: Row) -> Row:
    return row[0], None


def compacted(rows: list[Row], *, tombstones: bool = True) -> list[Row]:
    """The last record of each key; with or without those that are tombstones."""
    last = {raw: number for number, (raw, _) in enumerate(rows)}
    return [row for number, row in enumerate(rows) if last[row[0]] == number and (tombstones or row[1] is not None)]


def read(rows: list[Row]) -> LiveKeys:
    live = LiveKeys()
    for raw, value in rows:
        assert live.feed(raw, value) is (value != BAD)
    return live


OLDER, NEWER = snapshot(5, b"normal"), snapshot(7, b"halted")
WRITTEN = [OLDER, watermark(5), NEWER, gone(OLDER), watermark(7), gone(watermark(5))]


@pytest.mark.parametrize(
    ("rows", "damaged"),
    [
        pytest.param([*WRITTEN, bad(7)], ["p"], id="the newest snapshot is damaged"),
        pytest.param([OLDER, watermark(5), bad(7), watermark(7)], ["p"], id="an older one is readable"),
        pytest.param([bad(5), watermark(7)], ["p"], id="a pilot that has not changed for long"),
        pytest.param([*WRITTEN, bad(7, "q")], ["q"], id="another pilot is not concerned"),
        pytest.param([*WRITTEN, bad(5)], [], id="a newer one is readable"),
        pytest.param([*WRITTEN, bad(8)], [], id="the epoch of no checkpoint"),
        pytest.param([*WRITTEN, bad(8), watermark(9)], ["p"], id="the epoch of an older owner"),
        pytest.param([*WRITTEN, bad(7), snapshot(7, b"again")], [], id="the same owner writes it again"),
        pytest.param([*WRITTEN, bad(7), snapshot(8, b"x"), gone(NEWER), watermark(8)], [], id="a later owner"),
        pytest.param([*WRITTEN, bad(7), gone(NEWER)], [], id="the pilot is removed"),
        pytest.param([*WRITTEN, bad(7, "")], [""], id="the state of the partition"),
        pytest.param([bad(1)], [], id="no checkpoint"),
    ],
)
def test_a_damaged_snapshot_is_of_the_newest_owner_that_wrote_the_pilot(rows: list[Row], damaged: list[str]) -> None:
    """Before and after compaction has removed what was readable under its key."""
    for each in (rows, compacted(rows), compacted(rows, tombstones=False)):
        assert read(each).damaged() == damaged


def test_no_damage_makes_an_older_snapshot_count() -> None:
    """Any owners in turn, with damage to the newest snapshot or foreign records of higher epochs in between, compacted
    or not: the newest state is used, or the pilot is set aside."""
    for seed in range(examples(300, 5_000)):
        rng, rows, newest, hurt = Random(seed), list[Row](), b"", False
        owners = sorted(rng.sample(range(1, 40), 5))
        for epoch, following in pairwise([*owners, 50]):
            live = read(rows)
            rows += [(raw, None) for _, raw in live.foreign()]
            if not rows or rng.random() < 0.6:
                newest, hurt = b"%d" % epoch, False
                others = live.others("snapshot", epoch, "p")
                rows += [snapshot(epoch, newest), *((raw, None) for raw in others)]
                written = epoch
            rows += [watermark(epoch), *((raw, None) for raw in live.others("!watermark", epoch))]
            if rng.random() < 0.4:
                rows.append(bad(written))
                hurt = True
            if rng.random() < 0.4:
                rows.append(bad(rng.randrange(epoch + 1, 60)))
            rows = compacted(rows) if rng.random() < 0.3 else rows
            rows = compacted(rows, tombstones=False) if rng.random() < 0.3 else rows
            assert following > epoch
            live = read(rows)
            assert live.damaged() == (["p"] if hurt else [])
            if not hurt:
                assert live.values["snapshot", "p"] == snapshot(epoch, newest)[1]


def test_a_foreign_snapshot_is_removed_by_the_next_writer_of_its_pilot() -> None:
    """As are damaged ones: none is left under a key that a later epoch reaches."""
    live = read([*WRITTEN, bad(7), bad(3), bad(9)])
    assert live.foreign() == [("p", key("snapshot", 9, "p"))]
    assert sorted(live.others("snapshot", 8, "p")) == [key("snapshot", e, "p") for e in (3, 7, 9)]
    assert sorted(live.alive("snapshot", "p")) == [key("snapshot", e, "p") for e in (3, 7, 9)]
    assert live.highest == 7


def test_a_tombstone_raises_no_epoch() -> None:
    """The one that removes a foreign snapshot of the highest epoch would leave none to the next owner."""
    live = read([*WRITTEN, bad(HIGHEST_EPOCH)])
    [(_, raw)] = live.foreign()
    assert live.feed(raw, None)
    assert (live.highest, live.foreign(), live.damaged()) == (7, [], [])
