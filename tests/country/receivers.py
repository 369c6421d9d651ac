"""Who is notified of the alerts that stand at the end: a real Alertmanager with the routes of `sandbox-monitor alerts
routes`, the real process `act`, and a webhook for each authority that records what it receives."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import structs

from monitor.compile.sandbox_file import sandbox_yaml
from monitor.errors import Unavailable
from monitor.testing.recorder import Recorder
from monitor.testing.servers import ALERTMANAGER, alertmanager, missing
from tests.country.addressed import CENTRAL, responsible
from tests.country.nation import sandbox
from tests.country.script import Script

SHIPPED = Path(__file__).parents[2] / "deploy" / "alertmanager" / "alertmanager.yaml"
PATIENCE_S = 300.0
QUIET_S = 20.0  # groups of one alert for several authorities are flushed one after the other
HALTED = "SandboxPilotHalted"
OWED_BY_AUTHORITY = ("application-decision", "assessment", "exit-report", "ai-office")
Name = tuple[str, str, str]  # alertname, pilot, finding


class Notified(NamedTuple):
    """The alerts that Alertmanager held, and which webhooks each of them reached."""

    held: frozenset[Name]
    reached: dict[Name, frozenset[str]]


def available() -> bool:
    """Whether Alertmanager is installed."""
    return not missing(ALERTMANAGER)


def notified(bootstrap: str, prefix: str, home: Path) -> Notified:
    """Start `act` on the logs of the run and wait until Alertmanager has notified of every alert that it holds. Raises
    `Unavailable` when that takes too long."""
    home.mkdir()
    with Recorder() as webhooks, alertmanager(home / "alertmanager", _routes(home, webhooks.url)) as manager:
        command = [sys.executable, "-m", "monitor", "act", "--bootstrap", bootstrap, "--prefix", prefix]
        with (home / "act.log").open("ab") as log:
            act = subprocess.Popen(
                [*command, "--dir", str(home / "act"), "--alertmanager", manager.url], stdout=log, stderr=log
            )
        try:
            return _settled(manager.url, webhooks)
        finally:
            act.kill()
            act.wait()


def _routes(home: Path, url: str) -> Path:
    """The configuration of Alertmanager: one webhook for each authority."""
    network = sandbox()
    authorities = [structs.replace(one, contacts=(f"{url}/{one.id}",)) for one in network.authorities]
    file, base, made = home / "sandbox.yaml", home / "base.yaml", home / "alertmanager.yaml"
    file.write_text(sandbox_yaml(structs.replace(network, authorities=tuple(authorities))))
    shipped = SHIPPED.read_text().replace("http://127.0.0.1:9095", url)
    base.write_text(shipped.replace("group_wait: 30s", "group_wait: 1s"))
    command = [sys.executable, "-m", "monitor", "alerts", "routes", str(file), "--base", str(base)]
    made.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return made


def _settled(url: str, webhooks: Recorder) -> Notified:
    deadline, before, since = time.monotonic() + PATIENCE_S, (0, 0), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(1.0)
        with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=10) as answer:
            held = frozenset(_name(alert) for alert in json.loads(answer.read()))
        reached: dict[Name, set[str]] = defaultdict(set)
        seen = len(webhooks.seen)
        for request in webhooks.seen[:seen]:
            for alert in request.body["alerts"]:
                reached[_name(alert)].add(request.path.strip("/"))
        now = len(held), sum(map(len, reached.values()))
        if now != before or not held <= reached.keys():
            before, since = now, time.monotonic()
        elif held and time.monotonic() - since > QUIET_S:  # every alert has arrived somewhere, and nothing new came
            return Notified(held, {name: frozenset(paths) for name, paths in reached.items()})
    raise Unavailable(f"{len(held)} alerts are held, of {len(held & reached.keys())} somebody was notified")


def _name(alert: dict[str, Any]) -> Name:
    labels = alert["labels"]
    return labels["alertname"], labels.get("pilot", ""), labels.get("finding", "")


def wrong_receivers(script: Script, found: Notified, halted: frozenset[str]) -> Iterator[str]:
    """The alerts that reached others than the table says, and the pilots that are `halted` without one."""
    pilots = {pilot.id: pilot for pilot in script.pilots}
    for name, pilot, finding in sorted(found.held):
        right, reached = responsible(pilots[pilot]), found.reached.get((name, pilot, finding), frozenset())
        if finding.removeprefix("clock/") in OWED_BY_AUTHORITY:
            right = right | {CENTRAL}
        if reached != right:
            yield f"{name} ({finding}) of {pilot} reached {sorted(reached)}, by table {sorted(right)}"
    for pilot in sorted(halted - {pilot for name, pilot, _ in found.held if name == HALTED}):
        yield f"{pilot} is halted, and there is no alert"
