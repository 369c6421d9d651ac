"""Legal deadlines under a founded sandbox: from its table, for applicants and pilots, on signed acts."""

from __future__ import annotations

from msgspec import structs

from monitor.charter.control import ApplicationRefusal, Submission
from monitor.charter.incident_acts import IncidentReportAct, Reclassification
from monitor.charter.spec import AssessmentSpec
from monitor.deadlines.durations import Duration, Unit
from monitor.deadlines.rules import ClockTable
from monitor.deadlines.shipped import example_table
from monitor.engine.machine import Machine
from monitor.lifecycle.sandbox_acts import PutClocks
from monitor.model.clock_record import Change, ClockRecord, ClockState, IncidentClass, Owes
from monitor.model.events import Harm, Severity
from monitor.model.records import Decision, Level, Reason
from monitor.state.applicant import applicant_snapshot, restored_applicant
from tests.unit.engine.test_machine import HOUR
from tests.unit.lifecycle.applied import application
from tests.unit.lifecycle.founded import OWN, Founded


def clocks(found: list[Decision], rule: str) -> list[ClockRecord]:
    return [c for d in found if isinstance(c := d.finding.clock, ClockRecord) and c.rule == rule]


def without(*names: str) -> ClockTable:
    table = example_table()
    return structs.replace(table, rules=tuple(r for r in table.rules if r.name not in names))


def with_incident() -> Founded:
    world = Founded()
    world.say(world.service.incident(world.at, Severity.SERIOUS_INCIDENT, Harm.SERIOUS_INJURY, "i-1"))
    return world


def test_the_decision_on_an_application_is_a_deadline_of_the_authority() -> None:
    """It starts with the application, and an admission meets it."""
    world = Founded()
    started, met = clocks(world.decisions, "application-decision")
    assert (started.change, started.owed_by, started.state) == (Change.STARTED, Owes.AUTHORITY, ClockState.RUNNING)
    assert started.basis == "EU AI Act, Art. 58(2)(a)"
    assert met.change is Change.MET


def test_an_application_without_a_decision_is_missed_by_the_authority() -> None:
    """After three months the miss is on record, addressed to the authority."""
    world = Founded(admit=None)
    world.put(Submission(**world.by("firm"), application=application(OWN), charter=OWN))
    out = world.machine.time(world.at + 100 * 24 * HOUR)
    (missed,) = clocks(out.decisions, "application-decision")
    assert (missed.change, missed.owed_by) == (Change.MISSED, Owes.AUTHORITY)
    assert out.decisions[-1].reason is Reason.CLOCK_MISSED


def after_an_outage() -> tuple[Founded, int]:
    """An application whose deadline passed while the monitor was down; and that deadline."""
    world = Founded(admit=None)
    world.put(Submission(**world.by("firm"), application=application(OWN), charter=OWN))
    due = world.machine.applicants["p"].due
    assert due is not None
    world.machine._journalled = True  # as in a deployment
    world.machine._partition.state.last_time = due - 60_000
    assert not clocks(world.machine.time(due + 3 * HOUR).decisions, "application-decision")
    return world, due


def test_a_decision_on_an_application_received_during_an_outage_of_the_monitor_is_in_time() -> None:
    """Time is read before the refusal that was sent in time: the authority missed nothing."""
    world, due = after_an_outage()
    world.at = due - 20_000
    out = world.put(ApplicationRefusal(**world.by("officer"), reason="r"))
    (met,) = clocks(out.decisions, "application-decision")
    assert (met.change, met.late) == (Change.MET, False)
    assert not clocks(world.machine.time(due + 4 * HOUR).decisions, "application-decision")


def test_a_missed_application_is_found_after_an_outage_with_its_own_date() -> None:
    """The due instant is that of the law; a state that is stored meanwhile waits too."""
    world, due = after_an_outage()
    again = restored_applicant(applicant_snapshot(world.machine.applicants["p"]))
    assert again is not None
    assert again.due == world.machine.applicants["p"].due
    found = [c for n in range(60) for c in clocks(world.machine.time(due + 3 * HOUR + n * 20_000).decisions,
                                                  "application-decision")]  # fmt: skip
    assert [(c.change, c.at, c.due) for c in found] == [(Change.MISSED, due, due)]


