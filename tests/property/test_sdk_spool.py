"""The spool after crashes: acknowledged records are there, in order, whatever the last bytes on the disk are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.sdk.spool import Spool, SpoolFull

PAYLOADS = st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=25)


def drain(spool: Spool, pack: int = 7) -> list[bytes]:
    """Read and release all remaining records, like the sender."""
    taken: list[bytes] = []
    while batch := spool.read(pack, 200):
        taken += [payload for _, payload in batch]
        spool.release(batch[-1][0])
    return taken


@settings(max_examples=60, deadline=None)
@given(payloads=PAYLOADS, data=st.data())
def test_a_crash_at_any_byte_keeps_every_acknowledged_record(payloads: list[bytes], data: st.DataObject) -> None:
    """From a file cut at any byte after the last sync, with any bytes appended, all synced records are read, and a
    prefix of the others."""
    with tempfile.TemporaryDirectory() as home:
        directory = Path(home) / "spool"
        spool = Spool(directory, limit=1 << 20, segment_bytes=100)
        ends = [spool.append(payload) for payload in payloads]
        acknowledged = data.draw(st.integers(0, len(payloads)), label="acknowledged")
        if acknowledged:
            spool.sync(ends[acknowledged - 1])
        floor = spool.durable
        cut = data.draw(st.integers(floor, spool.written), label="cut")
        rubbish = data.draw(st.sampled_from([b"", b"\0" * 40, b"\xff" * 9, b"\0\0\0\5\1\2\3\4abcde"]), label="rubbish")
        last = max(directory.glob("*.segment"))
        spool.close()
        start = int(last.stem)
        if cut >= start:
            kept = last.read_bytes()[: cut - start]
            last.write_bytes(kept + rubbish)

        after = Spool(directory, limit=1 << 20, segment_bytes=100)
        found = drain(after)
        after.close()
        assert found == payloads[: len(found)]
        assert len(found) >= acknowledged


def test_every_single_cut_of_one_spool(tmp_path: Path) -> None:
    """A segment cut at any of its bytes holds exactly the records that end before the cut."""
    directory = tmp_path / "spool"
    spool = Spool(directory, limit=1 << 20)
    payloads = [b"one", b"two-two", b"x", b"four" * 5]
    ends = [spool.append(payload) for payload in payloads]
    spool.close()
    (segment,) = directory.glob("*.segment")
    whole = segment.read_bytes()
    for cut in range(len(whole) + 1):
        segment.write_bytes(whole[:cut])
        after = Spool(directory, limit=1 << 20)
        assert [payload for _, payload in after.read(100, 1 << 20)] == [
            payload for payload, end in zip(payloads, ends, strict=True) if end <= cut
        ]
        after.close()


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.one_of(st.binary(min_size=1, max_size=80), st.sampled_from([1, 3]), st.none()), max_size=60))
def test_order_holds_over_any_mix_of_appending_sending_and_restarting(steps: list[bytes | int | None]) -> None:
    """Steps: bytes append, a number delivers so many, None restarts. All records arrive once and in order."""
    with tempfile.TemporaryDirectory() as home:
        spool = Spool(Path(home) / "s", limit=1 << 20, segment_bytes=120)
        put, got = [], []
        for step in steps:
            if isinstance(step, bytes):
                spool.sync(spool.append(step))
                put.append(step)
            elif step is None:
                spool.close()
                spool = Spool(Path(home) / "s", limit=1 << 20, segment_bytes=120)
            elif batch := spool.read(step, 1 << 16):
                got += [payload for _, payload in batch]
                spool.release(batch[-1][0])
        got += drain(spool)
        assert got == put
        assert spool.unsent == 0
        spool.delete()


def test_a_restart_without_the_sent_mark_repeats_deliveries_and_loses_nothing(tmp_path: Path) -> None:
    """A missing or damaged `sent` file causes repeated deliveries, never lost events."""
    for damage in (b"", b"\0" * 12, b"\xff" * 12, None):
        directory = tmp_path / f"s{damage!r:.9}".replace("/", "").replace("\\", "")
        spool = Spool(directory, limit=1 << 20)
        for n in range(5):
            spool.sync(spool.append(b"%d" % n))
        spool.release(spool.read(3, 1000)[-1][0])
        spool.close()
        if damage is None:
            (directory / "sent").unlink()
        else:
            (directory / "sent").write_bytes(damage)
        after = Spool(directory, limit=1 << 20)
        assert drain(after) == [b"0", b"1", b"2", b"3", b"4"]
        after.close()


def test_a_full_spool_raises_and_accepts_again_after_a_delivery(tmp_path: Path) -> None:
    """The size limit holds, the error names it, and a delivery makes room; no record is dropped to make room."""
    spool = Spool(tmp_path / "s", limit=4096, segment_bytes=1 << 20)
    put = [b"%060d" % n for n in range(4096 // 68)]
    for payload in put:
        spool.sync(spool.append(payload))
    with pytest.raises(SpoolFull, match="4096"):
        spool.append(b"%060d" % 0)
    assert spool.used <= 4096
    assert drain(spool) == put
    for n in range(20):
        spool.sync(spool.append(b"%060d" % n))
    assert len(drain(spool)) == 20
    spool.delete()
    assert not (tmp_path / "s").exists()
