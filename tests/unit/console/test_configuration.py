"""The board names the newest act on the configuration of the sandbox, and counts it as no pilot."""

from __future__ import annotations

from monitor.console.banners import banners
from monitor.console.board_json import as_data
from monitor.console.fleet_view import FleetView
from monitor.lifecycle.sandbox_acts import PutPerson
from monitor.model.records import Outputs
from tests.unit.lifecycle.founded import SANDBOX, Founded


def test_the_newest_act_on_the_sandbox_is_on_the_board() -> None:
    """With the version, what was changed, by whom; a repeated record changes nothing."""
    world, board = Founded(admit=None), FleetView()
    world.change(PutPerson(SANDBOX.people[0]))
    for decisions in (world.decisions, world.decisions[:1]):
        board.apply(Outputs(decisions=decisions))
    assert board.fleet() == []
    assert "put person officer" in str(banners(board, 0))
    assert "version 2" in str(banners(board, 0))
    found = as_data(board)["configuration"]
    assert isinstance(found, list)
    assert [row["reason"] for row in found] == ["sandbox_founded", "configuration_proposed", "configuration_changed"]
