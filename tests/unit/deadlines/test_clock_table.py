"""The clock table: new versions, and what is refused."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from monitor.deadlines.cases import ClockState
from monitor.deadlines.durations import Duration, Unit
from monitor.deadlines.engine import (
    Change,
    advance,
    apply,
    case_key,
    next_due,
    with_table,
)
from monitor.deadlines.facts import Fact, FactKind
from monitor.deadlines.rules import ClockTable, table_of
from monitor.errors import ClockTableError
from tests.unit.deadlines.histories import DAY, INJURY, START, TABLE, after, clock, incident

SHORTER = {"classes": ["death"], "within": {"count": 1, "unit": "days"}}


def with_2027_pinned() -> ClockTable:
    """The table with 1 January 2027 as a holiday in China, and no other in that year."""
    china = next(c for c in TABLE.calendars if c.name == "china")
    pinned = structs.replace(
        china,
        covers=(china.covers[0], china.covers[1].replace(year=2027)),
        holidays=(*china.holidays, structs.replace(china.holidays[0], date=china.holidays[0].date.replace(year=2027))),
    )
    return structs.replace(TABLE, calendars=tuple(pinned if c is china else c for c in TABLE.calendars))


def test_a_new_version_moves_only_provisional_due_instants() -> None:
    """Once holidays are pinned, a due instant that was provisional is computed again, and a miss under the incomplete
    calendar is lifted; others stay."""
    december = 1_798_084_800_000  # 2026-12-24 12:00 in Shanghai
    filing = Fact(kind=FactKind.SERVICE_STARTED, at=december, key="s")
    clocks = after(filing, incident(START, INJURY))
    before, other = clock(clocks, "cn-filing"), clock(clocks, "incident-report")
    assert before.provisional
    assert before.due is not None
    clocks = advance(clocks, TABLE, before.due).clocks
    assert clock(clocks, "cn-filing").state is ClockState.MISSED
    table = with_2027_pinned()
    step = with_table(clocks, TABLE, table, before.due)
    moved = clock(step.clocks, "cn-filing")
    assert (moved.state, moved.provisional) == (ClockState.RUNNING, False)
    assert moved.due == before.due + DAY  # 1 January is off, so the tenth working day is Friday 8 January
    assert [c.change for c in step.changes] == [Change.MOVED, Change.RESTARTED]
    assert clock(step.clocks, "incident-report").due == other.due


def test_what_was_done_in_time_by_the_complete_calendar_is_no_miss() -> None:
    """A duty that was late only because a holiday was not pinned is met once it is."""
    clocks = after(Fact(kind=FactKind.SERVICE_STARTED, at=1_798_084_800_000, key="s"))
    due = next_due(clocks)
    assert due is not None
    clocks = advance(clocks, TABLE, due).clocks
    clocks = apply(clocks, TABLE, Fact(kind=FactKind.SERVICE_FILED, at=due + 3_600_000, key="s")).clocks
    assert clock(clocks, "cn-filing").state is ClockState.MISSED
    step = with_table(clocks, TABLE, with_2027_pinned(), due + 9 * DAY)
    assert clock(step.clocks, "cn-filing").state is ClockState.MET
    assert [c.change for c in step.changes] == [Change.MOVED, Change.MET]


def test_a_clock_keeps_the_law_under_which_it_started() -> None:
    """A shorter period in a new version does not apply to a case that runs, whatever meets it."""
    clocks = after(incident(START, INJURY))
    due = next_due(clocks)
    rules = [
        structs.replace(r, within=Duration(5, Unit.DAYS)) if r.name == "incident-report" else r for r in TABLE.rules
    ]
    table = structs.replace(TABLE, rules=tuple(rules))
    clocks = with_table(clocks, TABLE, table, START + DAY).clocks
    assert next_due(clocks) == due
    clocks = apply(clocks, table, Fact(kind=FactKind.INITIAL_REPORT, at=START + 14 * DAY, key="i-1")).clocks
    assert clock(clocks, "incident-report").state is ClockState.MET


def test_a_clock_whose_rule_is_gone_stops_and_says_so() -> None:
    """Removing a rule stops its clocks; nothing vanishes without a change."""
    table = structs.replace(TABLE, rules=tuple(r for r in TABLE.rules if r.name != "incident-report"))
    step = with_table(after(incident(START, INJURY)), TABLE, table, START + DAY)
    assert [(c.change, c.rule, c.at) for c in step.changes] == [(Change.STOPPED, "incident-report", START + DAY)]
    assert {c.rule for c in step.clocks.cases[case_key(FactKind.SERIOUS_INCIDENT, "i-1")].clocks} == {
        "complete-report",
        "evidence-hold",
    }


@pytest.mark.parametrize(
    ("rule", "changes", "field"),
    [
        ("incident-report", {"calendar": "france"}, "calendar"),
        ("incident-report", {"counting": "x"}, "counting"),
        ("incident-report", {"within": {"count": 5000, "unit": "days"}}, "within"),
        ("incident-report", {"within": {"count": 0, "unit": "days"}}, "within"),
        ("incident-report", {"within": None}, "shorter"),
        ("incident-report", {"met_by": []}, "met_by"),
        ("incident-report", {"met_by": ["reclassified"]}, "met_by"),
        ("incident-report", {"due_given": True}, "due_given"),
        ("incident-report", {"name": "evidence-hold"}, "same name"),
        ("evidence-hold", {"broken_by": []}, "keeps"),
        ("application-decision", {"on_miss": "halt"}, "on_miss"),
        ("application-decision", {"starts": "application_decided"}, "starts"),
        ("application-decision", {"shorter": [SHORTER]}, "shorter"),
        ("exit-report", {"owed_by": "operator"}, "owed_by"),
        ("exit-report", {"wihtin": 3}, "wihtin"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_the_field(rule: str, changes: dict[str, object], field: str) -> None:
    """Each mistake in a table names rule and field."""
    data = msgspec.to_builtins(TABLE)
    for row in data["rules"]:
        if row["name"] == rule:
            row.update(changes)
    with pytest.raises(ClockTableError, match=field):
        table_of(data)


def test_the_example_reads_back_as_itself() -> None:
    """The shipped table is correct, also after a round trip through plain values."""
    assert table_of(msgspec.to_builtins(TABLE)) == TABLE
