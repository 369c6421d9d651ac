"""The test suite itself: which file runs when, and what `make test-fast` leaves out."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import FOLDERS, LONGEST, cost_rank

TESTS = Path(__file__).parents[2]
WITH_PROCESSES = {"halt", "consistency", "failure", "security", "integration"}
NO_TESTS = {"bench", "browser", "data"}


def folders() -> set[str]:
    """Folders of tests/ that hold test files."""
    return {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"} - NO_TESTS


def test_the_files_that_take_longest_exist() -> None:
    """A renamed file would lose its early start without a word."""
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []
    assert set(FOLDERS) == folders()


def test_long_files_come_before_short_ones() -> None:
    """The listed files first, in their order; then folders with processes; unit tests and doctests last."""
    package = TESTS.parent / "monitor" / "decide" / "ladder.py"
    order = [
        TESTS / LONGEST[0],
        TESTS / LONGEST[1],
        TESTS / "halt/x.py",
        TESTS / "integration/x.py",
        TESTS / "unit/x.py",
        package,
    ]
    ranks = [cost_rank(path) for path in order]
    assert ranks == sorted(set(ranks))


def test_every_folder_is_in_the_fast_suite_or_starts_processes() -> None:
    """`make test-fast` names its folders; a new folder must be put on one side or the other."""
    (line,) = re.findall(r"^IN_PROCESS = (.*)$", (TESTS.parent / "Makefile").read_text(), re.MULTILINE)
    fast = {path.removeprefix("tests/") for path in line.split() if path.startswith("tests/")}
    assert fast | WITH_PROCESSES == folders()
    assert not fast & WITH_PROCESSES


def test_what_draws_fewer_examples_runs_in_full_elsewhere() -> None:
    """Every test file that asks for its strength, and every `long` one, lies in a folder that `make test-long` runs
    with FULL=1, or in that of `make test-security`."""
    (line,) = re.findall(r"^FULL_STRENGTH = (.*)$", (TESTS.parent / "Makefile").read_text(), re.MULTILINE)
    full = [*(TESTS.parent / path for path in line.split()), TESTS / "security"]
    asking = [
        path
        for path in TESTS.rglob("test_*.py")
        if re.search(r"^from (tests|\.+)\.?strength import|pytest\.mark\.long\b", path.read_text(), re.MULTILINE)
    ]
    assert asking
    assert [path for path in asking if not any(path.is_relative_to(folder) for folder in full)] == []
