"""The rows for the board: what is due next, who owes, and how long is left."""

from __future__ import annotations

from monitor.deadlines.cases import ClockState
from monitor.deadlines.engine import (
    advance,
)
from monitor.deadlines.facts import Fact, FactKind
from monitor.deadlines.rules import Owes
from monitor.projections.clock_board import clock_rows, due_next, time_left
from tests.unit.deadlines.histories import DAY, DEATH, INJURY, START, TABLE, after, incident


def test_the_board_shows_what_is_due_next_by_urgency_and_debtor() -> None:
    """Missed and still owed first, then by due instant, then what has no date; one debtor sees what it owes."""
    facts = [
        incident(START, INJURY, key="late"),
        incident(START + 20 * DAY, DEATH, key="new"),
        Fact(kind=FactKind.APPLICATION, at=START, key="a"),
        Fact(kind=FactKind.SUSPENSION, at=START, key="s"),
    ]
    now = START + 21 * DAY
    clocks = advance(after(*facts), TABLE, now).clocks
    rows = due_next(clocks, TABLE, now)
    assert [(r.rule, r.key) for r in rows[:3]] == [
        ("incident-report", "late"),
        ("incident-report", "new"),
        ("application-decision", "a"),
    ]
    assert {r.due for r in rows[3:]} == {None}
    assert [r.rule for r in due_next(clocks, TABLE, now, Owes.AUTHORITY)] == ["application-decision", "ai-office"]
    assert rows[0].left is not None
    assert time_left(rows[0].left) == "overdue by 5 d 10 h"
    assert rows[0].last_day == "2026-03-17"
    assert rows[1].basis == "EU AI Act, Art. 73(2) and (5); EU AI Act, Art. 73(4)"
    held = {r.key for r in rows if FactKind.MODEL_CHANGED in r.forbids}
    assert held == {"late", "new"}


def test_the_board_shows_a_met_clock_as_late_but_not_as_owed() -> None:
    """A clock that was met before an earlier awareness was stated is shown as late; nothing is owed."""
    clocks = after(
        incident(START, INJURY),
        Fact(kind=FactKind.COMPLETE_REPORT, at=START + 14 * DAY, key="i-1"),
        Fact(kind=FactKind.AWARENESS_STATED, at=START + 15 * DAY, key="i-1", stated=START - 30 * DAY),
    )
    assert due_next(clocks, TABLE, START + 16 * DAY) == ()
    (row,) = (r for r in clock_rows(clocks, TABLE, START + 16 * DAY) if r.rule == "incident-report")
    assert (row.state, row.late) == (ClockState.MET, True)
