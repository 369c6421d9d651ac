"""The fleet: which pilots are at which level, why, and which are close to a threshold."""

from __future__ import annotations

from .table import (
    CLOSE,
    LEVELS,
    ORANGE_FROM_ONE,
    RED_FROM_ONE,
    SCOPES,
    SELECTED,
    WHO,
    Board,
    M,
    Marks,
    Panel,
    Query,
    Row,
    marks,
)

LEVEL = f"max by (pilot) ({M}pilot_level)"


def _at(level: int, word: str) -> Query:
    return Query(f"count(({LEVEL} == {level}){SELECTED}) or vector(0)", word)


NOW = Row(
    "Now",
    (
        Panel(
            "How many selected pilots are at each level?",
            "Pilots that the variables select, by level. Halt: stopped until a release. Escalate: its authority must "
            "look. Watch: a detector noticed something. Normal: nothing open.",
            "stat",
            (_at(0, "normal"), _at(1, "watch"), _at(2, "escalate"), _at(3, "halt")),
            height=5,
            first="blue",
            page="fleet",
        ),
        Panel(
            "How many selected pilots are unknown?",
            "Pilots of which data is missing, late or partial. Unknown is no level: it clears nothing, and nothing is "
            "known to be well.",
            "stat",
            (Query(f"count(({WHO} ({M}pilot_unknown) == 1){SELECTED}) or vector(0)", "unknown"),),
            width=4,
            height=5,
            steps=ORANGE_FROM_ONE,
            page="fleet",
            alerts=("SandboxPilotUnknown",),
        ),
        Panel(
            "How many selected pilots have a grave finding?",
            "Pilots with an active finding that must reach a person, also where the level did not change: a death on "
            "an escalated pilot, a contradicted or overdue halt, a missed deadline.",
            "stat",
            (Query(f"count((sum by (pilot) ({M}grave_findings) > 0){SELECTED}) or vector(0)", "with a grave finding"),),
            width=4,
            height=5,
            steps=RED_FROM_ONE,
            page="fleet",
        ),
        Panel(
            "How many pilots have no series?",
            "Pilots beyond the label cap of a process. They count in totals by level, and have no row in any table "
            "here; the board shows all.",
            "stat",
            (Query(f"sum({M}pilots_beyond_cap)", "without series"),),
            width=4,
            height=5,
            steps=ORANGE_FROM_ONE,
            page="fleet",
        ),
    ),
)

WHICH = Row(
    "Which pilots",
    (
        Panel(
            "Which pilots are escalated or halted, and why?",
            "Selected pilots at level escalate or halt, with the reason of their last change of level.",
            "table",
            (
                Query(
                    f"max by (pilot, participant, reason) ({M}pilot_reason)"
                    f" * on (pilot, participant) group_left () ({WHO} ({M}pilot_level) >= 2){SELECTED}"
                ),
            ),
            mapping=LEVELS,
            value="Level",
            page="fleet",
            alerts=("SandboxPilotHalted", "SandboxPilotEscalated"),
        ),
        Panel(
            "Which grave findings are active?",
            "Active findings of selected pilots that must reach a person, with the name of their alert.",
            "table",
            (Query(f"sum by (pilot, participant, alert, severity) ({M}grave_findings){SELECTED}"),),
            value="Findings",
            page="fleet",
        ),
        Panel(
            "Which pilots are unknown?",
            "Selected pilots of which data is missing, late or partial.",
            "table",
            (Query(f"({WHO} ({M}pilot_unknown) == 1){SELECTED}"),),
            mapping=((1, "unknown", "purple"),),
            value="State",
            width=8,
            page="fleet",
            alerts=("SandboxPilotUnknown",),
        ),
        Panel(
            "Which pilots are closest to a threshold?",
            "The ten selected pilots whose statistic is the largest share of its threshold (of logarithms, for "
            "e-processes and e-detectors). At 100 % the detector reports a finding; 0 %: no evidence.",
            "gauges",
            (
                Query(
                    "topk(10, clamp_min(max by (pilot, indicator, segment, detector)"
                    f" ({M}statistic / {M}bar), 0){SELECTED})",
                    "{{pilot}}: {{indicator}} {{segment}} ({{detector}})",
                ),
            ),
            unit="percentunit",
            width=16,
            steps=CLOSE,
            page="fleet",
        ),
        Panel(
            "How did the level of each pilot change?",
            "Level of each selected pilot over the time range.",
            "states",
            (Query(f"{LEVEL}{SELECTED}", "{{pilot}}"),),
            unit="none",
            width=24,
            height=10,
            mapping=LEVELS,
            page="fleet",
        ),
    ),
)

