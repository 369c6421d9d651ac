"""The page of firms: a row for each, with the class in force."""

from __future__ import annotations

from monitor.console.firms_page import firms_page
from monitor.console.fleet_view import FleetView
from monitor.model.records import Outputs
from tests.unit.engine.test_firm_acts import BAD, classification
from tests.unit.firms.decisions import Pilot
from tests.unit.lifecycle.founded import Founded


def test_a_firm_has_a_row_with_its_class_and_numbers() -> None:
    """What counts against it, and the class that an officer set; without a class a dash."""
    board = FleetView()
    assert "No firm has a pilot." in firms_page(board)
    pilot, other = Pilot("p-1", "firm"), Pilot("p-2", "<b>")
    pilot.halt()
    world = Founded(admit=None)
    made = world.put(classification(world, "officer", BAD)).decisions
    board.apply(Outputs(decisions=[*pilot.decisions, *other.decisions, *made]))
    text = firms_page(board)
    cells = '<td data-head="Class in force">D</td><td data-head="Pilots">1</td>'
    assert f'<th scope="row"><a href="/firm/firm">firm</a></th>{cells}' in text
    cells = '<td data-head="Class in force"><span class="none">–</span></td>'
    assert f'<th scope="row"><a href="/firm/%3Cb%3E">&lt;b&gt;</a></th>{cells}' in text
    assert "<td>" not in text, "on a narrow screen a cell is shown with its head"
