"""An act that moves a timer to a time before it: what falls due is dated by the act, never before it."""

from __future__ import annotations

from msgspec import structs

from monitor.charter.control import Admission
from monitor.charter.running_acts import CycleProposal, Grant
from monitor.charter.spec import AssessmentSpec, Cycle
from monitor.lifecycle.names import State
from monitor.model.records import Reason
from tests.unit.lifecycle.founded import OWN, Founded

DAY_MS = 86_400_000


def test_a_cycle_that_began_already_starts_with_its_grant() -> None:
    """A firm asks for a cycle whose first day is past: no decision is dated before its application."""
    world, own = Founded(admit=None), structs.replace(OWN, cycle=Cycle("2026-02-01", "2027-01-01"))
    world.agreed(own)
    world.put(Admission(**world.by("officer"), charter=own))
    world.put(CycleProposal(**world.by("firm"), start="2025-06-01", end="2026-12-01", reason="x"))
    world.put(Grant(**world.by("officer")))
    granted = world.decisions[-1]
    world.keep(world.machine.time(world.at + 60_000))
    assert (granted.reason, world.decisions[-1].reason) == (Reason.CYCLE_GRANTED, Reason.CYCLE_STARTED)
    assert world.decisions[-1].at == granted.at


def test_an_assessment_that_an_amendment_introduces_is_not_missed_before_it() -> None:
    """A pilot that has run for longer than the new interval owes its first assessment from the amendment on."""
    world = Founded()
    world.at += 60 * DAY_MS
    world.machine.time(world.at)
    assert world.amended(structs.replace(OWN, version=2, assessment=AssessmentSpec("20d", "20d"))).decisions
    amended = world.decisions[-1].at
    world.keep(world.machine.time(world.at + DAY_MS))
    due = next(one for one in world.decisions if one.reason is Reason.ASSESSMENT_DUE)
    assert due.at == amended
    assert world.pilot.life.assessment is State.ASSESSMENT_DUE
    world.keep(world.machine.time(world.at + 21 * DAY_MS))
    missed = next(one for one in world.decisions if one.reason is Reason.ASSESSMENT_MISSED)
    assert missed.at == amended + 20 * DAY_MS
