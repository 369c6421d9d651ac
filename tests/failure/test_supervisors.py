"""Whatever ends a worker, it is started again, and not faster and faster: every deployment that we ship says so."""

from __future__ import annotations

import configparser
import re
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from monitor.testing.wait import Until

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_systemd_starts_a_worker_again_with_growing_pauses() -> None:
    """Always, for ever, with pauses that grow; an orderly stop has the time that it takes at the worst."""
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


def test_compose_starts_a_worker_again() -> None:
    """Docker pauses longer after each end by itself; the policy has to be there."""
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert services["monitor"]["restart"] == "unless-stopped"


def test_the_stack_pauses_longer_after_each_end(tmp_path: Path) -> None:
    """A command that ends at once is started again after one second, then after two."""
    log = tmp_path / "starts"
    command = [sys.executable, "-c", f"import time; open({str(log)!r}, 'a').write(f'{{time.time()}}\\n')"]
    supervisor = subprocess.Popen(
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
    assert re.findall(r"again in (\d+) s", said)[:2] == ["1", "2"]
