"""Halts from finding to release: the fold, the view and the page."""

from __future__ import annotations

import pytest
from msgspec import structs

from monitor.console.fleet_view import FleetView
from monitor.console.halts_page import halts_page
from monitor.console.halts_view import SHOWN, HaltsQuery, halts_data, halts_view
from monitor.lifecycle.acts import Role
from monitor.model.records import Decision, Finding, Level, Outputs, Reason
from monitor.projections.halt_story import STEPS, HaltsFold, StepKind
from monitor.testing.records import command, decision
from tests import board_world as w
from tests.unit.console.world import seen

SAYS = "The service says that it stopped"


def at(standing: int, reason: Reason, **more: object) -> Decision:
    """A decision at the level of a halt."""
    fields = {"kind": "act", "level": Level.HALT, "was": Level.HALT, "reason": reason, "finding": Finding()} | more
    return decision(standing, **fields)  # type: ignore[arg-type]


def halted(*then: Decision) -> HaltsFold:
    """A fold of a halt, and what follows it."""
    fold = HaltsFold()
    for one in (decision(1, level=Level.HALT, reason=Reason.LIMIT_EXCEEDED), *then):
        fold.decide(one)
    return fold


def owed(fold: HaltsFold) -> list[str]:
    """What is missing now, by role."""
    return [f"{step.who}: {step.what}" for step in fold.newest["p-1"].missing]


def passed(number: int, ok: bool = True) -> Decision:
    """A re-evaluation."""
    return at(number, Reason.EVALUATION_RECORDED, finding=Finding(observed=1.0 if ok else 0.0), author="lab")


RECTIFIED = at(2, Reason.RECTIFICATION_RECORDED, author="firm-1")


@pytest.mark.parametrize(
    ("rule", "then", "missing"),
    [
        ("after the command the service owes a stop, the firm an action", (),
         ["firm: stop the service and acknowledge the halt", "firm: record a corrective action"]),
        ("after an acknowledgement it owes the proof", (at(2, Reason.COMMAND_ACKNOWLEDGED),),
         ["firm: show by three heartbeats that the service stopped", "firm: record a corrective action"]),
        ("after a contradiction it owes a stop", (at(2, Reason.HALT_CONTRADICTED),),
         ["firm: stop the service: it was active after the halt", "firm: record a corrective action"]),
        ("a contradiction that becomes overdue is still one", (at(2, Reason.HALT_CONTRADICTED),
         at(3, Reason.HALT_OVERDUE)),
         ["firm: stop the service: it was active after the halt", "firm: record a corrective action"]),
        ("a failed re-evaluation is no re-evaluation", (RECTIFIED, at(3, Reason.HALT_VERIFIED), passed(4, ok=False)),
         ["evaluator: record a passed re-evaluation"]),
        ("one approver twice is one", (RECTIFIED, at(3, Reason.HALT_VERIFIED), passed(4),
         at(5, Reason.APPROVAL_RECORDED, author="a"), at(6, Reason.APPROVAL_RECORDED, author="a")),
         ["approver: approve the release (one more approver)"]),
        ("a further corrective action asks for all of it again", (RECTIFIED, at(3, Reason.HALT_VERIFIED), passed(4),
         at(5, Reason.APPROVAL_RECORDED, author="a"), at(6, Reason.RECTIFICATION_RECORDED, author="firm-1")),
         ["evaluator: record a passed re-evaluation"]),
        ("with two approvals the officer releases", (RECTIFIED, at(3, Reason.HALT_VERIFIED), passed(4),
         at(5, Reason.APPROVAL_RECORDED, author="a"), at(6, Reason.APPROVAL_RECORDED, author="b")),
         ["officer: release the halt"]),
    ],
)  # fmt: skip
def test_what_is_missing_and_who_owes_it(rule: str, then: tuple[Decision, ...], missing: list[str]) -> None:
    """At each point of a halt the next steps, each with the role that owes it."""
    assert owed(halted(*then)) == missing, rule


def test_a_release_ends_a_halt_and_its_acknowledgement_is_its_last_step() -> None:
    """After a release nothing is missing; the halt stands among those that ended."""
    fold = halted(decision(2, level=Level.NORMAL, was=Level.HALT, reason=Reason.RELEASED, author="o"))
    fold.decide(at(3, Reason.COMMAND_ACKNOWLEDGED, level=Level.NORMAL, was=Level.NORMAL))
    (story,) = fold.finished
    assert (story.outcome, story.missing, fold.standing()) == ("released", (), [])
    assert [step.kind for step in story.steps][-2:] == [StepKind.RELEASED, StepKind.RELEASE_ACKNOWLEDGED]


def test_a_halt_of_endless_steps_is_bounded_and_says_so() -> None:
    """A service that acknowledges and contradicts for ever leaves out steps in the middle, never the first or last."""
    fold = halted(*(at(n, Reason.HALT_CONTRADICTED) for n in range(2, 500)))
    story = fold.newest["p-1"]
    assert len(story.steps) == STEPS
    assert story.left_out == 498 + 3 - STEPS
    assert (story.steps[0].kind, story.steps[-1].standing) == (StepKind.FOUND, 499)


def test_attempts_are_those_of_the_command_of_this_halt() -> None:
    """A retransmission of this halt counts; one of an older command does not."""
    fold = halted()
    fold.attempt(command(1, again=4))
    fold.attempt(command(7, again=9))
    assert fold.newest["p-1"].attempts == 5


