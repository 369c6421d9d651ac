"""`sandbox-monitor act` on a real broker and a real Alertmanager: started on a log with history, it notifies of the
present state."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.charter.control import Admission
from monitor.charter.spec import charter_hash
from monitor.model.records import Decision, Level, Reason
from monitor.simulation.fleet_charter import charter
from monitor.testing import servers
from monitor.testing.kafka import Fresh, Sent
from monitor.testing.recorder import Recorder
from monitor.testing.records import halted
from monitor.testing.wait import Until

pytestmark = [pytest.mark.kafka, pytest.mark.servers]
SHIPPED = Path(__file__).parents[2] / "deploy" / "alertmanager" / "alertmanager.yaml"
PLAN = charter("p-2", number=0, period_ms=3_600_000, cap=2_000, dispersion=1.0, start=0, end=0)
until = Until(40.0, every=0.2)


def decided(fresh: Fresh, *decisions: Decision) -> list[Sent]:
    """Decisions as a worker writes them."""
    headers = (("type", b"decision"), ("epoch", b"1"))
    return [(fresh.names.decisions, d.pilot.encode(), msgspec.json.encode(d), headers, 0) for d in decisions]


@contextmanager
def acting(fresh: Fresh, home: Path, alertmanager: str) -> Iterator[None]:
    """Run `act` as a separate process; it is killed at the end."""
    command = [sys.executable, "-m", "monitor", "act", "--bootstrap", fresh.bootstrap, "--prefix", fresh.names.prefix]
    command += ["--dir", str(home), "--alertmanager", alertmanager, "--board-url", "https://board.test/"]
    command += ["--runbook-url", "https://wiki.test/runbook"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def held(url: str) -> dict[str, dict[str, Any]]:
    """The halts that Alertmanager holds, by pilot."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
        found = msgspec.json.decode(answer.read())
    return {a["labels"]["pilot"]: a for a in found if a["labels"]["alertname"] == "SandboxPilotHalted"}


def test_what_stands_is_sent_what_is_over_is_not_and_nothing_is_lost_in_an_outage(tmp_path: Path) -> None:
    """Started on a log with a lifted and a standing halt it sends only the second, with the labels of its charter.
    While it is down the alert stays. What was decided meanwhile is sent at the next start: an end, and another halt."""
    fresh = Fresh()
    release = {"level": Level.NORMAL, "was": Level.HALT, "reason": Reason.RELEASED}
    admission = Admission(id="a", pilot="p-2", author="x", charter=PLAN)
    past = [halted(), halted(2, **release), halted(pilot="p-2", charter=charter_hash(PLAN))]
    asyncio.run(fresh.send([*fresh.claims(), *fresh.control([admission]), *decided(fresh, *past)]))
    with Recorder() as people:
        config = tmp_path / "alertmanager.yaml"
        config.write_text(SHIPPED.read_text().replace("http://127.0.0.1:9095", people.url))

        def told(status: str) -> set[str]:
            return {a["labels"]["pilot"] for s in people.seen for a in s.body["alerts"] if a["status"] == status}

        with servers.alertmanager(tmp_path / "alertmanager", config) as manager:
            with acting(fresh, tmp_path / "act", manager.url):
                until(lambda: told("firing"))
                assert held(manager.url).keys() == {"p-2"}
                alert = held(manager.url)["p-2"]
                assert {name: alert["labels"][name] for name in ("tier", "sector", "region")} == {
                    "tier": "high",
                    "sector": "finance",
                    "region": "EU",
                }
                assert alert["annotations"]["runbook_url"] == "https://wiki.test/runbook#sandboxpilothalted"
                assert alert["annotations"]["board_url"] == "https://board.test/pilot/p-2"
            assert held(manager.url).keys() == {"p-2"}
            meanwhile = [halted(2, "p-2", **release), halted(3)]
            asyncio.run(fresh.send(decided(fresh, *meanwhile)))
            with acting(fresh, tmp_path / "act", manager.url):
                until(lambda: held(manager.url).keys() == {"p-1"})
                until(lambda: "p-1" in told("firing"))
