"""Toolkits in force in a sandbox: who puts them there, and what becomes of a charter of another."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from msgspec import UNSET, structs

from monitor.__main__ import cli
from monitor.charter.spec import ToolkitRef, canonical_charter, charter_hash, public_part
from monitor.cli.sandbox import write_files
from monitor.compile.sandbox_file import read_sandbox, sandbox_yaml
from monitor.compile.standards import not_in_force, standard_problems
from monitor.lifecycle.acts import Role
from monitor.lifecycle.change_words import change_words
from monitor.lifecycle.sandbox import Sandbox, SandboxAuthority
from monitor.lifecycle.sandbox_acts import (
    TOOLKIT_PROPOSALS,
    Change,
    ProposalWithdrawal,
    PutAuthority,
    PutToolkit,
    RemovePerson,
    RemoveToolkit,
    SandboxState,
    SeveralChanges,
    configuration_digest,
    step,
)
from monitor.lifecycle.sandbox_check import flaws
from monitor.lifecycle.sandbox_diff import change_between
from monitor.lifecycle.standards import SHIPPED_STANDARDS
from monitor.model.refusals import Refusal
from monitor.toolkits.load import SHIPPED, shipped
from monitor.toolkits.new import new_charter
from tests.unit.compile.test_standards import GOOD
from tests.unit.lifecycle.test_sandbox import ADMITTER, PEOPLE, WHOLE, approval, by, founding, person, proposal, why

ONE = ToolkitRef("audio", 1, "1" * 64)
TWO = ToolkitRef("audio", 2, "2" * 64)
OTHER = ToolkitRef("health", 1, "3" * 64)
# `mallory` is a publisher, and nothing else.
START = structs.replace(WHOLE, people=(*PEOPLE, person("mallory", Role.PUBLISHER, authority="")))
FOUNDED = step(SandboxState(), founding(START), ADMITTER)


def put(*changes: Change) -> SandboxState:
    """The sandbox after changes that an officer proposed and an approver approved."""
    state = FOUNDED
    for change in changes:
        state = step(step(state, proposal(change), by("olga")), approval(change), by("anna"))
    return state


def in_force(*changes: Change) -> tuple[ToolkitRef, ...]:
    sandbox = put(*changes).sandbox
    assert sandbox is not None
    assert list(flaws(sandbox)) == []
    return sandbox.toolkits or ()


def test_versions_of_a_toolkit_are_in_force_next_to_each_other() -> None:
    """Pilots of an earlier version go on; the same version is replaced; the last one that goes leaves nothing."""
    assert in_force(PutToolkit(ONE), PutToolkit(OTHER), PutToolkit(TWO)) == (ONE, OTHER, TWO)
    again = structs.replace(ONE, digest="4" * 64)
    assert in_force(PutToolkit(ONE), PutToolkit(again)) == (again,)
    assert in_force(PutToolkit(ONE), PutToolkit(TWO), RemoveToolkit("audio", 1)) == (TWO,)
    assert put(PutToolkit(ONE), RemoveToolkit("audio", 1)).sandbox == structs.replace(START, version=3)


def test_a_publisher_proposes_toolkits_and_nothing_else() -> None:
    """An approver, who is another person, puts it in force; the publisher neither approves nor configures."""
    state = step(FOUNDED, proposal(PutToolkit(ONE), "mallory"), by("mallory"))
    assert state.sandbox == START
    assert why(state, approval(PutToolkit(ONE), "mallory"), by("mallory")) is Refusal.NOT_AN_APPROVER
    approved = step(state, approval(PutToolkit(ONE)), by("anna"))
    assert approved.sandbox is not None
    assert approved.sandbox.toolkits == (ONE,)
    both = SeveralChanges((PutToolkit(TWO), RemovePerson("lab")))
    for change in (RemovePerson("lab"), PutAuthority(SandboxAuthority("new", "central")), both):
        assert why(FOUNDED, proposal(change, "mallory"), by("mallory")) is Refusal.NOT_AN_OFFICER
    several = SeveralChanges((PutToolkit(ONE), PutToolkit(TWO)))
    assert step(FOUNDED, proposal(several, "mallory"), by("mallory")).open
    for name, proved in (("lab", by("lab")), ("mallory", by("olga"))):
        assert why(FOUNDED, proposal(PutToolkit(ONE), name), proved) is Refusal.NOT_A_PUBLISHER


def test_a_publisher_withdraws_its_own_proposal_only() -> None:
    """An officer withdraws any."""
    state = step(FOUNDED, proposal(PutToolkit(ONE), "mallory"), by("mallory"))
    state = step(state, proposal(PutToolkit(TWO), name="c2"), by("olga"))

    def withdrawal(name: str, author: str) -> ProposalWithdrawal:
        return ProposalWithdrawal(id="w", pilot="sandbox", author=author, proposal=name)

    assert why(state, withdrawal("c2", "mallory"), by("mallory")) is Refusal.NOT_AN_OFFICER
    assert set(step(state, withdrawal("c1", "mallory"), by("mallory")).open) == {"c2"}
    assert set(step(state, withdrawal("c1", "olga"), by("olga")).open) == {"c2"}


def test_a_publisher_cannot_use_up_the_open_proposals() -> None:
    """Half of them are left to the officers."""
    state = FOUNDED
    for n in range(TOOLKIT_PROPOSALS):
        state = step(state, proposal(PutToolkit(ONE), "mallory", f"c{n}"), by("mallory"))
    assert why(state, proposal(PutToolkit(ONE), "mallory", "more"), by("mallory")) is Refusal.TOO_MANY_PROPOSALS
    assert "officers" in step(state, proposal(RemovePerson("lab"), name="officers"), by("olga")).open


def test_what_an_approver_sees_names_the_version_and_the_whole_digest() -> None:
    """So it can be compared with the folder."""
    assert f"put toolkit audio version 1, digest {'1' * 64}" in change_words(PutToolkit(ONE))
    assert "remove toolkit audio version 1" in change_words(RemoveToolkit("audio", 1))


def test_a_proposal_holds_the_difference_of_two_configurations() -> None:
    """As `sandbox propose` finds it; both ways."""
    old, new = (structs.replace(START, toolkits=those) for those in ((ONE, OTHER), (TWO, OTHER)))
    change = change_between(old, new)
    assert change == SeveralChanges((PutToolkit(TWO), RemoveToolkit("audio", 1)))
    assert change_between(START, old) == SeveralChanges((PutToolkit(ONE), PutToolkit(OTHER)))
    assert change_between(old, old) is None


def test_one_version_is_listed_once() -> None:
    """With two digests it would be unknown which of them is meant."""
    twice = structs.replace(START, toolkits=(ONE, structs.replace(ONE, digest="5" * 64)))
    assert [flaw.field for flaw in flaws(twice)] == ["toolkits[1].id"]


def test_a_configuration_without_toolkits_keeps_its_bytes(tmp_path: Path) -> None:
    """Neither the file nor the digest mentions them; a new sandbox has those that are shipped."""
    assert "toolkit" not in sandbox_yaml(START)
    assert b"toolkit" not in msgspec.msgpack.encode(START)
    assert configuration_digest(START) == configuration_digest(structs.replace(START, toolkits=UNSET))
    made = write_files(tmp_path, "city", "authority")
    assert made.toolkits == tuple(shipped(name).ref for name in SHIPPED)
    assert read_sandbox(tmp_path / "sandbox.yaml") == made


def sandbox_with(*toolkits: ToolkitRef, required: bool = False) -> Sandbox:
    """A sandbox in which GOOD lacks nothing but perhaps its toolkit."""
    standards = tuple(structs.replace(one, toolkit="required") if required else one for one in SHIPPED_STANDARDS)
    lenient = tuple(structs.replace(one, authorities=0, approvers=0, signed_acts=False) for one in standards)
    authorities = (SandboxAuthority("a", "central"), SandboxAuthority("b", "central"))
    people = (person("anna", Role.APPROVER, authority="a"), person("ben", Role.APPROVER, authority="b"))
    return structs.replace(START, authorities=authorities, people=people, tiers=lenient, toolkits=toolkits or UNSET)


@pytest.mark.parametrize(
    ("own", "toolkits", "field", "says"),
    [
        (UNSET, (ONE,), "toolkit", "start from `sandbox-monitor toolkit new`: audio"),
        (UNSET, (), "toolkit", "none is in force"),
        (ONE, (), "toolkit.id", "audio is not a toolkit in force; in force: none"),
        (ONE, (OTHER,), "toolkit.id", "audio is not a toolkit in force; in force: health"),
        (TWO, (ONE,), "toolkit.version", "version 2 of audio is not in force; in force: 1"),
        (ONE, (structs.replace(ONE, digest="9" * 64),), "toolkit.digest", "another digest"),
    ],
)
def test_a_charter_of_another_toolkit_is_refused_where_the_tier_demands_one_and_else_warned_of(
    own: ToolkitRef, toolkits: tuple[ToolkitRef, ...], field: str, says: str
) -> None:
    """With field and fix. Without the standard, a charter without a toolkit is not even warned of."""
    made = structs.replace(GOOD, toolkit=own)
    found = standard_problems(made, sandbox=sandbox_with(*toolkits, required=True))
    assert [(one.severity, one.field) for one in found] == [("error", field)]
    assert says in f"{found[0].problem}; {found[0].fix}"
    open_to_all = sandbox_with(*toolkits)
    assert standard_problems(made, sandbox=open_to_all) == []
    warned = [] if own is UNSET else [("warning", field)]
    assert [(one.severity, one.field) for one in not_in_force(made, open_to_all)] == warned


@pytest.mark.parametrize("required", [True, False])
def test_a_charter_of_a_toolkit_in_force_lacks_nothing(required: bool) -> None:
    """An earlier version in force as well; of a newer one there is a warning."""
    both = sandbox_with(ONE, TWO, required=required)
    for own, warned in ((TWO, []), (ONE, ["version 2 of audio is in force"])):
        made = structs.replace(GOOD, toolkit=own)
        assert standard_problems(made, sandbox=both) == []
        assert [one.problem for one in not_in_force(made, both)] == warned
    assert not_in_force(GOOD, both) == []


def test_charter_check_compares_with_the_toolkits_of_a_sandbox(tmp_path: Path) -> None:
    """Another toolkit is a warning, and an error where the standard of the tier demands one in force; `sandbox check`
    recommends toolkits."""
    made, path, charter = write_files(tmp_path, "city", "authority"), tmp_path / "sandbox.yaml", tmp_path / "c.yaml"
    charter.write_text(new_charter(shipped(SHIPPED[1])))

    def check(configuration: Sandbox) -> str:
        path.write_text(sandbox_yaml(configuration))
        return CliRunner().invoke(cli, ["charter", "check", str(charter), "--sandbox", str(path)]).stderr

    assert "not a toolkit in force" not in check(made)
    other = structs.replace(made, toolkits=(OTHER,))
    says = f"toolkit.id: {SHIPPED[1]} is not a toolkit in force; in force: health"
    assert f"warning: {says}" in check(other)
    tiers = tuple(structs.replace(one, toolkit="required") for one in made.tiers)
    demanded = check(structs.replace(other, tiers=tiers))
    assert says in demanded
    assert f"warning: {says}" not in demanded
    said = CliRunner().invoke(cli, ["sandbox", "check", str(path)])
    assert "toolkits: none" not in said.stderr
    path.write_text(sandbox_yaml(structs.replace(made, toolkits=UNSET)))
    assert "warning: toolkits: none is in force" in CliRunner().invoke(cli, ["sandbox", "check", str(path)]).stderr


def test_the_toolkit_is_in_the_public_part_of_a_charter_and_nowhere_without_one() -> None:
    """Everybody may know from which template a charter was written; older charters keep their hash."""
    made = structs.replace(GOOD, toolkit=ONE)
    assert b'"toolkit":{"digest"' in public_part(made)
    assert charter_hash(made) != charter_hash(GOOD)
    assert b"toolkit" not in canonical_charter(GOOD)


def test_a_tier_never_demands_less_than_a_lighter_one() -> None:
    """A toolkit that tier limited demands is demanded of tier high as well."""
    tiers = tuple(
        structs.replace(one, toolkit="required") if one.tier == "limited" else one for one in SHIPPED_STANDARDS
    )
    assert [flaw.field for flaw in flaws(structs.replace(START, tiers=tiers))] == ["tiers[high].toolkit"]
