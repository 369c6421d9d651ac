"""One pilot: its level, since when, on what evidence, what is owed, and what people did."""

from __future__ import annotations

from .table import (
    CLOSE,
    LEVELS,
    ORANGE_FROM_ONE,
    OVERDUE,
    YES,
    Board,
    M,
    Marks,
    Panel,
    Query,
    Row,
    Variable,
    marks,
)

ONE = '{pilot="$pilot"}'
SLOT = "max by (pilot, indicator, segment)"
SCORE = "max by (pilot, indicator, segment, detector)"
STREAM = "{{indicator}} {{segment}}"

NOW = Row(
    "Now",
    (
        Panel(
            "At which level is it?",
            "Level in force. A halt stands until two approvers released it.",
            "stat",
            (Query(f"max({M}pilot_level{ONE})", "level"),),
            unit="none",
            width=4,
            height=5,
            mapping=LEVELS,
            page="pilot",
            alerts=("SandboxPilotHalted", "SandboxPilotEscalated"),
        ),
        Panel(
            "Since when?",
            "When the pilot came to its level.",
            "stat",
            (Query(f"max({M}pilot_level_timestamp_seconds{ONE}) * 1000", "since"),),
            unit="dateTimeAsIso",
            width=4,
            height=5,
            first="blue",
            page="pilot",
        ),
        Panel(
            "Why?",
            "Reason of the last change of level.",
            "stat",
            (Query(f"max by (reason) ({M}pilot_reason{ONE})", "{{reason}}"),),
            unit="none",
            width=4,
            height=5,
            first="blue",
            by_name=True,
            page="pilot",
        ),
        Panel(
            "In which state of its life is it?",
            "State in the life of a pilot, from the application to the exit report.",
            "stat",
            (Query(f"max by (state) ({M}pilot_state{ONE})", "{{state}}"),),
            unit="none",
            width=4,
            height=5,
            first="blue",
            by_name=True,
            page="pilot",
        ),
        Panel(
            "Is it unknown?",
            "Whether data of the pilot is missing, late or partial.",
            "stat",
            (Query(f"max({M}pilot_unknown{ONE})", "unknown"),),
            unit="none",
            width=4,
            height=5,
            mapping=YES,
            page="pilot",
            alerts=("SandboxPilotUnknown",),
        ),
        Panel(
            "Is a halt not acknowledged?",
            "Whether the service has not yet acknowledged the command to stop.",
            "stat",
            (Query(f"max({M}pilot_unacknowledged{ONE})", "not acknowledged"),),
            unit="none",
            width=4,
            height=5,
            mapping=YES,
            page="pilot",
            alerts=("SandboxHaltUnacknowledged",),
        ),
        Panel(
            "How did its level change?",
            "Level over the time range, and when the pilot was unknown.",
            "states",
            (
                Query(f"max by (pilot) ({M}pilot_level{ONE})", "level"),
                Query(f"max by (pilot) ({M}pilot_unknown{ONE}) * 4", "unknown"),
            ),
            unit="none",
            width=24,
            height=5,
            mapping=(*LEVELS, (4, "unknown", "purple")),
            page="pilot",
        ),
    ),
)

