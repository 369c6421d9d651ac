"""Two people approve a lower tier, and approvals count only of people who have been approvers ever since."""

from __future__ import annotations

import pytest
from msgspec import structs

from monitor.charter.control import Override
from monitor.charter.exit_acts import ExitApproval, TierApproval, Withdrawal
from monitor.charter.spec import Charter, charter_hash
from monitor.decide import authority
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import Person
from monitor.lifecycle.sandbox_acts import PutPerson, RemovePerson
from monitor.model.records import Outputs, Reason
from monitor.model.refusals import Refusal
from monitor.state.review import exit_approvals

from .founded import AUTHORITY, OWN, PUBLIC, Founded

LOWER = structs.replace(OWN, version=2, tier="minimal")
SECOND = Person("approver-2", (Role.APPROVER,), AUTHORITY, (PUBLIC["approver-2"],))


def approve(world: Founded, author: str, charter: Charter = LOWER) -> list[str]:
    """Approve the tier of a charter. Returns the reason of a refusal, if it was refused."""
    return refused(world.put(TierApproval(**world.by(author), charter=charter_hash(charter), tier=charter.tier)))


def refused(out: Outputs) -> list[str]:
    return [one.detail.partition(":")[2].partition(":")[0].strip() or one.detail for one in out.rejected]


def test_a_lower_tier_needs_the_approval_of_two_different_approvers() -> None:
    """Without it the amendment is refused with what is missing; with it the amendment takes effect."""
    world = Founded()
    assert Refusal.TIER_NOT_APPROVED in world.amended(LOWER).rejected[0].detail
    assert approve(world, "approver-1") == []
    assert Refusal.SAME_APPROVER in world.put(
        TierApproval(**world.by("approver-1"), charter=charter_hash(LOWER), tier="minimal")
    ).rejected[0].detail  # fmt: skip
    assert Refusal.TIER_NOT_APPROVED in world.amended(LOWER).rejected[0].detail
    assert approve(world, "approver-2") == []
    assert world.amended(LOWER).decisions[-1].reason is Reason.AMENDED
    assert world.pilot.charter.tier == "minimal"


@pytest.mark.parametrize("author", ["firm", "officer", "evaluator", "other-approver", "stranger"])
def test_only_an_approver_of_a_responsible_authority_approves_a_tier(author: str) -> None:
    """Everybody else is refused."""
    assert approve(Founded(), author)


def test_approvals_of_a_tier_are_for_one_charter_and_end_with_an_amendment_and_with_a_halt() -> None:
    """What was approved is exactly this charter, in place of the one in force, of a pilot that was not halted since."""
    world = Founded()
    for name in ("approver-1", "approver-2"):
        assert approve(world, name) == []
    other = structs.replace(LOWER, scenario="something else")
    assert Refusal.TIER_NOT_APPROVED in world.amended(other).rejected[0].detail
    assert world.amended(structs.replace(OWN, version=2, scenario="another test")).decisions
    assert Refusal.TIER_NOT_APPROVED in world.amended(structs.replace(LOWER, version=3)).rejected[0].detail
    halted = Founded()
    for name in ("approver-1", "approver-2"):
        assert approve(halted, name) == []
    halted.put(Override(**halted.by("officer"), level="halt", reason="x"))
    assert halted.amended(LOWER).rejected


def test_a_tier_that_does_not_fall_needs_no_approval() -> None:
    """An approval of it is refused, as it would say nothing."""
    assert approve(Founded(), "approver-1", OWN)


def test_an_approval_does_not_count_once_its_approver_was_removed() -> None:
    """Neither of a tier nor of an exit, also not when the same person is an approver again; a new one counts."""
    world = Founded()
    for name in ("approver-1", "approver-2"):
        assert approve(world, name) == []
        assert not world.put(ExitApproval(**world.by(name))).rejected
    assert of_exit(world) == ("approver-1", "approver-2")
    world.change(RemovePerson("approver-2"))
    assert of_exit(world) == ("approver-1",)
    world.change(PutPerson(SECOND))
    assert of_exit(world) == ("approver-1",)
    assert Refusal.TIER_NOT_APPROVED in world.amended(LOWER).rejected[0].detail
    assert not world.put(ExitApproval(**world.by("approver-2"))).rejected
    assert of_exit(world) == ("approver-1", "approver-2")
    assert approve(world, "approver-2") == []
    assert world.amended(LOWER).decisions[-1].reason is Reason.AMENDED


def test_an_exit_with_an_approval_of_a_removed_approver_is_refused() -> None:
    """What is missing comes first of the numbers here; with everything else in order the approvals would be."""
    world = Founded()
    for name in ("approver-1", "approver-2"):
        world.put(ExitApproval(**world.by(name)))
    world.change(RemovePerson("approver-2"))
    assert world.put(Withdrawal(**world.by("officer"), outcome="scale", reason="x")).rejected
    assert not authority.approved(
        world.state, world.pilot, exit_approvals(world.pilot.review, world.pilot.stay), world.at
    )


def of_exit(world: Founded) -> tuple[str, ...]:
    """The approvers of the exit who count."""
    given = exit_approvals(world.pilot.review, world.pilot.stay)
    return tuple(sorted(authority.counting(world.state, world.pilot, given)))