def test_the_deadlines_of_incidents_come_from_the_table_of_the_sandbox() -> None:
    """A report of the firm and a classification by an officer, both signed, move them."""
    world = with_incident()
    (started,) = clocks(world.decisions, "incident-report")
    act = Reclassification(**world.by("officer"), incident="i-1", classes=(IncidentClass.DEATH,), reason="died")
    (moved,) = clocks(world.put(act).decisions, "incident-report")
    assert moved.due is not None
    assert started.due is not None
    assert moved.due < started.due
    assert moved.basis.endswith("Art. 73(4)")
    out = world.put(IncidentReportAct(**world.by("firm"), incident="i-1", complete=True, report="r"))
    assert clocks(out.decisions, "incident-report")[0].change is Change.MET


def test_a_new_version_of_the_table_changes_the_deadlines_of_pilots_and_applicants() -> None:
    """Rules that are gone stop their clocks, at the moment of the act that put the version in force."""
    world = with_incident()
    world.put(
        Submission(**world.by("firm", "q"), application=application(OWN), charter=structs.replace(OWN, pilot="q"))
    )
    assert "application/q" in world.machine.applicants["q"].clocks.cases
    before = len(world.decisions)
    world.change(PutClocks(without("complete-report", "application-decision")))
    found = [d for d in world.decisions[before:] if isinstance(d.finding.clock, ClockRecord)]
    assert [(d.pilot, d.finding.rule, d.reason, d.cause) for d in found] == [
        ("q", "application-decision", Reason.CLOCK_STOPPED, "sandbox:version@2"),
        ("p", "complete-report", Reason.CLOCK_STOPPED, "sandbox:version@2"),
    ]
    rules = {clock.rule for case in world.pilot.clocks.cases.values() for clock in case.clocks}
    assert rules == {"incident-report", "evidence-hold"}


def test_the_table_is_the_same_after_a_restart() -> None:
    """A restored partition finds the same misses."""
    world = with_incident()
    again = Machine(0, journalled=False)
    names = [*world.machine.pilots, *world.machine.dirty]
    again.restore({name: raw for name, raw in world.machine.snapshots(names).items() if raw is not None})
    assert again.clock_table == world.machine.clock_table == example_table()
    later = world.at + 30 * 24 * HOUR
    assert again.time(later) == world.machine.time(later)
    assert again.pilots["p"].standing.level is Level.ESCALATE


def test_a_shorter_period_in_the_table_is_for_new_cases() -> None:
    """Deadlines that run keep their date; a firm can rely on it."""
    world = with_incident()
    due = clocks(world.decisions, "incident-report")[0].due
    table = example_table()
    rules = tuple(
        structs.replace(r, within=Duration(7, Unit.DAYS)) if r.name == "incident-report" else r for r in table.rules
    )
    world.change(PutClocks(structs.replace(table, rules=rules)))
    world.say(world.service.incident(world.at, Severity.SERIOUS_INCIDENT, Harm.SERIOUS_INJURY, "i-2"))
    first, second = clocks(world.decisions, "incident-report")
    assert first.due == due
    assert second.due is not None
    assert due is not None
    assert second.due < due


def test_an_assessment_that_falls_due_is_owed_by_the_authority() -> None:
    """The charter's interval starts it, and its time for the assessment is the due instant."""
    charter = structs.replace(OWN, assessment=AssessmentSpec("30d", "14d"))
    world = Founded(admit=charter)
    out = world.machine.time(world.at + 40 * 24 * HOUR)
    (started,) = clocks(out.decisions, "assessment")
    assert (started.change, started.owed_by) == (Change.STARTED, Owes.AUTHORITY)
    out = world.machine.time(world.at + 60 * 24 * HOUR)
    (missed,) = clocks(out.decisions, "assessment")
    assert missed.change is Change.MISSED
    assert missed.due == started.due
