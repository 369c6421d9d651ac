"""What a failing test leaves of its processes ends with its file."""

from __future__ import annotations

import gc
import subprocess
import sys
import warnings

from tests.processes import end_piped, piped


def test_a_process_in_a_traceback_leaves_no_pipe_open() -> None:
    """Neither is collected before, as an unclosed file of another test."""
    seen: list[subprocess.Popen[bytes]] = []

    def fails() -> None:
        seen.append(piped([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        raise ZeroDivisionError

    try:
        fails()
    except ZeroDivisionError:
        end_piped()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
    (process,) = seen
    assert process.returncode is not None
    assert process.stdin is not None
    assert process.stdin.closed
    assert process.stdout is not None
    assert process.stdout.closed
