"""The state of a pilot in the public record, where decisions name it and where they leave it out."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.charter.control import Override
from monitor.model.records import Decision
from monitor.projections.pilot_status import pilot_status
from monitor.public_record.pilot import PilotRecord
from monitor.public_record.recompute_figures import Pilot
from tests.unit.lifecycle.founded import Founded

END = 1 << 60


def both(decisions: list[Decision]) -> set[str]:
    """The state by the register and by the program that recomputes it."""
    bodies: list[Any] = [msgspec.to_builtins(one) for one in decisions]
    record = PilotRecord("p", ())
    record.records = bodies
    return {record.states()[0], Pilot(bodies, 0, END).state(END)[0]}


def test_a_decision_without_states_says_that_the_pilot_runs() -> None:
    """The start of the cycle ends the state `registered`: a decision leaves out states that follow from its level. Both
    programs and `status` agree after every decision."""
    world = Founded()
    world.put(Override(**world.by("officer"), level="watch", reason="look"))
    story = [one for one in world.decisions if one.pilot == "p"]
    seen = []
    for number in range(1, len(story) + 1):
        status = pilot_status(story[:number])
        assert status is not None
        assert both(story[:number]) == {status.states["pilot"]}
        seen.append(status.states["pilot"])
    assert {"submitted", "registered", "running"} <= set(seen)
    assert seen[-1] == "running"
