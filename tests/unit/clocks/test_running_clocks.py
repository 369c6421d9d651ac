"""What acts on a pilot that runs mean for legal deadlines, and for a sandbox with keys."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from monitor.charter.control import Agreement, Amendment, Rectification
from monitor.charter.running_acts import (
    ChangeProposal,
    EvidenceHold,
    Grant,
    HoldLift,
    Inspection,
    InspectionFinding,
    PauseRequest,
    Suspension,
)
from monitor.charter.spec import ChangeKind, Model, PlannedChange, charter_hash
from monitor.deadlines.cases import ClockState
from monitor.lifecycle.names import State
from monitor.model.events import instant
from monitor.model.records import Reason
from monitor.simulation.fleet_charter import DAY_MS
from tests.unit.clocks.clock_bench import STARTS, ClockBench
from tests.unit.lifecycle.founded import OWN, Founded

DUE = STARTS + 30 * DAY_MS


def by(author: str, name: str) -> dict[str, Any]:
    return {"id": name, "pilot": "p", "author": author}


def inspected() -> ClockBench:
    made = ClockBench()
    findings = (InspectionFinding("logs", "no rule", instant(DUE)),)
    made.act(Inspection(**by("anna", "i1"), scope=("logs",), seen="s", findings=findings), STARTS + 1)
    return made


def test_a_finding_of_an_inspection_runs_a_deadline_to_its_date() -> None:
    """Missed at the date, with who owes and the basis; met by a rectification in time."""
    late, timely = inspected(), inspected()
    assert late.clock("rectification").due == DUE
    firm = timely.charter.participant.id
    rectify = Rectification(**by(firm, "r"), finding="inspection/i1", cause="c", action="a", evidence="e")
    timely.act(rectify, DUE - DAY_MS)
    for made in (late, timely):
        made.time(DUE + 1)
    assert late.clock("rectification").state is ClockState.MISSED
    assert timely.clock("rectification").state is ClockState.MET
    assert Reason.FINDING_OVERDUE in {d.reason for d in late.out.decisions}
    assert Reason.FINDING_OVERDUE not in {d.reason for d in timely.out.decisions}


def test_a_finding_that_is_closed_ends_its_deadline() -> None:
    """By a later inspection, without a rectification of the firm."""
    made = inspected()
    made.act(Inspection(**by("anna", "i2"), scope=("x",), seen="s", closed=("inspection/i1/logs",)), STARTS + DAY_MS)
    made.time(DUE + DAY_MS)
    assert Reason.CLOCK_STOPPED in {d.reason for d in made.out.decisions}
    assert Reason.CLOCK_MISSED not in {d.reason for d in made.out.decisions}


def started(made: ClockBench) -> set[str]:
    """What started deadlines."""
    found = [d for d in made.out.decisions if d.reason is Reason.CLOCK_STARTED]
    return {d.finding.clock.starts for d in found if d.finding.clock}


def test_a_suspension_and_a_registered_change_start_their_deadlines() -> None:
    """The AI Office is to be told; the service of a pilot that changed is to be filed."""
    made = ClockBench()
    plan = (PlannedChange("logs", ChangeKind.DATA_TYPE, "usage logs", "none", subjects=("logs",)),)
    made.act(Amendment(**by("anna", "a"), charter=structs.replace(made.charter, changes=plan, version=2)), STARTS + 1)
    firm = made.charter.participant.id
    made.act(ChangeProposal(**by(firm, "c"), kind=ChangeKind.DATA_TYPE, subjects=("logs",), summary="s"), STARTS + 2)
    assert made.out.decisions[-1].reason in (Reason.CHANGE_REGISTERED, Reason.CLOCK_STARTED)
    started = {
        d.finding.clock.starts for d in made.out.decisions if d.reason is Reason.CLOCK_STARTED and d.finding.clock
    }
    assert "service_changed" in started
    made.act(Suspension(**by("anna", "s"), basis="Art. 57(11)", reason="r"), STARTS + 3)
    started = {
        d.finding.clock.starts for d in made.out.decisions if d.reason is Reason.CLOCK_STARTED and d.finding.clock
    }
    assert "suspension" in started


def test_a_change_outside_the_plan_is_agreed_by_both_sides_of_a_sandbox() -> None:
    """With keys: the firm proposes under the hash of the amended charter, the officer's amendment is the other
    signature; one under another hash is refused, and so is one without a signature of the firm."""
    world = Founded()
    new = structs.replace(OWN, version=2, models=(*OWN.models, Model("m9")))
    change = {"kind": ChangeKind.MODEL_VERSION, "model": "m9", "summary": "s"}
    assert world.put(ChangeProposal(**world.by("firm"), **change, charter=charter_hash(new))).decisions
    assert world.pilot.life.change is State.CHANGE_PROPOSED
    other = structs.replace(new, scenario="another")
    assert world.put(Amendment(**world.by("officer"), charter=other)).rejected
    made = world.put(Amendment(**world.by("officer"), charter=new))
    assert Reason.AMENDED in {d.reason for d in made.decisions}, world.rejected[-1]
    assert world.pilot.life.change is State.NO_CHANGE
    third = structs.replace(new, version=3, models=(*new.models, Model("m10")))
    assert world.put(ChangeProposal(**world.by("firm"), **{**change, "model": "m10"})).decisions
    assert world.put(Amendment(**world.by("officer"), charter=third)).rejected
    assert world.put(Agreement(**world.by("firm"), charter=charter_hash(third))).decisions
    assert world.put(Amendment(**world.by("officer"), charter=third)).decisions


def test_roles_of_a_sandbox_hold_for_acts_on_a_pilot_that_runs() -> None:
    """Approvers, evaluators and officers of other authorities do none of them; the firm none of the officer's."""
    world = Founded()
    world.put(PauseRequest(**world.by("firm"), reason="r"))
    for author in ("approver-1", "evaluator", "auditor", "stranger", "firm", "other-officer"):
        assert world.put(Grant(**world.by(author))).rejected, author
        assert world.put(EvidenceHold(**world.by(author), reason="r")).rejected, author
        assert world.put(Suspension(**world.by(author), basis="b", reason="r")).rejected, author
    assert world.put(Grant(**world.by("officer"))).decisions
    assert world.put(EvidenceHold(**world.by("officer"), reason="r")).decisions
    assert world.put(HoldLift(**world.by("officer"), reason="r")).decisions
    assert world.pilot.life.pilot is State.PAUSED
