"""A pilot that is not admitted is on the board as an application, not as a pilot in the sandbox."""

from __future__ import annotations

from msgspec import structs

from monitor.charter.control import ApplicationRefusal, Screening
from monitor.charter.spec import Charter, charter_hash
from monitor.console.board_json import as_data
from monitor.console.fleet_page import fleet_page
from monitor.console.fleet_view import CHARTERS, FleetView
from monitor.console.pilot_page import pilot_page
from monitor.model.records import Outputs, Reason
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision, evidence
from tests.unit.engine.test_applications import apply
from tests.unit.lifecycle.founded import Founded


def board(world: Founded) -> FleetView:
    """A board that has read everything."""
    view = FleetView()
    view.apply(Outputs(decisions=list(world.decisions)))
    return view


def test_an_application_counts_as_one_and_names_its_state_and_next_step() -> None:
    """Until it is decided; a refused one counts as nothing, and its page says what it is."""
    world = Founded(admit=None)
    apply(world)
    world.put(Screening(**world.by("officer")))
    view = board(world)
    fleet = fleet_page(view)
    assert "0 pilots of 0 firms in the sandbox; 1 open application" in fleet
    assert ">application screened<" in fleet
    page = pilot_page(view, "p", 0)
    assert page is not None
    assert "the firm: sign the charter that was screened" in page
    world.put(ApplicationRefusal(**world.by("officer"), reason="x"))
    assert "open application" not in fleet_page(board(world))
    assert ">application refused<" in fleet_page(board(world))


def test_an_admitted_pilot_counts_as_a_pilot() -> None:
    """From its admission on; the states of the board's data follow."""
    view = board(Founded())
    assert "1 pilot of 1 firm in the sandbox" in fleet_page(view)
    assert "open application" not in fleet_page(view)
    assert as_data(view, 0)["pilots"][0]["states"] is None  # type: ignore[index]


def test_an_admitted_pilot_is_normal_because_of_its_admission() -> None:
    """Not because of its application, and since its admission."""
    why = board(Founded()).pilots["p"].why
    assert why is not None
    assert why.reason is Reason.ADMITTED


def _of(firm: str, pilot: str, version: int = 1) -> Charter:
    made = charter(pilot, number=0, period_ms=3_600_000, cap=9.0, dispersion=1.0, start=0, end=1)
    return structs.replace(made, participant=structs.replace(made.participant, id=firm), version=version)


def test_a_charter_of_another_firm_takes_over_no_pilot() -> None:
    """An act may name any pilot: on Kafka the board reads it before anybody has verified it, also while evidence is all
    that it knows of the pilot; and who sees a pilot follows from its firm."""
    view = FleetView()
    view.apply(Outputs(evidence=[evidence(1, "p")]))
    firm = view.pilots["p"].participant
    view.learn(_of("another-firm", "p"))
    assert (view.pilots["p"].participant, view.pilots["p"].plan) == (firm, None)
    own = _of(firm, "p")
    view.learn(own)
    assert view.pilots["p"].plan == own


def test_charters_of_other_firms_evict_none_of_the_firm() -> None:
    view = FleetView()
    view.apply(Outputs(decisions=[decision(1, "p", participant="firm")]))
    own = _of("firm", "p")
    view.learn(own)
    for version in range(2 * CHARTERS):
        view.learn(_of("another-firm", "p", version))
    view.apply(Outputs(decisions=[decision(2, "p", participant="firm", charter=charter_hash(own))]))
    assert view.pilots["p"].plan == own
