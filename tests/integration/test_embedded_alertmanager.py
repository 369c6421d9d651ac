"""The embedded monitor and a real Alertmanager: a halt alerts within seconds, and again after an outage of both."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgspec
import pytest

from monitor.act.alertmanager import Alertmanager
from monitor.charter.spec import canonical_charter
from monitor.embedded.monitor import Monitor
from monitor.embedded.store import Incoming
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity
from monitor.simulation.fleet_charter import charter
from monitor.testing import servers
from monitor.testing.recorder import Recorder
from monitor.testing.wait import Until
from monitor.testing.wallclock import WallClock
from tests.processes import piped

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(bool(servers.missing("prometheus-alertmanager")), reason="no prometheus-alertmanager here"),
]

until = Until(60.0, every=0.1)
CONFIG = "route: {receiver: none}\nreceivers: [{name: none}]\n"


def alerts(port: int) -> list[str]:
    """Names of the alerts that stand."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=5) as answer:
        return [alert["labels"]["alertname"] for alert in msgspec.json.decode(answer.read())]


def test_a_halt_is_pushed_and_restored_after_a_restart_of_both(tmp_path: Path) -> None:
    """A death halts, and the alert fires within five seconds. After Alertmanager lost its state and the monitor was
    restarted the alert fires again without a new decision."""
    config = tmp_path / "alertmanager.yaml"
    config.write_text(CONFIG)
    now = time.time_ns() // 1_000_000
    plan = charter("p", number=0, period_ms=3_600_000, cap=2_000, dispersion=1.0, start=now - 86_400_000, end=now)

    async def run(port: int, dies: bool) -> None:
        push = Alertmanager(f"http://127.0.0.1:{port}")
        monitor = Monitor(tmp_path / "data", port=0, charters=[plan], actors={"alertmanager": push})
        await monitor.start()
        try:
            if dies:
                at = time.time_ns() // 1_000_000  # after the admission: before it nothing counts
                event = msgspec.json.encode(Emitter("s", "p").incident(at, Severity.SERIOUS_INCIDENT, Harm.DEATH))
                await monitor.store.feed([Incoming(event)])
                monitor.arrived.ring()
            for _ in range(100):
                if set(await asyncio.to_thread(alerts, port)) == {"SandboxHardRule", "SandboxPilotHalted"}:
                    return
                await asyncio.sleep(0.05)
            raise AssertionError("no alert")
        finally:
            await monitor.stop()

    for directory, dies in (("first", True), ("second", False)):
        (tmp_path / directory).mkdir()
        port = servers.free_port()
        with servers.alertmanager(tmp_path / directory, config, port=port):
            asyncio.run(run(port, dies))


SHIPPED = Path(__file__).parents[2] / "deploy" / "alertmanager" / "alertmanager.yaml"


def started(directory: Path, options: list[str], environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """`serve` as a separate process, and the address of its door."""
    command = [sys.executable, "-m", "monitor", "serve", "--dir", str(directory), "--port", "0", *options]
    process = piped(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **environment})
    assert process.stdout is not None
    return process, process.stdout.readline().decode().split()[1]


@pytest.mark.parametrize("ahead", [-600, 600], ids=["ten minutes behind", "ten minutes ahead"])
def test_a_killed_monitor_with_a_wrong_clock_resolves_no_alert(tmp_path: Path, ahead: int) -> None:
    """With a shifted clock of the whole process the halt is notified as firing and never as resolved, even after the
    monitor is killed. Groups are flushed every second here, so that a resolution would be sent at once."""
    clock = WallClock(tmp_path / "wallclock")
    clock.move(ahead)
    now = time.time_ns() // 1_000_000 + ahead * 1000
    plan = charter("p", number=0, period_ms=3_600_000, cap=2_000, dispersion=1.0, start=now - 86_400_000, end=now)
    (tmp_path / "charter.yaml").write_bytes(canonical_charter(plan))
    with Recorder() as people:
        config = tmp_path / "alertmanager.yaml"
        short = SHIPPED.read_text().replace("group_interval: 1m", "group_interval: 1s")
        config.write_text(short.replace("http://127.0.0.1:9095", people.url))

        def told() -> set[tuple[str, str]]:
            return {(a["status"], a["labels"]["alertname"]) for seen in people.seen for a in seen.body["alerts"]}

        with servers.alertmanager(tmp_path / "alertmanager", config) as manager:
            options = ["--charter", str(tmp_path / "charter.yaml"), "--alertmanager", manager.url]
            process, address = started(tmp_path / "data", options, clock.environment)
            try:
                at = time.time_ns() // 1_000_000 + ahead * 1000
                death = Emitter("s", "p").incident(at, Severity.SERIOUS_INCIDENT, Harm.DEATH)
                request = urllib.request.Request(
                    address + "v1/telemetry",
                    msgspec.json.encode(death),
                    {"Content-Type": "application/cloudevents+json"},
                    method="POST",
                )
                urllib.request.urlopen(request, timeout=10).close()
                until(lambda: ("firing", "SandboxPilotHalted") in told())
            finally:
                process.kill()
                process.communicate()
            time.sleep(4.0)
            assert {status for status, _ in told()} == {"firing"}
            assert "SandboxPilotHalted" in alerts(int(manager.url.rsplit(":", 1)[1]))
