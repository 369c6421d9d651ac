"""`sandbox-monitor demo` with its default settings, but shorter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", "demo", "--port", "0", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_a_pilot_is_halted_within_a_minute() -> None:
    """The board's address is printed first, a halt in one line within 60 s, and the summary adds up."""
    done = demo("--for", "12", "--speed", "2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"board http://127\.0\.0\.1:\d+/", lines[0])
    halts = [line for line in lines if re.match(r" *\d+\.\d s  HALT +Pilot pilot-\d{4} of firm-\d was halted\b", line)]
    assert halts
    first = re.search(r"^first halt (\d+\.\d) s after the command$", done.stdout, re.MULTILINE)
    assert first is not None
    assert float(first[1]) < 30
    counted = re.search(
        r"^events (\d+) sent, (\d+) stepped; decisions (\d+); pilots .* halt (\d+)$", done.stdout, re.MULTILINE
    )
    assert counted is not None
    assert counted[1] == counted[2]
    assert int(counted[4]) == len(halts)
    assert "periods of 1 s" in done.stderr
    assert re.search(r"normal \d+ .* halt \d+  events \d+ of \d+  decisions \d+", done.stderr)


def test_a_directory_in_use_is_not_touched(tmp_path: Path) -> None:
    """A directory that is not empty is refused with exit code 1."""
    (tmp_path / "precious").write_text("mine")
    done = demo("--dir", str(tmp_path))
    assert done.returncode == 1
    assert "not empty" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]
