"""The configuration of a sandbox: what it must hold, how it changes, and whose roles it gives."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.deadlines.shipped import example_table
from monitor.errors import ControlRefused, SandboxConfigError
from monitor.lifecycle.acts import Role
from monitor.lifecycle.prohibited import EU_PROHIBITIONS, matches
from monitor.lifecycle.sandbox import SANDBOX_BYTES, Person, Sandbox, SandboxAuthority, roles_in, size_of
from monitor.lifecycle.sandbox_acts import (
    OPEN_PROPOSALS,
    PROPOSAL_BYTES,
    Change,
    OpenProposal,
    Proposal,
    ProposalApproval,
    ProposalWithdrawal,
    PutAuthority,
    PutClocks,
    PutPerson,
    PutProhibition,
    PutTier,
    RemoveAuthority,
    RemovePerson,
    RemoveProhibition,
    SandboxAct,
    SandboxFounding,
    SandboxState,
    change_digest,
    step,
)
from monitor.lifecycle.sandbox_check import flaws, sandbox_of
from monitor.lifecycle.standards import SHIPPED_STANDARDS
from monitor.model.bounds import STATE_BYTES
from monitor.model.refusals import Refusal
from monitor.model.signing import Proved, Signer

KEYS = {name: Signer(bytes([n]) * 32) for n, name in enumerate(("olga", "anna", "ben", "lab", "mallory"), 1)}
LAX = structs.replace(SHIPPED_STANDARDS[3], highest_alpha=0.03, permits=False)
ADMITTER = Proved("admitter", True)


def person(name: str, *roles: Role, authority: str = "dsa") -> Person:
    return Person(name, roles, authority, (KEYS[name].public,))


PEOPLE = (
    person("olga", Role.OFFICER),
    person("anna", Role.APPROVER, Role.OFFICER),
    person("ben", Role.APPROVER),
    person("lab", Role.EVALUATOR, authority=""),
)
WHOLE = Sandbox(
    schema="sandbox/1",
    id="city",
    authorities=(SandboxAuthority("dsa", "central"), SandboxAuthority("bafin", "sectoral")),
    people=PEOPLE,
    tiers=SHIPPED_STANDARDS,
    prohibitions=EU_PROHIBITIONS,
    clocks=example_table(),
)


def by(name: str) -> Proved:
    return Proved(KEYS[name].key_id)


def founding(sandbox: Sandbox = WHOLE) -> SandboxFounding:
    return SandboxFounding(id="f", pilot="sandbox", author="founder", sandbox=sandbox)


FOUNDED = step(SandboxState(), founding(), ADMITTER)


def proposal(change: Change, author: str = "olga", name: str = "c1") -> Proposal:
    return Proposal(id=name, pilot="sandbox", author=author, change=change)


def approval(change: Change, author: str = "anna", name: str = "c1") -> ProposalApproval:
    return ProposalApproval(id="a", pilot="sandbox", author=author, proposal=name, digest=change_digest(change))


def why(state: SandboxState, act: SandboxAct, proved: Proved) -> Refusal:
    with pytest.raises(ControlRefused) as refused:
        step(state, act, proved)
    return Refusal(refused.value.reason)


def without(name: str) -> tuple[Person, ...]:
    return tuple(one for one in PEOPLE if one.id != name)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("authorities[1].id", {"authorities": (WHOLE.authorities[0], SandboxAuthority("DSA", "central"))}),
        ("people[4].id", {"people": (*PEOPLE, person("olga", Role.OFFICER))}),
        ("people[3].roles", {"people": (*without("lab"), person("lab", Role.EVALUATOR, Role.OFFICER))}),
        ("people[3].roles", {"people": (*without("lab"), person("lab", Role.FIRM))}),
        ("people[3].authority", {"people": (*without("lab"), person("lab", Role.AUDITOR, authority="x"))}),
        ("people[3].authority", {"people": (*without("lab"), person("lab", Role.OFFICER, authority=""))}),
        ("people[3].keys", {"people": (*without("lab"), Person("lab", (Role.EVALUATOR,)))}),
        ("people[3].keys[0]", {"people": (*without("lab"), Person("lab", (Role.EVALUATOR,), "", ("ed25519:x",)))}),
        (
            "people[4].keys[0]",
            {"people": (*PEOPLE, Person("mia", (Role.AUDITOR,), "", (KEYS["olga"].public,)))},
        ),
        ("people", {"people": without("ben")}),
        ("people", {"people": (person("mallory", Role.APPROVER), PEOPLE[2], PEOPLE[3])}),
        ("tiers", {"tiers": SHIPPED_STANDARDS[1:]}),
        ("tiers[critical].highest_alpha", {"tiers": (*SHIPPED_STANDARDS[:3], LAX)}),
        ("tiers[critical].permits", {"tiers": (*SHIPPED_STANDARDS[:3], LAX)}),
        ("prohibitions[8].id", {"prohibitions": (*EU_PROHIBITIONS, EU_PROHIBITIONS[0])}),
        ("clocks.rules", {"clocks": structs.replace(WHOLE.clocks, rules=WHOLE.clocks.rules[:1] * 2)}),
    ],
)  # fmt: skip
def test_a_mistake_names_its_field_and_the_fix(field: str, changes: dict[str, Any]) -> None:
    """Also where a configuration is founded or a plain mapping is read."""
    wrong = structs.replace(WHOLE, **changes)
    found = [flaw for flaw in flaws(wrong) if flaw.field == field]
    assert found, [flaw.field for flaw in flaws(wrong)]
    assert all(flaw.problem and flaw.fix for flaw in found)
    assert why(SandboxState(), founding(wrong), ADMITTER) is Refusal.BAD_CONFIGURATION
    with pytest.raises(SandboxConfigError) as refused:
        sandbox_of(msgspec.to_builtins(wrong))
    assert f"{field}: {found[0].problem}; {found[0].fix}" in str(refused.value)


def test_a_whole_configuration_has_no_mistake() -> None:
    """And reads back from plain values."""
    assert list(flaws(WHOLE)) == []
    assert sandbox_of(msgspec.to_builtins(WHOLE)) == WHOLE
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(FOUNDED), type=SandboxState) == FOUNDED


def test_an_admitter_founds_once() -> None:
    """Others only in open mode, and none twice; before it nothing else is possible."""
    stranger = Proved(KEYS["mallory"].key_id)
    assert why(SandboxState(), founding(), stranger) is Refusal.NOT_AN_OFFICER
    assert step(SandboxState(), founding(), Proved(), open_mode=True) == FOUNDED
    assert why(FOUNDED, founding(), ADMITTER) is Refusal.ALREADY_FOUNDED
    assert why(SandboxState(), proposal(RemovePerson("lab")), by("olga")) is Refusal.NOT_FOUNDED
    assert why(SandboxState(), founding(structs.replace(WHOLE, version=2)), ADMITTER) is Refusal.BAD_CONFIGURATION


EVERY_CHANGE: tuple[Change, ...] = (
    PutAuthority(SandboxAuthority("dsa", "provincial")),
    PutAuthority(SandboxAuthority("new", "central")),
    RemoveAuthority("bafin"),
    PutPerson(person("mallory", Role.AUDITOR)),
    RemovePerson("lab"),
    PutTier(structs.replace(SHIPPED_STANDARDS[3], power=0.95)),
    PutProhibition(structs.replace(EU_PROHIBITIONS[0], id="own", title="Own")),
    RemoveProhibition("eu-5-1-h"),
    PutClocks(structs.replace(WHOLE.clocks, note="changed")),
)


@pytest.mark.parametrize("change", EVERY_CHANGE, ids=lambda c: type(c).__name__)
def test_a_change_takes_an_officer_and_another_person(change: Change) -> None:
    """The proposal changes nothing; the approval makes the next version; a second one is refused."""
    proposed = step(FOUNDED, proposal(change), by("olga"))
    assert proposed.sandbox == WHOLE
    approved = step(proposed, approval(change), by("anna"))
    assert approved.sandbox is not None
    assert approved.sandbox.version == 2
    assert structs.replace(approved.sandbox, version=1) != WHOLE
    assert approved.open == {}
    assert why(approved, approval(change), by("anna")) is Refusal.UNKNOWN_PROPOSAL


def test_one_person_alone_changes_nothing() -> None:
    """Who is officer and approver cannot approve the own proposal; officers do not approve, others do not propose."""
    change = RemovePerson("lab")
    proposed = step(FOUNDED, proposal(change, "anna"), by("anna"))
    assert why(proposed, approval(change, "anna"), by("anna")) is Refusal.SAME_PERSON
    assert why(proposed, approval(change, "olga"), by("olga")) is Refusal.NOT_AN_APPROVER
    for name in ("ben", "lab", "mallory"):
        assert why(FOUNDED, proposal(change, name), by(name)) is Refusal.NOT_AN_OFFICER
    for proved in (Proved(), by("mallory"), by("ben")):  # the name of an officer, the key of another
        assert why(FOUNDED, proposal(change), proved) is Refusal.NOT_AN_OFFICER


def test_an_approval_is_of_one_content_and_one_version() -> None:
    """Another digest is refused, and so is a proposal for an earlier version."""
    first, second = RemovePerson("lab"), RemoveProhibition("eu-5-1-a")
    both = step(step(FOUNDED, proposal(first), by("olga")), proposal(second, name="c2"), by("olga"))
    assert why(both, approval(second), by("anna")) is Refusal.PROPOSAL_CHANGED
    later = step(both, approval(first), by("anna"))
    assert why(later, approval(second, name="c2"), by("anna")) is Refusal.PROPOSAL_CHANGED
    withdrawal = ProposalWithdrawal(id="w", pilot="sandbox", author="olga", proposal="c2")
    assert step(later, withdrawal, by("olga")).open == {}


def test_a_change_that_breaks_the_configuration_is_refused_when_proposed() -> None:
    """Such as the removal of one of two approvers, or of an authority that people belong to."""
    for change in (RemovePerson("ben"), RemoveAuthority("dsa"), PutPerson(person("lab", Role.OPERATOR, Role.APPROVER))):
        assert why(FOUNDED, proposal(change), by("olga")) is Refusal.BAD_CONFIGURATION


def test_a_state_is_bounded_in_bytes() -> None:
    """Open proposals in number and bytes, a configuration in bytes; together below the bound of a record."""
    state = FOUNDED
    for n in range(OPEN_PROPOSALS):
        state = step(state, proposal(RemovePerson("lab"), name=f"c{n}"), by("olga"))
    assert why(state, proposal(RemovePerson("lab"), name="more"), by("olga")) is Refusal.TOO_MANY_PROPOSALS
    item = structs.replace(EU_PROHIBITIONS[0], id="own")
    large = Person("x" * 60, (Role.AUDITOR,), "", (), "y" * 200, "z" * 200)
    many = tuple(structs.replace(large, id=f"{n}{'x' * 58}"[:60]) for n in range(1020))
    assert why(SandboxState(), founding(structs.replace(WHOLE, people=(*PEOPLE, *many))), ADMITTER) is (
        Refusal.BAD_CONFIGURATION
    )
    assert size_of(structs.replace(WHOLE, people=(*PEOPLE, *many))) > SANDBOX_BYTES
    wide = PutProhibition(structs.replace(item, practice="p" * PROPOSAL_BYTES))
    assert why(FOUNDED, proposal(wide), by("olga")) is Refusal.BAD_CONFIGURATION
    longest = len(msgspec.msgpack.encode({"n" * 200: OpenProposal("a" * 200, 1 << 53, RemovePerson("x"))}))
    assert SANDBOX_BYTES + OPEN_PROPOSALS * (PROPOSAL_BYTES + longest) < STATE_BYTES


def test_roles_come_from_the_configuration_and_a_proved_key() -> None:
    """Officers and approvers of the responsible authorities only; the participant is the firm only."""
    assert roles_in(WHOLE, "anna", KEYS["anna"].key_id, ("dsa",), "firm") == {Role.APPROVER, Role.OFFICER}
    assert roles_in(WHOLE, "anna", KEYS["anna"].key_id, ("bafin",), "firm") == set()
    assert roles_in(WHOLE, "lab", KEYS["lab"].key_id, ("bafin",), "firm") == {Role.EVALUATOR}
    assert roles_in(WHOLE, "anna", KEYS["anna"].key_id, ("dsa",), "anna") == {Role.FIRM}
    for key in ("", KEYS["ben"].key_id):
        assert roles_in(WHOLE, "anna", key, ("dsa",), "firm") == set()
    unkeyed = structs.replace(WHOLE, people=tuple(structs.replace(one, keys=()) for one in PEOPLE))
    assert unkeyed.open_mode
    assert roles_in(unkeyed, "ben", "", ("dsa",), "firm") == {Role.APPROVER}
    assert roles_in(unkeyed, "mallory", "", ("dsa",), "firm") == set()


def test_the_negative_list_of_the_eu_is_complete() -> None:
    """Art. 5(1)(a) to (h), each with its reference and terms to look for."""
    assert [item.reference[-4:] for item in EU_PROHIBITIONS] == [f"1)({letter})"[-4:] for letter in "abcdefgh"]
    assert all(item.terms and item.reference.startswith("Regulation (EU) 2024/1689") for item in EU_PROHIBITIONS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("social scoring", ["eu-5-1-c"]),
        ("SOCIAL_SCORING of tenants", ["eu-5-1-c"]),
        ("Emotion  recognition\nat work", ["eu-5-1-f"]),
        ("antisocial scoring", []),
        ("credit scoring", []),
    ],
)
def test_terms_are_found_as_whole_words(text: str, found: list[str]) -> None:
    """Whatever their case, spacing and hyphens."""
    assert [match.item.id for match in matches(EU_PROHIBITIONS, {"scenario": text})] == found
