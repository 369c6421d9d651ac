"""What several files of this folder need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.errors import Unavailable
from monitor.testing.disk import Disk, small


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    """A small disk, of as many MB as the file says (`MEGABYTES`); skipped where nobody may mount one."""
    try:
        with small(tmp_path / "disk", request.module.MEGABYTES) as disk:
            yield disk
    except Unavailable as error:
        pytest.skip(str(error))