WHERE = Row(
    "Where",
    (
        Panel(
            "Which authorities have pilots that are escalated or halted?",
            "Selected pilots at level escalate or halt, by responsible authority. A pilot with two authorities counts "
            "for both; an empty name means that none is responsible.",
            "gauges",
            (
                Query(
                    f'count by (authority) (max by (pilot, authority) ({M}pilot_scope{{authority=~"$authority",'
                    f' sector=~"$sector", region=~"$region", tier=~"$tier"}}) and on (pilot) ({M}pilot_level >= 2))',
                    "{{authority}}",
                ),
            ),
            unit="none",
            width=8,
            steps=RED_FROM_ONE,
            page="fleet",
        ),
        Panel(
            "In which sectors are pilots escalated or halted?",
            "Selected pilots at level escalate or halt, by sector of their charter.",
            "gauges",
            (
                Query(
                    f"count by (sector) (max by (pilot, sector) ({M}pilot_scope){SELECTED}"
                    f" and on (pilot) ({M}pilot_level >= 2))",
                    "{{sector}}",
                ),
            ),
            unit="none",
            width=8,
            steps=RED_FROM_ONE,
            page="fleet",
        ),
        Panel(
            "In which tiers and regions are the pilots?",
            "Selected pilots by tier and region of their charter.",
            "gauges",
            (
                Query(
                    f"count by (tier, region) (max by (pilot, tier, region) ({M}pilot_scope){SELECTED})",
                    "{{tier}}, {{region}}",
                ),
            ),
            unit="none",
            width=8,
            first="blue",
            page="fleet",
        ),
    ),
)

ALL = Row(
    "All pilots (the variables do not apply)",
    (
        Panel(
            "How many pilots are at each level in total?",
            "All pilots of the monitor, including those without series. Differs from the selected ones by what the "
            "variables leave out.",
            "lines",
            (Query(f"sum by (level) ({M}pilots)", "{{level}}"),),
            page="fleet",
        ),
        Panel(
            "Which levels do pilots change to?",
            "Changes of level per interval, from and to.",
            "lines",
            (
                Query(
                    f"sum by (was, level) (increase({M}level_changes_total[$__rate_interval])) > 0",
                    "{{was}} to {{level}}",
                ),
            ),
            page="fleet",
        ),
        Panel(
            "Which decisions are taken, and for what reason?",
            "Decisions per interval by level after them and reason, acts of people included.",
            "lines",
            (
                Query(
                    f"sum by (level, reason) (increase({M}decisions_total[$__rate_interval])) > 0",
                    "{{level}}: {{reason}}",
                ),
            ),
            page="ledger",
        ),
        Panel(
            "How many commands and permits are sent to services?",
            "Per second: commands, retransmissions of commands that were not acknowledged, and permits (the leases "
            "under which services run).",
            "lines",
            (
                Query(f"sum by (action) (rate({M}commands_total[$__rate_interval]))", "command {{action}}"),
                Query(f"sum by (action) (rate({M}commands_again_total[$__rate_interval]))", "resent: {{action}}"),
                Query(f"sum(rate({M}permits_total[$__rate_interval]))", "permits"),
            ),
            unit="ops",
            page="halts",
        ),
    ),
)

HALTS = Marks(
    "Halts (metrics)",
    "dark-red",
    expr=f"(max by (pilot) ({M}halt_timestamp_seconds) * 1000){SELECTED}",
    title="{{pilot}} halted",
)

BOARD = Board(
    "sandbox-fleet",
    "fleet",
    "Sandbox: the fleet",
    "For authorities: which pilots are at which level and why, which are unknown, which come close to a threshold.",
    (NOW, WHICH, WHERE, ALL),
    SCOPES,
    (*marks(), HALTS),
)
