"""A service whose disk is full: reports raise `SpoolFull`, acknowledged events arrive, and it works again with room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.sdk import Pilot, SpoolFull
from monitor.sdk.spool import Spool
from monitor.testing.disk import SmallDisk, small
from monitor.testing.memory_link import MemoryLink

MEGABYTES = 1
SERVICE = """
import os, signal, sys
from monitor.sdk import Pilot, SpoolFull
pilot = Pilot("p-1", participant="firm", to="kafka://127.0.0.1:1", spool_dir=sys.argv[1], heartbeat_s=0, follow=False)
try:
    for number in range(100_000):
        pilot.complaint(f"c-{number}")
        os.write(1, b"%d\\n" % number)
except SpoolFull:
    os.write(1, b"full\\n")
os.kill(os.getpid(), signal.SIGKILL)
"""


def make(link: MemoryLink, home: Path, **more: Any) -> Pilot:
    return Pilot("p-1", participant="firm", to=link, **{"spool_dir": home, "heartbeat_s": 0, "follow": False} | more)


def until_full(pilot: Pilot) -> tuple[int, SpoolFull]:
    """Report until a call raises; return the number of accepted reports and the message."""
    for count in range(100_000):
        try:
            pilot.complaint("c" * 100)
        except SpoolFull as full:
            return count, full
    raise AssertionError("a full disk took everything")


def test_a_report_without_disk_space_is_refused_and_a_later_one_is_accepted(disk: SmallDisk) -> None:
    """The error names the directory and the fix, the reports are counted, numbers have no gap, no restart is needed."""
    link = MemoryLink()
    link.away = True
    home = disk.path / "spool"
    with make(link, home) as pilot:
        for _ in range(20):
            pilot.complaint("c-1")
        disk.fill()
        more, full = until_full(pilot)
        for words in (str(home), "No space left", "free space there", "spool_dir"):
            assert words in str(full)
        assert pilot.status().not_recorded == 1
        disk.free()
        pilot.complaint("after")
        link.away = False
        pilot.flush(10)
    assert [int(e.sequence) for e in link.events] == list(range(1, 20 + more + 2))


def test_delivery_goes_on_while_the_disk_is_full(disk: SmallDisk) -> None:
    """The spool is delivered although no byte can be written, and the delivery makes room for reports."""
    link = MemoryLink()
    link.away = True
    with make(link, disk.path / "spool", spool_bytes=1 << 18) as pilot:
        for _ in range(500):
            pilot.complaint("c" * 100)
        disk.fill()
        until_full(pilot)
        taken = pilot._reporter.number
        link.away = False
        pilot.flush(10)
        pilot.complaint("after")
        pilot.flush(10)
        assert [int(e.sequence) for e in link.events] == list(range(1, taken + 2))


def test_a_service_killed_on_a_full_disk_loses_no_acknowledged_event(disk: SmallDisk) -> None:
    """A process fills the disk and is killed. A new one raises `SpoolFull` while there is no room; with room it
    delivers every acknowledged event."""
    home = disk.path / "spool"
    ballast = disk.path / "ballast"
    ballast.write_bytes(b"x" * (1 << 19))
    ran = subprocess.run([sys.executable, "-c", SERVICE, str(home)], capture_output=True, timeout=60, check=False)
    *acknowledged, last = ran.stdout.decode().split()
    assert last == "full", ran.stderr.decode()
    link = MemoryLink()
    with pytest.raises(SpoolFull, match=f"no room on the disk of the spool {home}/p-1"):
        make(link, home, follow=True)
    disk.free()
    with make(link, home) as pilot:
        pilot.flush(20)
    told = [e.data.complaint for e in link.events]
    assert told[: len(acknowledged)] == [f"c-{number}" for number in acknowledged]


@pytest.mark.usefixtures("disk")  # skipped under the same condition
def test_a_segment_that_cannot_be_begun_leaves_the_last_one_whole(tmp_path: Path) -> None:
    """When no file can be created the spool raises and keeps its records; it works again when files can be created."""
    with small(tmp_path / "few", 4, files=6) as few:
        spool = Spool(few.path / "s", limit=1 << 16, segment_bytes=1024)
        taken, full = append_until_full(spool)
        assert 1024 <= spool.written < 1 << 15
        assert "no room on the disk" in str(full)
        assert append_until_full(spool)[0] == 0
        found = [payload for _, payload in spool.read(100, 1 << 20)]
        spool.release(spool.read(100, 1 << 20)[-1][0])  # removes the first segment, so that a file can be created
        spool.sync(spool.append(b"%0100d" % taken))
        while batch := spool.read(100, 1 << 20):
            found += [payload for _, payload in batch]
            spool.release(batch[-1][0])
        spool.close()
    assert found == [b"%0100d" % number for number in range(taken + 1)]


def append_until_full(spool: Spool) -> tuple[int, SpoolFull]:
    """Append numbered records until one raises; return the number of accepted records and the message."""
    for number in range(1_000):
        try:
            spool.sync(spool.append(b"%0100d" % number))
        except SpoolFull as full:
            return number, full
    raise AssertionError("a full disk took everything")
