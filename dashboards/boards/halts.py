"""Halts and releases: which halts stand, whether each stop is verified, how long that takes, and what was released."""

from __future__ import annotations

from .table import RED_FROM_ONE, SCOPES, SELECTED, WHO, YES, Board, M, Panel, Query, Row, Step, marks

RANGE = "over the time range of the dashboard"
OPEN_FOR: tuple[Step, ...] = ((300, "orange"), (3600, "red"))


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (increase({M}{metric}_bucket[$__range])))"


def _times(question: str, metric: str, text: str) -> Panel:
    return Panel(
        question,
        f"{text} Median and 95th percentile of the halts {RANGE}, interpolated within the buckets of a histogram.",
        "stat",
        (Query(_quantile(0.5, metric), "half within"), Query(_quantile(0.95, metric), "95 % within")),
        unit="s", width=8, height=5, first="blue", page="halts",
    )  # fmt: skip


STANDING = Row(
    "Halts that stand",
    (
        Panel(
            "How many halts stand, and how many stops are verified?",
            "Selected pilots that are halted, by what became of the command: commanded (sent), acknowledged, verified "
            "(three heartbeats without service), overdue (no acknowledgement in time), contradicted (traffic after "
            "the stop).",
            "stat",
            (Query(f"count by (state) (max by (pilot, state) ({M}halt_timestamp_seconds){SELECTED})", "{{state}}"),),
            unit="none", width=10, height=5, first="blue", page="halts",
            alerts=("SandboxHaltOverdue", "SandboxHaltContradicted"),
        ),
        Panel(
            "How many stops are contradicted or overdue?",
            "Selected pilots whose service did not acknowledge the halt in time, or served after it.",
            "stat",
            (
                Query(
                    f'count(max by (pilot) ({M}halt_timestamp_seconds{{state=~"contradicted|overdue"}}){SELECTED})'
                    " or vector(0)",
                    "contradicted or overdue",
                ),
            ),
            unit="none", width=7, height=5, steps=RED_FROM_ONE, page="halts",
            alerts=("SandboxHaltOverdue", "SandboxHaltContradicted"),
        ),
        Panel(
            "How many halts were decided and released?",
            f"All pilots, {RANGE}. A further finding on a halted pilot is no further halt.",
            "stat",
            (
                Query(f"sum(increase({M}halts_total[$__range]))", "halts"),
                Query(f"sum(increase({M}releases_total[$__range]))", "releases"),
            ),
            unit="none", width=7, height=5, first="blue", decimals=0, page="halts",
        ),
        Panel(
            "Which halts stand, since when, and is the stop verified?",
            "Selected pilots, the longest halt first, with the time since the decision.",
            "table",
            (Query(f"sort_desc(time() - max by (pilot, participant, state) ({M}halt_timestamp_seconds){SELECTED})"),),
            unit="s", width=14, value="Stands for", page="halts", alerts=("SandboxPilotHalted",),
        ),
        Panel(
            "Why were these pilots halted?",
            "Selected pilots that are halted, with the reason of the change of level.",
            "table",
            (
                Query(
                    f"max by (pilot, participant, reason) ({M}pilot_reason)"
                    f" and on (pilot) {M}halt_timestamp_seconds{SELECTED}"
                ),
            ),
            unit="none", width=10, value="Halted", mapping=((1, "yes", "red"),), page="halts",
        ),
    ),
)  # fmt: skip

COMMANDS = Row(
    "Open commands",
    (
        Panel(
            "Which halts are not acknowledged?",
            "Selected pilots whose service has not acknowledged the command to stop. It is resent until it does.",
            "table",
            (Query(f"({WHO} ({M}pilot_unacknowledged) == 1){SELECTED}"),),
            unit="none", width=8, value="Not acknowledged", mapping=YES, page="halts",
            alerts=("SandboxHaltUnacknowledged",),
        ),
        Panel(
            "Which commands are open, and for how long?",
            "Commands to selected pilots that are not acknowledged or not verified: halts, releases, drills.",
            "table",
            (
                Query(
                    f"sort_desc(time() - max by (pilot, participant, action, state)"
                    f" ({M}command_open_timestamp_seconds){SELECTED})"
                ),
            ),
            unit="s", width=16, steps=OPEN_FOR, value="Open for", page="halts", alerts=("SandboxCommandOpen",),
        ),
        Panel(
            "How many commands are open?",
            "All pilots, by state of the command.",
            "lines",
            (Query(f"sum by (state) ({M}commands_open)", "{{state}}"),),
            unit="none", page="halts",
        ),
        Panel(
            "How many halts stood?",
            "All pilots, by state of the halt; the time course of the first panel without the variables.",
            "lines",
            (Query(f"sum by (state) ({M}halts_standing)", "{{state}}"),),
            unit="none", page="halts",
        ),
    ),
)  # fmt: skip

TIMES = Row(
    "How long it takes (all pilots)",
    (
        _times(
            "How soon is a halt acknowledged?",
            "halt_acknowledge_seconds",
            "From the decision to halt until a service acknowledged it.",
        ),
        _times(
            "How soon is a stop verified?",
            "halt_verify_seconds",
            "From the decision to halt until the stop was first verified.",
        ),
        _times(
            "How soon is a halt released?",
            "halt_release_seconds",
            "From the decision to halt until two approvers released it, after rectification and evaluation.",
        ),
        Panel(
            "For which reasons are pilots halted?",
            f"All pilots, {RANGE}.",
            "gauges",
            (Query(f"sum by (reason) (increase({M}halts_total[$__range])) > 0", "{{reason}}"),),
            unit="none", width=8, first="blue", decimals=0, page="halts",
        ),
        Panel(
            "How far did releases get?",
            f"Steps on the way to a release {RANGE}: rectification by the firm, evaluation, approvals, release.",
            "gauges",
            (
                Query(
                    f"sum by (reason) (increase({M}decisions_total{{reason=~"
                    '"rectification_recorded|evaluation_recorded|approval_recorded|released"}[$__range]))',
                    "{{reason}}",
                ),
            ),
            unit="none", width=8, first="blue", decimals=0, page="halts",
        ),
        Panel(
            "Do drills of the halt pass?",
            f"Drills {RANGE}: begun, passed (acknowledged in time), overdue (not acknowledged in time).",
            "gauges",
            (
                Query(
                    f'sum by (reason) (increase({M}decisions_total{{reason=~"drill_begun|drill_passed|drill_overdue"}}'
                    "[$__range]))",
                    "{{reason}}",
                ),
            ),
            unit="none", width=8, first="blue", decimals=0, page="halts", alerts=("SandboxDrillOverdue",),
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "sandbox-halts",
    "halts",
    "Sandbox: halts and releases",
    "For authorities: which halts stand, whether each service really stopped, and what is missing for a release.",
    (STANDING, COMMANDS, TIMES),
    SCOPES,
    marks(),
    since="now-30d",
)
