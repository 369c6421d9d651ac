"""Every shipped deployment restarts a worker after any exit, with growing pauses."""

from __future__ import annotations

import configparser
import re
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from monitor.testing.wait import Until
from tests.processes import piped

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_systemd_restarts_a_worker_with_growing_pauses() -> None:
    """The unit restarts always and without limit, with growing pauses; the stop timeout covers the slowest clean
    shutdown."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "systemd" / "sandbox-monitor-worker@.service")
    service = unit["Service"]
    assert service["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert int(service["RestartSec"]) < int(service["RestartMaxDelaySec"])
    assert int(service["RestartSteps"]) > 1
    assert int(service["TimeoutStopSec"]) > 40
    assert "--instance %i" in service["ExecStart"]


def test_compose_restarts_a_worker() -> None:
    """Each worker service has a restart policy; Docker itself lengthens the pauses."""
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert services["monitor"]["restart"] == "unless-stopped"


def test_the_stack_restarts_with_growing_pauses(tmp_path: Path) -> None:
    """A command that exits at once is restarted after one second, then after two."""
    log = tmp_path / "starts"
    command = [sys.executable, "-c", f"import time; open({str(log)!r}, 'a').write(f'{{time.time()}}\\n')"]
    supervisor = piped(
        [sys.executable, str(DEPLOY / "stack.py"), "supervise", "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        Until(60.0, every=0.1)(lambda: log.exists() and len(log.read_text().splitlines()) >= 3)
    finally:
        supervisor.send_signal(signal.SIGTERM)
        said = supervisor.communicate(timeout=90)[0].decode()
    first, second, third = map(float, log.read_text().splitlines()[:3])
    assert second - first >= 1.0
    assert third - second >= 2.0
    assert re.findall(r"restarting in (\d+) s", said)[:2] == ["1", "2"]
