"""The configuration of the sandbox in the machine: acts on it, and the roles that it gives."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from msgspec import structs

from monitor.charter.clauses import LegalBasis
from monitor.charter.control import Admission, Approval, Evaluation, Override, Rectification, Release
from monitor.charter.spec import Authority, Exit, Participant, Responses, ToolkitRef
from monitor.engine.machine import Machine
from monitor.firms.rules import SHIPPED_RULES, FirmClass, reference_to
from monitor.lifecycle.acts import Role
from monitor.lifecycle.duties import ClassDuty
from monitor.lifecycle.sandbox import SUBJECT, Person, SandboxAuthority
from monitor.lifecycle.sandbox_acts import (
    OneChange,
    Proposal,
    ProposalApproval,
    ProposalWithdrawal,
    PutAuthority,
    PutClocks,
    PutDuties,
    PutFirmKeys,
    PutFirmRules,
    PutLegalBasis,
    PutPerson,
    PutProhibition,
    PutResponsibility,
    PutTier,
    PutToolkit,
    RemoveAuthority,
    RemoveLegalBasis,
    RemovePerson,
    RemoveProhibition,
    RemoveToolkit,
    SandboxFounding,
    SeveralChanges,
    change_digest,
    changed,
    configuration_digest,
)
from monitor.lifecycle.sandbox_diff import change_between
from monitor.lifecycle.standards import SHIPPED_STANDARDS
from monitor.model.records import Level, Reason, Rejected
from monitor.model.signing import Signer, Trusted
from monitor.projections.wording import sentence
from tests.unit.lifecycle.founded import AUTHORITY, KEYS, OTHER, OWN, PUBLIC, RESULTS, SANDBOX, Founded

NEW = Signer(bytes([99]) * 32)
KEYS["new"] = NEW
ANNA = Person("new", (Role.APPROVER, Role.OFFICER), AUTHORITY, (NEW.public,))


def why(world: Founded) -> str:
    """The reason of the last rejection."""
    last: Rejected = world.rejected[-1]
    return last.detail.split(":")[0] if last.reason == "control_refused" else last.reason


def halt(world: Founded) -> None:
    assert world.put(Override(**world.by("officer"), level="halt", reason="x")).decisions
    assert world.pilot.standing.halted


def rectified(world: Founded) -> None:
    """Halted, rectified and evaluated."""
    halt(world)
    assert world.put(Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e")).decisions
    assert world.put(Evaluation(**world.by("evaluator"), passed=True, report="r", results=RESULTS)).decisions


def test_each_accepted_act_on_the_sandbox_is_a_decision_with_a_separate_standing() -> None:
    """It names the digest of the configuration in force, its author and key; nothing of it is a pilot."""
    world = Founded(admit=None)
    world.change(PutPerson(ANNA))
    again = Proposal(**world.by("officer", SUBJECT), change=RemovePerson("new"))
    world.put(again)
    world.put(ProposalWithdrawal(**world.by("officer", SUBJECT), proposal=again.id))
    assert [d.reason for d in world.decisions] == [
        Reason.FOUNDED, Reason.CONFIGURATION_PROPOSED, Reason.CONFIGURATION_CHANGED,
        Reason.CONFIGURATION_PROPOSED, Reason.PROPOSAL_WITHDRAWN,
    ]  # fmt: skip
    assert [d.standing for d in world.decisions] == [1, 2, 3, 4, 5]
    assert len({d.id for d in world.decisions}) == 5
    assert {d.pilot for d in world.decisions} == {SUBJECT}
    changed = world.decisions[2]
    assert (changed.author, changed.signed) == ("approver-1", KEYS["approver-1"].key_id)
    assert changed.charter == configuration_digest(world.state.sandbox) != world.decisions[0].charter
    assert changed.finding.rule == "version 2"
    assert "put person new: approver, officer of authority" in sentence(changed)
    assert SUBJECT not in world.machine.pilots
    assert not world.rejected


def test_a_sandbox_is_founded_by_an_admitter_only_where_the_deployment_has_admitters() -> None:
    """No other author does, it is founded once, and without admitters every author may."""
    world = Founded(None, admit=None)
    founding = SandboxFounding(**world.by("stranger", SUBJECT), sandbox=SANDBOX)
    for key in ("stranger", "", "officer"):
        assert not world.put(founding, key).decisions
        assert why(world) == "forged"
    assert world.put(founding, "admitter").decisions
    assert not world.put(SandboxFounding(**world.by("stranger", SUBJECT), sandbox=SANDBOX), "admitter").decisions
    assert why(world) == "already_founded"
    world = Founded(None, admit=None)
    world.machine = Machine(journalled=False)
    assert world.machine.open_mode
    assert world.put(founding, "").decisions
    assert not world.machine.open_mode


def test_with_a_sandbox_people_of_a_charter_and_admitters_have_no_rights() -> None:
    """An officer of a responsible authority admits and amends."""
    world = Founded(admit=None)
    for author, key in (("stranger", "stranger"), ("admitter", "admitter"), ("firm", "firm"), ("x", "")):
        assert not world.put(Admission(**world.by(author), charter=OWN), key).decisions
        assert why(world) == "not_an_officer", author
    assert not world.put(Admission(**world.by("other-officer"), charter=OWN)).decisions
    assert not world.put(Admission(**world.by("approver-1"), charter=OWN)).decisions
    assert not world.put(Admission(**world.by("officer"), charter=OWN), "stranger").decisions
    assert why(world) == "forged"
    world.agreed(OWN)
    assert world.put(Admission(**world.by("officer"), charter=OWN)).decisions
    for author in ("stranger", "x", "firm", "other-officer"):
        act = Override(**world.by(author), level="watch", reason="x")
        assert not world.put(act, author if author in KEYS else "").decisions
        assert why(world) == "not_an_officer", author


def test_a_charter_that_names_an_authority_which_the_sandbox_does_not_have_is_refused() -> None:
    """At admission and at an amendment, with the field and the ids that there are."""
    world = Founded(admit=None)
    unknown = structs.replace(OWN, authorities=(*OWN.authorities, Authority("ministry")))
    assert not world.put(Admission(**world.by("officer"), charter=unknown)).decisions
    assert why(world) == "unknown_authority"
    assert world.rejected[-1].field == "charter.authorities[1].id"
    assert world.rejected[-1].detail.endswith("it has authority, other")
    world.agreed(OWN)
    world.put(Admission(**world.by("officer"), charter=OWN))
    assert not world.amended(structs.replace(unknown, version=2)).decisions
    assert why(world) == "unknown_authority"
    named = structs.replace(OWN, participant=Participant("Officer"))
    world = Founded(admit=None)
    assert not world.put(Admission(**world.by("officer"), charter=named)).decisions
    assert world.rejected[-1].field == "charter.participant.id"


def test_no_pilot_is_called_sandbox() -> None:
    """Records with that key are about the sandbox, and acts on the sandbox have no other key."""
    world = Founded(admit=None)
    own = structs.replace(OWN, pilot=SUBJECT)
    assert not world.put(Admission(**world.by("officer", SUBJECT), charter=own)).decisions
    assert why(world) == "reserved_name"
    assert not world.put(Proposal(**world.by("officer", "p"), change=RemovePerson("new"))).decisions
    assert why(world) == "reserved_name"


def test_a_copy_of_an_act_on_the_sandbox_has_no_effect() -> None:
    """Not at once, and not after its person was removed: a removed person cannot be put back by old records."""
    world = Founded(admit=None)
    world.change(PutPerson(ANNA))
    added = world.sent[-2:]
    world.change(RemovePerson("new"))
    for record in (*added, *added):
        assert not world.step(record).decisions
    assert world.state.sandbox is not None
    assert world.state.sandbox.person("new") is None
    world.at += 3_600_000
    assert not world.step(added[0]).decisions


def test_partitions_that_step_the_same_acts_have_the_same_roles() -> None:
    """Copies are decisions in the home partition only, are stepped long after, and repeats change nothing."""
    home, other = Founded(admit=None), Founded(None, partition=3, admit=None)
    home.change(PutPerson(ANNA))
    other.at += 90 * 86_400_000
    for record in home.sent:
        assert not other.step(record).decisions
    assert not other.rejected
    assert other.state.sandbox == home.state.sandbox
    for record in home.sent:
        other.step(record)
    assert [one.reason for one in other.rejected] == ["repeated"] * 3
    assert other.machine.sandbox_standing == home.machine.sandbox_standing == 3
    other.agreed(OWN)
    assert other.put(Admission(**other.by("new"), charter=OWN)).decisions


def test_the_configuration_is_in_the_snapshot_of_the_partition() -> None:
    """A machine that continues from it has the same roles, and refuses the same copies."""
    world = Founded()
    world.change(PutPerson(ANNA))
    states = {name: raw for name, raw in world.machine.snapshots(["p", SUBJECT]).items() if raw is not None}
    world.machine = Machine(journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
    world.machine.restore(states)
    assert not world.step(world.sent[-1]).decisions
    assert world.put(Override(**world.by("new"), level="watch", reason="x")).decisions


def test_a_person_added_while_a_halt_stands_may_not_release_it() -> None:
    """Nor a person who comes from another authority; afterwards both may act."""
    world = Founded()
    rectified(world)
    world.change(PutPerson(ANNA))
    moved = Person("other-approver", (Role.APPROVER,), AUTHORITY, (PUBLIC["other-approver"],))
    world.change(PutPerson(moved))
    assert not world.put(Approval(**world.by("new"))).decisions
    assert why(world) == "not_an_approver"
    assert not world.put(Approval(**world.by("other-approver"))).decisions
    assert world.put(Approval(**world.by("approver-1"))).decisions
    assert world.put(Approval(**world.by("approver-2"))).decisions
    assert not world.put(Release(**world.by("new"), reason="x")).decisions
    assert world.put(Release(**world.by("officer"), reason="x")).decisions
    assert world.put(Override(**world.by("new"), level="watch", reason="x")).decisions


def test_a_key_added_while_a_halt_stands_does_not_count_for_it() -> None:
    """The key that the person had before does."""
    world = Founded()
    rectified(world)
    world.change(PutPerson(Person("approver-2", (Role.APPROVER,), AUTHORITY, (PUBLIC["approver-2"], NEW.public))))
    assert not world.put(Approval(**world.by("approver-2")), "new").decisions
    assert why(world) == "not_an_approver"
    assert world.put(Approval(**world.by("approver-2"))).decisions


def test_a_removed_person_loses_the_right_at_once_and_regains_it() -> None:
    """An approval that was given before does not count any more; the same person put back may act again. A third
    approver of the time of the halt lets one be removed."""
    third = Person("approver-3", (Role.APPROVER,), AUTHORITY, (Signer(bytes([93]) * 32).public,))
    world = Founded(structs.replace(SANDBOX, people=(*SANDBOX.people, third)))
    rectified(world)
    assert world.put(Approval(**world.by("approver-1"))).decisions
    world.change(PutPerson(ANNA))
    person = SANDBOX.person("approver-1")
    assert person is not None
    world.change(RemovePerson("approver-1"), approver="approver-2")
    assert not world.put(Approval(**world.by("approver-1"))).decisions
    assert world.put(Approval(**world.by("approver-2"))).decisions
    assert not world.put(Release(**world.by("officer"), reason="x")).decisions
    assert why(world) == "approval_missing"
    world.change(PutPerson(person), approver="approver-2")
    assert world.put(Approval(**world.by("approver-1"))).decisions or why(world) == "same_approver"
    assert world.put(Release(**world.by("officer"), reason="x")).decisions


def test_a_halt_from_before_the_sandbox_is_released_as_its_charter_says() -> None:
    """Founding while a halt stands changes none of those who may release it."""
    world = Founded(None, admit=None)
    own = structs.replace(OWN, authorities=(Authority(AUTHORITY, approvers=("x", "y"), officers=("x",)),))
    world.put(Admission(**world.by("admitter"), charter=own))
    world.put(Override(**world.by("x"), level="halt", reason="x"), "")
    world.put(SandboxFounding(**world.by("regulator", SUBJECT), sandbox=SANDBOX), "admitter")
    world.put(Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e"))
    world.put(Evaluation(**world.by("x"), passed=True, report="r", results=RESULTS), "")
    assert not world.put(Approval(**world.by("approver-1"))).decisions
    for author in ("x", "y"):
        assert world.put(Approval(**world.by(author)), "").decisions
    assert world.put(Release(**world.by("x"), reason="x"), "").decisions
    assert not world.put(Override(**world.by("x"), level="watch", reason="x"), "").decisions
    assert world.put(Override(**world.by("officer"), level="watch", reason="x")).decisions


def test_approvers_of_two_authorities_release_where_the_standard_of_the_tier_asks_for_it() -> None:
    """A standard that is lowered while a halt stands does not count for it."""
    two = Authority(OTHER)
    world = Founded(admit=structs.replace(OWN, authorities=(*OWN.authorities, two)))
    standard = structs.replace(SHIPPED_STANDARDS[1], authorities=2)
    for tier in SHIPPED_STANDARDS[2:]:
        world.change(PutTier(structs.replace(tier, authorities=2)))
    world.change(PutTier(standard))
    rectified(world)
    world.change(PutTier(SHIPPED_STANDARDS[1]))
    for author in ("approver-1", "approver-2"):
        assert world.put(Approval(**world.by(author))).decisions
    assert not world.put(Release(**world.by("officer"), reason="x")).decisions
    assert why(world) == "approval_missing"
    assert world.put(Approval(**world.by("other-approver"))).decisions
    assert world.put(Release(**world.by("officer"), reason="x")).decisions


def test_the_tier_cannot_be_amended_while_a_halt_stands() -> None:
    """It says how many authorities approve a release, and whether the firm's evaluation counts."""
    world = Founded()
    halt(world)
    assert not world.amended(structs.replace(OWN, tier="high", version=2)).decisions
    assert why(world) == "halt_stands"
    assert world.rejected[-1].field == "charter.tier"


