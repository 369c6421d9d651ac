"""Writes rules.yaml and rules_test.yaml from the tables `pilot_alerts.py`, `monitor_alerts.py`, `reader_alerts.py`,
`ledger_alerts.py`.

Run `python deploy/prometheus/build.py` after a change and commit both files; a test compares them with this. The link
to the runbook comes from the name of the alert, and a test checks that the heading exists.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from monitor.projections.links import PILOT_DASHBOARD, RUNBOOK, Links, checked

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import latch  # noqa: E402 (files next to this one, which are no package)
from alert import Alert, M, Series  # noqa: E402
from ledger_alerts import LEDGER_ALERTS  # noqa: E402
from monitor_alerts import MONITOR_ALERTS  # noqa: E402
from pilot_alerts import PILOT_ALERTS  # noqa: E402
from reader_alerts import READER_ALERTS  # noqa: E402

HEAD = "# Built by deploy/prometheus/build.py; change the tables next to it, not this file.\n"
KNOWN = 'pilot="p1",participant="acme",tier="high",sector="driving",region="north",authority="north"'
FACTS = {"tier": "high", "sector": "driving", "region": "north", "authority": "north"}  # of a charter that is known
ALERTS = (*PILOT_ALERTS, *MONITOR_ALERTS, *READER_ALERTS, *LEDGER_ALERTS)


def rules(links: Links = Links()) -> dict[str, Any]:  # noqa: B008 (a frozen value)
    """The content of rules.yaml, with `links` in the annotations."""
    groups: dict[str, list[dict[str, Any]]] = {"sandbox-latched": [dict(rule) for rule in latch.rules()]}
    for alert in ALERTS:
        notes = {"summary": alert.summary, "runbook_url": links.heading(alert.name)}
        if links.board and "{{ $labels.pilot }}" in alert.summary:
            notes["board_url"] = links.board.rstrip("/") + "/pilot/{{ $labels.pilot | urlquery }}"
        if links.grafana and "{{ $labels.pilot }}" in alert.summary:
            notes["dashboard_url"] = links.dashboard(PILOT_DASHBOARD) + "?var-pilot={{ $labels.pilot | urlquery }}"
        rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expr}
        if alert.hold != "0s":
            rule["for"] = alert.hold
        rule |= {"labels": {"severity": alert.severity} | alert.labels, "annotations": notes}
        groups.setdefault(alert.group, []).append(rule)
    return {"groups": [{"name": name, "rules": found} for name, found in groups.items()]}


def tests() -> dict[str, Any]:
    """The content of rules_test.yaml: the cases of each alert."""
    cases = [case for alert in ALERTS for case in _cases(alert)]
    # Else the order is random, and an alert may see what is recorded a minute late.
    order = [group["name"] for group in rules()["groups"]]
    head = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "group_eval_order": order}
    return {**head, "tests": cases}


def _cases(alert: Alert) -> Iterator[dict[str, Any]]:
    """Firing, silent and absent series; where they are given values next to the threshold, and the times around `hold`;
    for alerts with the labels of the charter the same with a charter that is known."""
    firing = _case(alert, "firing", alert.firing, alert.expect)
    if alert.since is not None:
        after = alert.since + _minutes(alert.hold)
        pending, held = _check(alert, (), f"{after - 1}m"), _check(alert, alert.expect, f"{after}m")
        firing["alert_rule_test"] = [*firing["alert_rule_test"], pending, held]
    yield firing
    if not alert.always:
        yield _case(alert, "silent", alert.silent)
    yield _case(alert, "absent", {}, alert.absent)
    if alert.above:
        yield _case(alert, "above", alert.above, alert.expect)
    if alert.edge:
        yield _case(alert, "edge", alert.edge)
    for series in alert.others:
        yield _case(alert, "other", series)
    if latch.INFO in alert.expr:
        known = {f"{M}pilot_info{{{KNOWN}}}": "1x90"}
        yield _case(alert, "labelled", known | alert.firing, tuple(e | FACTS for e in alert.expect))
        yield _case(alert, "labelled-silent", known | (alert.edge or alert.silent))
        if alert.above:
            yield _case(alert, "labelled-above", known | alert.above, tuple(e | FACTS for e in alert.expect))


def _case(alert: Alert, name: str, series: Series, expect: tuple[Series, ...] = ()) -> dict[str, Any]:
    return {
        "name": f"{alert.name} {name}",
        "interval": "1m",
        "input_series": [{"series": metric, "values": values} for metric, values in series.items()],
        "alert_rule_test": [_check(alert, expect, alert.at)],
    }


def _check(alert: Alert, expect: tuple[Series, ...], at: str) -> dict[str, Any]:
    return {"alertname": alert.name, "eval_time": at, "exp_alerts": [_fired(alert, e) for e in expect]}


def _minutes(span: str) -> int:
    return int(span[:-1]) * {"m": 1, "h": 60}[span[-1]]


def _fired(alert: Alert, labels: dict[str, str]) -> dict[str, Any]:
    summary = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], alert.summary)
    return {
        "exp_labels": {"severity": alert.severity} | alert.labels | labels,
        "exp_annotations": {"summary": summary, "runbook_url": Links().heading(alert.name)},
    }


def text(content: dict[str, Any]) -> str:
    """YAML in the order of the tables."""
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=200, allow_unicode=True)


def main() -> None:
    """Write both files; with a link or `--out`, only the rules with these links."""
    parser = argparse.ArgumentParser(description="build rules.yaml and rules_test.yaml")
    parser.add_argument("--runbook-url", default="", help="page with deploy/runbook.md, absolute")
    parser.add_argument("--board-url", default="", help="address of the board, for links to a pilot's page")
    parser.add_argument("--grafana-url", default="", help="address of Grafana, for links to a pilot's dashboard")
    parser.add_argument("--out", type=Path, default=HERE / "rules.yaml", help="output file")
    given = parser.parse_args()
    if given.runbook_url or given.board_url or given.grafana_url or given.out != HERE / "rules.yaml":
        runbook = checked(given.runbook_url, "--runbook-url") if given.runbook_url else RUNBOOK
        board = checked(given.board_url, "--board-url") if given.board_url else ""
        grafana = checked(given.grafana_url, "--grafana-url") if given.grafana_url else ""
        given.out.write_text(text(rules(Links(runbook, board, grafana))))
        return
    (HERE / "rules.yaml").write_text(text(rules()))
    (HERE / "rules_test.yaml").write_text(text(tests()))


if __name__ == "__main__":
    main()
