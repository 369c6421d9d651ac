"""From a decision to a person: the real Metrics, Prometheus, Alertmanager and the shipped configuration, on
loopback."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.act import Deliver
from monitor.act.alertmanager import Alertmanager
from monitor.model.records import Level, Outputs, Reason
from monitor.projections.alerts import PilotAlerts, after_decision, occurrence
from monitor.projections.links import Links
from monitor.projections.metrics import Metrics
from monitor.testing.recorder import Recorder
from monitor.testing.records import halted
from monitor.testing.servers import Server, alertmanager, prometheus
from monitor.testing.wait import Until

DEPLOY = Path(__file__).parents[2] / "deploy"
CONFIG = DEPLOY / "alertmanager" / "alertmanager.yaml"
GROUP_WAIT_S = float(yaml.safe_load(CONFIG.read_text())["route"]["group_wait"].removesuffix("s"))

pytestmark = pytest.mark.servers
until = Until(60.0, every=0.05)


def alerts_of(server: Server) -> list[dict[str, Any]]:
    with urllib.request.urlopen(server.url + "/api/v2/alerts", timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found


def notified(people: Recorder, name: str) -> list[dict[str, Any]]:
    return [alert for seen in people.seen for alert in seen.body["alerts"] if alert["labels"]["alertname"] == name]


@pytest.fixture
def people() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def manager(tmp_path: Path, people: Recorder) -> Iterator[Server]:
    config = tmp_path / "alertmanager.yaml"
    config.write_text(CONFIG.read_text().replace("http://127.0.0.1:9095", people.url))
    with alertmanager(tmp_path / "alertmanager", config) as server:
        yield server


def test_the_shipped_configuration_is_valid() -> None:
    """amtool accepts it."""
    done = subprocess.run(
        ["amtool", "check-config", str(CONFIG)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        pytest.param(
            ["alertname=Watchdog", "severity=none"], "dead-man", id="the watchdog calls the dead man's switch"
        ),
        pytest.param(["alertname=SandboxPilotHalted", "severity=critical"], "on-call", id="a halt calls a person"),
        pytest.param(
            ["alertname=SandboxHardRule", "severity=critical", "via=push"], "on-call", id="so does a pushed finding"
        ),
        pytest.param(["alertname=SandboxPilotUnknown", "severity=warning"], "on-call", id="so does a warning"),
    ],
)
def test_alerts_are_routed(labels: list[str], receiver: str) -> None:
    """Each kind of alert is routed to its receiver."""
    command = [
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={CONFIG}",
        f"--verify.receivers={receiver}",
        *labels,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_scraped_halt_reaches_a_person(tmp_path: Path, manager: Server, people: Recorder) -> None:
    """Real /metrics, real Prometheus with the shipped rules, real Alertmanager with the shipped routes: halt and
    Watchdog."""
    metrics = Metrics()
    now = time.time_ns() // 1_000_000
    metrics.observe(Outputs(decisions=[halted(at=now)]), now_ms=now)
    port, stop = metrics.serve(0)
    try:
        with prometheus(
            tmp_path / "prometheus",
            {"sandbox-monitor": [f"127.0.0.1:{port}"]},
            rules=[DEPLOY / "prometheus" / "rules.yaml"],
            alertmanagers=[manager.url.removeprefix("http://")],
        ):
            [alert] = until(lambda: notified(people, "SandboxPilotHalted"))[:1]
            assert alert["labels"] == {
                "alertname": "SandboxPilotHalted",
                "severity": "critical",
                "level": "halt",
                "via": "rule",
                "pilot": "p-1",
                "participant": "firm-1",
            }
            assert alert["annotations"]["runbook_url"] == Links().heading("SandboxPilotHalted")
            until(lambda: notified(people, "Watchdog"))
            heard = {seen.path for seen in people.seen if seen.body["alerts"][0]["labels"]["alertname"] == "Watchdog"}
            assert heard == {"/dead-man"}
            firing = {"SandboxPilotHalted", "SandboxLimitExceeded", "Watchdog"}  # Prometheus sends them one by one
            until(lambda: {alert["labels"]["alertname"] for alert in alerts_of(manager)} == firing)
    finally:
        stop()


def test_a_pushed_halt_reaches_a_person_at_once_and_ends_with_the_release(manager: Server, people: Recorder) -> None:
    """The push needs no Prometheus: notified without the wait that other alerts are grouped in, with the finding that
    caused it; resolved by the release."""
    deliver = Deliver({"alertmanager": Alertmanager(manager.url)})
    deliver.feed([halted()])
    deliver.tick(0)
    until(lambda: notified(people, "SandboxPilotHalted"), GROUP_WAIT_S / 2)
    # As a rule in one message; a busy Alertmanager may send the group before it has taken in the second alert.
    both = {"SandboxPilotHalted", "SandboxLimitExceeded"}
    until(lambda: {alert["labels"]["alertname"] for message in people.seen for alert in message.body["alerts"]} == both)
    assert {alert["status"]["state"] for alert in alerts_of(manager)} == {"active"}
    deliver.feed([LIFTED])
    deliver.tick(1_000)
    until(lambda: not alerts_of(manager))


LIFTED = halted(standing=2, level=Level.NORMAL, was=Level.HALT, reason=Reason.RELEASED)


def test_a_second_halt_right_after_the_release_is_notified_at_once(manager: Server, people: Recorder) -> None:
    """Halt, release, halt: the second halt is another occurrence and does not wait for the intervals of the first;
    resending either causes no second notification."""
    deliver = Deliver({"alertmanager": Alertmanager(manager.url)})

    def messages() -> set[tuple[str, str]]:
        return {
            (alert["status"], alert["labels"]["occurrence"])
            for seen in people.seen
            for alert in seen.body["alerts"]
            if alert["labels"]["alertname"] == "SandboxPilotHalted"
        }

    deliver.feed([halted()])
    deliver.tick(0)
    until(lambda: len(messages()) == 1)
    deliver.feed([LIFTED, halted(3)])
    deliver.tick(1_000)
    until(lambda: ("firing", occurrence(halted(3))) in messages(), 30.0)  # its group interval is a minute
    before = len(people.seen)
    for minute in range(1, 4):
        deliver.tick(1_000 + minute * 60_000)
    time.sleep(3.0)
    assert len(people.seen) == before


def test_no_message_resolves_an_active_halt(tmp_path: Path, people: Recorder) -> None:
    """The monitor is killed during a halt: long after its last message the alert still fires, and no message says
    `resolved`. Groups are flushed every second here, so that a resolution would be sent at once."""
    short = CONFIG.read_text().replace("group_interval: 1m", "group_interval: 1s")
    config = tmp_path / "alertmanager.yaml"
    config.write_text(short.replace("http://127.0.0.1:9095", people.url))
    with alertmanager(tmp_path / "alertmanager", config) as manager:
        deliver = Deliver({"alertmanager": Alertmanager(manager.url)}, tmp_path / "act.json", history=True)
        deliver.feed([halted()])
        deliver.caught_up()
        deliver.tick(0)
        until(lambda: notified(people, "SandboxPilotHalted"))
        held = {alert["labels"]["alertname"]: alert["endsAt"] for alert in alerts_of(manager)}
        ends = datetime.fromisoformat(held["SandboxPilotHalted"])
        assert (ends - datetime.now(UTC)).total_seconds() > 7 * 86_400 - 60
        time.sleep(3.0)
        assert {alert["status"] for seen in people.seen for alert in seen.body["alerts"]} == {"firing"}
        # It is started again after the release: its saved state knows what has to end.
        again = Deliver({"alertmanager": Alertmanager(manager.url)}, tmp_path / "act.json", history=True)
        again.feed([halted(), LIFTED])
        again.caught_up()
        again.tick(0)
        until(lambda: not alerts_of(manager))
        until(lambda: "resolved" in {a["status"] for seen in people.seen for a in seen.body["alerts"]})


@pytest.mark.parametrize("seconds", [600, -600], ids=["ahead by ten minutes", "behind by ten minutes"])
def test_a_halt_is_notified_although_the_clocks_differ(tmp_path: Path, people: Recorder, seconds: int) -> None:
    """Alertmanager's clock is not ours: the halt is notified as firing and never as resolved while it stands, ends when
    it is released, and the difference is measured."""

    def clock() -> int:
        return time.time_ns() // 1_000_000 - seconds * 1000

    short = CONFIG.read_text().replace("group_interval: 1m", "group_interval: 1s")
    config = tmp_path / "alertmanager.yaml"
    config.write_text(short.replace("http://127.0.0.1:9095", people.url))
    measured: list[float] = []
    with alertmanager(tmp_path / "alertmanager", config) as manager:
        deliver = Deliver({"alertmanager": Alertmanager(manager.url, clock, skewed=measured.append)})
        deliver.feed([halted(at=clock())])
        deliver.tick(0)
        until(lambda: notified(people, "SandboxPilotHalted"))
        deliver.tick(60_000)
        time.sleep(2.5)
        assert {alert["status"] for seen in people.seen for alert in seen.body["alerts"]} == {"firing"}
        deliver.feed([LIFTED])
        deliver.tick(61_000)
        until(lambda: "resolved" in {a["status"] for seen in people.seen for a in seen.body["alerts"]})
        assert alerts_of(manager) == []
        assert all(abs(found - seconds) <= 3 for found in measured)


def test_an_attached_alertmanager_gets_the_active_alerts_only(manager: Server, people: Recorder) -> None:
    """After a lifted halt, a pilot that left and an active halt, only the active halt is sent."""
    left = halted(standing=2, pilot="p-3", level=Level.NORMAL, was=Level.NORMAL, kind="act", reason=Reason.EXITED)
    deliver = Deliver({"alertmanager": Alertmanager(manager.url)}, history=True)
    deliver.feed([halted(), LIFTED, halted(pilot="p-3", level=Level.ESCALATE), left, halted(pilot="p-2")])
    deliver.tick(0)
    deliver.caught_up()
    deliver.tick(1)
    until(lambda: notified(people, "SandboxPilotHalted"))
    assert {alert["labels"]["pilot"] for alert in alerts_of(manager)} == {"p-2"}
    assert {alert["labels"]["pilot"] for seen in people.seen for alert in seen.body["alerts"]} == {"p-2"}


def test_an_alertmanager_that_lost_its_state_gets_active_alerts_resent(tmp_path: Path) -> None:
    """After a restart on an empty disk Alertmanager has the halt again with the next retransmission."""
    first = alertmanager(tmp_path / "first", CONFIG)
    port = int(first.url.rsplit(":", 1)[1])
    deliver = Deliver({"alertmanager": Alertmanager(first.url)})
    deliver.feed([halted()])
    deliver.tick(0)
    assert len(alerts_of(first)) == 2
    first.stop()
    deliver.tick(60_000)
    with alertmanager(tmp_path / "second", CONFIG, port=port) as second:
        assert alerts_of(second) == []
        deliver.tick(61_000)
        assert {alert["labels"]["pilot"] for alert in until(lambda: alerts_of(second))} == {"p-1"}


def test_a_lost_cursor_file_leaves_no_alert_behind(manager: Server) -> None:
    """Attached again after the release, the actor resolves the alert that an earlier process left active."""
    former = Deliver({"alertmanager": Alertmanager(manager.url)})
    former.feed([halted(), halted(pilot="p-2")])
    former.tick(0)
    deliver = Deliver({"alertmanager": Alertmanager(manager.url)}, history=True)
    deliver.feed([halted(), LIFTED, halted(pilot="p-2")])
    deliver.caught_up()
    deliver.tick(0)
    until(lambda: {alert["labels"]["pilot"] for alert in alerts_of(manager)} == {"p-2"})


def test_a_pushed_halt_inhibits_the_alert_of_the_rule(manager: Server) -> None:
    """One message per halt: the rule's alert is inhibited by the pushed one, another pilot's is not."""
    [pushed, _] = after_decision(PilotAlerts(), halted(pilot="p-1")).alerts()
    Alertmanager(manager.url).notify([pushed], [])
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    labels = {"alertname": "SandboxPilotHalted", "severity": "critical", "via": "rule"}
    body = [{"labels": labels | {"pilot": pilot}, "startsAt": now} for pilot in ("p-1", "p-2")]
    request = urllib.request.Request(
        manager.url + "/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=5).close()

    def states() -> dict[tuple[str, str], str]:
        found = alerts_of(manager)
        return {(a["labels"]["via"], a["labels"]["pilot"]): a["status"]["state"] for a in found}

    want = {("push", "p-1"): "active", ("rule", "p-1"): "suppressed", ("rule", "p-2"): "active"}
    until(lambda: states() == want)
