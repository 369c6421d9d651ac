"""Runs a function in a process whose system calls fail: `strace` injects an error, or kills at the n-th call."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PR_SET_PTRACER, ANY = 0x59616D61, -1
KINDS = {
    "openat": ("openat",),
    "write": ("write", "pwrite64"),
    "fsync": ("fsync", "fdatasync"),
    "rename": ("rename", "renameat", "renameat2"),
}
"""The system calls of each kind, as Python makes them."""
EFFECTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "kill": "signal=KILL"}


class Fault(NamedTuple):
    """The n-th call (from 1) of one system call fails with `effect`, a key of EFFECTS."""

    call: str
    effect: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number} {self.effect}"


class Ran(NamedTuple):
    """What a process acknowledged, in lines, and how it ended (a negative number: killed by that signal)."""

    lines: list[str]
    status: int
    calls: Counter[str]


def cannot_trace() -> str:
    """Why no process can be traced on this machine; "" if one can."""
    if shutil.which("strace") is None:
        return "strace is not installed (deploy/local/install-test-servers.sh)"
    done = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"this machine forbids ptrace: {done.stderr.strip()[:100]}"


def run_traced(work: Callable[[Callable[[str], None]], None], log: Path, fault: Fault | None = None) -> Ran:
    """Run `work` in a forked process under strace; it is given a function that acknowledges a line."""
    go_read, go_write = os.pipe()
    told_read, told_write = os.pipe()
    child = os.fork()
    if child == 0:
        _child(work, go_read, told_write, (go_write, told_read))
    os.close(go_read)
    os.close(told_write)
    names = ",".join(name for calls in KINDS.values() for name in calls)
    inject = ["-e", f"inject={fault.call}:{EFFECTS[fault.effect]}:when={fault.number}"] if fault else []
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(child), "-o", str(log), "-e", f"trace={names}", *inject],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr is not None
    attached = tracer.stderr.readline()
    if "attached" not in attached:
        os.kill(child, signal.SIGKILL)
    os.write(go_write, b"x")
    os.close(go_write)
    with os.fdopen(told_read) as told:
        lines = told.read().splitlines()
    _, status = os.waitpid(child, 0)
    tracer.communicate(timeout=60)
    assert "attached" in attached, attached
    text = log.read_text()
    calls = Counter(re.findall(r"^\d+ +(\w+)\(", text, re.M))
    return Ran(lines, os.waitstatus_to_exitcode(status), calls)


def _child(work: Callable[[Callable[[str], None]], None], go: int, told: int, others: tuple[int, int]) -> None:
    status = 1
    try:
        for handle in others:
            os.close(handle)
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANY, 0, 0, 0)
        os.read(go, 1)

        def acknowledge(line: str) -> None:
            # `send` of a socket or `write` of a pipe would be counted among the calls that fail: use writev.
            os.writev(told, [line.encode() + b"\n"])

        work(acknowledge)
        status = 0
    finally:
        os._exit(status)