EVIDENCE = Row(
    "On what evidence",
    (
        Panel(
            "How close is each statistic to its threshold?",
            "Statistic divided by its threshold (of logarithms, for e-processes and e-detectors). At 100 % the "
            "detector reports a finding; 0 %: no evidence.",
            "lines",
            (Query(f"clamp_min({SCORE} ({M}statistic{ONE} / {M}bar{ONE}), 0)", STREAM + " ({{detector}})"),),
            unit="percentunit",
            width=24,
            height=9,
            steps=CLOSE,
            page="pilot",
        ),
        Panel(
            "What is the statistic of each detector, and its threshold?",
            "Natural logarithms for e-processes and e-detectors; else in the unit of the detector.",
            "lines",
            (
                Query(f"{SCORE} ({M}statistic{ONE})", STREAM + " ({{detector}})"),
                Query(f"{SCORE} ({M}bar{ONE})", "threshold of " + STREAM + " ({{detector}})"),
            ),
            page="pilot",
        ),
        Panel(
            "How many events per unit of exposure?",
            "Events of the last closed period divided by its exposure, in the unit of the charter.",
            "lines",
            (Query(f"{SLOT} ({M}observed{ONE}) / ({SLOT} ({M}exposure{ONE}) > 0)", STREAM),),
            page="pilot",
        ),
        Panel(
            "What was observed?",
            "Events of the last closed period; the value itself for a cost or gain.",
            "lines",
            (Query(f"{SLOT} ({M}observed{ONE})", STREAM),),
            page="pilot",
        ),
        Panel(
            "Over what exposure?",
            "Exposure or number of trials of the last closed period, in the unit of the charter.",
            "lines",
            (Query(f"{SLOT} ({M}exposure{ONE})", STREAM),),
            page="pilot",
        ),
        Panel(
            "When did the last closed period of each indicator end?",
            "An indicator whose last period ended long ago receives nothing.",
            "table",
            (Query(f"{SLOT} ({M}period_end_timestamp_seconds{ONE}) * 1000"),),
            unit="dateTimeAsIso",
            value="End",
            hidden=("pilot",),
            page="pilot",
        ),
        Panel(
            "How much of its alpha is used?",
            "Alpha is the largest probability of a false halt by statistics that the charter allows during the whole "
            "stay. Used: the shares of runs that are over, and of thresholds that were reached. May spend: what the "
            "thresholds of all runs so far may spend, known from the first day on; a further run begins after each "
            "release.",
            "gauges",
            (
                Query(f"max({M}pilot_alpha_used{ONE} / {M}pilot_alpha{ONE})", "used"),
                Query(f"max({M}pilot_alpha_may_spend{ONE} / {M}pilot_alpha{ONE})", "may spend"),
            ),
            unit="percentunit",
            steps=((0.7, "orange"), (0.9, "red")),
            page="pilot",
        ),
    ),
)

OWED = Row(
    "Commands, findings and deadlines",
    (
        Panel(
            "Which grave findings are active?",
            "Active findings that must reach a person, with the name of their alert.",
            "table",
            (Query(f"sum by (alert, severity) ({M}grave_findings{ONE})"),),
            unit="none", value="Findings", page="pilot",
        ),
        Panel(
            "How long does its halt stand, and was the stop verified?",
            "Time since the decision to halt. Verified: acknowledged, then three heartbeats without service.",
            "table",
            (Query(f"time() - max by (state) ({M}halt_timestamp_seconds{ONE})"),),
            unit="s", value="Stands for", page="halts",
            alerts=("SandboxHaltOverdue", "SandboxHaltContradicted"),
        ),
        Panel(
            "Which command is open, and for how long?",
            "A command that was not acknowledged or not verified, and the time since it was given.",
            "table",
            (Query(f"time() - max by (action, state) ({M}command_open_timestamp_seconds{ONE})"),),
            unit="s", value="Open for", page="halts", alerts=("SandboxHaltUnacknowledged",),
        ),
        Panel(
            "How many legal deadlines run, were met or missed?",
            "By who owes. Missed counts only while the duty is still owed.",
            "table",
            (Query(f"sum by (owed_by, state) ({M}clocks{ONE})"),),
            unit="none", value="Deadlines", page="clocks",
        ),
        Panel(
            "How long is left until the next deadline?",
            "Time until the first due instant of what runs, by who owes; negative once it is over.",
            "stat",
            (Query(f"min by (owed_by) ({M}clock_due_timestamp_seconds{ONE}) - time()", "{{owed_by}}"),),
            unit="s", steps=OVERDUE, first="red", page="clocks",
        ),
        Panel(
            "Who is responsible for it?",
            "Responsible authorities, and what its charter says of it.",
            "table",
            (Query(f"max by (authority, tier, sector, region, participant) ({M}pilot_scope{ONE})"),),
            unit="none", value="Responsible", mapping=((1, "yes", "blue"),), page="pilot",
        ),
        Panel(
            "How many acts and events have a wrong signature?",
            "Acts and events of the pilot with a missing or wrong signature; none of them counts.",
            "stat",
            (Query(f"sum({M}pilot_forged_total{ONE})", "rejected"),),
            unit="none", steps=ORANGE_FROM_ONE, page="pilot",
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "sandbox-pilot",
    "pilot",
    "Sandbox: one pilot",
    "For authorities and the firm: at which level the pilot is, since when, on what evidence, and what is owed.",
    (NOW, EVIDENCE, OWED),
    (Variable("pilot", "Pilot", f"{M}pilot_level", "pilot", several=False),),
    (
        *marks("pilot:$pilot"),
        Marks(
            "Last change of level (metrics)",
            "dark-red",
            expr=f"max by (pilot, participant) ({M}pilot_level_timestamp_seconds{ONE}) * 1000",
            title="{{pilot}} changed its level",
        ),
    ),
)
