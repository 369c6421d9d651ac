"""One incarnation per start; spools of earlier ones are adopted."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.sdk.incarnation import begin


def test_a_failed_start_does_not_block_the_next_one(tmp_path: Path) -> None:
    """While the spool of an ended process cannot be read each start raises; the first one that can read it delivers
    it."""
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
