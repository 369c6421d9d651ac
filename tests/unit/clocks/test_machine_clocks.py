"""Legal deadlines in the machine: who a miss is addressed to, what it does, what restarts nothing, outages, tables."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import Override
from monitor.charter.incident_acts import ChangeNotice, IncidentReportAct, Reclassification, SuspensionNotice
from monitor.charter.running_acts import Suspension
from monitor.deadlines.engine import CASES_OF_FIRM, CLOCKS_BYTES
from monitor.deadlines.facts import Fact, FactKind, IncidentClass
from monitor.deadlines.rules import ClockTable, OnMiss
from monitor.deadlines.shipped import example_table
from monitor.engine.machine import Machine
from monitor.model.clock_record import Change, ClockRecord, ClockState, Owes
from monitor.model.events import Harm, Severity
from monitor.model.records import Decision, Level, Outputs, Reason, Record
from monitor.simulation.fleet_charter import DAY_MS, HOUR_MS
from monitor.state.snapshots import restore, snapshot
from tests.unit.clocks.clock_bench import ClockBench, clock_charter

START = 1_772_442_000_000  # Monday 2026-03-02 10:00 in Berlin
DUE = 1_773_788_400_000  # 2026-03-18 0:00 in Berlin
INJURY = Harm.SERIOUS_INJURY


def officer(n: int = 0) -> dict[str, Any]:
    return {"id": f"officer-{n}", "pilot": "p", "author": "anna"}


def firm(n: int = 0) -> dict[str, Any]:
    return {"id": f"firm-{n}", "pilot": "p", "author": clock_charter().participant.id}


def about(found: Outputs | list[Decision], rule: str) -> list[ClockRecord]:
    decisions = found.decisions if isinstance(found, Outputs) else found
    return [c for d in decisions if (c := d.finding.clock) and c.rule == rule]


def with_rule(name: str, **changes: Any) -> ClockTable:
    table = example_table()
    rules = tuple(structs.replace(r, **changes) if r.name == name else r for r in table.rules)
    return structs.replace(table, rules=rules)


@pytest.mark.parametrize(
    ("on_miss", "level"),
    [("record", Level.NORMAL), ("watch", Level.WATCH), ("escalate", Level.ESCALATE), ("halt", Level.HALT)],
)
def test_a_miss_does_what_the_table_says_and_is_addressed_to_who_owes(on_miss: str, level: Level) -> None:
    """The level of a miss is that of the table; the record has who owes, the basis and the due instant."""
    bench = ClockBench(table=with_rule("incident-report", on_miss=OnMiss(on_miss)))
    bench.send(bench.incident(START, INJURY), START)
    out = bench.time(DUE + 1)
    (decision,) = [d for d in out.decisions if d.reason is Reason.CLOCK_MISSED]
    (missed,) = about([decision], "incident-report")
    assert (decision.level, decision.at) == (level, DUE)
    assert (missed.owed_by, missed.basis, missed.due) == (Owes.FIRM, "EU AI Act, Art. 73(2) and (5)", DUE)
    assert (missed.change, missed.state, missed.on_miss) == (Change.MISSED, ClockState.MISSED, on_miss)
    assert bool(out.commands) == (level is Level.HALT)


def test_a_duty_done_late_clears_the_finding_and_is_recorded_as_late() -> None:
    """The level falls when nothing is owed any more; the record says that it was late."""
    bench = ClockBench()
    bench.send(bench.incident(START, INJURY), START)
    bench.time(DUE + 1)
    assert bench.machine.pilots["p"].standing.level is Level.ESCALATE
    out = bench.act(IncidentReportAct(**firm(), incident="i-1", report="r", complete=True), DUE + HOUR_MS)
    assert about(out, "incident-report")[-1].change is Change.DONE_LATE
    assert out.decisions[-1].reason is Reason.CLEARED
    assert bench.machine.pilots["p"].standing.level is Level.NORMAL


def test_a_finding_stays_while_another_clock_of_its_rule_is_owed() -> None:
    """Two incidents are missed: the report of one does not settle the other."""
    bench = ClockBench()
    for name in ("i-1", "i-2"):
        bench.send(bench.incident(START, INJURY, name), START)
    bench.time(DUE + 1)
    for n, name in enumerate(("i-1", "i-2")):
        assert "clock/incident-report" in bench.machine.pilots["p"].standing.active
        bench.act(IncidentReportAct(**firm(n), incident=name, report="r"), DUE + HOUR_MS)
    assert "clock/incident-report" not in bench.machine.pilots["p"].standing.active


def test_a_broken_hold_names_the_models_and_is_not_undone_by_a_report() -> None:
    """The finding `evidence_hold` rests on Art. 73(6), and stays until an officer lowers the level."""
    bench = ClockBench()
    bench.send(bench.incident(START, INJURY), START)
    out = bench.send(bench.firm.model_changed(START + HOUR_MS, "m2"), START + HOUR_MS)
    (found,) = [d for d in out.decisions if d.reason is Reason.EVIDENCE_HOLD]
    (record,) = about([found], "evidence-hold")
    assert (found.level, record.owed_by, record.basis) == (Level.ESCALATE, Owes.FIRM, "EU AI Act, Art. 73(6)")
    assert found.finding.detail == "m1 to m2"
    bench.act(IncidentReportAct(**firm(), incident="i-1", report="r", complete=True), START + 2 * HOUR_MS)
    assert "clock/evidence-hold" in bench.machine.pilots["p"].standing.active
    bench.act(Override(**officer(), level="normal", reason="seen"), START + 3 * HOUR_MS)
    assert bench.machine.pilots["p"].standing.level is Level.NORMAL


def test_a_digest_seen_in_any_event_breaks_a_hold() -> None:
    """No event needs to say that the model changed: the digest in a heartbeat does."""
    bench = ClockBench()
    bench.send(bench.incident(START, INJURY), START)
    bench.firm.model = "m2"
    out = bench.send(bench.firm.heartbeat(START + HOUR_MS), START + HOUR_MS)
    assert [d.reason for d in out.decisions if d.reason is Reason.EVIDENCE_HOLD]


def test_late_events_of_an_earlier_model_break_no_hold() -> None:
    """An event from before the incident may still name the model before; the one that serves is no change either."""
    bench = ClockBench()
    bench.send(bench.firm.model_changed(START - HOUR_MS, "m2"), START - HOUR_MS)
    bench.send(bench.incident(START, INJURY), START)
    bench.firm.model = "m1"
    bench.send(bench.firm.heartbeat(START - 2 * HOUR_MS), START + HOUR_MS)
    bench.firm.model = "m2"
    bench.send(bench.firm.heartbeat(START + 2 * HOUR_MS), START + 2 * HOUR_MS)
    assert not bench.decisions(Reason.EVIDENCE_HOLD)
    bench.firm.model = "m1"  # a rollback is a change
    bench.send(bench.firm.heartbeat(START + 3 * HOUR_MS), START + 3 * HOUR_MS)
    assert len(bench.decisions(Reason.EVIDENCE_HOLD)) == 1


def test_a_notice_before_the_change_ends_the_hold() -> None:
    """The authority was told: the change is allowed, the report is still owed."""
    bench = ClockBench()
    bench.send(bench.incident(START, INJURY), START)
    bench.act(ChangeNotice(**firm(), notice="m2 instead of m1"), START + HOUR_MS)
    bench.send(bench.firm.model_changed(START + 2 * HOUR_MS, "m2"), START + 2 * HOUR_MS)
    assert not bench.decisions(Reason.EVIDENCE_HOLD)
    assert bench.clock("incident-report").running


def test_what_is_not_serious_starts_nothing() -> None:
    """Near misses, hazards and ordinary incidents have no legal deadline; a death or serious injury always has one."""
    bench = ClockBench()
    for n, (severity, harm) in enumerate(
        [(Severity.NEAR_MISS, Harm.DEATH), (Severity.HAZARD, Harm.PROPERTY), (Severity.INCIDENT, Harm.PROPERTY)]
    ):
        bench.send(bench.firm.incident(START, severity, harm, f"i-{n}"), START)
    assert not bench.machine.pilots["p"].clocks.cases
    bench.send(bench.firm.incident(START, Severity.INCIDENT, Harm.DEATH, "i-9"), START)
    assert bench.clock("incident-report").running


def test_a_forgotten_incident_that_is_repeated_starts_no_clock_unless_it_is_graver() -> None:
    """The case of a settled incident may be forgotten; its id and grade are still known."""
    bench = ClockBench()
    bench.send(bench.incident(START, INJURY, "old"), START)
    bench.act(IncidentReportAct(**firm(), incident="old", report="r", complete=True), START + 1)
    for n in range(CASES_OF_FIRM):
        bench.send(bench.incident(START + HOUR_MS + n, INJURY, f"i-{n}"), START + HOUR_MS + n)
    assert "serious_incident/old" not in bench.machine.pilots["p"].clocks.cases
    for n in range(CASES_OF_FIRM):
        bench.act(IncidentReportAct(**firm(n + 1), incident=f"i-{n}", report="r", complete=True), START + 2 * HOUR_MS)
    out = bench.send(bench.incident(START, INJURY, "old"), START + 3 * HOUR_MS)
    assert not about(out, "incident-report")
    out = bench.send(bench.incident(START, Harm.DEATH, "old"), START + 4 * HOUR_MS)
    assert about(out, "incident-report")[0].change is Change.STARTED


def test_a_case_without_space_is_a_finding_and_the_state_stays_bounded() -> None:
    """A flood of open incidents is recorded once, and displaces nothing."""
    bench = ClockBench()
    for n in range(CASES_OF_FIRM + 20):
        bench.send(bench.incident(START + n, INJURY, "x" * 150 + str(n)), START + n)
    refused = bench.decisions(Reason.CLOCK_REFUSED)
    assert [(d.level, d.finding_key) for d in refused] == [(Level.ESCALATE, "clocks_refused")]
    clocks = bench.machine.pilots["p"].clocks
    assert (len(clocks.cases), clocks.refused) == (CASES_OF_FIRM, 20)
    assert len(msgspec.msgpack.encode(clocks)) <= CLOCKS_BYTES


def test_without_a_table_there_are_no_clocks_and_acts_are_recorded_all_the_same() -> None:
    """A deployment without a sandbox has no legal deadlines."""
    bench = ClockBench()
    bench.machine.use_clock_table(None)
    bench.send(bench.incident(START, INJURY), START)
    bench.act(Reclassification(**officer(), incident="i-1", reason="r", classes=(IncidentClass.DEATH,)), START + 1)
    assert not any(isinstance(d.finding.clock, ClockRecord) for d in bench.out.decisions)
    assert bench.decisions(Reason.INCIDENT_RECLASSIFIED)
    assert not bench.machine.pilots["p"].clocks.cases


def test_after_the_exit_the_authority_owes_the_report_and_the_firm_its_incidents() -> None:
    """Deadlines go on after an exit; a miss is found, addressed, and moves no level."""
    bench = ClockBench()
    bench.send(bench.incident(START, INJURY), START)
    bench.fact(Fact(kind=FactKind.EXIT, at=START + HOUR_MS))
    raw = bench.machine.pilots.raw("p")
    assert snapshot(restore(raw)[0]) == raw
    out = bench.time(START + 90 * DAY_MS)
    missed = [d for d in out.decisions if d.reason is Reason.CLOCK_MISSED]
    owed = [c.owed_by for d in missed if (c := d.finding.clock)]
    assert owed == [Owes.FIRM, Owes.AUTHORITY]
    assert {d.level for d in missed} == {Level.NORMAL}
    bench.act(IncidentReportAct(**firm(), incident="i-1", report="r"), START + 91 * DAY_MS)
    assert about(bench.out, "incident-report")[-1].change is Change.DONE_LATE


def test_a_suspension_is_owed_to_the_ai_office_until_it_was_told() -> None:
    """The clock has no date, so it is never missed; the notice of an officer meets it."""
    bench = ClockBench()
    bench.act(Suspension(**officer(), basis="Art. 57(11)", reason="danger"), START)
    assert (bench.clock("ai-office").state, bench.clock("ai-office").due) == (ClockState.RUNNING, None)
    bench.act(SuspensionNotice(**officer(1), notice="letter"), START + DAY_MS)
    assert bench.clock("ai-office").done == START + DAY_MS


def test_a_report_received_during_an_outage_is_in_time() -> None:
    """The monitor was down when the deadline passed, and reads time before the report: nothing is missed."""
    bench = ClockBench(Machine())
    bench.time(START - 1000)
    bench.send(bench.incident(START, INJURY), START)
    bench.machine._partition.state.last_time = DUE - 60_000  # as if a journal had a `time` every few seconds
    bench.time(DUE + 3 * HOUR_MS)
    assert not bench.decisions(Reason.CLOCK_MISSED)
    bench.act(IncidentReportAct(**firm(), incident="i-1", report="r"), DUE - 10_000)
    assert bench.clock("incident-report").state is ClockState.MET
    bench.time(DUE + 3 * HOUR_MS + 20_000)
    assert not bench.decisions(Reason.CLOCK_MISSED)


def test_a_miss_in_an_outage_is_found_afterwards_with_its_own_date() -> None:
    """The due instant is that of the law, however late the monitor is back."""
    bench = ClockBench(Machine())
    bench.time(START - 1000)
    bench.send(bench.incident(START, INJURY), START)
    bench.machine._partition.state.last_time = DUE - 60_000
    back = DUE + 3 * HOUR_MS
    for n in range(20):
        bench.time(back + n * 20_000)
    (missed,) = about(bench.decisions(Reason.CLOCK_MISSED), "incident-report")
    assert (missed.at, missed.due) == (DUE, DUE)


def test_a_pinned_calendar_moves_what_was_provisional_and_nothing_else() -> None:
    """Holidays of a year that become known move the due instants that rested on them, at that moment."""
    table, end = example_table(), date(2026, 12, 31)
    short = tuple(
        structs.replace(c, covers=(c.covers[0], end), holidays=tuple(h for h in c.holidays if h.date <= end))
        if c.name == "germany"
        else c
        for c in table.calendars
    )
    bench = ClockBench(table=structs.replace(table, calendars=short))
    december = 1_797_930_000_000  # Tuesday 2026-12-22 10:00 in Berlin
    bench.send(bench.incident(december, Harm.DEATH), december)
    bench.send(bench.incident(december - 20 * DAY_MS, INJURY, "i-0"), december)
    before = bench.clock("incident-report", "i-1")
    assert before.provisional
    at = december + DAY_MS
    out = bench.machine.use_clock_table(table, at)
    (moved,) = [c for c in about(out, "incident-report") if c.key == "i-1"]
    assert (moved.change, moved.was_due, moved.due) == (Change.MOVED, before.due, before.due + 3 * DAY_MS)
    assert all(d.at == at for d in out.decisions)


def test_a_rule_that_is_gone_stops_its_clocks_and_clears_its_finding() -> None:
    """What the table no longer asks for is not owed."""
    bench = ClockBench()
    bench.send(bench.incident(START, INJURY), START)
    bench.time(DUE + 1)
    table = example_table()
    rest = structs.replace(table, rules=tuple(r for r in table.rules if r.name != "incident-report"))
    out = bench.machine.use_clock_table(rest, DUE + DAY_MS)
    assert about(out, "incident-report")[-1].change is Change.STOPPED
    assert not bench.machine.pilots["p"].standing.active
    assert bench.machine.pilots["p"].standing.level is Level.NORMAL


def test_results_do_not_depend_on_how_records_and_time_are_cut() -> None:
    """One by one or together, with a `time` between any two records or none: the same decisions and state."""

    def run(cut: int, ticks: bool) -> tuple[list[bytes], bytes]:
        bench = ClockBench()
        events = []
        for n in range(40):
            at = START + n * 7 * HOUR_MS
            events.append((at, bench.firm.heartbeat(at)))
            if n % 5 == 0:
                events.append((at + 1, bench.incident(at, INJURY if n % 10 else Harm.DEATH, f"i-{n % 15}")))
            if n in (12, 30):
                events.append((at + 2, bench.firm.model_changed(at + 2, f"m{n}")))
        records = [Record(n + 10, at, b"p", msgspec.json.encode(event)) for n, (at, event) in enumerate(events)]
        for first in range(0, len(records), cut):
            batch = records[first : first + cut]
            if ticks:
                bench.time(batch[0].received)
            bench.out.extend(bench.machine.telemetry("telemetry", batch))
        bench.time(START + 60 * DAY_MS)
        return [msgspec.json.encode(d) for d in bench.out.decisions], bench.machine.pilots.raw("p")

    expected = run(1, True)
    assert json.loads(expected[0][-1])["reason"] == "clock_missed"
    for cut, ticks in ((1, False), (7, False), (7, True), (1000, False)):
        assert run(cut, ticks) == expected
