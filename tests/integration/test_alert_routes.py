"""Routes of alerts per authority with the real Alertmanager: amtool, and notifications that arrive, for 40 cases."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from msgspec import structs

from monitor.cli.alerts import alerts
from monitor.compile.sandbox_file import sandbox_yaml
from monitor.lifecycle.sandbox import Sandbox, SandboxAuthority
from monitor.model.records import Level, Outputs, Reason
from monitor.network.responsibility import responsible
from monitor.projections.metrics import Metrics
from monitor.testing.recorder import Recorder
from monitor.testing.records import decision
from monitor.testing.servers import alertmanager, prometheus
from monitor.testing.wait import Until
from tests.unit.network.alert_cases import NETWORK, PATHS, PLACES, RECEIVERS, URL, cases, charter

SHIPPED = Path(__file__).parents[2] / "deploy" / "alertmanager" / "alertmanager.yaml"
CASES = cases()

pytestmark = pytest.mark.servers
until = Until(120.0, every=0.1)


def generated(tmp_path: Path, network: Sandbox = NETWORK, base: Path = SHIPPED) -> Path:
    """The file that the command prints."""
    file = tmp_path / "sandbox.yaml"
    file.write_text(sandbox_yaml(network))
    done = CliRunner().invoke(alerts, ["routes", str(file), "--base", str(base)])
    assert done.exit_code == 0, done.exception
    config = tmp_path / "alertmanager.yaml"
    config.write_text(done.stdout)
    return config


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_accepts_it_and_routes_forty_of_forty_cases(tmp_path: Path) -> None:
    config = generated(tmp_path)
    amtool("check-config", str(config))
    right = 0
    for case in CASES:
        labels = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in case.labels.items()]
        found = amtool("config", "routes", "test", f"--config.file={config}", *labels).strip().split(",")
        assert sorted(found) == sorted(RECEIVERS[letter] for letter in case.receivers), case
        right += 1
    assert right == 40


def test_the_dead_man_and_what_is_about_no_pilot_stay_where_they_were(tmp_path: Path) -> None:
    config = generated(tmp_path)
    for labels, receiver in (
        (["alertname=Watchdog", "severity=none"], "dead-man"),
        (["alertname=SandboxFleetUnknown", "severity=critical"], "on-call"),
    ):
        amtool("config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receiver}", *labels)


def test_amtool_accepts_any_text_that_an_authority_may_have(tmp_path: Path) -> None:
    """Quotes, newlines, patterns and templates in regions and sectors, mail addresses, the longest ids; 256 of them."""
    hostile = ('a"b', "new\nline", "back\\slash", "(x|y)*", "{{ .x }}", "ü", "\u0001", "'", "#: -")
    many = tuple(
        SandboxAuthority(
            f"{n:064d}",
            ("central", "provincial")[n % 2],  # type: ignore[arg-type]
            region=hostile[n % len(hostile)],
            sectors=hostile,
            contacts=(f"mailto:a{n}@b.example", f"http://a{n}.example/x", hostile[n % len(hostile)]),
        )
        for n in range(253)
    )
    base = tmp_path / "base.yaml"
    shipped = yaml.safe_load(SHIPPED.read_text())
    shipped["global"] |= {"smtp_smarthost": "127.0.0.1:25", "smtp_from": "sandbox@x.example"}
    base.write_text(yaml.safe_dump(shipped))
    network = structs.replace(NETWORK, authorities=(*NETWORK.authorities[:2], *many))
    said = amtool("check-config", str(generated(tmp_path, network, base)))
    assert "SUCCESS" in said


def test_notifications_of_forty_cases_arrive_at_the_right_receivers_and_nowhere_else(tmp_path: Path) -> None:
    """A real Alertmanager, webhooks that record: who received which pilot."""
    with Recorder() as people:
        short = yaml.safe_load(SHIPPED.read_text().replace("group_wait: 30s", "group_wait: 1s"))
        base = tmp_path / "base.yaml"
        base.write_text(yaml.safe_dump(short).replace(URL, people.url))
        contacts = [
            structs.replace(one, contacts=tuple(text.replace(URL, people.url) for text in one.contacts))
            for one in NETWORK.authorities
        ]
        config = generated(tmp_path, structs.replace(NETWORK, authorities=tuple(contacts)), base)
        expected = {(PATHS[letter], case.labels["pilot"]) for case in CASES for letter in case.receivers}

        def received() -> set[tuple[str, str]]:
            return {(seen.path, alert["labels"]["pilot"]) for seen in people.seen for alert in seen.body["alerts"]}

        with alertmanager(tmp_path / "alertmanager", config) as manager:
            body = json.dumps([{"labels": case.labels} for case in CASES]).encode()
            request = urllib.request.Request(
                f"{manager.url}/api/v2/alerts", body, {"Content-Type": "application/json"}, method="POST"
            )
            with urllib.request.urlopen(request, timeout=60):
                pass
            until(lambda: received() >= expected)
        assert received() == expected
        assert len({pilot for _, pilot in expected}) == 40


def test_the_alert_of_a_rule_reaches_the_authorities_that_are_responsible(tmp_path: Path) -> None:
    """Real /metrics, Prometheus with the shipped rules, Alertmanager with the generated routes: the labels are joined,
    and a pilot whose charter is not known is alerted to the default receiver."""
    metrics = Metrics()
    now = time.time_ns() // 1_000_000
    region, sector = PLACES[1]
    metrics.learn(charter("p-known", region, sector))
    names = responsible(NETWORK, charter("p-known", region, sector))
    metrics.observe(
        Outputs(
            decisions=[
                decision(1, pilot="p-known", reason=Reason.ADMITTED, at=now, responsible=names),
                decision(2, pilot="p-known", reason=Reason.OVERRIDDEN, level=Level.HALT, at=now),
                decision(1, pilot="p-other", reason=Reason.OVERRIDDEN, level=Level.HALT, at=now),
            ]
        ),
        now_ms=now,
    )
    with Recorder() as people:
        base = tmp_path / "base.yaml"
        base.write_text(SHIPPED.read_text().replace(URL, people.url))
        contacts = [
            structs.replace(one, contacts=tuple(text.replace(URL, people.url) for text in one.contacts))
            for one in NETWORK.authorities
        ]
        config = generated(tmp_path, structs.replace(NETWORK, authorities=tuple(contacts)), base)
        port, stop = metrics.serve(0)
        try:
            with (
                alertmanager(tmp_path / "alertmanager", config) as manager,
                prometheus(
                    tmp_path / "prometheus",
                    {"sandbox-monitor": [f"127.0.0.1:{port}"]},
                    rules=[SHIPPED.parents[1] / "prometheus" / "rules.yaml"],
                    alertmanagers=[manager.url.removeprefix("http://")],
                ),
            ):
                expected = {("/north", "p-known"), ("/transport", "p-known"), ("/on-call", "p-other")}
                until(lambda: halts(people) == expected)
        finally:
            stop()
        labels = next(
            alert["labels"] for seen in people.seen if seen.path == "/north" for alert in seen.body["alerts"]
            if alert["labels"]["alertname"] == "SandboxPilotHalted"
        )  # fmt: skip
        assert {name: labels[name] for name in ("tier", "sector", "region", "authority")} == {
            "tier": "limited", "sector": sector, "region": region, "authority": "north,transport",
        }  # fmt: skip


def halts(people: Recorder) -> set[tuple[str, str]]:
    """Who received the halt of which pilot."""
    return {
        (seen.path, alert["labels"]["pilot"])
        for seen in people.seen
        for alert in seen.body["alerts"]
        if alert["labels"]["alertname"] == "SandboxPilotHalted"
    }
