"""A change of the sandbox leaves every halt that stands with people who may release it."""

from __future__ import annotations

import pytest
from msgspec import UNSET, structs

from monitor.charter.control import Approval, Evaluation, Override, Rectification, Release
from monitor.decide.releasable import missing, unreleasable
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import SUBJECT, Person
from monitor.lifecycle.sandbox_acts import (
    Change,
    Proposal,
    ProposalApproval,
    PutPerson,
    RemovePerson,
    SandboxState,
    SeveralChanges,
    change_digest,
    changed,
)
from monitor.lifecycle.tenure import next_tenure
from monitor.model.records import Decision, Level, Reason
from monitor.model.refusals import Refusal
from monitor.model.signing import Signer
from monitor.projections.sandbox_record import SandboxHistory, SandboxVersion
from monitor.projections.standing_halts import HaltsFold

from .founded import AUTHORITY, OWN, PUBLIC, RESULTS, SANDBOX, Founded

NEW = Signer(bytes([91]) * 32).public
SPARE = Person("spare", (Role.APPROVER,), AUTHORITY, (NEW,))


def put_back(name: str) -> PutPerson:
    person = SANDBOX.person(name)
    assert person is not None
    return PutPerson(person)


def halted(**changes: object) -> Founded:
    world = Founded(admit=structs.replace(OWN, **changes))
    world.put(Override(**world.by("officer"), level="halt", reason="x"))
    assert world.pilot.standing.halted
    return world


def refusal(world: Founded, change: Change) -> str:
    """The detail of the refusal of a change that an officer proposes and an approver approves; "" if it is taken."""
    proposal = Proposal(**world.by("officer", SUBJECT), change=change)
    assert world.put(proposal).decisions, world.rejected[-1]
    approval = ProposalApproval(**world.by("approver-1", SUBJECT), proposal=proposal.id, digest=change_digest(change))
    out = world.put(approval)
    return out.rejected[0].detail if out.rejected else ""


REPLACED_KEY = structs.replace(put_back("approver-2").person, keys=(NEW,))
TAKES_THE_RELEASE: dict[str, Change] = {
    "an approver is removed": SeveralChanges((PutPerson(SPARE), RemovePerson("approver-2"))),
    "an approver gets another key": PutPerson(REPLACED_KEY),
    "an approver gets another role": SeveralChanges(
        (PutPerson(SPARE), PutPerson(structs.replace(put_back("approver-2").person, roles=(Role.AUDITOR,))))
    ),
    "the officer is replaced": SeveralChanges(
        (PutPerson(Person("officer-2", (Role.OFFICER,), AUTHORITY, (NEW,))), RemovePerson("officer"))
    ),
}


@pytest.mark.parametrize("change", TAKES_THE_RELEASE.values(), ids=TAKES_THE_RELEASE)
def test_a_change_that_leaves_a_halt_without_its_releasers_is_refused(change: Change) -> None:
    """A person who was appointed since does not count for that halt, so the change would make it last for ever. The
    refusal names the pilot and what to do; without a halt the same change is taken."""
    world = halted()
    said = refusal(world, change)
    assert said.startswith(Refusal.HALT_STANDS)
    assert "p is halted" in said
    assert "release it or end its stay first" in said
    assert missing(world.state, world.pilot) == []
    assert refusal(Founded(), change) == ""


def test_a_change_that_leaves_the_people_of_the_release_is_taken_during_a_halt() -> None:
    """More people, more keys, and the removal of those who have no part in it."""
    world = halted()
    more = structs.replace(put_back("approver-2").person, keys=(PUBLIC["approver-2"], NEW))
    for change in (PutPerson(more), RemovePerson("auditor"), RemovePerson("other-approver")):
        assert refusal(world, change) == ""


def test_the_halt_is_released_after_the_refused_change() -> None:
    """The people of the time of the halt still do it, and then the change is taken."""
    world = halted()
    change = TAKES_THE_RELEASE["an approver is removed"]
    assert refusal(world, change)
    world.put(Rectification(**world.by("firm"), finding="override", cause="c", action="a", evidence="e"))
    world.put(Evaluation(**world.by("evaluator"), passed=True, report="r", results=RESULTS))
    for name in ("approver-1", "approver-2"):
        world.put(Approval(**world.by(name)))
    world.put(Release(**world.by("officer"), reason="x"))
    assert world.pilot.standing.level < Level.HALT
    assert refusal(world, change) == ""


def history(world: Founded) -> SandboxHistory:
    """What a client knows of the configuration of this world."""
    version = SandboxVersion(sandbox=SANDBOX, decision=founding(world))
    return SandboxHistory(versions=(version,))


def founding(world: Founded) -> Decision:
    (found,) = (one for one in world.decisions if one.reason is Reason.FOUNDED)
    return found


def told(world: Founded, change: Change) -> list[str]:
    """What a client that reads the decisions says of a change."""
    before, fold = history(world).state, HaltsFold()
    for decision in (*world.decisions, *world.decisions):
        fold.add(decision)
    assert before.sandbox is not None
    new = changed(before.sandbox, change)
    after = SandboxState(new, {}, next_tenure(before.tenure, before.sandbox, new, world.at))
    return list(unreleasable(before, after, fold.standing(one.id for one in SANDBOX.authorities)))


@pytest.mark.parametrize("change", TAKES_THE_RELEASE.values(), ids=TAKES_THE_RELEASE)
@pytest.mark.parametrize("kept", [True, False])
def test_a_client_sees_in_the_decisions_what_the_machine_refuses(change: Change, kept: bool) -> None:
    """For the pilots of other partitions, also where the decisions do not hold the charter; nothing without a halt."""
    world, calm = halted(), Founded()
    if not kept:
        world.decisions[:] = [structs.replace(one, document=UNSET) for one in world.decisions]
    said = told(world, change)
    assert said
    assert said[0] in refusal(world, change)
    assert told(calm, change) == []
