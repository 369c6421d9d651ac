"""The second place of checkpoints: compare-and-swap of bytes, and a missing disk is not an empty one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from monitor.errors import Unavailable
from monitor.publication.newest_file import NewestFile


def test_a_checkpoint_is_stored_only_over_the_one_that_was_expected(tmp_path: Path) -> None:
    place = NewestFile(tmp_path)
    assert place.newest("log") is None
    assert not place.swap("log", b"other", b"one")
    assert place.swap("log", None, b"one")
    assert not place.swap("log", None, b"two")
    assert place.swap("log", b"one", b"two")
    assert NewestFile(tmp_path).newest("log") == b"two"


def test_logs_do_not_share_a_checkpoint(tmp_path: Path) -> None:
    place = NewestFile(tmp_path)
    assert place.swap("log", None, b"one")
    assert place.newest("log/pilot") is None


def test_a_directory_that_is_not_mounted_is_unavailable_not_empty(tmp_path: Path) -> None:
    place = NewestFile(tmp_path / "unmounted")
    with pytest.raises(Unavailable, match="mount or create it"):
        place.newest("log")
    with pytest.raises(Unavailable, match="mount or create it"):
        place.swap("log", None, b"one")


def test_of_many_that_swap_at_once_one_succeeds(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: NewestFile(tmp_path).swap("log", None, b"%d" % n), range(32)))
    assert won.count(True) == 1
    assert NewestFile(tmp_path).newest("log") == b"%d" % won.index(True)
