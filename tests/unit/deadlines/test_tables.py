"""Due instants and states that were computed by hand: `tests/data/deadlines`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.deadlines.cases import Clock
from monitor.deadlines.durations import Due, Duration, Unit, due_instant
from monitor.deadlines.engine import Clocks, advance, apply
from monitor.deadlines.facts import Fact, FactKind, IncidentClass
from monitor.deadlines.shipped import example_table
from monitor.model.events import instant, millis

DATA = Path(__file__).parents[2] / "data" / "deadlines"
PERIODS = yaml.load((DATA / "periods.yaml").read_text("utf-8"), yaml.CSafeLoader)
HISTORIES = yaml.load((DATA / "histories.yaml").read_text("utf-8"), yaml.CSafeLoader)


def at(text: str | None) -> int | None:
    return None if text is None else millis(datetime.fromisoformat(text))


def fact(row: dict[str, Any]) -> Fact:
    moment = at(row["at"])
    assert moment is not None
    return Fact(
        kind=FactKind(row["kind"]),
        at=moment,
        key=row.get("key", "case-1"),
        stated=at(row.get("stated")),
        due=at(row.get("due")),
        classes=tuple(IncidentClass(name) for name in row.get("classes", ())),
    )


def clock_of(clocks: Clocks, rule: str, key: str | None = None) -> Clock:
    (found,) = (
        clock
        for case in clocks.cases.values()
        for clock in case.clocks
        if clock.rule == rule and key in (None, case.key)
    )
    return found


def test_there_are_sixty_cases_with_different_names() -> None:
    """Each case has its name and says why its result is right."""
    rows = PERIODS + HISTORIES
    assert len(rows) >= 60
    assert len({row["name"] for row in rows}) == len(rows)
    assert all(row["why"] for row in rows)


@pytest.mark.parametrize("row", PERIODS, ids=lambda row: str(row["name"]))
def test_a_period_is_due_when_a_person_says(row: dict[str, Any]) -> None:
    """The due instant of a period equals the one that was computed by hand."""
    table, (count, unit) = example_table(), row["within"].split()
    (calendar,) = (c for c in table.calendars if c.name == row["calendar"])
    (counting,) = (c for c in table.countings if c.name == row["counting"])
    start = at(row["start"])
    assert start is not None
    found = due_instant(start, Duration(int(count), Unit(unit)), calendar, counting)
    assert found == Due(at(row["due"]) or 0, row.get("provisional", False)), instant(found.at).isoformat()


@pytest.mark.parametrize("row", HISTORIES, ids=lambda row: str(row["name"]))
def test_a_history_leaves_the_clock_as_a_person_says(row: dict[str, Any]) -> None:
    """Due instant, state and times of a clock after a history equal those that were computed by hand."""
    table, clocks = example_table(), Clocks()
    for each in map(fact, row["facts"]):
        clocks, _ = advance(clocks, table, each.at)
        clocks, _ = apply(clocks, table, each)
    until = at(row["until"])
    assert until is not None
    clocks, _ = advance(clocks, table, until)
    expected = row["expect"]
    clock = clock_of(clocks, expected["clock"], expected.get("key"))
    assert (clock.state, clock.due) == (expected["state"], at(expected["due"])), clock
    if "ended" in expected or expected["state"] == "running":
        assert clock.ended == at(expected.get("ended"))
    if "done" in expected:
        assert clock.done == at(expected["done"])
    assert clock.late == expected.get("late", False)
