"""Alerts of missed deadlines: addressed, ended by the duty done late, also after the exit of a pilot."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from monitor.charter.control import Override, Withdrawal
from monitor.charter.incident_acts import IncidentReportAct
from monitor.deadlines.facts import Fact, FactKind
from monitor.deadlines.rules import OnMiss
from monitor.model.events import Harm
from monitor.model.records import Decision, Reason
from monitor.projections.alerts import PilotAlerts, after_decision
from monitor.projections.restored_alerts import restored_alerts
from tests.unit.clocks.clock_bench import ClockBench
from tests.unit.clocks.test_machine_clocks import DAY_MS, DUE, HOUR_MS, START, firm, with_rule


def alerts(decisions: list[Decision]) -> dict[str, str]:
    """Name and severity of the firing alerts of findings."""
    state = PilotAlerts()
    for decision in decisions:
        state = after_decision(state, decision)
    return {a.name: a.severity for a in state.alerts() if a.finding.startswith("clock")}


def test_a_miss_is_an_alert_until_the_duty_is_done() -> None:
    """Its message says what is owed, by whom, until when, on which basis."""
    bench = ClockBench()
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY), START)
    assert alerts(bench.out.decisions) == {}
    bench.time(DUE + 1)
    assert alerts(bench.out.decisions) == {"SandboxClockMissed": "warning"}
    restored = restored_alerts(bench.machine.pilots["p"])
    assert [a.name for a in restored.alerts()] == ["SandboxEvidenceHeld", "SandboxClockMissed"]
    bench.act(IncidentReportAct(**firm(), incident="i-1", report="r"), DUE + HOUR_MS)
    assert alerts(bench.out.decisions) == {}


def test_a_miss_that_moves_no_level_is_an_alert_too() -> None:
    """A table that only records a miss still lets a person know; the duty done late ends it."""
    bench = ClockBench(table=with_rule("incident-report", on_miss=OnMiss.RECORD))
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY), START)
    bench.time(DUE + 1)
    assert bench.machine.pilots["p"].standing.active == {}
    assert alerts(bench.out.decisions) == {"SandboxClockMissed": "warning"}
    restored = restored_alerts(bench.machine.pilots["p"])
    assert [a.name for a in restored.alerts()] == ["SandboxEvidenceHeld", "SandboxClockMissed"]
    bench.act(IncidentReportAct(**firm(), incident="i-1", report="r"), DUE + HOUR_MS)
    assert alerts(bench.out.decisions) == {}


def test_two_missed_deadlines_of_one_rule_are_two_alerts() -> None:
    """Each incident is followed by itself: the report on one does not end the alert of the other."""
    bench = ClockBench()
    for n, name in enumerate(("i-1", "i-2")):
        bench.send(bench.incident(START + n * HOUR_MS, Harm.SERIOUS_INJURY, name), START + n * HOUR_MS)
    bench.time(DUE + 2 * DAY_MS)
    state = PilotAlerts()
    for decision in bench.out.decisions:
        state = after_decision(state, decision)
    assert len([a for a in state.alerts() if a.name == "SandboxClockMissed"]) == 2
    bench.act(IncidentReportAct(**firm(), incident="i-1", report="r"), DUE + 3 * DAY_MS)
    assert alerts(bench.out.decisions) == {"SandboxClockMissed": "warning"}
    bench.act(IncidentReportAct(**firm() | {"id": "second"}, incident="i-2", report="r"), DUE + 3 * DAY_MS)
    assert alerts(bench.out.decisions) == {}


@pytest.mark.parametrize("act", ["override", "exit"])
def test_what_is_owed_stays_an_alert_after_the_level_was_lowered_or_the_pilot_left(act: str) -> None:
    """Only the duty ends it: neither an officer's act nor the exit of the pilot does what the law asks for."""
    bench = ClockBench()
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY), START)
    bench.time(DUE + 1)
    by: dict[str, Any] = {"id": "x", "pilot": "p", "author": "anna", "reason": "r"}
    bench.act(Override(**by, level="normal") if act == "override" else Withdrawal(**by), DUE + HOUR_MS)
    assert alerts(bench.out.decisions) == {"SandboxClockMissed": "warning"}
    bench.act(IncidentReportAct(**firm(), incident="i-1", report="r"), DUE + 2 * HOUR_MS)
    assert alerts(bench.out.decisions) == {}


def test_what_an_authority_owes_after_an_exit_is_an_alert() -> None:
    """The exit ends the other alerts of the pilot; the exit report is still owed."""
    bench = ClockBench()
    bench.fact(Fact(kind=FactKind.EXIT, at=START))
    bench.time(START + 90 * DAY_MS)
    assert alerts(bench.out.decisions) == {"SandboxClockMissed": "warning"}
    (missed,) = bench.decisions(Reason.CLOCK_MISSED)
    assert structs.replace(missed, standing=0).level.word == "normal"


def test_a_change_of_the_model_under_a_hold_is_an_alert() -> None:
    """It has a separate name, as something else is to be done."""
    bench = ClockBench()
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY), START)
    bench.send(bench.firm.model_changed(START + HOUR_MS), START + HOUR_MS)
    assert alerts(bench.out.decisions) == {"SandboxEvidenceHold": "warning"}
