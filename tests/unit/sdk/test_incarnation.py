"""One incarnation per start; what earlier ones left is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.sdk.incarnation import begin


def test_a_start_that_failed_takes_nothing_from_the_next_one(tmp_path: Path) -> None:
    """What a dead process left cannot be read for a while: every try says so, and the first that can read it delivers it."""
    dead, _ = begin(tmp_path, "p-1", 1 << 20)
    dead.spool.sync(dead.spool.append(b"kept"))
    dead.close()
    (mark := dead.spool.directory / "sent").mkdir()
    for _ in range(2):
        with pytest.raises(IsADirectoryError):
            begin(tmp_path, "p-1", 1 << 20)
    mark.rmdir()
    own, (left,) = begin(tmp_path, "p-1", 1 << 20)
    assert [payload for _, payload in left.spool.read(10, 1 << 20)] == [b"kept"]
    own.close()
    left.close()
