"""Each authority sees its own pilots by default: on the board, in its data, and on the command line."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from click.testing import CliRunner

from monitor.cli.fleet import fleet
from monitor.console.board_json import as_data
from monitor.console.fleet_page import Query, fleet_page
from monitor.console.fleet_view import FleetView
from monitor.model.records import Decision, Level, Outputs, Reason
from monitor.testing.recorder import Recorded, Recorder
from monitor.testing.records import command, decision


def admitted(pilot: str, *authorities: str) -> Decision:
    addressed = (*(f"authority:{name}" for name in authorities), "firm:f")
    return decision(
        1, pilot=pilot, reason=Reason.ADMITTED, kind="act", level=Level.NORMAL, was=Level.NORMAL,
        responsible=authorities, addressed=addressed,
    )  # fmt: skip


def board() -> FleetView:
    made = FleetView()
    missed = decision(
        2, pilot="p-south", reason=Reason.ASSESSMENT_MISSED, level=Level.ESCALATE,
        addressed=("authority:south", "authority:capital", "firm:f"),
    )  # fmt: skip
    older = decision(1, pilot="p-older", reason=Reason.ADMITTED, kind="act", level=Level.NORMAL, was=Level.NORMAL)
    made.apply(Outputs(decisions=[admitted("p-north", "north", "health"), admitted("p-south", "south"), missed, older]))
    return made


def shown(authority: str) -> set[str]:
    page = fleet_page(board(), Query(authority=authority))
    return {name for name in ("p-north", "p-south", "p-older") if name in page}


def test_the_board_shows_what_an_authority_is_responsible_for() -> None:
    assert shown("") == {"p-north", "p-south", "p-older"}
    assert shown("north") == {"p-north"}
    assert shown("health") == {"p-north"}
    assert shown("nort") == set(), "an id is matched as a whole"


def test_the_level_above_sees_what_it_was_told_of() -> None:
    assert shown("capital") == {"p-south"}


def test_the_filter_stays_when_the_table_is_sorted_and_is_escaped() -> None:
    page = fleet_page(board(), Query(authority='north"><script>'))
    assert "<script>" not in page
    assert "authority=north" in fleet_page(board(), Query(authority="north"))


def test_counts_and_open_commands_are_those_of_the_authority() -> None:
    """Also the links of the counts stay with it."""
    made = board()
    halt = decision(3, pilot="p-south", reason=Reason.HARD_RULE, level=Level.HALT, addressed=("authority:south",))
    made.apply(Outputs(decisions=[halt], commands=[command(3, pilot="p-south")]))
    north, south = (fleet_page(made, Query(authority=name)) for name in ("north", "south"))
    assert "1 pilot of 1 firm in the sandbox; authority north" in north
    assert "/fleet?level=halt&amp;authority=north" in north
    assert "open command" not in north
    assert "p-south" not in north
    assert "1 open command" in south
    assert "1 open command" in fleet_page(made)


def pilots(authority: str) -> list[dict[str, Any]]:
    found: Any = as_data(board(), 0, authority)["pilots"]
    return list(found)


def test_the_data_of_the_board_names_the_authorities() -> None:
    assert [(one["pilot"], one["authorities"]) for one in pilots("north")] == [("p-north", ["north", "health"])]
    assert len(pilots("")) == 3


def test_the_command_prints_the_pilots_of_one_authority() -> None:
    def answer(asked: Recorded) -> tuple[int, Any]:
        authority = asked.path.partition("authority=")[2]
        return 200, json.loads(msgspec.json.encode(as_data(board(), 0, authority)))

    with Recorder(answer) as server:
        done = CliRunner().invoke(fleet, ["--board", server.url + "/", "--authority", "north"])
        everything = CliRunner().invoke(fleet, ["--board", server.url])
        plain = CliRunner().invoke(fleet, ["--board", server.url, "--authority", "south", "--json"])
    assert done.exit_code == 0, done.exception
    [line] = done.stdout.splitlines()
    assert line.startswith("normal ")
    assert "p-north" in line
    assert "north,health" in line
    assert len(everything.stdout.splitlines()) == 3
    assert json.loads(plain.stdout)["level"] == "escalate"


def test_the_command_says_that_no_pilot_concerns_an_authority_and_takes_the_address_of_the_monitor() -> None:
    """A misspelled id is not silent; the address comes from the variable of all other commands."""
    with Recorder(lambda _asked: (200, {"pilots": []})) as server:
        done = CliRunner().invoke(fleet, ["--authority", "nroth"], env={"SANDBOX_MONITOR_TO": server.url})
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert "no pilot concerns nroth" in done.stderr
