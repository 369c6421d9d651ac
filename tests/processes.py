"""Processes that tests read from through pipes. They end with the file of their test, also where a test fails.

A test that fails leaves its variables in a traceback. The pipes among them are collected later, as unclosed files, in
another test, which then fails for it.
"""

from __future__ import annotations

import subprocess
from typing import Any

_started: list[subprocess.Popen[Any]] = []


def piped(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """`subprocess.Popen`, and what remains of it ends with the file of the test."""
    process: subprocess.Popen[Any] = subprocess.Popen(command, **options)
    _started.append(process)
    return process


def end_piped() -> None:
    """Kill the processes that still run, and close all pipes."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
