"""`sandbox-monitor serve` as a process: files and standard input in, a clean end at SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgspec

from monitor.charter.spec import canonical_charter
from monitor.embedded.store import Store
from monitor.model.records import Position
from monitor.simulation.fleet import Fleet
from monitor.testing.wait import Until
from tests.processes import piped

until = Until(60.0, every=0.05)


def fleet() -> Fleet:
    """Two pilots, one of which has a death to report in its second period."""
    start = time.time_ns() // 1_000_000 - 20_000
    return Fleet(3, pilots=2, scenarios=["calm", "death"], start=start, hours=6, period="2s", onset=2)


def prepare(directory: Path) -> tuple[list[str], Path, int]:
    """(options that admit both pilots, file of their telemetry, number of its lines)."""
    pilots, options = fleet(), []
    for pilot in pilots.pilots:
        path = directory / f"{pilot}.yaml"
        path.write_bytes(canonical_charter(pilots.charter_for(pilot)))
        options += ["--charter", str(path)]
    lines = [msgspec.json.encode(event) for _, event in pilots]
    events = directory / "events.jsonl"
    events.write_bytes(b"\n".join(lines) + b"\n")
    return options, events, len(lines)


def serve(directory: Path, *options: str, stdin: bytes | None = None) -> tuple[subprocess.Popen[bytes], str]:
    command = [sys.executable, "-m", "monitor", "serve", "--dir", str(directory / "data"), "--port", "0", *options]
    pipe = subprocess.PIPE
    process = piped(command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    if stdin is not None:
        process.stdin.write(stdin)
    process.stdin.close()
    process.stdin = None
    return process, process.stdout.readline().decode().split()[1]


def get(address: str, path: str) -> bytes:
    with urllib.request.urlopen(address + path, timeout=10) as answer:
        found: bytes = answer.read()
    return found


def ended(process: subprocess.Popen[bytes]) -> str:
    """End it with SIGTERM; what it said on stderr."""
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return said.decode()


async def position(path: Path) -> tuple[Position, int]:
    """The watermark in the file, and how much telemetry it holds."""
    store = Store(path)
    (raw,) = await store.read(lambda db: db.execute("SELECT watermark FROM owner").fetchone())
    topics, _ = await store.ends()
    await store.close()
    return msgspec.json.decode(raw, type=Position), topics["telemetry"]


def test_a_file_is_read_once_over_restarts(tmp_path: Path) -> None:
    """`--read` reads every line once, a reported death halts its pilot, and the next start reads nothing."""
    options, events, lines = prepare(tmp_path)
    for left in (lines, 0):
        process, address = serve(tmp_path, *options, "--read", str(events))
        until(lambda address=address: b"halt" in get(address, "v1/commands/pilot-0002"))  # type: ignore[misc]
        until(lambda address=address: b"lag_records" in get(address, "metrics"))  # type: ignore[misc]
        time.sleep(0.3)
        assert f"read {left} lines" in ended(process)


def test_standard_input_is_read(tmp_path: Path) -> None:
    """`--read -` reads lines from a pipe, and the monitor runs on after its end."""
    options, events, lines = prepare(tmp_path)
    process, address = serve(tmp_path, *options, "--read", "-", stdin=events.read_bytes())
    until(lambda: b"halt" in get(address, "v1/commands/pilot-0002"))
    assert get(address, "v1/commands/pilot-0001") == b""
    assert b"ready" in get(address, "ready")
    assert f"read {lines} lines" in ended(process)


def test_sigterm_leaves_a_checkpoint(tmp_path: Path) -> None:
    """After SIGTERM the watermark is at the end of telemetry: the next start replays nothing."""
    options, events, lines = prepare(tmp_path)
    process, address = serve(tmp_path, *options, "--read", str(events), "--checkpoint", "1000")
    until(lambda: b"halt" in get(address, "v1/commands/pilot-0002"))
    until(lambda: b'lag_records{partition="0",topic="telemetry"} 0.0' in get(address, "metrics"))
    time.sleep(0.3)
    ended(process)
    watermark, end = asyncio.run(position(tmp_path / "data" / "monitor.db"))
    assert end == lines
    assert watermark.telemetry == {"telemetry": lines}
