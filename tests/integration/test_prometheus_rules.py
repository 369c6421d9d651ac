"""The alerts are valid, have three test cases each, use existing metrics, and each has a section in the runbook."""

from __future__ import annotations

import copy
import functools
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from monitor.act.alertmanager import Alertmanager
from monitor.projections.alert_table import BEYOND, FLOOD
from monitor.projections.alerts import PilotAlerts, after_decision
from monitor.projections.links import Links
from monitor.projections.metric_catalogue import series_names
from monitor.projections.severity import GRAVE
from monitor.testing.recorder import Recorder
from monitor.testing.records import halted

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"
TESTS = DEPLOY / "prometheus" / "rules_test.yaml"
GROUPS: dict[str, Any] = yaml.load(RULES.read_text(), yaml.CSafeLoader)
EVERY = [rule for group in GROUPS["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in EVERY if "alert" in rule}
RECORDED = {rule["record"]: rule["expr"] for rule in EVERY if "record" in rule}
LATCHES = DEPLOY / "prometheus" / "latch_test.yaml"
HEADINGS = {line[3:].strip().lower() for line in (DEPLOY / "runbook.md").read_text().splitlines() if line[:3] == "## "}

SECTIONS = dict(re.findall(r"(?ms)^## (\w+)$\n(.*?)(?=^#|\Z)", (DEPLOY / "runbook.md").read_text()))


@functools.cache
def cases() -> dict[str, Any]:
    """The committed cases of all alerts; read once, because a YAML file of a thousand lines takes half a second."""
    read: dict[str, Any] = yaml.load(TESTS.read_text(), yaml.CSafeLoader)
    return read


def built() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rules_build", DEPLOY / "prometheus" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["rules_build"] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


def promtool(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=1800, cwd=cwd, check=False)


def test_the_committed_rules_are_what_the_table_builds() -> None:
    """The built files are not edited by hand."""
    module = built()
    assert RULES.read_text() == module.text(module.rules())
    assert TESTS.read_text() == module.text(module.tests())


@pytest.mark.servers
def test_the_rules_are_valid() -> None:
    """promtool accepts them."""
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.servers
def test_every_case_holds() -> None:
    """promtool runs all firing, silent and absent-series cases."""
    done = promtool("test", "rules", str(TESTS))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.servers
def test_alerts_about_pilots_end_with_their_cause_only() -> None:
    """Vanished series, a stopped monitor and a change of owner resolve none; promtool runs the scenarios."""
    done = promtool("test", "rules", str(LATCHES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.servers
def test_the_scenarios_can_fail(tmp_path: Path) -> None:
    """Without the part of a rule that remembers, the scenarios fail."""
    text = RULES.read_text()
    for name in RECORDED:
        text = text.replace(f"last_over_time({name}[2h])", "vector(0) > 1")
    (tmp_path / "rules.yaml").write_text(text)
    (tmp_path / "latch_test.yaml").write_text(LATCHES.read_text())
    done = promtool("test", "rules", "latch_test.yaml", cwd=tmp_path)
    assert done.returncode != 0
    assert "SandboxPilotVanished" in done.stdout + done.stderr


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_alert_has_its_three_cases(alert: str) -> None:
    """Firing, silent and absent series; only the Watchdog, which must never be silent, has two."""
    named = {test["name"]: test for test in cases()["tests"]}
    wanted = {"firing", "absent"} | (set() if alert == "Watchdog" else {"silent"})
    assert {name.split()[1] for name in named if name.split()[0] == alert} >= wanted
    assert named[f"{alert} firing"]["alert_rule_test"][0]["exp_alerts"]
    assert named[f"{alert} absent"]["input_series"] == []


@pytest.mark.servers
@pytest.mark.parametrize("expr", ["vector(0) > 1", "vector(1)"])
@pytest.mark.parametrize("alert", sorted(set(ALERTS) - {"Watchdog"}))
def test_the_cases_can_fail(alert: str, expr: str, tmp_path: Path) -> None:
    """The cases detect an alert that never fires or always fires."""
    rules = copy.deepcopy(GROUPS)
    for group in rules["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule.get("alert", alert) == alert]
        for rule in group["rules"]:
            if "alert" in rule:
                rule["expr"] = expr
    rules["groups"] = [group for group in rules["groups"] if group["rules"]]
    mine = [test for test in cases()["tests"] if test["name"].split()[0] == alert]
    (tmp_path / "rules.yaml").write_text(json.dumps(rules))  # JSON is YAML
    order = [group["name"] for group in rules["groups"]]
    (tmp_path / "rules_test.yaml").write_text(json.dumps({**cases(), "group_eval_order": order, "tests": mine}))
    assert promtool("test", "rules", "rules_test.yaml", cwd=tmp_path).returncode != 0


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_metric_in_an_alert_exists(alert: str) -> None:
    """An expression names only series that the catalogue exposes (or Prometheus's own `up`)."""
    expr = ALERTS[alert]["expr"]
    assert set(re.findall(r"\bsandbox:\w+:latched", expr)) <= RECORDED.keys()
    for name, recorded in RECORDED.items():
        expr = expr.replace(name, recorded)
    used = set(re.findall(r"\bsandbox_monitor_\w+", expr))
    assert used <= series_names()
    assert used or alert in {"Watchdog", "SandboxMonitorDown", "SandboxRestarting"}


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_alert_has_a_runbook_heading(alert: str) -> None:
    """The link made from its name leads to a heading."""
    assert ALERTS[alert]["annotations"]["runbook_url"] == Links().heading(alert)
    assert alert.lower() in HEADINGS


def test_every_runbook_heading_has_an_alert() -> None:
    """The runbook has a section for every alert, by rule or pushed, and for no removed one."""
    assert {alert.lower() for alert in (*ALERTS, *GRAVE.values(), BEYOND, FLOOD)} == HEADINGS


@pytest.mark.parametrize("heading", sorted(SECTIONS))
def test_every_runbook_heading_says_what_to_check_and_what_to_do(heading: str) -> None:
    """A section has four parts: what the alert means, what to check, what to do, when it ends."""
    assert re.findall(r"^- \*\*(\w+)\*\*", SECTIONS[heading], re.M) == ["Means", "Check", "Do", "Ends"]


def test_a_pushed_alert_leads_to_the_runbook_too() -> None:
    """What the monitor pushes has the name, severity, level and link of the rule's alert, and every pushed alert has
    such a rule; but for findings across pilots, as the second stage exposes no series of them."""
    assert set(GRAVE.values()) - {"SandboxCommonCause"} <= ALERTS.keys()
    with Recorder() as recorder:
        Alertmanager(recorder.url).notify(list(after_decision(PilotAlerts(), halted()).alerts()), [])
        pushed = recorder.seen[-1].body[0]
    rule = ALERTS[pushed["labels"]["alertname"]]
    assert pushed["annotations"]["runbook_url"] == rule["annotations"]["runbook_url"]
    for label in ("severity", "level"):
        assert pushed["labels"][label] == rule["labels"][label]
