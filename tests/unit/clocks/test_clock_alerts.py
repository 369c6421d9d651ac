"""Alerts of missed deadlines: addressed, ended by the duty done late, also after the exit of a pilot."""

from __future__ import annotations

from msgspec import structs

from monitor.charter.incident_acts import IncidentReportAct
from monitor.deadlines.facts import Fact, FactKind
from monitor.deadlines.rules import OnMiss
from monitor.model.events import Harm
from monitor.model.records import Decision, Reason
from monitor.projections.alerts import PilotAlerts, after_decision, restored_alerts
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
    assert [a.name for a in restored.alerts()] == ["SandboxClockMissed"]
    bench.act(IncidentReportAct(**firm(), incident="i-1", report="r"), DUE + HOUR_MS)
    assert alerts(bench.out.decisions) == {}


def test_a_miss_that_the_table_only_records_is_no_alert() -> None:
    """It is a decision, and no more."""
    bench = ClockBench(table=with_rule("incident-report", on_miss=OnMiss.RECORD))
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY), START)
    bench.time(DUE + 1)
    assert bench.decisions(Reason.CLOCK_MISSED)
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
