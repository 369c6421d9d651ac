"""Deadlines of complaints by the promise of the charter, and of the drills that it asks for."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import Admission, Amendment
from monitor.charter.exit_acts import Assessing
from monitor.charter.spec import AssessmentSpec, Charter, Drills
from monitor.deadlines.cases import ClockState
from monitor.deadlines.engine import CASES, CASES_OF_FIRM, CLOCKS_BYTES, COMPLAINTS
from monitor.deadlines.facts import FactKind
from monitor.deadlines.shipped import example_table
from monitor.engine.machine import Machine
from monitor.model.clock_record import Change
from monitor.model.events import Envelope, Harm, encode
from monitor.model.records import Decision, Reason, Record
from monitor.projections.clock_board import ClockFold, restored_clocks
from monitor.simulation.fleet_charter import DAY_MS
from monitor.simulation.fleet_charter import charter as fleet_charter
from tests.unit.clocks.clock_bench import PERIOD, STARTS, ClockBench, clock_charter

HOUR_MS = 3_600_000
START = STARTS + HOUR_MS
PROMISE = 10 * DAY_MS
INJURY = Harm.SERIOUS_INJURY


def promised(charter: Charter) -> Charter:
    """The charter with a promise to answer complaints within ten days."""
    whole = fleet_charter("p", number=0, period_ms=PERIOD, cap=1e6, dispersion=1.0, start=STARTS, end=STARTS + DAY_MS)
    (found,) = (one for one in whole.indicators if one.kind == "complaint_over_promise")
    spec = structs.replace(found, params={"promise": "10d"})
    return structs.replace(charter, indicators=(*charter.indicators, spec), version=2)


@pytest.fixture
def bench() -> ClockBench:
    made = ClockBench()
    made.act(Amendment(id="a", pilot="p", author="anna", charter=promised(made.charter)), STARTS + 1)
    return made


def of_complaints(decisions: list[Decision]) -> list[Change]:
    return [d.finding.clock.change for d in decisions if d.finding.clock and d.finding.clock.starts == "complaint"]


def test_a_complaint_is_owed_until_the_promise_of_the_charter(bench: ClockBench) -> None:
    """Counted from its filing; a resolution in time meets it, without a decision for each."""
    bench.send(bench.firm.complaint(START, "c-1"), START + HOUR_MS)
    assert bench.clock("complaint").due == START + PROMISE
    bench.send(bench.firm.complaint_resolved(START + DAY_MS, "c-1", START), START + DAY_MS)
    assert bench.clock("complaint").state is ClockState.MET
    bench.time(START + 2 * PROMISE)
    assert of_complaints(bench.out.decisions) == []


def test_a_broken_promise_is_on_record_with_who_owes_and_its_end(bench: ClockBench) -> None:
    """A miss is a decision, and so is the resolution, or the withdrawal, after it."""
    for name in ("c-1", "c-2"):
        bench.send(bench.firm.complaint(START, name), START)
    late = START + PROMISE + DAY_MS
    bench.time(late)
    assert of_complaints(bench.out.decisions) == [Change.MISSED, Change.MISSED]
    bench.send(bench.firm.complaint_resolved(late, "c-1", START), late)
    bench.send(bench.firm.complaint_withdrawn(late, "c-2", START), late)
    assert of_complaints(bench.out.decisions)[2:] == [Change.DONE_LATE, Change.DONE_LATE]
    assert not any(case.open for case in bench.machine.pilots["p"].clocks.cases.values())


def test_the_first_complaints_that_wait_keep_their_places_and_those_beyond_are_counted(bench: ClockBench) -> None:
    """A place is free again once its complaint is answered."""
    for n in range(COMPLAINTS + 30):
        bench.send(bench.firm.complaint(START + n, f"c-{n}"), START + n)
    cases = bench.machine.pilots["p"].clocks.cases
    assert sorted(case.key for case in cases.values()) == sorted(f"c-{n}" for n in range(COMPLAINTS))
    assert bench.out.uncounted["complaint_without_clock"] == 30
    assert not bench.decisions(Reason.CLOCK_REFUSED)
    bench.send(bench.firm.complaint_resolved(START + HOUR_MS, "c-3", START + 3), START + HOUR_MS)
    bench.send(bench.firm.complaint(START + HOUR_MS, "new"), START + HOUR_MS)
    assert "complaint/new" in bench.machine.pilots["p"].clocks.cases


def test_no_flood_of_complaints_takes_the_place_of_a_serious_incident(bench: ClockBench) -> None:
    """Neither of one that is open, nor of one that is settled, nor of one that comes after the flood."""
    before = CASES_OF_FIRM // 2
    for n in range(before):
        bench.send(bench.incident(START + n, INJURY, f"i-{n}"), START + n)
    for n in range(4 * CASES):
        at = START + HOUR_MS + n
        bench.send(bench.firm.complaint(at, f"c-{n}" + "x" * 100), at)
        bench.send(bench.firm.complaint_resolved(at, f"u-{n}", at), at)
    for n in range(before, CASES_OF_FIRM):
        bench.send(bench.incident(START + DAY_MS + n, INJURY, f"i-{n}"), START + DAY_MS + n)
    clocks = bench.machine.pilots["p"].clocks
    incidents = {case.key for case in clocks.cases.values() if case.starts is FactKind.SERIOUS_INCIDENT}
    assert incidents == {f"i-{n}" for n in range(CASES_OF_FIRM)}
    assert clocks.refused == 0
    assert len(clocks.cases) == CASES_OF_FIRM + COMPLAINTS
    assert len(msgspec.msgpack.encode(clocks)) <= CLOCKS_BYTES


def test_without_a_promise_or_before_the_admission_a_complaint_has_no_deadline(bench: ClockBench) -> None:
    """Only the charter promises."""
    bench.send(bench.firm.complaint(STARTS - HOUR_MS, "old"), START)
    other = ClockBench()
    other.send(other.firm.complaint(START, "c-1"), START)
    for made in (bench, other):
        assert made.machine.pilots["p"].clocks.cases == {}


def test_deadlines_of_complaints_do_not_depend_on_batches() -> None:
    """Complaints that arrive together start the same deadlines as one by one, also if the table comes in between."""
    states = []
    for whole in (False, True):
        machine = Machine(journalled=False)
        admit = Admission(id="admit", pilot="p", author="anna", charter=promised(clock_charter()))
        assert not machine.control(Record(0, STARTS, b"p", msgspec.json.encode(admit))).rejected
        firm = ClockBench().firm
        events: list[Envelope] = [firm.heartbeat(STARTS + n) for n in range(3)]
        events += [firm.complaint(START + n, f"c-{n}") for n in range(40)]
        events += [firm.complaint_resolved(START + 50 + n, f"c-{n}", START + n) for n in range(0, 40, 7)]
        records = [Record(n, START + 100, b"p", encode(event)) for n, event in enumerate(events)]
        machine.telemetry("telemetry", records[:3])
        machine.use_clock_table(example_table(), STARTS + 100)
        for batch in [records[3:]] if whole else [[one] for one in records[3:]]:
            machine.telemetry("telemetry", batch)
        states.append((machine.pilots["p"].clocks, machine.snapshots(["p"])))
    assert states[0] == states[1]
    assert len(states[0][0].cases) == COMPLAINTS


def test_a_process_that_takes_over_shows_the_same_deadlines_of_complaints(bench: ClockBench) -> None:
    """The fold from decisions and the one from the state agree: only what was missed is in either."""
    bench.send(bench.firm.complaint(START, "c-1"), START)
    bench.send(bench.firm.complaint(START + DAY_MS, "c-2"), START + DAY_MS)
    bench.time(START + PROMISE + 1)
    fold = ClockFold()
    for decision in bench.out.decisions:
        fold.add(decision)
    restored = restored_clocks(bench.machine.pilots["p"].clocks, example_table())
    now = START + PROMISE + 1
    assert [row.key for row in fold.rows(now)] == [row.key for row in restored.rows(now)] == ["c-1"]


def drilled() -> ClockBench:
    made = ClockBench()
    charter = structs.replace(made.charter, drills=Drills("30d"), version=2)
    made.act(Amendment(id="a", pilot="p", author="anna", charter=charter), STARTS + 1)
    return made


def test_a_drill_that_the_charter_asks_for_is_owed_by_the_firm_and_met_by_passing_it() -> None:
    """It begins by the interval of the charter; each one is a separate deadline."""
    made = drilled()
    for n in (1, 2):
        at = STARTS + n * 30 * DAY_MS + 1
        made.send(made.firm.heartbeat(at - 1), at - 1)
        out = made.time(at + 1)
        command = out.commands[-1]
        made.send(made.firm.acknowledged(at + 1000, command.id, command.standing), at + 1000)
    changes = [d.finding.clock for d in made.out.decisions if d.finding.clock]
    assert [(c.change, c.owed_by.value) for c in changes] == 2 * [(Change.STARTED, "firm"), (Change.MET, "firm")]


def test_a_drill_that_is_not_answered_is_missed() -> None:
    """When the command is overdue."""
    made = drilled()
    made.time(STARTS + 31 * DAY_MS)
    (missed,) = (d.finding.clock for d in made.decisions(Reason.CLOCK_MISSED))
    (overdue,) = made.decisions(Reason.DRILL_OVERDUE)
    assert missed.due == overdue.at


def test_each_assessment_has_a_separate_deadline() -> None:
    """One that was done in time meets nothing that falls due later."""
    made = ClockBench()
    charter = structs.replace(made.charter, assessment=AssessmentSpec("30d", "14d"), version=2)
    made.act(Amendment(id="a", pilot="p", author="anna", charter=charter), STARTS + 1)
    at = STARTS + 31 * DAY_MS
    made.time(at)
    made.act(Assessing(id="s", pilot="p", author="anna", outcome="continue", reason="r"), at)
    made.time(at + 60 * DAY_MS)
    found = [d.finding.clock.change for d in made.out.decisions if d.finding.clock]
    assert found == [Change.STARTED, Change.MET, Change.STARTED, Change.MISSED]
