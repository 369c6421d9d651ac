"""How many examples a randomized test draws: `make test-fast` few, `make test` a share, `make test-long` all."""

from __future__ import annotations

import os

FULL = os.environ.get("FULL", "") not in ("", "0")
FAST = os.environ.get("FAST", "") not in ("", "0") and not FULL
FAST_SHARE = 4  # `make test-fast` draws the fourth part


def examples(usual: int, full: int, fast: int | None = None) -> int:
    """`full` where the environment variable FULL is set, as `make test-long` does; `fast`, or the fourth part of
    `usual`, where FAST is set, as `make test-fast` does; `usual` without both. A test whose rule is about a number of
    runs, such as a rate of false alarms, gives `fast` itself."""
    if FULL:
        return full
    if FAST:
        return max(1, usual // FAST_SHARE) if fast is None else fast
    return usual
