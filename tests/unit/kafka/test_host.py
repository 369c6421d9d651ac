"""How the process of a worker ends."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        ("end_process('the disk is full')", 1, "sandbox-monitor worker ends: the disk is full"),
        ("exit_within(0.01); time.sleep(20)", 0, ""),
    ],
)
def test_nothing_runs_after_the_end(call: str, code: int, said: str) -> None:
    """No clean-up handler runs, whether the process ends by a failure (1) or after an orderly stop (0)."""
    program = f"import atexit, time; atexit.register(print, 'cleaned up'); from monitor.kafka.host import *; {call}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stdout == ""
