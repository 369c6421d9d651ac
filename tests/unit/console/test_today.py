"""The first page lists what waits for whom, oldest first; nothing that is done, and everything that is not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import structs

from monitor.charter.spec import RolloutStep, charter_hash
from monitor.console.fleet_view import FleetView
from monitor.console.today_page import query_of, today_page
from monitor.console.today_view import PAGE, Kind, TodayQuery, Waiting, today_data, today_view
from monitor.lifecycle.acts import Role
from monitor.model.records import Decision, Finding, Level, Outputs, Reason
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision
from tests import board_world as w

DAY = 86_400_000


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> FleetView:
    return w.world(tmp_path_factory.mktemp("world"), ledger=False).board


def found(board: FleetView, query: TodayQuery | None = None, now: int = w.NOW) -> list[Waiting]:
    view = today_view(board, now, query)
    return [*view.front, *view.rest]


def about(board: FleetView, pilot: str) -> list[tuple[str, str]]:
    return [(one.kind.value, one.who) for one in found(board) if one.view.pilot == pilot]


def fed(*decisions: Decision) -> FleetView:
    board = FleetView()
    board.apply(Outputs(decisions=list(decisions)))
    return board


def acted(standing: int, reason: Reason, at: int, **more: object) -> Decision:
    fields = {"kind": "act", "level": Level.NORMAL, "was": Level.NORMAL, "author": "a", "finding": Finding()}
    return decision(standing, reason=reason, at=at, **(fields | more))


def test_halts_that_were_not_obeyed_come_first(board: FleetView) -> None:
    """Contradicted and overdue ones, for an officer, before everything that has waited for longer."""
    view = today_view(board, w.NOW)
    assert [one.view.pilot for one in view.front] == [w.CONTRADICTED, w.OVERDUE]
    assert {one.who for one in view.front} == {Role.OFFICER}
    assert view.rest[0].since < view.front[0].since


def test_the_rest_is_oldest_first(board: FleetView) -> None:
    rest = today_view(board, w.NOW).rest
    assert all(one.since <= other.since for one, other in pairwise(rest))


@pytest.mark.parametrize(
    ("pilot", "kind", "who"),
    [
        (w.WAITING, Kind.COMMAND, Role.FIRM),
        (w.HALTED, Kind.STEP, Role.APPROVER),  # a release that lacks a second approver
        (w.SUSPENDED, Kind.DEADLINE, Role.OFFICER),
        (w.UNKNOWN, Kind.DEADLINE, Role.FIRM),
        (w.UNKNOWN, Kind.UNKNOWN, Role.FIRM),
        (w.APPLICANT, Kind.STEP, Role.OFFICER),
        (w.PAUSED, Kind.STEP, Role.FIRM),
        (w.COMPLAINTS, Kind.COMPLAINTS, Role.FIRM),
        (w.CALM, Kind.DEADLINE, Role.SUPPLIER),
    ],
)
def test_each_situation_waits_for_the_one_who_must_act(board: FleetView, pilot: str, kind: Kind, who: Role) -> None:
    assert (kind.value, who.value) in about(board, pilot)


@pytest.mark.parametrize("pilot", [w.RELEASED, w.SHADOWED, w.CHINESE, w.LONG_PILOT, w.EXITED])
def test_what_is_done_is_not_listed(board: FleetView, pilot: str) -> None:
    """A halt that was released, a report that was issued, a calm pilot."""
    assert about(board, pilot) == []


def test_the_filters_show_what_concerns_one_reader(board: FleetView) -> None:
    """By authority, firm and role; the numbers of the roles stay those of the scope."""
    assert {one.view.pilot for one in found(board, TodayQuery(firm="firm-3"))} == {w.OVERDUE}
    assert {one.who for one in found(board, TodayQuery(who="approver"))} == {Role.APPROVER}
    assert w.SUSPENDED not in {one.view.pilot for one in found(board, TodayQuery(authority="north"))}
    assert today_view(board, w.NOW, TodayQuery(who="approver")).roles == today_view(board, w.NOW).roles


def test_a_deadline_is_listed_when_it_is_near_or_missed(board: FleetView) -> None:
    """Due in more than two weeks it is not listed yet; past its due instant it is missed."""

    def listed(now: int) -> list[str]:
        return [one.view.pilot for one in found(board, now=now) if one.kind is Kind.DEADLINE]

    assert w.CALM not in listed(w.NOW - 14 * DAY)
    assert w.CALM in listed(w.NOW)
    assert today_view(board, w.NOW).missed == 2


def test_a_question_waits_until_it_is_answered() -> None:
    board = fed(acted(1, Reason.ADMITTED, 1), acted(2, Reason.GUIDANCE_ASKED, 5))
    assert [(one.kind, one.since) for one in found(board)] == [(Kind.GUIDANCE, 5)]
    board.apply(Outputs(decisions=[acted(3, Reason.GUIDANCE_GIVEN, 9)]))
    assert found(board) == []


def test_a_request_waits_since_it_was_made() -> None:
    """Not since a later decision that leaves it open."""
    made = {"states": "running pause_requested"}
    board = fed(
        acted(1, Reason.ADMITTED, 1, states="running"),
        acted(2, Reason.PAUSE_REQUESTED, 5, **made),
        acted(3, Reason.INSPECTED, 8, **made),
    )
    assert [(one.kind, one.who, one.since) for one in found(board)] == [(Kind.STEP, Role.OFFICER, 5)]


def test_a_finding_at_escalate_waits_until_it_is_shelved() -> None:
    finding = {"finding_key": "k", "finding_level": Level.ESCALATE}
    board = fed(decision(1, at=5, level=Level.ESCALATE, reason=Reason.CHANGE_DETECTED, **finding))
    assert [(one.kind, one.state) for one in found(board)] == [(Kind.FINDING, "change_detected")]
    lower = {"level": Level.NORMAL, "was": Level.ESCALATE, "kind": "act", "cause": "control:a"}
    board.apply(Outputs(decisions=[decision(2, at=9, reason=Reason.SHELVED, **lower)]))
    assert found(board) == []


def test_a_step_of_a_rollout_waits_once_it_has_lasted() -> None:
    """From when its least time is over until it is evaluated; not while the pilot is halted."""
    plan = charter("p-1", number=0, period_ms=3_600_000, cap=9.0, dispersion=1.0, start=0, end=1)
    steps = (RolloutStep(cap=200, at_least="10d"), RolloutStep(cap=1000, at_least="28d"))
    plan = structs.replace(plan, rollout=steps)
    board = FleetView()
    board.learn(plan)
    digest = charter_hash(plan)
    board.apply(Outputs(decisions=[acted(1, Reason.ADMITTED, 0, charter=digest)]))
    assert found(board, now=10 * DAY - 1) == []
    assert [(one.kind, one.place) for one in found(board, now=10 * DAY)] == [(Kind.ROLLOUT, 1)]
    board.apply(Outputs(decisions=[acted(2, Reason.STEP_PASSED, 11 * DAY, charter=digest)]))
    assert found(board, now=90 * DAY) == [], "the last step is not evaluated"


def test_the_list_has_pages() -> None:
    """Every thing is on exactly one page, and a page that there is not is the last one."""
    board = FleetView()
    for number in range(PAGE + 7):
        finding = {"finding_key": "k", "finding_level": Level.ESCALATE, "reason": Reason.CHANGE_DETECTED}
        board.apply(Outputs(decisions=[decision(1, f"p-{number}", at=number, level=Level.ESCALATE, **finding)]))
    pages = [today_view(board, 10**6, TodayQuery(page=number)) for number in (1, 2, 99)]
    assert [len(one.rest) for one in pages] == [PAGE, 7, 7]
    assert len({one.view.pilot for page in pages for one in page.rest}) == PAGE + 7
    assert "Page 2 of 2" in today_page(board, 10**6, query_of({"page": "99"}))


def test_an_empty_board_says_that_nothing_waits(tmp_path: Path) -> None:
    assert "Nothing waits for anybody." in today_page(FleetView(), 0)
    assert query_of({"page": "x", "who": "firm", "other": "y"}) == TodayQuery(who="firm")


def test_the_data_have_the_same_rows(board: FleetView) -> None:
    """`/api/today.json` lists what the page lists, in its order."""
    view = today_view(board, w.NOW)
    data = today_data(view)
    rows = data["waiting"]
    assert isinstance(rows, list)
    assert [(row["pilot"], row["since"], row["due"]) for row in rows] == [
        (one.view.pilot, one.since, one.due) for one in view.rest
    ]
    assert data["deadlines_missed"] == 2
