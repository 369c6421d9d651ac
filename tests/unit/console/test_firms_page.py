"""The pages of firms: class in force and how it follows, what is owed, acts."""

from __future__ import annotations

from monitor.console.firm_page import firm_page
from monitor.console.firms_page import firms_page
from monitor.console.firms_view import firm_data, firm_view, firms_view
from monitor.console.fleet_view import FleetView
from monitor.firms.classes import firm_class
from monitor.firms.record import YEAR_MS
from monitor.firms.rules import SHIPPED_RULES, FirmClass
from monitor.model.records import Outputs, Rejected
from monitor.projections.formats import figure
from tests import board_world as w
from tests.unit.console.world import seen
from tests.unit.engine.test_firm_acts import BAD, classification
from tests.unit.firms.decisions import Pilot
from tests.unit.lifecycle.founded import Founded


def test_a_firm_has_a_row_with_its_class_and_numbers() -> None:
    """What counts against it, and the class that an officer set; without a class a dash."""
    board = FleetView()
    assert "No firm has a pilot." in firms_page(board, 0)
    pilot, other = Pilot("p-1", "firm"), Pilot("p-2", "<b>")
    pilot.halt()
    world = Founded(admit=None)
    made = world.put(classification(world, "officer", BAD)).decisions
    board.apply(Outputs(decisions=[*pilot.decisions, *other.decisions, *made]))
    text = firms_page(board, 0)
    row = text[text.index('<a href="/firm/firm">') :].split("</tr>")[0]
    assert 'class-D">D</span>' in row
    assert '<td data-head="Pilots" class="number">1</td>' in row
    assert "Halts: 1" in row
    row = text[text.index('<a href="/firm/%3Cb%3E">&lt;b&gt;</a>') :].split("</tr>")[0]
    assert '<td data-head="Class in force"><span class="none">–</span></td>' in row
    assert "<td>" not in text, "on a narrow screen a cell is shown with its head"


def test_the_class_that_the_record_gives_now_is_that_of_the_rules() -> None:
    """The page computes it with the program that officers and the machine use."""
    view = firms_view(seen().board, seen().now)
    assert view.rules == SHIPPED_RULES
    for row in view.rows:
        assert row.now == firm_class(row.record, SHIPPED_RULES)


def test_how_the_class_in_force_follows_is_explained_with_its_intervals() -> None:
    """Who set it, on which numbers; what each measure gives now, with the interval and the limit that decided."""
    view, text = firm_view(seen().board, "firm-1", seen().now), firm_page(seen().board, "firm-1", seen().now)
    assert view is not None
    assert text is not None
    assert view.row.in_force is not None
    assert view.row.in_force.act.gives == FirmClass.C
    assert "national-officer set C" in text
    assert "16 in 2 pilot-years" in text, "the grounds of the act"
    years = figure(view.row.record.operated_ms / YEAR_MS)
    assert f"2 in {years} pilot-years" in text, "what the record has now"
    assert "The record gives another class now" in text
    assert "Garwood 1936" in text


def test_a_firm_page_says_what_it_owes_its_pilots_and_acts() -> None:
    """Missed deadlines first; worst pilots first; annulled decisions with a link to the entry."""
    view, text = firm_view(seen().board, "firm-2", seen().now), firm_page(seen().board, "firm-2", seen().now)
    assert view is not None
    assert text is not None
    assert [one.missed for one in view.deadlines] == [True]
    assert [one.pilot for one in view.pilots] == [w.CONTRADICTED, w.UNKNOWN, w.APPEALED]
    assert [one.reason.value for one in view.acts] == ["decision_annulled", "firm_classified"]
    assert f"/ledger/{w.APPEALED}/{view.acts[0].decision}" in text
    assert firm_page(seen().board, "unknown", seen().now) is None


def test_a_firm_page_has_nothing_of_other_firms() -> None:
    """Its page and its data name no other firm, and no pilot of one."""
    board = seen().board
    for firm in {view.participant for view in board.pilots.values()}:
        view, text = firm_view(board, firm, seen().now), firm_page(board, firm, seen().now)
        assert view is not None
        assert text is not None
        others = {one.pilot for one in board.pilots.values() if one.participant != firm}
        for pilot in others:
            assert f'/pilot/{pilot}"' not in text
            assert f"'{pilot}'" not in str(firm_data(view))


def test_without_rules_of_the_sandbox_no_class_is_computed() -> None:
    """A board that does not know the rules says so instead of guessing."""
    board = FleetView()
    board.apply(Outputs(decisions=Pilot("p-1", "firm").decisions))
    text = firm_page(board, "firm", 0)
    assert text is not None
    assert "the rules of the sandbox are not known here" in text


def test_telemetry_without_effect_is_listed_with_its_fix_and_nothing_that_others_sent() -> None:
    """Rejected, counted nowhere and refused: each with how often, which field, and what to do about it."""
    text = firm_page(seen().board, "firm-6", seen().now)
    assert text is not None
    shown = text.split('id="problems"', 1)[1].split("</section>", 1)[0]
    assert "rejected; field data.unit" in shown
    assert ">41</td>" in shown
    assert "accepted, counts nowhere" in shown
    assert "Send a label that the charter knows" in shown
    assert w.CONTRADICTED not in shown
    other = firm_page(seen().board, "firm-2", seen().now)
    assert other is not None
    assert w.COMPLAINTS not in other
    story = w.Story("p", "firm-9", None).admitted()
    board = FleetView()
    forged = Rejected(topic="telemetry.evil", partition=0, offset=1, field="", reason="not_yours", pilot="p")
    board.apply(Outputs(decisions=story.decisions, rejected=[forged]))
    text = firm_page(board, "firm-9", w.NOW)
    assert text is not None
    assert 'id="problems"' not in text
