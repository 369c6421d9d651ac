"""The pages of authorities, and the configuration of the sandbox that they rest on."""

from __future__ import annotations

from msgspec import structs

from monitor.charter.spec import charter_hash
from monitor.console.authorities_page import authorities_page, authority_page
from monitor.console.authorities_view import authorities_view, authority_data, authority_view
from monitor.console.fleet_view import FleetView
from monitor.console.sandbox_fold import SandboxFold
from monitor.lifecycle.sandbox import SandboxAuthority
from monitor.lifecycle.sandbox_acts import (
    Proposal,
    PutAuthority,
    SandboxFounding,
    change_digest,
    changed,
    configuration_digest,
)
from monitor.model.records import Decision, Finding, Outputs, Reason
from monitor.testing.records import decision
from tests import board_world as w
from tests.country.nation import sandbox
from tests.unit.console.world import seen


def test_the_central_level_comes_first_and_each_says_what_waits_and_what_it_missed() -> None:
    """Levels from the top; counts of pilots, of steps that wait, of deadlines owed and missed."""
    rows = {row.id: row for row in authorities_view(seen().board, seen().now)}
    assert next(iter(rows)) == "national"
    assert (rows["south"].missed, rows["north"].missed) == (1, 0)
    assert rows["north"].owed == 1
    assert rows["north"].waiting >= 1
    assert rows["west" if "west" in rows else "east"].pilots == 0
    assert '<a href="/authority/national">' in authorities_page(seen().board, seen().now)


def test_an_authority_sees_its_pilots_what_waits_and_the_level_above() -> None:
    """The approval that is missing for a release waits for the authorities of the pilot."""
    view = authority_view(seen().board, "north", seen().now)
    assert view is not None
    assert view.above == ("national",)
    assert w.SUSPENDED not in {one.pilot for one in view.pilots}
    assert (w.HALTED, "approver") in {(one.pilot, one.step.who) for one in view.waiting}
    assert [one.since for one in view.waiting] == sorted(one.since or 0 for one in view.waiting)
    central = authority_view(seen().board, "national", seen().now)
    assert central is not None
    assert (central.above, "north" in central.below) == ((), True)
    assert authority_data(view)["deadlines_owed"] == 1
    assert authority_page(seen().board, "unknown", seen().now) is None


def test_without_a_sandbox_the_authorities_are_those_of_the_charters() -> None:
    """A board of a sandbox that is not founded has no levels, and says so."""
    board, plan = FleetView(), w.plan_of("p", "f", 0)
    story = w.Story("p", "f", plan, ()).admitted()
    board.learn(plan)
    board.apply(Outputs(decisions=story.decisions))
    (row,) = authorities_view(board, w.NOW)
    assert (row.id, row.level, row.pilots) == (w.AUTHORITY, "", 1)
    assert "named by charters alone" in authorities_page(board, w.NOW)
    assert "No authority is known" in authorities_page(FleetView(), 0)


FOUNDING = SandboxFounding(id="founding", pilot="sandbox", author="o", sandbox=sandbox())
NEW = PutAuthority(SandboxAuthority("ocean", "provincial", region="ocean"))
PROPOSAL = Proposal(id="p-1", pilot="sandbox", author="officer", change=NEW)


def on_sandbox(standing: int, reason: Reason, digest: str, detail: str = "") -> Decision:
    """A decision on the sandbox."""
    return decision(standing, "sandbox", reason=reason, charter=digest, finding=Finding(detail=detail))


def test_an_act_takes_effect_on_the_board_once_a_decision_names_it_in_any_order() -> None:
    """Acts and decisions come from two logs: whichever is read first, the configuration is the same."""
    after = changed(FOUNDING.sandbox, NEW)
    founded = on_sandbox(1, Reason.FOUNDED, configuration_digest(FOUNDING.sandbox))
    detail = f"proposal p-1: content {change_digest(NEW)}: put authority ocean"
    approved = on_sandbox(3, Reason.CONFIGURATION_CHANGED, configuration_digest(after), detail)
    acts_first, decisions_first = SandboxFold(), SandboxFold()
    for act in (FOUNDING, PROPOSAL):
        acts_first.act(act)
    assert acts_first.in_force is None, "no decision named it"
    for one in (founded, approved):
        acts_first.decide(one)
        decisions_first.decide(one)
    for act in (PROPOSAL, FOUNDING):
        decisions_first.act(act)
    assert acts_first.in_force == decisions_first.in_force == after


def test_a_proposal_that_was_not_approved_changes_nothing() -> None:
    """A forged founding and a proposal without approval stay without effect."""
    fold = SandboxFold()
    fold.act(FOUNDING)
    fold.decide(on_sandbox(1, Reason.FOUNDED, configuration_digest(FOUNDING.sandbox)))
    fold.act(PROPOSAL)
    fold.act(SandboxFounding(id="x", pilot="sandbox", author="evil", sandbox=changed(FOUNDING.sandbox, NEW)))
    assert fold.in_force == FOUNDING.sandbox


def test_an_id_cannot_add_to_the_address_of_the_filter() -> None:
    board, plan = FleetView(), w.plan_of("p", "f", 0)
    name = "north&level=normal#x"
    plan = structs.replace(plan, authorities=(structs.replace(plan.authorities[0], id=name),))
    board.learn(plan)
    board.apply(Outputs(decisions=[decision(1, "p", participant="f", charter=charter_hash(plan))]))
    page = authority_page(board, name, 0)
    assert page is not None
    assert '"/fleet?authority=north%26level%3Dnormal%23x"' in page
