"""Alerts about pilots: halts, commands, signatures, escalations, grave findings, missing data."""

from __future__ import annotations

from alert import PILOT, WHO, Alert, M
from latch import STATE, labelled

from monitor.model.records import Reason
from monitor.projections.alert_table import COMPLAINTS
from monitor.projections.severity import GRAVE
from monitor.projections.wording import REASONS

OPEN_COMMAND = f'{M}command_open_timestamp_seconds{{pilot="p1",participant="acme",action="halt",state="acknowledged"}}'
OWED = '{pilot="p1",participant="acme",owed_by="firm"}'
RUNNING, MISSED = (f'{{pilot="p1",participant="acme",owed_by="firm",state="{s}"}}' for s in ("running", "missed"))
REFUSED = "control_refused|not_in_force|not_yours|repeated"


def _of_finding(name: str, text: str) -> Alert:
    """The rule of one kind of grave finding, with the severity of the worst active one."""
    series = f'{M}grave_findings{{pilot="p1",participant="acme",alert="{name}",severity="critical"}}'
    level = f"{M}pilot_level{WHO}"
    return Alert(
        name,
        "sandbox-findings",
        labelled(f'sandbox:grave_findings:latched{{alert="{name}"}} > 0'),
        "{{ $labels.severity }}",
        f"Pilot {{{{ $labels.pilot }}}} of {{{{ $labels.participant }}}}: {text[0].lower()}{text[1:]}.",
        {level: "2x30", series: "_x10 1x20"},
        {level: "2x30", series: "1x10 stale"},
        (PILOT | {"alert": name, "severity": "critical"},),
        labels={"via": "rule"},
        edge={level: "2x30", series: "0x30"},
        others=({level: "2x30", series.replace(name, "SandboxOther"): "1x30"},),
    )


