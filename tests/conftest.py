"""Nothing that a test file starts lives on after it: a thread left at work would spoil the files that come after.

Nor does its garbage: what aiokafka leaves behind prints tracebacks when it is collected, and CPython 3.11 fails with "AST
constructor recursion depth mismatch" where that falls into the parsing of a source, as Hypothesis does.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator

import pytest

GRACE = 20.0  # seconds to end in, on a busy machine


@pytest.fixture(scope="module", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail the file whose threads do not end with it."""
    before = set(threading.enumerate())
    yield
    until = time.monotonic() + GRACE
    for thread in set(threading.enumerate()) - before:
        thread.join(max(until - time.monotonic(), 0.0))
    gc.collect()
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not left, f"still running after the last test of this file: {left}"
