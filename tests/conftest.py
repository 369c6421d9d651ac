"""What holds for every test file: the order in which files run, and that no file leaves a thread running.

A thread that survives its file would disturb the files after it. So does its garbage: objects that aiokafka leaves
behind print tracebacks when they are collected, and CPython 3.11 fails with "AST constructor recursion depth mismatch"
where that happens while a source is parsed, as Hypothesis does.
"""

from __future__ import annotations

import gc
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.processes import end_piped
from tests.strength import FAST, FAST_SHARE

TESTS = Path(__file__).parent
GRACE_S = 20.0  # for threads to end, on a busy machine

# Where two processes share the files, a long one that comes last keeps one of them waiting for the other. So the files
# that take longest come first, then folders by what their tests cost on average.
LONGEST = (
    "halt/test_faults.py",
    "failure/test_history.py",
    "failure/test_kafka_kills.py",
)
FOLDERS = (
    "halt",
    "country",
    "consistency",
    "failure",
    "security",
    "integration",
    "ledger",
    "acts",
    "property",
    "replay",
    "contract",
    "unit",
)
if FAST:
    settings.register_profile("fast", max_examples=settings.default.max_examples // FAST_SHARE)
    settings.load_profile("fast")

# A kafka-python client that is closed while it connects leaves that socket to the garbage collector.
LEFT_BY_KAFKA_PYTHON = "ignore:unclosed <socket.socket:ResourceWarning"


def cost_rank(file: Path) -> tuple[int, int]:
    """Sort key of a test file: files that take long have a lower one."""
    try:
        inside = file.relative_to(TESTS)
    except ValueError:  # a doctest of a package
        return len(LONGEST), len(FOLDERS)
    folder = inside.parts[0]
    return (
        LONGEST.index(inside.as_posix()) if inside.as_posix() in LONGEST else len(LONGEST),
        FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS),
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; within a file the order stays."""
    items.sort(key=lambda item: cost_rank(item.path))
    for item in items:
        if item.get_closest_marker("kafka"):
            item.add_marker(pytest.mark.filterwarnings(LEFT_BY_KAFKA_PYTHON))


def pytest_collection_finish() -> None:
    """Take what all imports have made out of the collector's sight, so that the collection after each file is quick."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def nothing_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the file whose threads do not end with it."""
    before = set(threading.enumerate())
    yield
    end_piped()
    kafka = any(item.path == request.path and item.get_closest_marker("kafka") for item in request.session.items)
    until = time.monotonic() + GRACE_S
    for thread in set(threading.enumerate()) - before:
        thread.join(max(until - time.monotonic(), 0.0))
    with warnings.catch_warnings():
        if kafka:
            warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not left, f"still running after the last test of this file: {left}"
