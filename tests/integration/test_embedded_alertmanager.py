"""The embedded monitor and a real Alertmanager: a halt is on call within seconds, and again after both were away."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from pathlib import Path

import msgspec
import pytest

from monitor.act.alertmanager import Alertmanager
from monitor.embedded.process import Monitor
from monitor.embedded.store import Incoming
from monitor.telemetry import Harm, Severity
from monitor.testing import servers
from monitor.testing.events import Emitter
from monitor.testing.fleet_charter import charter

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(bool(servers.missing("prometheus-alertmanager")), reason="no prometheus-alertmanager here"),
]

CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def alerts(port: int) -> list[str]:
    """Names of the alerts that stand."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=5) as answer:
        return [alert["labels"]["alertname"] for alert in msgspec.json.decode(answer.read())]


def test_a_halt_is_pushed_and_pushed_again(tmp_path: Path) -> None:
    """A death halts; the alert stands within five seconds. Alertmanager loses its memory and the monitor is started again:
    the alert comes back, although nothing new was decided."""
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
