"""The life of pilots and their clocks: in which state each is, which legal deadlines run, who misses them."""

from __future__ import annotations

from .table import OVERDUE, RED_FROM_ONE, SCOPES, SELECTED, Board, M, Panel, Query, Row, marks

RANGE = "over the time range of the dashboard"
OUTCOMES = 'change=~"met|missed|done_late"'


def _changes(change: str, by: str = "owed_by") -> str:
    return f'sum by ({by}) (increase({M}clock_changes_total{{change="{change}"}}[$__range]))'


def _decided(question: str, text: str, reasons: str, width: int = 12) -> Panel:
    return Panel(
        question,
        text,
        "lines",
        (
            Query(
                f'sum by (reason) (increase({M}decisions_total{{reason=~"{reasons}"}}[$__rate_interval])) > 0',
                "{{reason}}",
            ),
        ),
        unit="none", width=width, page="ledger",
    )  # fmt: skip


STATES = Row(
    "States of life",
    (
        Panel(
            "How many pilots are in each state of life?",
            "All pilots and applications, from `submitted` to `closed`: an application is screened, both sides agree, "
            "the pilot is admitted (registered), runs, may be paused, and ends with an exit report.",
            "gauges",
            (Query(f"sum by (state) ({M}pilots_in_state) > 0", "{{state}}"),),
            unit="none", first="blue", page="fleet",
        ),
        Panel(
            "How did the states of life change?",
            "All pilots and applications by state over the time range.",
            "lines",
            (Query(f"sum by (state) ({M}pilots_in_state) > 0", "{{state}}"),),
            unit="none", page="fleet",
        ),
        Panel(
            "Which applications wait for a decision?",
            "Pilots that are not admitted yet: submitted (the authority screens), screened (both sides sign), agreed "
            "(the authority admits). The variables do not apply, since no charter is in force.",
            "table",
            (Query(f'max by (pilot, participant, state) ({M}pilot_state{{state=~"submitted|screened|agreed"}})'),),
            unit="none", width=8, value="Waits", mapping=((1, "yes", "orange"),), page="clocks",
        ),
        Panel(
            "Which pilots do not run although they are admitted?",
            "Selected pilots that are registered (the cycle has not begun), paused, exiting or tracked.",
            "table",
            (
                Query(
                    f'max by (pilot, participant, state) ({M}pilot_state{{state=~"registered|paused|exiting|tracked"}})'
                    f"{SELECTED}"
                ),
            ),
            unit="none", width=8, value="State now", mapping=((1, "yes", "blue"),), page="fleet",
        ),
        Panel(
            "Which pilots left and lack an exit report?",
            "Pilots that left (exited, terminated, withdrawn) and have no report yet. The variables do not apply.",
            "table",
            (Query(f'max by (pilot, participant, state) ({M}pilot_state{{state=~"exited|terminated|withdrawn"}})'),),
            unit="none", width=8, value="Report missing", mapping=((1, "yes", "orange"),), page="clocks",
        ),
    ),
)  # fmt: skip

CLOCKS = Row(
    "Legal deadlines",
    (
        Panel(
            "How many deadlines run, and how many are missed and still owed?",
            "Selected pilots, by who owes: firm, authority, supplier.",
            "stat",
            (
                Query(f'sum by (owed_by) ({M}clocks{{state="running"}}{SELECTED})', "{{owed_by}}: running"),
                Query(f'sum by (owed_by) ({M}clocks{{state="missed"}}{SELECTED})', "{{owed_by}}: missed, still owed"),
            ),
            unit="none", width=16, height=5, first="blue", page="clocks", alerts=("SandboxClockMissed",),
        ),
        Panel(
            "How many duties are overdue?",
            "Deadlines of all pilots that were missed and are still owed, those of pilots that left included.",
            "stat",
            (Query(f'sum({M}clocks{{state="missed"}}) or vector(0)', "overdue"),),
            unit="none", width=8, height=5, steps=RED_FROM_ONE, page="clocks", alerts=("SandboxClockMissed",),
        ),
        Panel(
            "What is due next?",
            "The next due instant of each selected pilot and debtor, the most urgent first. Red: the instant has "
            "passed; orange: less than a day is left; yellow: less than a week.",
            "table",
            (
                Query(
                    f"sort((min by (pilot, participant, owed_by) ({M}clock_due_timestamp_seconds) - time()){SELECTED})"
                ),
            ),
            unit="s", steps=OVERDUE, first="red", value="Time left", page="clocks", alerts=("SandboxClockDueSoon",),
        ),
        Panel(
            "Who owes what was missed?",
            "Deadlines that were missed and are still owed, by pilot and debtor. The variables do not apply, since a "
            "duty outlasts the exit of its pilot.",
            "table",
            (Query(f'sort_desc(sum by (pilot, participant, owed_by) ({M}clocks{{state="missed"}}) > 0)'),),
            unit="none", steps=RED_FROM_ONE, value="Missed", page="clocks", alerts=("SandboxClockMissed",),
        ),
        Panel(
            "Which share of deadlines is met in time?",
            f"Met in time, of those that were met or missed {RANGE}, by who owes; all pilots. Of complaints only "
            "misses are counted, so a service that answers all of them in time is not seen here.",
            "stat",
            (
                Query(
                    f"{_changes('met')} / ({_changes('met')} + {_changes('missed')} > 0)",
                    "{{owed_by}}",
                ),
            ),
            unit="percentunit", width=8, height=8, first="red", steps=((0.8, "orange"), (0.95, "green")), page="clocks",
        ),
        Panel(
            "How do deadlines end?",
            f"All pilots, {RANGE}: met in time, missed, or done after the miss.",
            "gauges",
            (
                Query(
                    f"sum by (owed_by, change) (increase({M}clock_changes_total{{{OUTCOMES}}}[$__range])) > 0",
                    "{{owed_by}}: {{change}}",
                ),
            ),
            unit="none", width=8, first="blue", decimals=0, page="clocks",
        ),
        Panel(
            "When do deadlines start, end and get missed?",
            "Changes of deadlines per interval, all pilots.",
            "lines",
            (Query(f"sum by (change) (increase({M}clock_changes_total[$__rate_interval])) > 0", "{{change}}"),),
            unit="none", width=8, page="clocks",
        ),
    ),
)  # fmt: skip

CHANGES = Row(
    "What happened (all pilots)",
    (
        _decided(
            "Which applications, admissions and exits were decided?",
            "Decisions per interval on the way in and out.",
            "application_.*|charter_signed|charter_agreed|admitted|cycle_.*|exit.*|report_issued|published|withheld|graduated|recalled|closed",
        ),
        _decided(
            "Which changes of pilots were registered, proposed or refused?",
            "Decisions per interval on changes of a pilot that runs: of its model, its charter or its level.",
            "change_.*|amended|level_accepted|tier_approved|step_.*|responsibility_changed",
        ),
        _decided(
            "Which assessments and inspections took place?",
            "Decisions per interval: assessments that fell due, were made or missed; inspections, guidance.",
            "assess.*|inspect.*|guidance_.*|finding_overdue",
        ),
        Panel(
            "Which pilots left the sandbox?",
            "Pilots that left and are remembered by the process that owns their partition.",
            "stat",
            (Query(f"count({M}pilot_left) or vector(0)", "left"),),
            unit="none", first="blue", page="fleet",
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "sandbox-life",
    "life",
    "Sandbox: life of pilots and deadlines",
    "For authorities: in which state of life each pilot is, which legal deadlines run, and who misses them.",
    (STATES, CLOCKS, CHANGES),
    SCOPES,
    marks(),
    since="now-30d",
)
