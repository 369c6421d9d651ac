"""The goals of `make test-ledger`, in small."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ledger.run import GOALS

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", GOALS)
def test_no_goal_is_missed(name: str) -> None:
    """Each promise of `make test-ledger` holds for the small part that QUICK=1 tries."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.ledger.run", name],
        cwd=ROOT, env={**os.environ, "QUICK": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("GOAL ")]
    assert lines, done.stderr
    assert not [line for line in lines if line.endswith(" missed")], done.stdout
    assert done.returncode == 0, done.stderr
    skipped = [line for line in lines if " skipped: " in line]
    if len(skipped) == len(lines):
        pytest.skip("; ".join(skipped))
