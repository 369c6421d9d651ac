"""Across pilots: common causes at one vendor, the firms, and what users say."""

from __future__ import annotations

from .table import ORANGE_FROM_ONE, RED_FROM_ONE, SCOPES, SELECTED, Board, M, Panel, Query, Row, Step, marks

RANGE = "over the time range of the dashboard"
RECENT: tuple[Step, ...] = ((86_400, "orange"), (604_800, "green"))

CAUSES = Row(
    "Common causes (second stage)",
    (
        Panel(
            "Which vendors have pilots that exceed together what their limits allow?",
            "Findings of the second stage since the process started, by vendor and indicator: the pooled counts of "
            "all pilots of a vendor against the sum of their limits. A finding is a reason to look at the vendor, and "
            "moves no pilot.",
            "table",
            (Query(f"sort_desc(sum by (vendor, indicator) ({M}common_causes_total))"),),
            unit="none", value="Findings", steps=ORANGE_FROM_ONE, page="fleet",
        ),
        Panel(
            "How long ago was the last finding about each vendor?",
            "Time since the second stage last reported a common cause. Red: within a day; orange: within a week.",
            "table",
            (Query(f"sort(time() - max by (vendor, indicator) ({M}common_cause_timestamp_seconds))"),),
            unit="s", value="Last finding", first="red", steps=RECENT, page="fleet",
        ),
    ),
)  # fmt: skip

FIRMS = Row(
    "Firms",
    (
        Panel(
            "Which class has each firm?",
            "Class in force, from A (best record) to D, as set by an officer and computed by rule from the record of "
            "the firm over all its pilots. A firm without a class is not listed.",
            "table",
            (Query(f"max by (firm, firm_class) ({M}firm_class)"),),
            unit="none", width=8, value="In force", mapping=((1, "yes", "blue"),), page="firms",
        ),
        Panel(
            "How many firms are in each class?",
            "Firms with a class in force.",
            "gauges",
            (Query(f"count by (firm_class) (max by (firm, firm_class) ({M}firm_class))", "class {{firm_class}}"),),
            unit="none", width=8, first="blue", page="firms",
        ),
        Panel(
            "How many pilots does each firm run, and how many are escalated or halted?",
            "Selected pilots by firm.",
            "table",
            (Query(f"sort_desc(count by (participant) (max by (pilot, participant) ({M}pilot_level){SELECTED}))"),),
            unit="none", width=8, value="Pilots", page="firms",
        ),
        Panel(
            "Which firms have pilots that are escalated or halted?",
            "Selected pilots at level escalate or halt, by firm.",
            "gauges",
            (
                Query(
                    f"count by (participant) ((max by (pilot, participant) ({M}pilot_level) >= 2){SELECTED})",
                    "{{participant}}",
                ),
            ),
            unit="none", width=8, steps=RED_FROM_ONE, page="firms",
        ),
        Panel(
            "Which firms owe what they missed?",
            "Deadlines that firms missed and still owe, by firm, those of pilots that left included.",
            "gauges",
            (
                Query(
                    f'sum by (participant) ({M}clocks{{state="missed", owed_by="firm"}}) > 0',
                    "{{participant}}",
                ),
            ),
            unit="none", width=8, steps=RED_FROM_ONE, page="firms", alerts=("SandboxClockMissed",),
        ),
        Panel(
            "Who sends acts and events with wrong signatures?",
            "Acts and events with a missing or wrong signature, by the firm of the pilot that they are about. None of "
            "them counts.",
            "gauges",
            (Query(f"sum by (participant) ({M}pilot_forged_total) > 0", "{{participant}}"),),
            unit="none", width=8, steps=ORANGE_FROM_ONE, page="firms", alerts=("SandboxForged",),
        ),
    ),
)  # fmt: skip

USERS = Row(
    "Users' channel (all pilots)",
    (
        Panel(
            "What do users say, and what is done about it?",
            f"{RANGE.capitalize()}: complaints filed outside the firm, withdrawn and answered; redress asked for, "
            "given and refused; users who left a pilot.",
            "gauges",
            (Query(f"sum by (kind) (increase({M}complaints_total[$__range]))", "{{kind}}"),),
            unit="none", first="blue", decimals=0, page="firms",
        ),
        Panel(
            "How many complaints are not answered?",
            "Filed less answered and withdrawn, since the processes started.",
            "lines",
            (
                Query(
                    f'sum({M}complaints_total{{kind="filed"}})'
                    f' - sum({M}complaints_total{{kind=~"answered|withdrawn"}})',
                    "not answered",
                ),
                Query(
                    f'sum({M}complaints_total{{kind="redress_asked"}})'
                    f' - sum({M}complaints_total{{kind=~"redress_given|redress_refused"}})',
                    "redress not decided",
                ),
            ),
            unit="none", page="firms",
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "sandbox-across",
    "across",
    "Sandbox: across pilots",
    "For authorities: what pilots have in common (a vendor, a firm), and what users say about them.",
    (CAUSES, FIRMS, USERS),
    SCOPES,
    marks(),
    since="now-30d",
)
