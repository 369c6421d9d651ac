"""Published vectors of other implementations and of public logs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ledger.published import vectors

VECTORS = dict(vectors())


@pytest.mark.parametrize("vector", VECTORS.values(), ids=list(VECTORS))
def test_published_vectors_hold(vector: Callable[[], bool]) -> None:
    """What other implementations and public logs published, this one reproduces or verifies."""
    assert vector()