PILOT_ALERTS = (
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
        "Pilot {{ $labels.pilot }} of {{ $labels.participant }} has not acknowledged its halt "
        "for 2 min; it may still be serving.",
        {f"{M}pilot_unacknowledged{WHO}": "0x10 1x20"},
        {f"{M}pilot_unacknowledged{WHO}": "0x18 1x1 0x20"},
        (PILOT,),
        hold="2m",
        since=11,
    ),
    Alert(
        "SandboxCommandOpen",
        "sandbox-halt",
        labelled("(time() - sandbox:command_open_timestamp_seconds:latched) > 600"),
        "warning",
        "The {{ $labels.action }} of pilot {{ $labels.pilot }} of {{ $labels.participant }} is open for "
        "more than 10 min; state: {{ $labels.state }}.",
        {OPEN_COMMAND: "60x30"},
        {OPEN_COMMAND: "900x30"},
        (PILOT | {"action": "halt", "state": "acknowledged"},),
        above={OPEN_COMMAND: "599x30"},
        edge={OPEN_COMMAND: "600x30"},
    ),
    Alert(
        "SandboxForged",
        "sandbox-halt",
        f"{labelled(f'sum by (pilot, participant) (increase({M}pilot_forged_total[10m])) > 0')}"
        f' or (sum(increase({M}rejected_total{{reason="forged"}}[10m])) > 0'
        f" unless sum(increase({M}pilot_forged_total[10m])) > 0)",
        "critical",
        "Missing or wrong signature on an act or on telemetry (pilot: {{ $labels.pilot }}). It had no effect.",
        {M + 'rejected_total{reason="forged"}': "0x10 1x20", f"{M}pilot_forged_total{WHO}": "0x10 1x20"},
        {M + 'rejected_total{reason="forged"}': "3x30", M + 'rejected_total{reason="not_json"}': "0+9x30"},
        (PILOT,),
        at="15m",
        edge={M + 'rejected_total{reason="forged"}': "3x30", f"{M}pilot_forged_total{WHO}": "3x30"},
    ),
    Alert(
        "SandboxNotBelieved",
        "sandbox-halt",
        f'sum by (reason) (increase({M}rejected_total{{reason=~"{REFUSED}"}}[10m])) > 0',
        "warning",
        "A well-formed act, acknowledgement or event was refused and had no effect; reason: {{ $labels.reason }}.",
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
    *(
        _of_finding(name, REASONS[reason])
        for reason, name in GRAVE.items()
        if reason not in (Reason.CLOCK_MISSED, Reason.COMMON_CAUSE)  # the second stage exposes no findings
    ),
    _of_finding(COMPLAINTS, "Answers to complaints of users, or decisions about their redress, are overdue"),
    Alert(
        "SandboxClockMissed",
        "sandbox-deadlines",
        labelled('sandbox:clocks:latched{state="missed"} > 0'),
        "warning",
        "A legal deadline of pilot {{ $labels.pilot }} of {{ $labels.participant }} was missed; what it asks for is "
        "still owed by the {{ $labels.owed_by }}.",
        {f"{M}pilot_level{WHO}": "2x30", f"{M}clocks{MISSED}": "_x10 1x20"},
        {f"{M}pilot_level{WHO}": "2x30", f"{M}clocks{RUNNING}": "1x30", f"{M}clocks{MISSED}": "1x10 stale"},
        (PILOT | {"owed_by": "firm", "state": "missed"},),
        labels={"via": "rule"},
        edge={f"{M}pilot_level{WHO}": "2x30", f"{M}clocks{MISSED}": "0x30"},
    ),
    Alert(
        "SandboxClockDueSoon",
        "sandbox-deadlines",
        labelled("(sandbox:clock_due_timestamp_seconds:latched - time()) < 86400"),
        "warning",
        "A legal deadline of pilot {{ $labels.pilot }} of {{ $labels.participant }}, owed by the "
        "{{ $labels.owed_by }}, is due in less than 24 h.",
        {f"{M}pilot_level{WHO}": "0x30", f"{M}clock_due_timestamp_seconds{OWED}": "86000x30"},
        {f"{M}pilot_level{WHO}": "0x30", f"{M}clock_due_timestamp_seconds{OWED}": "90000x30"},
        (PILOT | {"owed_by": "firm"},),
        above={f"{M}pilot_level{WHO}": "0x30", f"{M}clock_due_timestamp_seconds{OWED}": "87599x30"},
        edge={f"{M}pilot_level{WHO}": "0x30", f"{M}clock_due_timestamp_seconds{OWED}": "87600x30"},
    ),
    Alert(
        "SandboxPilotUnknown",
        "sandbox-unknown",
        labelled("sandbox:pilot_unknown:latched == 1"),
        "warning",
        "The state of pilot {{ $labels.pilot }} of {{ $labels.participant }} has been unknown for 15 "
        "min: data is missing, late or partial.",
        {f"{M}pilot_unknown{WHO}": "1x30"},
        {f"{M}pilot_unknown{WHO}": "0x10 1x20"},
        (PILOT,),
        hold="15m",
        since=0,
    ),
    Alert(
        "SandboxFleetUnknown",
        "sandbox-unknown",
        f"sum({M}pilots_unknown) / sum({M}pilots) > 0.2",
        "critical",
        "More than 20 % of all pilots are unknown. Look for a common cause before you look at single pilots.",
        {f"{M}pilots_unknown": "3x30", M + 'pilots{level="normal"}': "9x30", M + 'pilots{level="halt"}': "1x30"},
        {f"{M}pilots_unknown": "2x30", M + 'pilots{level="normal"}': "9x30", M + 'pilots{level="halt"}': "1x30"},
        hold="5m",
        since=0,
    ),
    Alert(
        "SandboxPilotVanished",
        "sandbox-absent",
        labelled(f"{STATE} >= 0 unless on (pilot, participant) {M}pilot_level"),
        "critical",
        "Pilot {{ $labels.pilot }} of {{ $labels.participant }} is no longer monitored, but has not left the sandbox.",
        {f"{M}pilot_level{WHO}": "3x12 stale"},
        {f"{M}pilot_level{WHO}": "0x12 stale", f"{M}pilot_left{WHO}": "_x12 1x18"},
        (PILOT,),
        hold="2m",
        since=13,
    ),
)
