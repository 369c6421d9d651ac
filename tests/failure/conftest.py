"""Fixtures that several files of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.errors import Unavailable
from monitor.testing.disk import SmallDisk, small


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    """A disk of `MEGABYTES` MB, a constant of the test file; skips the test where mounting is not permitted."""
    try:
        with small(tmp_path / "disk", request.module.MEGABYTES) as disk:
            yield disk
    except Unavailable as error:
        pytest.skip(str(error))
