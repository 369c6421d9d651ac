"""Guidance, inspections with due dates, cycles, suspension and evidence hold, one rule a test."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.charter.act_base import ControlBase
from monitor.charter.control import Amendment, Override, Rectification
from monitor.charter.running_acts import (
    CycleProposal,
    Decline,
    EvidenceHold,
    Extension,
    Grant,
    Guidance,
    GuidanceFollowed,
    GuidanceRequest,
    HoldLift,
    Inspection,
    InspectionFinding,
    Suspension,
)
from monitor.charter.spec import Cycle
from monitor.lifecycle.names import State
from monitor.model.events import instant
from monitor.model.records import Decision, Level, Outputs, Reason
from monitor.state.running import DUTIES, QUESTIONS
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import HANDLING, HOUR, RATE, T0, Bench, charter, lift
from tests.unit.lifecycle.founded import Founded

DAY = 24 * HOUR


def by(author: str, name: str) -> dict[str, Any]:
    return {"id": name, "pilot": "p", "author": author}


def last(out: Outputs) -> Decision:
    assert not out.rejected, out.rejected
    return out.decisions[-1]


def refused(out: Outputs) -> str:
    (one,) = out.rejected
    return one.detail.partition(":")[0]


def inspect(b: Bench, at: int, name: str = "i1", due: int = T0 + DAY, **more: Any) -> Outputs:
    findings = more.pop("findings", (InspectionFinding("logs", "no retention rule", instant(due)),))
    return b.act(Inspection(**by("anna", name), scope=("records",), seen="seen", findings=findings, **more), at)


def test_an_inspection_raises_its_findings_with_their_due_dates() -> None:
    """Each watches; the record lists the scope and the keys in the clear, words only as detail."""
    b = Bench(HANDLING)
    out = inspect(b, T0 + 1)
    found, made = out.decisions
    assert (found.reason, found.level, found.finding_key) == (
        Reason.INSPECTION_FINDING, Level.WATCH, "inspection/i1/logs",
    )  # fmt: skip
    assert (found.finding.detail, found.finding.content) == ("no retention rule", {"due": "2026-01-06T00:00:00Z"})
    assert found.author == made.author == "anna"
    assert made.finding.content == {"scope": ("records",), "findings": ("inspection/i1/logs",)}


def test_a_date_that_passes_escalates_to_the_millisecond_and_once() -> None:
    """Also where the level was lowered meanwhile, or the state restored."""
    b = Bench(HANDLING)
    inspect(b, T0 + 1)
    b.act(Override(**by("anna", "o"), level="normal", reason="seen"), T0 + 2)
    b.machine.restore({"p": snapshot(b.machine.pilots["p"])})
    b.time(T0 + DAY)
    assert b.level == Level.NORMAL
    b.time(T0 + DAY + 1)
    overdue = [d for d in b.out.decisions if d.reason is Reason.FINDING_OVERDUE]
    assert [(d.at, d.level) for d in overdue] == [(T0 + DAY, Level.ESCALATE)]
    b.time(T0 + 9 * DAY)
    assert b.reasons().count(Reason.FINDING_OVERDUE) == 1


@pytest.mark.parametrize("named", ["inspection/i1/logs", "inspection/i1", "inspection"])
def test_a_rectification_in_time_meets_the_date(named: str) -> None:
    """The firm's act names the finding by its key or the first parts of it; the finding stays until an inspection
    closes it."""
    b = Bench(HANDLING)
    inspect(b, T0 + 1)
    act = Rectification(**by("firm", "r"), finding=named, cause="c", action="a", evidence="e")
    assert last(b.act(act, T0 + 5)).finding.content == {"rectified": ("inspection/i1/logs",)}
    b.time(T0 + 9 * DAY)
    assert Reason.FINDING_OVERDUE not in b.reasons()
    assert b.level == Level.WATCH
    closed = inspect(b, T0 + 9 * DAY, "i2", findings=(), closed=("inspection/i1/logs",))
    assert [d.reason for d in closed.decisions] == [Reason.CLEARED, Reason.INSPECTED]
    assert (b.level, b.machine.pilots["p"].running.duties) == (Level.NORMAL, {})


def test_a_rectification_that_meets_a_legal_deadline_has_its_own_number() -> None:
    """The deadline that is met is a decision before that of the act, with its own number: a ledger holds both."""
    world = Founded()
    due = instant(world.at + HOUR)
    finding = InspectionFinding("logs", "none are kept", due)
    world.put(Inspection(**world.by("officer"), scope=("logs",), seen="the logs", findings=(finding,)))
    world.put(Rectification(**world.by("firm"), finding="inspection", cause="c", action="a", evidence="e"))
    own = [decision for decision in world.decisions if decision.pilot == "p"]
    assert [one.reason for one in own[-2:]] == [Reason.CLOCK_MET, Reason.RECTIFICATION_RECORDED]
    assert [one.standing for one in own] == list(range(1, len(own) + 1))


def test_an_inspection_closes_only_what_is_open_and_dates_nothing_in_the_past() -> None:
    """Nor two findings of one name, nor more than the state holds; a refused inspection changes nothing."""
    b = Bench(HANDLING)
    assert refused(inspect(b, T0 + 1, closed=("inspection/x/y",))) == "unknown_reference"
    assert refused(inspect(b, T0 + 1, due=T0)) == "content_missing"
    twice = InspectionFinding("a", "w", instant(T0 + DAY))
    assert refused(inspect(b, T0 + 2, findings=(twice, twice))) == "content_missing"
    many = tuple(InspectionFinding(f"f{n}", "w", instant(T0 + DAY)) for n in range(DUTIES))
    assert not inspect(b, T0 + 3, "full", findings=many).rejected
    assert refused(inspect(b, T0 + 4, "more")) == "too_many_open"
    assert len(b.machine.pilots["p"].running.duties) == DUTIES


def test_a_date_outlives_a_halt_and_its_release() -> None:
    """A release ends every finding, but not what an inspection asked for."""
    b = Bench(HANDLING)
    inspect(b, T0 + 1, due=T0 + 3 * DAY)
    b.act(Override(**by("anna", "o"), level="halt", reason="x"), T0 + 2)
    lift(b, T0 + HOUR)
    assert b.level == Level.NORMAL
    rectified = b.machine.pilots["p"].running.duties["inspection/i1/logs"].rectified
    assert rectified is None  # the rectification under the halt named something else
    b.time(T0 + 4 * DAY)
    assert Reason.FINDING_OVERDUE in b.reasons()


def test_guidance_is_asked_given_and_followed() -> None:
    """Each step names the one before; what is not open is refused."""
    b = Bench(HANDLING)
    assert last(b.act(GuidanceRequest(**by("firm", "q1"), question="may we?", provision="Art. 14"), T0)).finding.rule
    unknown = Guidance(**by("anna", "g0"), answer="yes", about="q9")
    assert refused(b.act(unknown, T0 + 1)) == "unknown_reference"
    given = last(b.act(Guidance(**by("anna", "g1"), answer="yes", about="q1"), T0 + 2))
    assert (given.reason, given.finding.content) == (Reason.GUIDANCE_GIVEN, {"about": "q1"})
    assert refused(b.act(Guidance(**by("anna", "g2"), answer="no", about="q1"), T0 + 3)) == "unknown_reference"
    followed = last(b.act(GuidanceFollowed(**by("firm", "f1"), about="g1", evidence="commit 7"), T0 + 4))
    assert (followed.reason, followed.finding.detail) == (Reason.GUIDANCE_FOLLOWED, "commit 7")
    again = GuidanceFollowed(**by("firm", "f2"), about="g1", evidence="e")
    assert refused(b.act(again, T0 + 5)) == "unknown_reference"


def test_open_questions_are_bounded() -> None:
    """A further one is refused until one is answered."""
    b = Bench(HANDLING)
    for number in range(QUESTIONS):
        b.act(GuidanceRequest(**by("firm", f"q{number}"), question="?"), T0 + number)
    assert refused(b.act(GuidanceRequest(**by("firm", "more"), question="?"), T0 + 99)) == "too_many_open"
    b.act(Guidance(**by("anna", "g"), answer="a", about="q0"), T0 + 100)
    assert last(b.act(GuidanceRequest(**by("firm", "more2"), question="?"), T0 + 101)).reason is Reason.GUIDANCE_ASKED


def used(b: Bench, at: int) -> list[Reason]:
    return [d.reason for d in b.send(b.emitter.exposure(at, 5.0), at=at).decisions]


def test_a_granted_cycle_replaces_that_of_the_charter() -> None:
    """Use outside of it is found; before the grant, and after a refusal, the charter's counts. Restored, and by the
    fast path too."""
    b = Bench(HANDLING, cycle=Cycle("2026-01-01", "2026-01-31"))
    end = T0 + 27 * DAY  # 1 February
    proposal = CycleProposal(**by("firm", "c1"), start="2026-01-01", end="2026-03-31", reason="more data")
    asked = last(b.act(proposal, T0))
    assert asked.finding.content == {"start": "2026-01-01", "end": "2026-03-31"}
    b.act(Decline(**by("anna", "d"), reason="no"), T0 + 1)
    assert b.machine.pilots["p"].cycle[1] == end
    b.act(CycleProposal(**by("firm", "c2"), start="2026-01-01", end="2026-03-31", reason="more data"), T0 + 2)
    assert last(b.act(Grant(**by("anna", "g")), T0 + 3)).reason is Reason.CYCLE_GRANTED
    b.machine.restore({"p": snapshot(b.machine.pilots["p"])})
    assert used(b, end + HOUR) == []
    assert Reason.OUTSIDE_CYCLE in used(b, end + 70 * DAY)


def test_a_cycle_of_days_that_make_none_is_refused() -> None:
    """No such day, an end before the start, one in the past, one of more than three years."""
    b = Bench(HANDLING)
    for number, (start, end) in enumerate(
        (("2026-02-30", "2026-05-01"), ("2026-05-01", "2026-04-01"), ("2025-01-01", "2025-12-31"),
         ("2026-01-01", "2030-01-01"))
    ):  # fmt: skip
        act = CycleProposal(**by("firm", f"c{number}"), start=start, end=end, reason="r")
        assert refused(b.act(act, T0 + number)) == "bad_cycle"
    assert b.machine.pilots["p"].life.request is State.NO_REQUEST


def test_an_extension_moves_the_end_only_later() -> None:
    """By an officer, without a request; an amendment with another cycle replaces it."""
    b = Bench(HANDLING, cycle=Cycle("2026-01-01", "2026-01-31"))
    assert refused(b.act(Extension(**by("anna", "e0"), end="2026-01-31", reason="r"), T0)) == "bad_cycle"
    assert last(b.act(Extension(**by("anna", "e1"), end="2026-02-28", reason="r"), T0 + 1)).reason is Reason.EXTENDED
    assert used(b, T0 + 40 * DAY) == []
    new = charter(HANDLING, cycle=Cycle("2026-01-01", "2026-04-30"), version=2)
    b.act(Amendment(**by("anna", "a"), charter=new), T0 + 41 * DAY)
    pilot = b.machine.pilots["p"]
    assert pilot.running.cycle is None
    assert pilot.cycle == pilot.plan.cycle


def test_a_suspension_commands_the_service_to_stop_and_only_a_release_ends_it() -> None:
    """On record with its basis and author; on top of a halt it is a new ground, which voids the steps to a release."""
    b = Bench(HANDLING)
    out = b.act(Suspension(**by("anna", "s"), basis="Art. 57(11)", reason="risk"), T0)
    made = last(out)
    assert (made.reason, made.level, made.author, made.finding.rule) == (
        Reason.SUSPENDED, Level.HALT, "anna", "Art. 57(11)",
    )  # fmt: skip
    assert out.commands[0].halts
    pilot = b.machine.pilots["p"]
    assert pilot.life.halt is State.SUSPENDED
    again = Suspension(**by("anna", "s2"), basis="x", reason="r")
    assert b.act(again, T0 + 1).rejected
    assert refused(b.act(Override(**by("anna", "o"), level="normal", reason="r"), T0 + 2)) == "halt_is_latched"
    lift(b, T0 + HOUR)
    assert pilot.life.halt is State.NOT_HALTED or b.machine.pilots["p"].life.halt is State.NOT_HALTED


def test_a_suspension_of_a_halted_pilot_is_a_new_ground() -> None:
    """Steps that are on record for the halt do not lift it."""
    b = Bench(HANDLING)
    b.act(Override(**by("anna", "o"), level="halt", reason="x"), T0)
    b.act(Rectification(**by("firm", "r"), finding="f", cause="c", action="a", evidence="e"), T0 + 1)
    assert b.machine.pilots["p"].standing.lifting.rectified
    b.act(Suspension(**by("anna", "s"), basis="Art. 57(11)", reason="risk"), T0 + 2)
    pilot = b.machine.pilots["p"]
    assert (pilot.life.halt, pilot.standing.lifting.rectified) == (State.SUSPENDED, False)


def test_an_evidence_hold_is_set_and_lifted_by_an_officer() -> None:
    """Twice is refused; the firm may do neither."""
    b = Bench(HANDLING)
    acts: tuple[tuple[ControlBase, str], ...] = (
        (HoldLift(**by("anna", "l0"), reason="r"), "no_evidence_hold"),
        (EvidenceHold(**by("firm", "h0"), reason="r"), "not_an_officer"),
        (EvidenceHold(**by("anna", "h1"), reason="r"), ""),
        (EvidenceHold(**by("anna", "h2"), reason="r"), "evidence_held"),
        (HoldLift(**by("anna", "l1"), reason="r"), ""),
    )
    for number, (act, why) in enumerate(acts):
        out = b.act(act, T0 + number)
        assert (refused(out) if out.rejected else "") == why
    assert restore(snapshot(b.machine.pilots["p"]))[0].life.hold is State.NO_HOLD


def test_rate_is_watched_meanwhile() -> None:
    """None of these acts stops the statistics."""
    b = Bench(RATE)
    inspect(b, T0 + 1)
    b.act(EvidenceHold(**by("anna", "h"), reason="r"), T0 + 2)
    b.send(*(b.emitter.incident(T0 + 3) for _ in range(60)), at=T0 + 4)
    assert Reason.LIMIT_EXCEEDED in b.reasons()
