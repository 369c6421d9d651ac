"""Search finds what the board shows, by part of a name or the beginning of a decision id, within bounds."""

from __future__ import annotations

import pytest

from monitor.console.fleet_view import FleetView
from monitor.console.search import MOST, search, search_page
from monitor.model.records import Level, Outputs, Reason
from monitor.testing.records import decision
from tests import board_world as w


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> FleetView:
    return w.world(tmp_path_factory.mktemp("world"), ledger=False).board


def test_a_pilot_is_found_by_part_of_its_name_or_its_firm(board: FleetView) -> None:
    """In any case and script; all words must match; an exact name comes first."""
    assert search(board, "SCORING cred").pilots[0].pilot == w.HALTED
    assert [one.pilot for one in search(board, "药房").pilots] == [w.CHINESE]
    assert w.ROLLOUT in {one.pilot for one in search(board, "firm-4").pilots}
    assert search(board, "credit robotaxi").pilots == ()


def test_firms_authorities_and_models_are_found(board: FleetView) -> None:
    assert search(board, "firm-4").firms == ("firm-4",)
    assert search(board, "nor").authorities == ("north",)
    assert search(board, "hk-2").models[0][1].pilot == w.CHINESE


def test_a_decision_is_found_by_the_beginning_of_its_id(board: FleetView) -> None:
    """With its link to the ledger; fewer than six characters are not looked up."""
    one = board.pilots[w.HALTED].decisions[2]
    assert [found for _, found in search(board, one.id[:12].upper()).decisions] == [one]
    assert f'href="/ledger/{w.HALTED}/{one.id}"' in search_page(board, one.id, w.NOW)
    assert search(board, one.id[:5]).decisions == ()


@pytest.mark.parametrize("query", ["", "   ", "zzz-no-such", "x" * 10_000, "<script>", "%00", "\u202e"])
def test_any_query_has_an_answer(board: FleetView, query: str) -> None:
    assert search(board, query).number == 0
    assert "<script>alert" not in search_page(board, query, w.NOW)


def test_results_are_bounded() -> None:
    """And say how many are shown."""
    board = FleetView()
    for number in range(3 * MOST):
        made = decision(
            1, f"p-{number}", level=Level.NORMAL, kind="act", reason=Reason.ADMITTED, participant=f"p{number}"
        )
        board.apply(Outputs(decisions=[made]))
    found = search(board, "p")
    assert len(found.pilots) == len(found.firms) == MOST
