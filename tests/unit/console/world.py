"""The world of `tests/board_world.py` without a ledger, made once: pages and views only read it."""

from __future__ import annotations

import functools
from pathlib import Path

from tests.board_world import World, world


@functools.cache
def seen() -> World:
    """The world; do not change it."""
    return world(Path("/nonexistent"), ledger=False)
