"""Order: tests that keep Kafka clients at work inside this process come last.

Their clients look for a broker that is gone for as long as the process lives, and draw random numbers for it; property tests
in the same process take that for their own and fail.
"""

from __future__ import annotations

import pytest

LAST = ("tests/halt/", "tests/integration/test_acts_answered.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything else first, each group in the order it was found."""
    items.sort(key=lambda item: item.nodeid.startswith(LAST))
