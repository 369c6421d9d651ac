"""A charter may ask for approvals from two authorities: of a release, an exit that scales, and a lower tier."""

from __future__ import annotations

import pytest
from msgspec import UNSET, structs

from monitor.charter.control import Approval, Evaluation, Override, Rectification, Release
from monitor.charter.spec import Authority, charter_hash
from monitor.compile.lint import lint
from monitor.compile.standards import standard_problems
from monitor.decide.authority import approved, enough_authorities, needed_authorities
from monitor.lifecycle.sandbox_acts import RemovePerson, SandboxState, SeveralChanges
from monitor.lifecycle.standards import approving
from monitor.model.records import Outputs, Reason
from monitor.model.refusals import Refusal
from monitor.projections.standing_halts import HaltsFold
from monitor.state.review import Approvals
from tests.unit.lifecycle.founded import AUTHORITY, OTHER, OWN, RESULTS, SANDBOX, Founded

TWO = structs.replace(OWN, authorities=(Authority(AUTHORITY), Authority(OTHER)), approving_authorities=2)


def halted() -> Founded:
    world = Founded(admit=TWO)
    world.put(Override(**world.by("officer"), level="halt", reason="x"))
    world.put(Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e"))
    world.put(Evaluation(**world.by("evaluator"), passed=True, report="r", results=RESULTS))
    return world


def release(world: Founded) -> Outputs:
    return world.put(Release(**world.by("officer"), reason="checked by hand"))


def test_two_approvers_of_one_authority_do_not_release() -> None:
    world = halted()
    for name in ("approver-1", "approver-2"):
        assert world.put(Approval(**world.by(name))).decisions
    refused = release(world).rejected[0]
    assert refused.detail.startswith(Refusal.APPROVAL_MISSING)
    assert "the charter needs approvers of 2 authorities, there are 1" in refused.detail
    assert world.put(Approval(**world.by("other-approver"))).decisions
    assert release(world).decisions[-1].reason is Reason.RELEASED


def test_one_of_each_releases() -> None:
    world = halted()
    for name in ("approver-1", "other-approver"):
        world.put(Approval(**world.by(name)))
    assert release(world).decisions[-1].reason is Reason.RELEASED


def test_the_charter_keeps_the_second_authority_while_a_halt_stands() -> None:
    world = halted()
    for changes in (
        {"approving_authorities": UNSET},
        {"approving_authorities": 1},
        {"authorities": TWO.authorities[:1]},
    ):
        less = structs.replace(TWO, version=2, **changes)
        detail = world.amended(less).rejected[-1].detail
        assert detail.startswith((Refusal.HALT_STANDS, Refusal.BAD_CHARTER)), detail
    assert world.pilot.charter.approving_authorities == 2


def test_the_sandbox_keeps_the_approver_of_the_second_authority_while_a_halt_stands() -> None:
    world = halted()
    with pytest.raises(AssertionError):
        world.change(SeveralChanges((RemovePerson("other-approver"),)))
    assert "approvers of 2 authorities" in world.rejected[-1].detail


def test_a_client_that_asks_before_a_change_knows_it_from_the_decisions() -> None:
    world, fold = halted(), HaltsFold()
    for one in world.decisions:
        fold.add(one)
    [halt] = fold.standing((AUTHORITY, OTHER))
    assert (halt.approving, halt.authorities) == (2, (AUTHORITY, OTHER))


def test_exits_and_lower_tiers_need_both_as_well() -> None:
    world = Founded(admit=TWO)
    assert not approved(
        world.state, world.pilot, Approvals(("approver-1", "approver-2"), (world.at, world.at)), world.at
    )
    assert approved(
        world.state, world.pilot, Approvals(("approver-1", "other-approver"), (world.at, world.at)), world.at
    )


def test_without_a_sandbox_the_charter_names_the_approvers_of_each() -> None:
    plan = structs.replace(
        OWN, authorities=(Authority("a", approvers=("x", "y")), Authority("b", approvers=("y", "z"))),
        approving_authorities=2,
    )  # fmt: skip
    world = Founded(sandbox=None, before=plan)
    none = SandboxState()
    assert needed_authorities(none, world.pilot, world.at) == 2
    assert not enough_authorities(none, world.pilot, ("x",), world.at)
    assert enough_authorities(none, world.pilot, ("x", "y"), world.at)
    assert enough_authorities(none, world.pilot, ("x", "z"), world.at)


def test_a_charter_that_could_never_be_released_is_refused() -> None:
    one = structs.replace(TWO, authorities=TWO.authorities[:1])
    assert "approving_authorities" in {found.field for found in lint(one) if found.severity == "error"}
    without = structs.replace(SANDBOX, people=tuple(p for p in SANDBOX.people if p.id != "other-approver"))
    problems = [found.problem for found in standard_problems(TWO, sandbox=without)]
    assert "approving_authorities needs 2 approvers of 2 authorities in the sandbox" in problems


def test_a_charter_without_it_keeps_its_hash() -> None:
    assert charter_hash(structs.replace(TWO, approving_authorities=UNSET)) != charter_hash(TWO)
    assert approving(OWN) == 1
