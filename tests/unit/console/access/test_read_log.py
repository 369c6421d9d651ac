"""The read log: complete lines, bounded files, and a deletion that is said."""

from __future__ import annotations

import logging
import os
import resource
import signal
from pathlib import Path

import pytest

from monitor.console.access.read_log import LONGEST_PATH, Read, ReadLog, read_lines
from monitor.console.access.roles import Role

ONE = Read(1, "/pilot/p", 200, "ann", Role.FIRM)


def test_reads_are_appended_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "reads.jsonl"
    for read in (ONE, Read(2, "/halts", 401, refusal="no_user")):
        log = ReadLog(path)
        log.add(read)
        log.close()
    assert read_lines(path) == [ONE, Read(2, "/halts", 401, refusal="no_user")]
    assert path.stat().st_mode & 0o077 == 0


def test_the_files_are_bounded_and_the_newest_reads_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "reads.jsonl"
    log = ReadLog(path, largest=400, files=3)
    with caplog.at_level(logging.WARNING):
        for at in range(100):
            log.add(Read(at, "/pilot/p", 200, "ann", Role.FIRM))
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["reads.jsonl", "reads.jsonl.1", "reads.jsonl.2"]
    assert all(file.stat().st_size <= 400 for file in files)
    kept = [read.at for file in (files[2], files[1], files[0]) for read in read_lines(file)]
    assert kept == list(range(kept[0], 100))
    assert "read_log.deleted" in caplog.text


def test_a_long_address_is_cut(tmp_path: Path) -> None:
    log = ReadLog(tmp_path / "r")
    log.add(Read(1, "/" + "x" * 1_000_000, 404))
    log.close()
    assert len(read_lines(tmp_path / "r")[0].path) == LONGEST_PATH


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "r"
    log = ReadLog(path)
    log.add(ONE)
    log.close()
    with path.open("ab") as file:
        file.write(b'{"at":2,"pa')
    assert read_lines(path) == [ONE]
    log = ReadLog(path)
    log.add(ONE)
    log.close()
    assert read_lines(path) == [ONE, ONE]


def test_a_line_that_the_disk_did_not_take_whole_is_removed_and_said(tmp_path: Path) -> None:
    """Half a line would make the next one unreadable."""
    path = tmp_path / "r"
    log = ReadLog(path)
    log.add(ONE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
        with pytest.raises(OSError, match="space"):
            log.add(ONE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    log.add(ONE)
    log.close()
    assert read_lines(path) == [ONE, ONE]


def test_reads_go_to_the_log_only_when_it_cannot_be_rotated(tmp_path: Path) -> None:
    """The number of a closed file is given to the next one that the process opens, such as a database."""
    path = tmp_path / "r"
    log = ReadLog(path, largest=1, files=2)
    log.add(ONE)
    (tmp_path / "r.1").mkdir()
    (tmp_path / "r.1" / "full").touch()
    with pytest.raises(OSError, match=r"r\.1"):
        log.add(ONE)
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    with pytest.raises(OSError, match=r"r\.1"):
        log.add(ONE)
    assert os.fstat(other).st_size == 0
    os.close(other)
    (tmp_path / "r.1" / "full").unlink()
    (tmp_path / "r.1").rmdir()
    log.add(ONE)
    log.close()
    assert read_lines(path) == [ONE]
