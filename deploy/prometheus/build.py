"""Every alert as one row: expression, sentence, and the three cases that test it. Writes rules.yaml and
rules_test.yaml.

Run `python deploy/prometheus/build.py` after a change and commit what it writes; a test holds that the files are what
this builds. The link to the runbook is made from the alert's name, and a test holds that the heading exists.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from monitor.act.links import RUNBOOK, Links, checked

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import latch  # noqa: E402 (next to this file, which is no package)
from latch import STATE, labelled  # noqa: E402

HEAD = "# Built by deploy/prometheus/build.py; change the table there, not this file.\n"
JOB = "sandbox-monitor"
M = "sandbox_monitor_"
WHO = '{pilot="p1",participant="acme"}'
Series = dict[str, str]


@dataclass(frozen=True)
class Alert:
    """One alert. `firing` and `silent` map series to values (one per minute); `expect` are the labels of what must fire
    at minute `at`. `absent` is what must fire when there is no series at all. `always` says why there is no silent
    case."""

    name: str
    group: str
    expr: str
    severity: str
    summary: str
    firing: Series
    silent: Series
    expect: tuple[dict[str, str], ...] = ({},)
    hold: str = "0s"
    labels: dict[str, str] = field(default_factory=dict)
    absent: tuple[dict[str, str], ...] = ()
    at: str = "20m"
    always: str = ""


PILOT = {"pilot": "p1", "participant": "acme"}
FINDINGS = {
    "SandboxHardRule": "an event for which its charter has a hard rule",
    "SandboxLimitExceeded": "a limit of its charter that is broken",
    "SandboxLimitTolerated": "a broken limit that was tolerated and has to be rectified",
    "SandboxRectificationOverdue": "a broken limit that was not rectified in time",
    "SandboxHaltOverdue": "a halt that is not acknowledged or not verified in time",
    "SandboxHaltContradicted": "a halt that its service contradicts",
    "SandboxDrillOverdue": "a drill that its service did not answer in time",
}
"""What a grave finding of each alert is, for the rule that stands in for the pushed alert."""


def _of_finding(name: str, what: str) -> Alert:
    """The rule of one kind of grave finding: as severe as the worst that stands."""
    series = f'{M}grave_findings{{pilot="p1",participant="acme",alert="{name}",severity="critical"}}'
    level = f"{M}pilot_level{WHO}"
    return Alert(
        name,
        "sandbox-findings",
        labelled(f'sandbox:grave_findings:latched{{alert="{name}"}} > 0'),
        "{{ $labels.severity }}",
        f"Pilot {{{{ $labels.pilot }}}} of {{{{ $labels.participant }}}} has {what}.",
        {level: "2x30", series: "_x10 1x20"},
        {level: "2x30", series: "1x10 stale"},
        (PILOT | {"alert": name, "severity": "critical"},),
        labels={"via": "rule"},
    )


ALERTS = (
    Alert(
        "SandboxPilotHalted",
        "sandbox-halt",
        labelled(f"{STATE} == 3"),
        "critical",
        "Pilot {{ $labels.pilot }} of {{ $labels.participant }} is halted.",
        {f"{M}pilot_level{WHO}": "0x10 3x20"},
        {f"{M}pilot_level{WHO}": "0x10 2x20"},
        (PILOT,),
        labels={"level": "halt", "via": "rule"},
    ),
    Alert(
        "SandboxHaltUnacknowledged",
        "sandbox-halt",
        labelled("sandbox:pilot_unacknowledged:latched == 1"),
        "critical",
        "Pilot {{ $labels.pilot }} of {{ $labels.participant }} has not acknowledged its halt for two minutes.",
        {f"{M}pilot_unacknowledged{WHO}": "0x10 1x20"},
        {f"{M}pilot_unacknowledged{WHO}": "0x18 1x1 0x20"},
        (PILOT,),
        hold="2m",
    ),
    Alert(
        "SandboxCommandOpen",
        "sandbox-halt",
        labelled("(time() - sandbox:command_open_timestamp_seconds:latched) > 600"),
        "warning",
        "The {{ $labels.action }} of pilot {{ $labels.pilot }} of {{ $labels.participant }} is {{ $labels.state }} for ten minutes.",
        {
            M
            + 'command_open_timestamp_seconds{pilot="p1",participant="acme",action="halt",state="acknowledged"}': "60x30"
        },
        {
            M
            + 'command_open_timestamp_seconds{pilot="p1",participant="acme",action="halt",state="acknowledged"}': "900x30"
        },
        (PILOT | {"action": "halt", "state": "acknowledged"},),
    ),
    Alert(
        "SandboxLeaseShort",
        "sandbox-monitor-health",
        f"sum({M}leases_short) > 0",
        "warning",
        "The lease of some pilots is so short that the crash of one worker may stop their services.",
        {M + 'leases_short{partition="0"}': "2x30"},
        {M + 'leases_short{partition="0"}': "0x30"},
        hold="5m",
    ),
    Alert(
        "SandboxOpenMode",
        "sandbox-monitor-health",
        f"max({M}open_mode) == 1",
        "info",
        "No admitter key is configured: anybody who may write to control may admit a pilot. For demonstrations and tests only.",
        {M + "open_mode": "1x30"},
        {M + "open_mode": "0x30"},
    ),
    Alert(
        "SandboxForged",
        "sandbox-halt",
        f"{labelled(f'sum by (pilot, participant) (increase({M}pilot_forged_total[10m])) > 0')}"
        f' or (sum(increase({M}rejected_total{{reason="forged"}}[10m])) > 0'
        f" unless sum(increase({M}pilot_forged_total[10m])) > 0)",
        "critical",
        "An act, an acknowledgement or a heartbeat (pilot: {{ $labels.pilot }}) was not signed by the right key. It had no effect.",
        {M + 'rejected_total{reason="forged"}': "0x10 1x20", f"{M}pilot_forged_total{WHO}": "0x10 1x20"},
        {M + 'rejected_total{reason="forged"}': "3x30", M + 'rejected_total{reason="not_json"}': "0+9x30"},
        (PILOT,),
        at="15m",
    ),
    Alert(
        "SandboxNotBelieved",
        "sandbox-halt",
        f'sum by (reason) (increase({M}rejected_total{{reason=~"control_refused|not_in_force|not_yours|repeated"}}[10m])) > 0',
        "warning",
        "An act or an acknowledgement was well formed and had no effect: {{ $labels.reason }}.",
        {M + 'rejected_total{reason="not_in_force"}': "0x10 1x20"},
        {M + 'rejected_total{reason="not_in_force"}': "3x30", M + 'rejected_total{reason="not_json"}': "0+9x30"},
        ({"reason": "not_in_force"},),
        at="15m",
    ),
    Alert(
        "SandboxPilotEscalated",
        "sandbox-escalate",
        labelled(f"{STATE} == 2"),
        "warning",
        "Pilot {{ $labels.pilot }} of {{ $labels.participant }} is escalated.",
        {f"{M}pilot_level{WHO}": "0x10 2x20"},
        {f"{M}pilot_level{WHO}": "1x30"},
        (PILOT,),
        labels={"level": "escalate", "via": "rule"},
    ),
    *(_of_finding(name, what) for name, what in FINDINGS.items()),
    Alert(
        "SandboxPilotUnknown",
        "sandbox-unknown",
        labelled("sandbox:pilot_unknown:latched == 1"),
        "warning",
        "Nothing, late or partial data from pilot {{ $labels.pilot }} of {{ $labels.participant }} for 15 minutes.",
        {f"{M}pilot_unknown{WHO}": "1x30"},
        {f"{M}pilot_unknown{WHO}": "0x10 1x20"},
        (PILOT,),
        hold="15m",
    ),
    Alert(
        "SandboxFleetUnknown",
        "sandbox-unknown",
        f"sum({M}pilots_unknown) / sum({M}pilots) > 0.2",
        "critical",
        "More than a fifth of all pilots is unknown: look for one common cause before you look at any pilot.",
        {f"{M}pilots_unknown": "3x30", M + 'pilots{level="normal"}': "9x30", M + 'pilots{level="halt"}': "1x30"},
        {f"{M}pilots_unknown": "2x30", M + 'pilots{level="normal"}': "9x30", M + 'pilots{level="halt"}': "1x30"},
        hold="5m",
    ),
    Alert(
        "SandboxTelemetryLost",
        "sandbox-monitor-health",
        # No `increase`: it is counted when the worker starts, before it is scraped for the first time.
        f'sum({M}decisions_total{{reason="telemetry_lost"}}) > 0',
        "critical",
        "Kafka deleted unread telemetry, and a worker went on with --skip-lost. A death may be among what is lost.",
        {M + 'decisions_total{level="watch",reason="telemetry_lost"}': "2x20"},
        {M + 'decisions_total{level="watch",reason="sequence_gap"}': "0x10 2x20"},
        ({},),
        at="15m",
    ),
    Alert(
        "SandboxMonitorHeartbeatOld",
        "sandbox-monitor-health",
        f"time() - max by (instance) ({M}heartbeat_timestamp_seconds) > 60",
        "critical",
        "The monitor at {{ $labels.instance }} answers scrapes, but its runner has not moved for a minute.",
        {M + 'heartbeat_timestamp_seconds{instance="a:1"}': "0x30"},
        {M + 'heartbeat_timestamp_seconds{instance="a:1"}': "0+60x30"},
        ({"instance": "a:1"},),
        hold="1m",
    ),
    Alert(
        "SandboxMonitorLag",
        "sandbox-monitor-health",
        f"sum by (topic, partition) ({M}lag_records) > 10000",
        "warning",
        "More than 10,000 records of {{ $labels.topic }}/{{ $labels.partition }} wait for the machine.",
        {M + 'lag_records{topic="t",partition="0"}': "20000x30"},
        {M + 'lag_records{topic="t",partition="0"}': "9000x30"},
        ({"topic": "t", "partition": "0"},),
        hold="5m",
    ),
    Alert(
        "SandboxMonitorStuck",
        "sandbox-monitor-health",
        f"sum by (instance) ({M}lag_records) > 0 and sum by (instance) (rate({M}events_total[5m])) == 0"
        f" and sum by (instance) (rate({M}rejected_total[5m])) == 0",
        "critical",
        "Records wait at {{ $labels.instance }} and none is stepped.",
        {
            M + 'lag_records{instance="a:1",topic="t",partition="0"}': "5x30",
            M + 'events_total{instance="a:1"}': "7x30",
            M + 'rejected_total{instance="a:1",reason="bad_json"}': "0x30",
        },
        {
            M + 'lag_records{instance="a:1",topic="t",partition="0"}': "5x30",
            M + 'events_total{instance="a:1"}': "7+60x30",
            M + 'rejected_total{instance="a:1",reason="bad_json"}': "0x30",
        },
        ({"instance": "a:1"},),
        hold="2m",
    ),
    Alert(
        "SandboxMonitorCheckpointOld",
        "sandbox-monitor-health",
        f"time() - max by (partition) ({M}checkpoint_timestamp_seconds) > 120"
        f" and on (partition) sum by (partition) ({M}lag_records) > 0",
        "warning",
        "Partition {{ $labels.partition }} has saved no state for two minutes while records wait.",
        {
            M + 'checkpoint_timestamp_seconds{partition="0"}': "0x30",
            M + 'lag_records{topic="t",partition="0"}': "5x30",
        },
        {
            M + 'checkpoint_timestamp_seconds{partition="0"}': "0+60x30",
            M + 'lag_records{topic="t",partition="0"}': "5x30",
        },
        ({"partition": "0"},),
        hold="1m",
    ),
    Alert(
        "SandboxTwoOwners",
        "sandbox-monitor-health",
        f"count by (partition) ({M}partition_epoch) > 1",
        "warning",
        "Two processes say that they own partition {{ $labels.partition }}; the older one should have ended.",
        {
            M + 'partition_epoch{instance="a:1",partition="0"}': "1x30",
            M + 'partition_epoch{instance="b:1",partition="0"}': "2x30",
        },
        {
            M + 'partition_epoch{instance="a:1",partition="0"}': "1x30",
            M + 'partition_epoch{instance="b:1",partition="1"}': "2x30",
        },
        ({"partition": "0"},),
        hold="2m",
    ),
    Alert(
        "SandboxTimersLate",
        "sandbox-monitor-health",
        f"histogram_quantile(0.99, sum by (le) (rate({M}notify_delay_seconds_bucket[5m]))) > 30",
        "warning",
        "One timer in a hundred is served more than 30 s late: silence and period ends are noticed late.",
        {
            M + 'notify_delay_seconds_bucket{le="30.0"}': "0x30",
            M + 'notify_delay_seconds_bucket{le="60.0"}': "0+10x30",
            M + 'notify_delay_seconds_bucket{le="+Inf"}': "0+10x30",
        },
        {
            M + 'notify_delay_seconds_bucket{le="30.0"}': "0+10x30",
            M + 'notify_delay_seconds_bucket{le="60.0"}': "0+10x30",
            M + 'notify_delay_seconds_bucket{le="+Inf"}': "0+10x30",
        },
        hold="5m",
    ),
    Alert(
        "SandboxManyRejected",
        "sandbox-monitor-health",
        f"sum(increase({M}rejected_total[10m]))"
        f" / clamp_min(sum(increase({M}rejected_total[10m])) + sum(increase({M}events_total[10m])), 1) > 0.05",
        "warning",
        "More than one telemetry event in twenty is set aside.",
        {M + 'rejected_total{reason="bad_json"}': "0+10x30", f"{M}events_total": "0+100x30"},
        {M + 'rejected_total{reason="bad_json"}': "0+2x30", f"{M}events_total": "0+100x30"},
    ),
    Alert(
        "SandboxActorFailing",
        "sandbox-monitor-health",
        f'sum by (actor) (increase({M}acted_total{{outcome!="done"}}[5m])) > 0',
        "warning",
        "The actor {{ $labels.actor }} could not hand over decisions for five minutes.",
        {M + 'acted_total{actor="alertmanager",outcome="unavailable"}': "0+3x30"},
        {
            M + 'acted_total{actor="alertmanager",outcome="unavailable"}': "0x30",
            M + 'acted_total{actor="alertmanager",outcome="done"}': "0+3x30",
        },
        ({"actor": "alertmanager"},),
        hold="5m",
    ),
    Alert(
        "SandboxClockSkew",
        "sandbox-monitor-health",
        f"abs(max by (actor, instance) ({M}actor_clock_skew_seconds)) > 30",
        "warning",
        "The clock of {{ $labels.actor }} and that of {{ $labels.instance }}, which sends to it, differ by more than 30 s.",
        {M + 'actor_clock_skew_seconds{actor="alertmanager",instance="a:1"}': "-600x30"},
        {M + 'actor_clock_skew_seconds{actor="alertmanager",instance="a:1"}': "-20x30"},
        ({"actor": "alertmanager", "instance": "a:1"},),
        hold="2m",
    ),
    Alert(
        "SandboxNumberNotFinite",
        "sandbox-monitor-health",
        f'sum(increase({M}dropped_total{{why="not_finite"}}[1h])) > 0',
        "warning",
        "A detector or a period gave a number that is not finite: it may be blind.",
        {M + 'dropped_total{why="not_finite"}': "0x5 1x30"},
        {M + 'dropped_total{why="not_finite"}': "0x30", M + 'dropped_total{why="slot_cap"}': "0+1x30"},
    ),
    Alert(
        "SandboxPilotsBeyondCap",
        "sandbox-monitor-health",
        f"sum({M}pilots_beyond_cap) > 0",
        "warning",
        "Some pilots have no series of their own: halts of theirs reach you by the direct push alone.",
        {f"{M}pilots_beyond_cap": "4x30"},
        {f"{M}pilots_beyond_cap": "0x30"},
        hold="5m",
    ),
    Alert(
        "SandboxMonitorDown",
        "sandbox-absent",
        f'up{{job=~"{JOB}|sandbox-act"}} == 0',
        "critical",
        "{{ $labels.job }} at {{ $labels.instance }} does not answer scrapes.",
        {f'up{{job="{JOB}",instance="a:1"}}': "1x10 0x20"},
        {f'up{{job="{JOB}",instance="a:1"}}': "1x30"},
        ({"job": JOB, "instance": "a:1"},),
        hold="1m",
    ),
    Alert(
        "SandboxMonitorAbsent",
        "sandbox-absent",
        f'absent({M}heartbeat_timestamp_seconds{{job="{JOB}"}})',
        "critical",
        "No monitor is seen at all: nobody watches the pilots.",
        {
            f'{M}heartbeat_timestamp_seconds{{job="{JOB}"}}': "0+60x5 stale",
            M + 'heartbeat_timestamp_seconds{job="sandbox-act"}': "0+60x30",
        },
        {f'{M}heartbeat_timestamp_seconds{{job="{JOB}"}}': "0+60x30"},
        ({"job": JOB},),
        hold="1m",
        absent=({"job": JOB},),
    ),
    Alert(
        "SandboxPilotVanished",
        "sandbox-absent",
        labelled(f"{STATE} >= 0 unless on (pilot, participant) {M}pilot_level"),
        "critical",
        "Pilot {{ $labels.pilot }} of {{ $labels.participant }} is not watched any more, and it has not left the sandbox.",
        {f"{M}pilot_level{WHO}": "3x12 stale"},
        {f"{M}pilot_level{WHO}": "0x12 stale", f"{M}pilot_left{WHO}": "_x12 1x18"},
        (PILOT,),
        hold="2m",
    ),
    Alert(
        "Watchdog",
        "sandbox-watchdog",
        "vector(1)",
        "none",
        "Always fires: if it stops, Prometheus or Alertmanager is broken, and the dead-man receiver says so.",
        {"up": "1x30"},
        {},
        absent=({},),
        always="it must never be silent",
    ),
)


def rules(links: Links = Links()) -> dict[str, Any]:  # noqa: B008 (a frozen value)
    """The content of rules.yaml, with alerts that lead to these `links`."""
    groups: dict[str, list[dict[str, Any]]] = {"sandbox-latched": [dict(rule) for rule in latch.rules()]}
    for alert in ALERTS:
        notes = {"summary": alert.summary, "runbook_url": links.heading(alert.name)}
        if links.board and "{{ $labels.pilot }}" in alert.summary:
            notes["board_url"] = links.board.rstrip("/") + "/pilot/{{ $labels.pilot | urlquery }}"
        rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expr}
        if alert.hold != "0s":
            rule["for"] = alert.hold
        rule |= {"labels": {"severity": alert.severity} | alert.labels, "annotations": notes}
        groups.setdefault(alert.group, []).append(rule)
    return {"groups": [{"name": name, "rules": found} for name, found in groups.items()]}


def tests() -> dict[str, Any]:
    """The content of rules_test.yaml: three cases per alert."""
    cases = []
    for alert in ALERTS:
        wanted = [("firing", alert.firing, alert.expect), ("silent", alert.silent, ()), ("absent", {}, alert.absent)]
        for case, series, expect in wanted:
            if case == "silent" and alert.always:
                continue
            cases.append(
                {
                    "name": f"{alert.name} {case}",
                    "interval": "1m",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "alert_rule_test": [
                        {
                            "alertname": alert.name,
                            "eval_time": alert.at,
                            "exp_alerts": [_fired(alert, e) for e in expect],
                        }
                    ],
                }
            )
    return {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": cases}


def _fired(alert: Alert, labels: dict[str, str]) -> dict[str, Any]:
    summary = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], alert.summary)
    return {
        "exp_labels": {"severity": alert.severity} | alert.labels | labels,
        "exp_annotations": {"summary": summary, "runbook_url": Links().heading(alert.name)},
    }


def text(content: dict[str, Any]) -> str:
    """YAML in the order of the table."""
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=200, allow_unicode=True)


def main() -> None:
    """Write both files; with a link given, only rules.yaml with these links, to `--out`."""
    parser = argparse.ArgumentParser(description="build rules.yaml and rules_test.yaml")
    parser.add_argument("--runbook-url", default="", help="page with deploy/runbook.md, absolute")
    parser.add_argument("--board-url", default="", help="address of the board, for links to a pilot's page")
    parser.add_argument("--out", type=Path, default=HERE / "rules.yaml", help="where the rules go")
    given = parser.parse_args()
    if given.runbook_url or given.board_url or given.out != HERE / "rules.yaml":
        runbook = checked(given.runbook_url, "--runbook-url") if given.runbook_url else RUNBOOK
        board = checked(given.board_url, "--board-url") if given.board_url else ""
        given.out.write_text(text(rules(Links(runbook, board))))
        return
    (HERE / "rules.yaml").write_text(text(rules()))
    (HERE / "rules_test.yaml").write_text(text(tests()))


if __name__ == "__main__":
    main()
