"""How many examples a randomized test draws: a share of them in `make test`, all of them in `make test-long`."""

from __future__ import annotations

import os

FULL = os.environ.get("FULL", "") not in ("", "0")


def examples(usual: int, full: int) -> int:
    """`full` where the environment variable FULL is set, as `make test-long` does; `usual` without it."""
    return full if FULL else usual
