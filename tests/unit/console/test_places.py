"""A board that is full shows the pilots that need attention: none of them is missing because others came first."""

from __future__ import annotations

import random

from monitor.console.fleet_view import FleetView
from monitor.console.places import attention, attention_by
from monitor.model.records import Decision, Finding, Level, Outputs, Reason
from monitor.testing.records import decision, evidence

MOST = 100


def fed(board: FleetView, *decisions: Decision) -> FleetView:
    board.apply(Outputs(decisions=list(decisions)))
    return board


def admitted(pilot: str, at: int = 10) -> Decision:
    return decision(1, pilot, kind="act", level=Level.NORMAL, reason=Reason.ADMITTED, at=at, finding=Finding())


def full(level: Level = Level.NORMAL) -> FleetView:
    board = FleetView(most=MOST)
    for number in range(MOST):
        fed(board, admitted(f"p-{number:03}", at=number))
        if level:
            fed(board, decision(2, f"p-{number:03}", level=level, reason=Reason.LIMIT_EXCEEDED, at=number))
    return board


def test_a_pilot_admitted_to_a_full_board_is_shown() -> None:
    """It takes the place of the one that has been calm for longest; the number of those not shown is said."""
    board = fed(full(), admitted("late", at=1_000))
    assert "late" in board.pilots
    assert "p-000" not in board.pilots
    assert "p-099" in board.pilots
    assert len(board.pilots) + board.left_out == MOST + 1


def test_a_halted_pilot_is_shown_whatever_came_before() -> None:
    """Also where every place is taken by pilots that are escalated; none that is halted gives way."""
    board = full(Level.ESCALATE)
    halted = decision(7, "late", level=Level.HALT, reason=Reason.LIMIT_EXCEEDED)
    assert "late" in fed(board, halted).pilots
    for number in range(3 * MOST):
        fed(board, decision(7, f"more-{number}", level=Level.ESCALATE), admitted(f"new-{number}"))
    assert board.pilots["late"].level is Level.HALT
    assert len(board.pilots) <= MOST


def test_halted_pilots_do_not_displace_each_other() -> None:
    """Where all places are taken by halted ones a further one is counted, and the bound holds."""
    board = fed(full(Level.HALT), decision(2, "late", level=Level.HALT, reason=Reason.LIMIT_EXCEEDED))
    assert len(board.pilots) == MOST
    assert board.left_out == 1


def test_evidence_takes_no_place() -> None:
    """Pilots that report all the time do not change places with each other."""
    board = full()
    before = set(board.pilots)
    board.apply(Outputs(evidence=[evidence(1, f"other-{n}") for n in range(50)]))
    assert set(board.pilots) == before
    assert board.left_out == 50


def test_those_that_left_give_way_first() -> None:
    board = full()
    fed(board, decision(2, "p-050", kind="act", level=Level.NORMAL, was=Level.NORMAL, reason=Reason.EXITED, at=2_000))
    fed(board, decision(1, "late", level=Level.NORMAL, unknown="silence", kind="flag", finding=Finding()))
    assert "p-050" not in board.pilots
    assert "late" in board.pilots


def test_a_pilot_without_a_place_gets_one_when_it_is_halted() -> None:
    """It was displaced while calm; with its place comes the charter that its decision names."""
    board = fed(full(), admitted("late", at=1_000))
    assert "p-000" not in board.pilots
    fed(board, decision(2, "p-000", level=Level.HALT, reason=Reason.LIMIT_EXCEEDED, at=2_000))
    assert board.pilots["p-000"].level is Level.HALT


def test_a_decision_gives_its_pilot_a_place_before_all_that_need_less() -> None:
    """In any order of decisions: a pilot gets no place only where every one shown needs as much attention."""
    draw = random.Random(3)
    board = FleetView(most=MOST)
    for standing in range(1, 4_000):
        pilot = f"p-{draw.randrange(3 * MOST)}"
        level = draw.choice([Level.NORMAL, Level.WATCH, Level.ESCALATE, Level.HALT])
        asks = decision(standing, pilot, level=level, at=standing, reason=Reason.CHANGE_DETECTED)
        fed(board, asks)
        if pilot not in board.pilots:
            assert min(map(attention, board.pilots.values())) >= attention_by(asks)
        assert len(board.pilots) <= MOST
