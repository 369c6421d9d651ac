"""`doctor` against real servers: what is in order is said to be, and each fault is found, with its fix."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.cli.doctor import doctor
from monitor.cli.doctor_checks import CHECKS
from monitor.files.key_file import new_key
from monitor.projections.metrics import Metrics
from monitor.testing.servers import Server, alertmanager, prometheus
from monitor.testing.wait import Until

DEPLOY = Path(__file__).parents[2] / "deploy"
SHIPPED = DEPLOY / "alertmanager" / "alertmanager.yaml"

pytestmark = pytest.mark.servers
until = Until(120.0, every=0.1)


def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code, and what each check found."""
    found = CliRunner().invoke(doctor, ["--json", *arguments])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, [json.loads(line) for line in found.stdout.splitlines()]


def said(rows: list[dict[str, Any]], check: str) -> list[tuple[str, str]]:
    return [(row["state"], row["what"]) for row in rows if row["check"] == check]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the shipped configuration, whose receivers are placeholders."""
    with alertmanager(tmp_path_factory.mktemp("alertmanager"), SHIPPED) as server:
        yield server


def test_nothing_given_checks_this_machine_and_skips_the_rest() -> None:
    """Each check says what it needs; nothing has failed."""
    code, rows = run()
    assert code == 0
    assert {row["check"] for row in rows} == set(CHECKS)
    assert all(row["fix"] for row in rows if row["state"] == "skipped" and row["check"] != "clock")


def test_a_server_that_does_not_answer_fails_its_check_alone(tmp_path: Path) -> None:
    """The other checks run; the exit code says that something failed."""
    code, rows = run("--prometheus", "http://127.0.0.1:1", "--bootstrap", "127.0.0.1:1", "--dir", str(tmp_path))
    assert code == 1
    for check in ("prometheus", "kafka", "topics"):
        assert [state for state, _ in said(rows, check)] == ["failed"], check
    assert said(rows, "disk")[0][0] in ("ok", "warning")
    assert run("--only", "disk", "--dir", str(tmp_path), "--prometheus", "http://127.0.0.1:1")[0] == 0


def test_keys_that_others_can_read_are_named_with_the_fix(tmp_path: Path) -> None:
    """A good key shows its public part."""
    good, open_to_all = tmp_path / "good.key", tmp_path / "open.key"
    public = new_key(good).public
    new_key(open_to_all)
    open_to_all.chmod(0o644)
    code, rows = run("--only", "keys", "--key-file", str(good), "--key-file", str(open_to_all))
    assert code == 1
    assert said(rows, "keys")[0] == ("ok", f"{good}: public key {public}")
    assert "chmod 600" in said(rows, "keys")[1][1]


def test_alertmanager_with_placeholders_and_a_silence_is_not_in_order(manager: Server) -> None:
    """The watchdog has its route; a silence of our alerts is named with who set it and how to end it."""
    end = datetime.now(UTC) + timedelta(hours=1)
    silence = {
        "matchers": [{"name": "alertname", "value": "SandboxPilotHalted", "isRegex": False, "isEqual": True}],
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": end.isoformat(),
        "createdBy": "somebody on call",
        "comment": "c",
    }
    request = urllib.request.Request(
        f"{manager.url}/api/v2/silences", json.dumps(silence).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
    code, rows = run("--only", "alertmanager", "--alertmanager", manager.url)
    assert code == 1
    words = " ".join(what for _, what in said(rows, "alertmanager"))
    assert "placeholder" in words
    assert "somebody on call" in words
    assert "alone" in words
    assert "Watchdog" not in words
    assert any(row["fix"].startswith("amtool silence expire") for row in rows)


def test_prometheus_with_rules_targets_and_an_alertmanager_is_in_order(tmp_path: Path, manager: Server) -> None:
    """With the shipped rules and a live target; a dead target and missing rules are each named."""
    port, stop = Metrics().serve(0)
    try:
        targets = {"sandbox-monitor": [f"127.0.0.1:{port}"]}
        rules = [DEPLOY / "prometheus" / "rules.yaml"]
        where = manager.url.removeprefix("http://")
        with prometheus(tmp_path / "good", targets, rules=rules, alertmanagers=[where]) as server:
            until(lambda: run("--only", "prometheus", "--prometheus", server.url)[0] == 0)
            _, rows = run("--only", "clock", "--only", "prometheus", "--prometheus", server.url)
            assert {state for state, _ in said(rows, "prometheus")} == {"ok"}
            assert ("ok", "the clock of Prometheus agrees with this one") in said(rows, "clock")
        with prometheus(tmp_path / "bad", {"sandbox-monitor": ["127.0.0.1:1"]}) as server:
            until(lambda: "refused" in str(run("--only", "prometheus", "--prometheus", server.url)[1]))
            code, rows = run("--only", "prometheus", "--prometheus", server.url)
            assert code == 1
            words = " ".join(what for state, what in said(rows, "prometheus") if state == "failed")
            assert "rules are not loaded: SandboxPilotHalted" in words
            assert "http://127.0.0.1:1/metrics is down" in words
            assert "no Alertmanager" in words
    finally:
        stop()


def test_an_address_of_another_kind_of_server_is_said_to_be_wrong(manager: Server) -> None:
    """Not a traceback."""
    code, rows = run("--only", "prometheus", "--prometheus", manager.url)
    assert code == 1
    assert said(rows, "prometheus")[-1][0] == "failed"


def test_a_full_disk_and_a_directory_of_another_user_are_named(tmp_path: Path) -> None:
    """As root every directory can be written, so then only the space is looked at."""
    tmp_path.chmod(0o500)
    try:
        code, rows = run("--only", "disk", "--dir", str(tmp_path))
    finally:
        tmp_path.chmod(0o700)
    assert code == (0 if os.geteuid() == 0 else 1)
    assert "GiB" in said(rows, "disk")[-1][1]
