"""The history of a pilot: findings and acts in front, technical records folded, each with its place in the ledger; the
reason shown is that of where the pilot is now."""

from __future__ import annotations

import re

import pytest

from monitor.console.fleet_view import FleetView
from monitor.console.pilot_page import pilot_page
from monitor.model.records import Decision, Finding, Level, Outputs, Reason
from monitor.testing.records import decision


def fed(*decisions: Decision) -> FleetView:
    board = FleetView()
    board.apply(Outputs(decisions=list(decisions)))
    return board


def page(board: FleetView) -> str:
    return str(pilot_page(board, "p-1", 10**12))


def act(standing: int, reason: Reason, **more: object) -> Decision:
    fields = {"kind": "act", "level": Level.NORMAL, "was": Level.NORMAL, "at": standing, "finding": Finding()}
    return decision(standing, reason=reason, **(fields | more))


def test_technical_records_are_folded_and_none_is_lost() -> None:
    """An acknowledgement and a timer are below the findings, in a section that a reader unfolds."""
    text = page(fed(act(1, Reason.ADMITTED), decision(2), act(3, Reason.COMMAND_ACKNOWLEDGED, level=Level.ESCALATE,
                    was=Level.ESCALATE), act(4, Reason.CYCLE_STARTED)))  # fmt: skip
    front, folded = text[text.index('id="history"') :].split('<details id="technical">')
    assert "Admitted to the sandbox" in front
    assert "half-way" in front
    assert "2 technical records" in folded
    assert "Service acknowledged the command" in folded
    assert "acknowledged" not in front


def test_a_record_that_moves_the_level_is_never_folded() -> None:
    moved = act(2, Reason.TREND_STEADY, kind="level", level=Level.NORMAL, was=Level.WATCH)
    text = page(fed(act(1, Reason.ADMITTED), moved))
    assert "technical record" not in text


def test_each_decision_links_to_its_entry() -> None:
    made = [act(1, Reason.ADMITTED), decision(2), act(3, Reason.COMMAND_ACKNOWLEDGED)]
    links = re.findall(r'href="/ledger/p-1/([0-9a-z-]+)"', page(fed(*made)))
    assert sorted(links) == sorted(one.id for one in made)


@pytest.mark.parametrize(
    ("reason", "states"),
    [
        (Reason.EXITED, "exited outcome=stop"),
        (Reason.PAUSE_GRANTED, "paused"),
        (Reason.APPLICATION_SCREENED, "screened"),
    ],
)
def test_a_step_of_its_life_is_the_reason(reason: Reason, states: str) -> None:
    """After an exit or a pause the page does not give the admission as the reason."""
    board = fed(act(1, Reason.ADMITTED, states="running"), act(5, reason, states=states))
    view = board.pilots["p-1"]
    assert view.why is not None
    assert (view.why.reason, view.since) == (reason, 5)


def test_a_finding_stays_the_reason_while_it_holds_the_level() -> None:
    """A request of the firm does not hide why the pilot is escalated; an exit does."""
    raised = decision(2, at=2)
    board = fed(act(1, Reason.ADMITTED, states="running"), raised)
    held = {"level": Level.ESCALATE, "was": Level.ESCALATE}
    board.apply(Outputs(decisions=[act(3, Reason.PAUSE_REQUESTED, states="running pause_requested", **held)]))
    assert board.pilots["p-1"].why == raised
    board.apply(Outputs(decisions=[act(4, Reason.EXITED, states="exited", **held)]))
    why = board.pilots["p-1"].why
    assert why is not None
    assert why.reason is Reason.EXITED
    board.apply(Outputs(decisions=[act(5, Reason.REPORT_ISSUED, states="reported", **held)]))
    assert board.pilots["p-1"].why == why, "what follows an exit does not hide it"
