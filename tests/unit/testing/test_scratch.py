"""What a killed test run leaves in the temporary directory goes with the next one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from monitor.testing.scratch import scratch

LEAVES = """
import os, signal, sys, tempfile
from monitor.testing.scratch import scratch
print(tempfile.mkdtemp(prefix=scratch("trial"), dir=sys.argv[1]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_directories_of_the_dead_go_and_those_of_the_living_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was killed has left a directory: the next one that makes such a directory removes it, and no other."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ran = subprocess.run([sys.executable, "-c", LEAVES, str(tmp_path)], capture_output=True, text=True, check=False)
    left = Path(ran.stdout.strip())
    (left / "data").write_text("many bytes")
    mine = Path(tempfile.mkdtemp(prefix=scratch("other")))
    other = tmp_path / "sandbox-trial-notanumber-x"
    other.mkdir()
    alive = Path(tempfile.mkdtemp(prefix=scratch("trial")))
    assert not left.exists()
    scratch("trial")
    assert mine.exists()
    assert other.exists()
    assert alive.exists()
