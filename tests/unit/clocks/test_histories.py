"""The hand-computed histories of `tests/data/deadlines`, through the real machine: telemetry, acts and timers."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.deadlines.facts import FactKind
from monitor.engine.machine import Machine
from monitor.state.snapshots import restore, snapshot
from tests.unit.clocks.clock_bench import SENT, ClockBench
from tests.unit.deadlines.test_tables import HISTORIES, at, fact

# A statement about an incident that was never reported comes with no event and no act.
ROWS = [
    row
    for row in HISTORIES
    if {FactKind(each["kind"]) for each in row["facts"]} <= SENT and row["name"] != "awareness-stated-before-the-report"
]


def play(row: dict[str, Any], machine: Machine | None = None) -> ClockBench:
    facts, until = [fact(each) for each in row["facts"]], at(row["until"])
    assert until is not None
    bench = ClockBench(machine, admitted=min(each.at for each in facts) - 40 * 86_400_000)
    for each in facts:
        bench.fact(each)
    bench.time(until + 1)
    return bench


def test_at_least_sixty_cases_of_article_73_run_through_the_machine() -> None:
    """Time zones, leap day, month end, regrading, awareness stated late, incomplete and complete reports."""
    assert sum(row["facts"][0]["kind"] != "exit" for row in ROWS) >= 60


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_a_history_leaves_the_clock_as_a_person_says(row: dict[str, Any]) -> None:
    """Due instant, state and times of a clock equal those that were computed by hand, and are in the last decision
    about it."""
    bench, expected = play(row), row["expect"]
    clock = bench.clock(expected["clock"], expected.get("key"))
    assert (clock.state, clock.due) == (expected["state"], at(expected["due"])), clock
    if "ended" in expected or expected["state"] == "running":
        assert clock.ended == at(expected.get("ended"))
    if "done" in expected:
        assert clock.done == at(expected["done"])
    assert clock.late == expected.get("late", False)
    said = [c for d in bench.out.decisions if (c := d.finding.clock) and c.rule == expected["clock"]]
    last = [c for c in said if c.key == expected.get("key", c.key)][-1]
    assert (last.state, last.due, last.done) == (clock.state, clock.due, clock.done)


@pytest.mark.parametrize("row", ROWS[::7], ids=lambda row: str(row["name"]))
def test_a_restart_after_each_step_changes_nothing(row: dict[str, Any]) -> None:
    """The state after a history is the same bytes when it is restored, and goes on alike."""
    bench = play(row)
    raw = bench.machine.pilots.raw("p")
    assert snapshot(restore(raw)[0]) == raw
    again = Machine(journalled=False)
    again.restore(dict(bench.machine.snapshots(["p"]).items()))  # type: ignore[arg-type]
    again.use_clock_table(bench.machine.clock_table)
    until = at(row["until"]) or 0
    assert again.time(until + 400 * 86_400_000) == bench.machine.time(until + 400 * 86_400_000)
    assert again.pilots.raw("p") == bench.machine.pilots.raw("p")
