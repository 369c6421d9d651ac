"""Each fault five times, with real processes, embedded and on Kafka; `make test-halt` does each of them 100 times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 5


@pytest.mark.parametrize(("world", "goals"), [("embedded", 10), pytest.param("kafka", 10, marks=pytest.mark.kafka)])
def test_no_halt_is_lost_and_nothing_resumes(world: str, goals: int) -> None:
    """Command or acknowledgement lost, service or monitor killed in the middle, broker down, network cut, clock moved both ways,
    service suspended, a lying service: every promise is kept, and self-stop comes within lease + 1 s."""
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run.py")), "--world", world, "--runs", str(RUNS)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    said = [line for line in run.stdout.splitlines() if line.startswith("GOAL")]
    assert run.returncode == 0, run.stdout + run.stderr[-3000:]
    assert len(said) == goals
    assert all(" ok" in line for line in said)
