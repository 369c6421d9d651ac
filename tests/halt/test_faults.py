"""Each fault once, with real processes; `make test-halt` does each of them 100 times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_each_fault_once() -> None:
    """Command lost, acknowledgement lost, service killed, monitor killed, network cut, clock moved both ways, a lying service:
    no halt is lost, nothing resumes, and every promise is kept."""
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run.py")), "--runs", "1"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    goals = [line for line in run.stdout.splitlines() if line.startswith("GOAL")]
    assert run.returncode == 0, run.stdout + run.stderr[-3000:]
    assert len(goals) == 9
    assert all(" ok" in line for line in goals)