@pytest.mark.parametrize("tier", ["limited", "high"])
def test_the_firms_own_evaluation_does_not_count_in_high_tiers(tier: str) -> None:
    """It is recorded, and the approval is refused for want of one that counts."""
    world = Founded(before=structs.replace(OWN, tier=tier, responses=Responses()))
    halt(world)
    world.put(Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e"))
    assert world.put(Evaluation(**world.by("firm"), passed=True, report="r", results=RESULTS)).decisions
    taken = bool(world.put(Approval(**world.by("approver-1"))).decisions)
    assert taken == (tier == "limited")
    assert world.pilot.standing.level is Level.HALT


def test_an_approval_names_the_content_that_was_proposed() -> None:
    """By another person, and for the version in force."""
    world = Founded(admit=None)
    change = PutPerson(ANNA)
    proposal = Proposal(**world.by("officer", SUBJECT), change=change)
    world.put(proposal)
    for author, name, digest, reason in (
        ("officer", proposal.id, change_digest(change), "not_an_approver"),
        ("approver-1", "n0", change_digest(change), "unknown_proposal"),
        ("approver-1", proposal.id, change_digest(RemovePerson("new")), "proposal_changed"),
    ):
        act = ProposalApproval(**world.by(author, SUBJECT), proposal=name, digest=digest)
        assert not world.put(act).decisions
        assert why(world) == reason
    assert world.state.sandbox == SANDBOX


def test_what_is_too_large_or_malformed_is_rejected_and_stops_nothing() -> None:
    """With a reason; the next act is stepped."""
    world = Founded(admit=None)
    broken = msgspec.to_builtins(Proposal(**world.by("officer", SUBJECT), change=PutPerson(ANNA)))
    broken["change"]["person"]["roles"] = ["king"]
    body = msgspec.json.encode(broken)
    assert not world.step(structs.replace(world.sent[0], value=body, key=b"sandbox")).decisions
    assert world.rejected[-1].field == "change.person.roles[0]" or world.rejected[-1].reason
    world.change(PutPerson(ANNA))


EVERY_CHANGE: tuple[OneChange, ...] = (
    PutAuthority(SandboxAuthority("agency", "sectoral", region="north")),
    PutPerson(Person("new", (Role.OFFICER,), AUTHORITY, (NEW.public,))),
    RemovePerson("auditor"),
    PutTier(structs.replace(SHIPPED_STANDARDS[3], highest_alpha=0.005)),
    PutProhibition(structs.replace(SANDBOX.prohibitions[0], id="own")),
    RemoveProhibition(SANDBOX.prohibitions[0].id),
    PutClocks(structs.replace(SANDBOX.clocks, rules=SANDBOX.clocks.rules[:3])),
    RemoveAuthority("agency"),
    PutFirmKeys(required=False),
    PutResponsibility(computed=False),
    PutToolkit(ToolkitRef("audio", 1, "1" * 64)),
    PutToolkit(ToolkitRef("audio", 2, "2" * 64)),
    RemoveToolkit("audio", 1),
    PutFirmRules(reference_to(structs.replace(SHIPPED_RULES, version=2))),
    PutDuties((ClassDuty(firm_class=FirmClass.D, tier="critical", drill_every="1d"),)),
    RemoveLegalBasis(),
    PutLegalBasis(LegalBasis(id="city", version=1, digest="3" * 64, acts={"suspend": ("eu-1",)})),
)


def test_every_kind_of_change_comes_into_force_alone_and_with_others() -> None:
    """Together they make one version; each is said in the record."""
    alone, together = Founded(admit=None), Founded(admit=None)
    for change in EVERY_CHANGE:
        alone.change(change)
        assert change_digest(change) in alone.decisions[-1].finding.detail
    together.change(SeveralChanges(EVERY_CHANGE))
    assert alone.state.sandbox is not None
    assert together.state.sandbox == structs.replace(alone.state.sandbox, version=2)
    assert {type(change) for change in EVERY_CHANGE} == set(get_args(OneChange))


def test_the_difference_of_two_versions_is_a_change_that_leads_from_one_to_the_other() -> None:
    """Also where an authority comes or goes with its people; without a difference there is none."""
    world = Founded(admit=None)
    world.change(SeveralChanges(EVERY_CHANGE[:-1]))
    new = world.state.sandbox
    assert new is not None
    for old, wanted in ((SANDBOX, new), (new, structs.replace(SANDBOX, version=2))):
        change = change_between(old, wanted)
        assert change is not None
        made = changed(old, change)
        for field in ("authorities", "people", "tiers", "prohibitions"):
            assert {one.id if hasattr(one, "id") else one.tier: one for one in getattr(made, field)} == {
                one.id if hasattr(one, "id") else one.tier: one for one in getattr(wanted, field)
            }
        assert made.clocks == wanted.clocks
    assert change_between(new, new) is None


def test_an_amended_charter_keeps_the_standards_of_its_tier() -> None:
    """What it newly misses is refused with field and fix; what the charter in force misses already may stay."""
    world = Founded()
    short = structs.replace(OWN, version=2, exit=Exit(quiet_for="1d"))
    assert not world.amended(short).decisions
    assert why(world) == "below_standard"
    assert world.rejected[-1].field == "charter.exit.quiet_for"
    limited = structs.replace(SHIPPED_STANDARDS[1], quiet_for="80d", pseudonyms=True)
    world.change(SeveralChanges((PutTier(limited),)))
    assert world.amended(structs.replace(OWN, version=2, scenario="another")).decisions


def test_an_application_is_screened_by_the_standards_of_the_sandbox() -> None:
    """Not by those that are shipped."""
    strict = structs.replace(SHIPPED_STANDARDS[1], pseudonyms=True)
    tiers = (SHIPPED_STANDARDS[0], strict, *SHIPPED_STANDARDS[2:])
    world = Founded(structs.replace(SANDBOX, tiers=tiers), admit=None)
    world.agreed(OWN)
    assert world.rejected[0].detail.startswith("screening_failed: ")
    assert "identifiers" in world.rejected[0].field


def test_where_authors_are_proved_no_change_makes_the_sandbox_open() -> None:
    """Else an officer and an approver could remove all keys during a halt, and release it in the names of others."""
    world = Founded()
    rectified(world)
    keyless = tuple(PutPerson(structs.replace(one, keys=())) for one in SANDBOX.people if one.keys)
    world.put(Proposal(**world.by("officer", SUBJECT), change=SeveralChanges(keyless)))
    assert why(world) == "bad_configuration"
    assert not world.machine.open_mode
    for name in ("approver-1", "approver-2"):
        world.put(Approval(**world.by(name)), "")
    world.put(Release(**world.by("officer"), reason="x"), "")
    assert world.pilot.standing.halted
