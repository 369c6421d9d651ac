"""A durable write is all or nothing, and its name is synced too."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.files.durable import DurableBatch, append_synced, create_file, replace_file
from monitor.files.key_file import new_key
from monitor.files.lock import try_lock, wait_lock


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that make something durable or visible, in order, by what they were made on."""
    made: list[str] = []

    def spy(name: str, what: Callable[..., str]) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            made.append(f"{name} {what(*args)}")
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    def kind(handle: int) -> str:
        return "directory" if os.path.isdir(f"/proc/self/fd/{handle}") else "file"

    spy("fsync", kind)
    spy("replace", lambda a, b: Path(b).name)
    spy("link", lambda a, b: Path(b).name)
    return made


def test_a_replaced_file_is_synced_before_and_after_its_name(tmp_path: Path, calls: list[str]) -> None:
    """Content first, then the name, then the directory that holds the name."""
    replace_file(tmp_path / "cursor", b"1")
    assert calls == ["fsync file", "replace cursor", "fsync directory"]


def test_a_new_key_syncs_its_directory(tmp_path: Path, calls: list[str]) -> None:
    """A key whose name were lost in a power failure would be made again, with another public key."""
    new_key(tmp_path / "signing.key")
    assert calls == ["fsync file", "link signing.key", "fsync directory"]


@pytest.mark.parametrize("fails", ["fsync", "replace", "write"])
def test_a_failed_replacement_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Whatever fails before the rename, readers see the old content and no temporary file stays."""
    path = tmp_path / "cursor"
    path.write_bytes(b"old")

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="no space"):
        replace_file(path, b"new")
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["cursor"]
    assert path.read_bytes() == b"old"


def test_create_never_replaces(tmp_path: Path) -> None:
    """A name that exists keeps its content."""
    path = tmp_path / "key"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        create_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


def test_a_failed_append_leaves_no_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed sync the file has its earlier length."""
    path = tmp_path / "lines"
    append_synced(path, b"one\n")

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="input/output"):
        append_synced(path, b"two\n")
    assert path.read_bytes() == b"one\n"


def test_a_lock_has_one_holder_until_it_is_closed(tmp_path: Path) -> None:
    """A second try gets nothing while the lock is held, and the lock afterwards."""
    held = wait_lock(tmp_path / "lock")
    assert try_lock(tmp_path / "lock") is None
    os.close(held)
    again = try_lock(tmp_path / "lock")
    assert again is not None
    os.close(again)


@pytest.mark.parametrize("number", [2, 40])
def test_a_batch_syncs_all_bytes_before_any_name_and_all_names_before_it_returns(
    tmp_path: Path, calls: list[str], number: int
) -> None:
    """Few files are synced one by one, many from several threads: the order of the three steps is the same."""
    batch = DurableBatch(tmp_path)
    for each in range(number):
        batch.write(tmp_path / "a" / f"{each % 2}" / f"{each}", b"%d" % each)
    assert calls == []
    assert not list(tmp_path.glob("a/*/[0-9]"))
    batch.commit()
    assert calls[:number] == ["fsync file"] * number
    assert sorted(calls[number : 2 * number]) == sorted(f"replace {each}" for each in range(number))
    # a/0, a/1, a, and the directory in which a was made
    assert calls[2 * number :] == ["fsync directory"] * 4
    assert (tmp_path / "a/1/1").read_bytes() == b"1"
    calls.clear()
    batch.commit()
    assert calls == []


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_batch_can_be_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """The old content stays where the new one has no name yet, and no temporary file is left."""
    (tmp_path / "x").write_bytes(b"old")
    batch = DurableBatch(tmp_path)
    batch.write(tmp_path / "x", b"new")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as broken:
        broken.setattr(os, failing, full)
        with pytest.raises(OSError, match="no space"):
            batch.commit()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
    batch.commit()  # nothing is left of the failed one
    assert (tmp_path / "x").read_bytes() == b"old"
    batch.write(tmp_path / "x", b"new")
    batch.commit()
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_directory_that_was_removed_meanwhile_is_made_again_after_the_failure(tmp_path: Path) -> None:
    batch = DurableBatch(tmp_path)
    batch.write(tmp_path / "a" / "x", b"1")
    batch.commit()
    (tmp_path / "a" / "x").unlink()
    (tmp_path / "a").rmdir()
    with pytest.raises(FileNotFoundError):
        batch.write(tmp_path / "a" / "x", b"2")
    batch.write(tmp_path / "a" / "x", b"2")
    batch.commit()
    assert (tmp_path / "a" / "x").read_bytes() == b"2"