def test_contradicted_and_overdue_halts_are_in_front_and_ended_ones_below() -> None:
    """The order of the page: contradicted, overdue, then the others by what they lack, each oldest first."""
    view = halts_view(seen().board, seen().now)
    assert [row.pilot for row in view.standing] == [w.CONTRADICTED, w.OVERDUE, w.WAITING, w.HALTED, w.SUSPENDED]
    assert [row.front for row in view.standing] == [True, True, False, False, False]
    assert [row.pilot for row in view.ended] == [w.APPEALED, w.RELEASED, w.RELEASED]
    assert [row.command.action for row in view.commands] == ["release"]


def test_it_is_told_that_the_service_says_so_only_where_it_did() -> None:
    """Of a service that never acknowledged no word says that it did, neither in a step nor in the state."""
    board, now = seen().board, seen().now
    shown = {row.pilot: halts_page_of(row.pilot) for row in halts_view(board, now).standing}
    assert SAYS in shown[w.CONTRADICTED]
    assert SAYS in shown[w.HALTED]
    assert SAYS not in shown[w.OVERDUE]
    assert SAYS not in shown[w.WAITING]


def halts_page_of(pilot: str) -> str:
    """The part of the page that is about one halt in force."""
    whole = halts_page(seen().board, seen().now)
    start = whole.index(f"/pilot/{pilot}")
    return whole[start : whole.index("</article>", start)]


def test_a_contradicted_halt_without_acknowledgement_is_not_called_a_broken_word() -> None:
    """`never said that it stopped` where it did not acknowledge; `after it said that it stopped` where it did."""
    made = seen().board.halts.newest[w.CONTRADICTED]
    never = structs.replace(made, steps=[s for s in made.steps if s.kind is not StepKind.ACKNOWLEDGED])
    never = structs.replace(never, acknowledged=False)
    board = seen().board
    assert "active after it said that it stopped" in halts_page_of(w.CONTRADICTED)
    board.halts.newest[w.CONTRADICTED] = never
    try:
        text = halts_page_of(w.CONTRADICTED)
    finally:
        board.halts.newest[w.CONTRADICTED] = made
    assert "it never said that it stopped" in text
    assert SAYS not in text


def test_who_did_each_step_and_how_long_it_took() -> None:
    """The steps of a halt on its way to a release, with who did them, and the time since the step before."""
    row = next(one for one in halts_view(seen().board, seen().now).standing if one.pilot == w.HALTED)
    assert [(one.step.kind.value, one.step.who) for one in row.steps][3:] == [
        ("acknowledged", "firm-1/svc"), ("verified", "firm-1/svc"), ("rectified", "firm-1"),
        ("evaluation_failed", "laboratory"), ("rectified", "firm-1"), ("evaluated", "laboratory"),
        ("approved", "north-approver-1"),
    ]  # fmt: skip
    assert row.steps[3].took == 8_640
    assert [step.who for step in row.missing] == [Role.APPROVER]


def test_an_authority_or_firm_sees_its_own_halts_alone() -> None:
    """The filters of the page and of its data."""
    board, now = seen().board, seen().now
    assert {row.pilot for row in halts_view(board, now, HaltsQuery(authority="south")).standing} == {w.SUSPENDED}
    assert {row.pilot for row in halts_view(board, now, HaltsQuery(firm="firm-2")).standing} == {w.CONTRADICTED}
    data = halts_data(halts_view(board, now, HaltsQuery(firm="firm-2")))
    assert "firm-1" not in str(data)
    assert "firm-1" not in halts_page(board, now, HaltsQuery(firm="firm-2")).split("<h2>", 1)[1]


def test_ended_halts_are_paged() -> None:
    """Each page has `PAGE` of them, and a page that does not exist shows the last one."""
    board, now = seen().board, seen().now
    assert halts_view(board, now, HaltsQuery(page=99)).page == 1
    assert halts_view(board, now, HaltsQuery(page=0)).page == 1


def test_halts_in_force_are_paged_and_all_of_them_are_counted() -> None:
    """With many halts the worst are on the first page, and each is on one of the pages."""
    board = FleetView()
    for number in range(SHOWN + 5):
        story = w.Story(f"p-{number:03}", "f", None).admitted()
        story.add(Reason.LIMIT_EXCEEDED, 2, level=Level.HALT)
        if number == SHOWN + 4:
            story.add(Reason.HALT_OVERDUE, 3)
        board.apply(Outputs(decisions=story.decisions))
    first, second = (halts_view(board, w.NOW, HaltsQuery(force=page)) for page in (1, 2))
    assert (first.in_force, first.front, len(first.standing), len(second.standing)) == (SHOWN + 5, 1, SHOWN, 5)
    assert first.standing[0].pilot == f"p-{SHOWN + 4:03}"
    assert len({row.pilot for row in (*first.standing, *second.standing)}) == SHOWN + 5
    assert "force=2" in halts_page(board, w.NOW)


def test_a_halt_that_was_annulled_on_appeal_says_who_annulled_it() -> None:
    """It stays in the record, with the act after which it counts no longer against the firm."""
    rows = {row.pilot: row for row in halts_view(seen().board, seen().now).ended}
    act = rows[w.APPEALED].annulled
    assert act is not None
    assert act.author == "national-approver-1"
    assert rows[w.RELEASED].annulled is None
    assert halts_page(seen().board, seen().now).count("Annulled by national-approver-1") == 1
