"""Deadlines over all pilots: the view and the page."""

from __future__ import annotations

from msgspec import structs

from monitor.charter.spec import UsersChannel
from monitor.console.clocks_page import clocks_page
from monitor.console.clocks_view import PAGE, ClocksQuery, clocks_data, clocks_view
from monitor.console.fleet_view import FleetView
from monitor.lifecycle.names import State
from monitor.model.bounds import short
from monitor.model.clock_record import Change, Owes
from monitor.model.records import Finding, Outputs, Reason
from monitor.projections.user_complaints import UserComplaintsFold
from tests import board_world as w
from tests.unit.console.world import seen


def test_pilots_are_counted_by_the_state_of_their_life() -> None:
    """Every pilot once, in its state."""
    states = clocks_view(seen().board, seen().now).states
    assert sum(states.values()) == len(seen().board.pilots)
    assert (states[State.SUBMITTED], states[State.PAUSED], states[State.PUBLISHED]) == (1, 1, 1)


def test_complaints_of_users_are_listed_with_their_deadline_before_it_is_missed() -> None:
    """The deadline of an answer follows from the promise of the charter; answered ones are gone."""
    view = clocks_view(seen().board, seen().now, ClocksQuery(pilot=w.COMPLAINTS))
    rows = [one for day in view.days for one in day.deadlines if one.complaints]
    assert [(one.complaints, one.last_day, one.missed) for one in rows] == [
        (2, "2026-03-03", False), (1, "2026-03-10", False),
    ]  # fmt: skip
    assert view.waiting == 3
    text = clocks_page(seen().board, seen().now)
    assert "Answer to 2 complaints of users" in text
    assert "Answer to 1 complaint of a user" in text


def test_a_complaint_whose_deadline_was_missed_is_listed_once() -> None:
    """After the miss the decision about it stands for it."""
    story, board = w.Story("p", "f", None), FleetView()
    story.plan = w.plan_of("p", "f", 0, users_channel=UsersChannel(answer_within="10d"))
    story.admitted()
    named = ("a" * 32, "b" * 32)
    story.add(Reason.COMPLAINT_FILED, 10, author="public", finding=Finding(content={"complaints": named}))
    story.clock(20, Change.MISSED, "answer", title="Answer to a complaint", starts="user_complaint",
                key=short(named[0]), owed_by=Owes.FIRM, basis="promise", due=20)  # fmt: skip
    board.learn(story.plan)
    board.apply(Outputs(decisions=story.decisions))
    view = clocks_view(board, w.START + 15 * w.DAY)
    assert [one.complaints for one in view.missed] == [1]
    assert [one.complaints for day in view.days for one in day.deadlines] == [1]
    late = clocks_view(board, w.START + 25 * w.DAY)
    assert [one.complaints for one in late.missed] == [1, 1], "overdue although no decision says so yet"


def test_what_was_missed_says_who_owes_it() -> None:
    """Firms and authorities are counted apart, and each can be asked for."""
    view = clocks_view(seen().board, seen().now)
    assert view.missed_counts == {Owes.FIRM: 1, Owes.AUTHORITY: 1}
    one = clocks_view(seen().board, seen().now, ClocksQuery(owed_by="authority"))
    assert [(row.pilot, row.owed_by) for row in one.missed] == [(w.SUSPENDED, Owes.AUTHORITY)]


def test_what_is_due_is_a_list_by_day_in_order() -> None:
    """Each day once, the next one first."""
    days = [day.day for day in clocks_view(seen().board, seen().now).days]
    assert days == sorted(set(days))
    text = clocks_page(seen().board, seen().now)
    assert [text.index(f"<h3>{day}") for day in days] == sorted(text.index(f"<h3>{day}") for day in days)


def test_filters_leave_out_other_firms() -> None:
    """With a firm nothing of other firms is on the page or in the data."""
    query = ClocksQuery(firm="firm-6")
    assert "firm-2" not in str(clocks_data(clocks_view(seen().board, seen().now, query)))
    assert "firm-2" not in clocks_page(seen().board, seen().now, query).split("<h2>", 1)[1]


def test_deadlines_are_paged() -> None:
    """A page lists at most `PAGE` of them, and all pages together list each once."""
    board = FleetView()
    for number in range(PAGE + 7):
        story = w.Story(f"p-{number:03}", "f", None).admitted()
        story.clock(1, Change.STARTED, "r", title="T", starts="exit", key="", owed_by=Owes.FIRM, basis="b",
                    due=30 + number % 9)  # fmt: skip
        board.apply(Outputs(decisions=story.decisions))
    pages = [clocks_view(board, w.START, page=page) for page in (1, 2)]
    listed = [[one.pilot for day in view.days for one in day.deadlines] for view in pages]
    assert [len(one) for one in listed] == [PAGE, 7]
    assert len({*listed[0], *listed[1]}) == PAGE + 7


def test_the_fold_of_complaints_is_bounded_and_forgets_what_is_settled() -> None:
    """Beyond the bound complaints are counted, not stored; an exit settles all."""
    fold, story = UserComplaintsFold(), w.Story("p", "f", None).admitted()
    filed = story.add(Reason.COMPLAINT_FILED, 2, author="x", finding=Finding(content={"complaints": ("a" * 32,)}))
    fold.decide(filed)
    assert [one.ids for one in fold.of("p")] == [{"a" * 32}]
    many = structs.replace(filed, finding=Finding(content={"complaints": tuple(f"{n:032}" for n in range(200_000))}))
    fold.decide(many)
    assert fold.left_out == 200_000
    fold.decide(story.add(Reason.EXITED, 3, author="o"))
    assert fold.of("p") == []
