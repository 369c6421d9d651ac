"""Short histories for tests of the clocks."""

from __future__ import annotations

from monitor.deadlines.cases import Clock
from monitor.deadlines.engine import (
    Clocks,
    apply,
)
from monitor.deadlines.facts import Fact, FactKind, IncidentClass
from monitor.deadlines.rules import ClockTable
from monitor.deadlines.shipped import example_table

DAY = 86_400_000
START = 1_772_442_000_000  # Monday 2026-03-02 10:00 in Berlin
TABLE = example_table()
INJURY, DEATH = IncidentClass.SERIOUS_INJURY, IncidentClass.DEATH


def incident(at: int, *classes: IncidentClass, key: str = "i-1", stated: int | None = None) -> Fact:
    return Fact(kind=FactKind.SERIOUS_INCIDENT, at=at, key=key, classes=classes, stated=stated)


def after(*facts: Fact, table: ClockTable = TABLE) -> Clocks:
    clocks = Clocks()
    for fact in facts:
        clocks = apply(clocks, table, fact).clocks
    return clocks


def clock(clocks: Clocks, rule: str) -> Clock:
    (found,) = (each for case in clocks.cases.values() for each in case.clocks if each.rule == rule)
    return found
