"""The fleet by page, with filters: every pilot is on exactly one page, the worst on the first."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from monitor.charter.spec import charter_hash
from monitor.console.fleet_page import fleet_page
from monitor.console.fleet_query import PAGE, Query, in_scope, query_of, where
from monitor.console.fleet_view import FleetView
from monitor.model.records import Finding, Level, Outputs, Reason
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/pilot/([^"]+)"', page)


@pytest.fixture(scope="module")
def board() -> FleetView:
    """130 pilots of 3 firms in 4 sectors and 2 regions; the last one admitted is halted."""
    board = FleetView()
    for number in range(130):
        name = f"p-{number:03}"
        made = charter(name, number=number, period_ms=3_600_000, cap=9.0, dispersion=1.0, start=0, end=1)
        firm = structs.replace(made.participant, id=f"firm-{number % 3}")
        plan = structs.replace(
            made, participant=firm, sector=f"s{number % 4}", region=f"r{number % 2}",
            tier="critical" if number == 7 else "high",
        )  # fmt: skip
        board.learn(plan)
        given = {"participant": firm.id, "charter": charter_hash(plan), "responsible": (f"a{number % 5}",)}
        act = {"kind": "act", "level": Level.NORMAL, "finding": Finding(), "reason": Reason.ADMITTED}
        board.apply(Outputs(decisions=[decision(1, name, at=number, **(given | act))]))
    board.apply(Outputs(decisions=[decision(2, "p-129", level=Level.HALT, reason=Reason.LIMIT_EXCEEDED, **given)]))
    return board


def test_every_pilot_is_on_one_page_and_the_worst_on_the_first(board: FleetView) -> None:
    pages = [names(fleet_page(board, Query(page=str(number)))) for number in (1, 2, 3)]
    assert [len(one) for one in pages] == [PAGE, PAGE, 30]
    assert pages[0][0] == "p-129"
    assert len({name for one in pages for name in one}) == 130


@pytest.mark.parametrize("number", ["0", "-1", "99", "x", "", "9" * 5_000, "٣"])
def test_a_page_that_there_is_not_is_the_nearest(board: FleetView, number: str) -> None:
    found = names(fleet_page(board, Query(page=number)))
    assert len(found) in (PAGE, 30)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (Query(firm="firm-0"), 44),
        (Query(sector="s1"), 33),
        (Query(region="r1"), 65),
        (Query(tier="critical"), 1),
        (Query(authority="a4"), 26),
        (Query(firm="firm-0", sector="s0", region="r0"), 11),
        (Query(firm="firm"), 0),
        (Query(sector="no-such"), 0),
    ],
)
def test_filters_match_whole_values_and_hold_together(board: FleetView, query: Query, count: int) -> None:
    assert len(in_scope(board.pilots.values(), query)) == count


def test_links_keep_the_filters_and_a_new_filter_begins_at_page_one() -> None:
    query = query_of({"firm": "a b", "page": "3", "sort": "alpha", "other": "x"})
    assert where(query, page="4") == "/fleet?sort=alpha&firm=a+b&page=4"
    assert where(query, level="halt") == "/fleet?level=halt&sort=alpha&firm=a+b"
    assert where(Query()) == "/fleet"


def test_the_language_switch_keeps_the_filters(board: FleetView) -> None:
    assert 'href="?firm=firm-0&amp;lang=zh"' in fleet_page(board, Query(firm="firm-0"))


def test_a_pilot_admitted_to_a_full_board_has_its_charter() -> None:
    """Charters of pilots without a place give way to those of pilots that come."""
    board = FleetView(most=3)
    for number in range(8):
        plan = charter(f"p-{number}", number=number, period_ms=3_600_000, cap=9.0, dispersion=1.0, start=0, end=1)
        board.learn(plan)
        fields = {"kind": "act", "level": Level.NORMAL, "reason": Reason.ADMITTED, "finding": Finding()}
        board.apply(Outputs(decisions=[decision(1, f"p-{number}", at=number, charter=charter_hash(plan), **fields)]))
    assert board.pilots["p-7"].plan is not None
