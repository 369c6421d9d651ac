"""Faults five times each, with real processes, embedded and on Kafka; `make test-halt` does all of them 100 times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 5
KAFKA = ("undisturbed", "monitor_killed", "network_cut", "suspended", "lying", "broker_down")


@pytest.mark.parametrize(
    ("world", "only"),
    [("embedded", ()), pytest.param("kafka", KAFKA, marks=pytest.mark.kafka)],
    ids=["embedded", "kafka"],
)
def test_no_halt_is_lost_and_nothing_resumes(world: str, only: tuple[str, ...]) -> None:
    """Command or acknowledgement lost, service or monitor killed in the middle, broker down, network cut, clock moved both ways,
    service suspended, a lying service: every promise is kept, and self-stop comes within lease + 1 s."""
    command = [sys.executable, str(Path(__file__).with_name("run.py")), "--world", world, "--runs", str(RUNS)]
    for fault in only:
        command += ["--only", fault]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    said = [line for line in run.stdout.splitlines() if line.startswith("GOAL")]
    assert run.returncode == 0, run.stdout + run.stderr[-3000:]
    assert len(said) == 10
    assert all(" ok" in line for line in said)
