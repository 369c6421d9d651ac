"""The goals of the security suite: collected from all tests, printed at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monitor.testing.secure_broker import SecureBroker
from tests.security.goals import Goal, goal_line

PROPERTY = "goal"


@pytest.fixture(scope="session")
def secure_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """One broker with logins and an authorizer for all files of this process; its firms are firm-1 and firm-2.

    Call `deploy` with a prefix of your own for topics and grants. A test that stops or reconfigures a broker starts
    another one.
    """
    with SecureBroker(tmp_path_factory.mktemp("secure") / "broker") as broker:
        yield broker


@pytest.fixture
def goal(record_property: Callable[[str, object], None]) -> Goal:
    """States a goal. Its line reaches the end of the run also where tests run in several processes."""

    def state(name: str, figure: float, bound: float, *, least: bool = False, note: str = "") -> None:
        line = goal_line(name, figure, bound, least=least, note=note)
        record_property(PROPERTY, line)
        assert line.split()[4] == "ok", line

    return state


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the goals of all tests, sorted by name."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    lines = {
        value
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    }
    for line in sorted(lines):
        terminalreporter.write_line(line)
