"""The history of one pilot holds the class of its firm, and no act on a firm; it replays to the same decisions."""

from __future__ import annotations

import pytest
from msgspec import structs

from monitor.charter.control import Screening, Submission
from monitor.engine.history import ControlLine, encode
from monitor.firms.rules import FirmClass
from monitor.lifecycle.duties import ClassDuty
from monitor.lifecycle.sandbox_acts import PutDuties
from monitor.model.records import Decision
from tests.unit.engine.test_firm_acts import BAD, GOOD, classification
from tests.unit.engine.test_history_authority import Recorded, replayed
from tests.unit.lifecycle.applied import application
from tests.unit.lifecycle.founded import OWN

NOT_A = tuple(one for one in FirmClass if one is not FirmClass.A)
STRICT = tuple(ClassDuty(firm_class=one, tier=tier, assess_every="30d")
               for tier in ("limited", "high", "critical") for one in NOT_A)  # fmt: skip


def classified_story(partition: int) -> Recorded:
    """The screening of `q` is refused without a class, accepted with class A, and its firm falls to D afterwards."""
    world = Recorded(partition=partition)
    world.change(PutDuties(STRICT))
    charter = structs.replace(OWN, pilot="q")
    world.put(Submission(**world.by("firm", "q"), application=application(charter), charter=charter))
    assert world.put(Screening(**world.by("officer", "q"))).rejected
    world.put(classification(world, "officer", GOOD))
    assert not world.put(Screening(**world.by("officer", "q"))).rejected
    world.put(classification(world, "officer", BAD))
    return world


@pytest.mark.parametrize("partition", [0, 2])
def test_a_pilots_history_replays_under_the_class_of_its_firm(partition: int) -> None:
    """What was refused or accepted because of a class is so again, in every partition."""
    world = classified_story(partition)
    mine = world.of("q", partition)

    def of_q(found: list[Decision]) -> list[Decision]:
        return [structs.replace(one, epoch=0) for one in found if one.pilot == "q"]

    live = of_q(world.decisions)
    assert [one.reason.value for one in live if one.author] == ["application_submitted", "application_screened"]
    assert replayed(mine, "q", partition) == live
    assert replayed(world.tell(), "q", partition) == live


def test_no_act_on_a_firm_is_in_the_history_of_a_pilot() -> None:
    """Only the class in force, with the first act that it may concern."""
    lines = classified_story(0).of("q")
    assert b"sandbox.control.classification" not in b"".join(encode(line) for line in lines)
    classes = [line.firm_class for line in lines if isinstance(line, ControlLine) and line.firm_class]
    assert [(one.firm, one.firm_class, one.open) for one in classes] == [("firm", "A", 3)]
