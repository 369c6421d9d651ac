"""Two walks with the commands of the README: a regulator finds out why a pilot was halted, a firm corrects its reports.

The monitor is the embedded one, with its default settings."""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.sdk import Pilot, TelemetryProblem
from monitor.testing.ports import free_port
from monitor.testing.slowness import Slowness
from monitor.testing.wait import Until
from tests.integration.test_sdk_http import fleet_of_one, monitor

ROOT = Path(__file__).parents[2]
until = Until(120.0)


class Demo(NamedTuple):
    address: str
    home: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo as the README starts it, once a pilot was halted for an exceeded limit and its stop is verified."""
    home = tmp_path_factory.mktemp("demo") / "demo"
    port = free_port()
    command = [sys.executable, "-m", "monitor", "demo", "--dir", str(home), "--port", str(port), "--for", "600"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"

    def halted() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/v1/status/pilot-0006", timeout=5) as answer:
                found = json.loads(answer.read() or b"{}")
        except OSError:
            return False
        return any(one["reason"] == "halt_verified" for one in found.get("records", ()))

    try:
        until(halted)
        yield Demo(address, home)
    finally:
        running.terminate()
        running.wait(60)


def typed(line: str, demo: Demo, *more: str, **environment: str) -> str:
    """What a command of the README prints, typed against this demo."""
    words = [
        path
        for word in shlex.split(line.replace("/tmp/demo", str(demo.home)))
        for path in (glob.glob(word) if "*" in word else [word])
    ]
    assert words[0] == "sandbox-monitor"
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *words[1:], *more],
        capture_output=True,
        text=True,
        env={**os.environ, "SANDBOX_MONITOR_TO": demo.address, **environment},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def commands() -> list[str]:
    """The commands of the README's section."""
    section = (ROOT / "README.md").read_text().split("## Why was this pilot halted?")[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return [line for line in block[1].splitlines() if line.startswith("sandbox-monitor")]


def test_a_newcomer_finds_why_on_what_evidence_and_what_was_done_since(demo: Demo) -> None:
    """The three answers are in the output of the README's commands, which together take less than two minutes."""
    with Slowness() as slowness:
        began = time.monotonic()
        fleet, status, ledger = (typed(line, demo) for line in commands())
        assert time.monotonic() - began < 120 * slowness.factor
    assert re.search(r"^halt .*pilot-0006", fleet, re.MULTILINE)
    why = re.search(r"^why .* decision (\d+)  Charter limit exceeded: false-positives, south", status, re.MULTILINE)
    assert why is not None
    assert re.search(r"^evidence .*south: .* of .* where at most 20 % are allowed", status, re.MULTILINE)
    assert re.search(r"^decided .*Service stopped; confirmed by its heartbeats", status, re.MULTILINE)
    assert re.search(r"^next .*firm owes `rectify`", status, re.MULTILINE)
    assert re.search(rf"(standing|decision) {why[1]} .*limit_exceeded", ledger)


def test_the_same_facts_are_there_for_scripts_and_in_chinese(demo: Demo) -> None:
    """`--json` has the numbers; the lines are Chinese with `--lang zh`, or by the environment."""
    found = json.loads(typed("sandbox-monitor status pilot-0006 --json", demo))
    assert (found["level"], found["why"]["reason"]) == ("halt", "limit_exceeded")
    assert found["evidence"][0]["numbers"]
    chinese = typed("sandbox-monitor --lang zh status pilot-0006", demo)
    first = typed("sandbox-monitor status pilot-0006", demo, SANDBOX_MONITOR_LANG="zh").splitlines()[0]
    assert first == chinese.splitlines()[0]
    assert "原因" in chinese
    assert "企业应办理 `rectify`" in chinese
    assert "章程" in chinese


def test_a_firm_sees_what_has_no_effect_and_corrects_it(tmp_path: Path) -> None:
    """A wrong unit and a broken record: the callback and the command line name field and fix; after the correction
    nothing new is told."""
    port = free_port()
    heard: list[TelemetryProblem] = []
    with monitor(tmp_path / "monitor", port, fleet_of_one()):
        address = f"http://127.0.0.1:{port}"
        asked = Demo(address, tmp_path)
        with Pilot(
            "pilot-0001", participant="firm-1", to=address, model="m1", spool_dir=tmp_path / "spool", heartbeat_s=0.2
        ) as pilot:
            pilot.on_rejected(heard.append)
            pilot.exposure(1, "decision")  # the charter counts decisions
            body = b'{"specversion":"1.0","id":"x","source":"s/1","sequence":"1","type":"sandbox.exposure.tallied",' \
                b'"subject":"pilot-0001","time":"2026-01-01 12:00","data":{"unit":"decisions","amount":1}}'  # fmt: skip
            request = urllib.request.Request(
                f"{address}/v1/telemetry", body, {"Content-Type": "application/cloudevents+json"}
            )
            urllib.request.urlopen(request, timeout=30).read()
            until(lambda: {one.reason for one in heard} >= {"counted_nowhere", "bad_time"})
            unit = next(one for one in heard if one.reason == "counted_nowhere")
            assert unit.field == "data.unit"
            assert "did you mean 'decisions'?" in unit.detail
            printed = typed("sandbox-monitor rejections pilot-0001", asked)
            assert "data.unit (counted_nowhere)" in printed
            assert "time (bad_time)" in printed
            assert "Fix: Write the time with its offset" in printed
            rows = [
                json.loads(line)
                for line in typed("sandbox-monitor rejections pilot-0001 --json", asked).split("\n")
                if line
            ]
            assert {row["kind"] for row in rows} == {"rejected", "counts_nowhere"}
            assert all(row["fix"] for row in rows)
            told = len(heard)
            pilot.exposure(1, "decisions")
            pilot.flush()
            beat = pilot.heartbeat()
            assert beat
            pilot.flush()
            assert len(heard) == told
