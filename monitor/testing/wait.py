"""Waiting for something to become true, within a time that the test states."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class Until:
    """Asks every `every` (s) until the answer is true, and returns it. Raises `AssertionError` after `seconds`, which a
    single call may set for itself.

    >>> Until(1.0)([3].pop)
    3
    """

    def __init__(self, seconds: float, every: float = 0.01) -> None:
        self.seconds, self.every = seconds, every

    def __call__(self, true: Callable[[], Found], seconds: float | None = None) -> Found:
        given = self.seconds if seconds is None else seconds
        end = time.monotonic() + given
        while not (found := true()):
            assert time.monotonic() < end, f"it did not come true within {given:g} s"
            time.sleep(self.every)
        return found
