"""Whose evaluation counts where, and who publishes what: the accreditation of evaluators and publishers."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from msgspec import UNSET, structs

from monitor.charter.control import Evaluation, Override, Rectification
from monitor.charter.spec import ToolkitRef
from monitor.compile.sandbox_file import sandbox_yaml
from monitor.decide.releasable import unreleasable
from monitor.lifecycle.accreditation import Place, accredited_for
from monitor.lifecycle.acts import Role, refused_by_role
from monitor.lifecycle.change_words import change_words
from monitor.lifecycle.names import Act, Fact
from monitor.lifecycle.sandbox import SUBJECT, Accreditation, Person, Sandbox
from monitor.lifecycle.sandbox_acts import Proposal, PutPerson, PutToolkit, SandboxState, SeveralChanges
from monitor.lifecycle.sandbox_check import flaws
from monitor.lifecycle.tenure import founding_tenure, next_tenure
from monitor.model.records import Outputs, Reason
from monitor.model.refusals import Refusal
from monitor.model.standing_halt import StandingHalt
from tests.unit.lifecycle.founded import OWN, PUBLIC, RESULTS, SANDBOX, Founded

EVALUATOR = SANDBOX.person("evaluator")
assert EVALUATOR is not None
HERE = Place("north", "logistics", "limited")  # of the pilot

ROWS: list[tuple[str, dict[str, Any], bool]] = [
    ("no limits", {}, True),
    ("its sector", {"sectors": ("health", "Logistics")}, True),
    ("another sector", {"sectors": ("health",)}, False),
    ("its region in another case", {"regions": ("NORTH",)}, True),
    ("another region", {"regions": ("south",)}, False),
    ("its tier", {"tiers": ("minimal", "limited")}, True),
    ("a graver tier only", {"tiers": ("high", "critical")}, False),
    ("sector and region", {"sectors": ("logistics",), "regions": ("north",)}, True),
    ("sector, and another region", {"sectors": ("logistics",), "regions": ("south",)}, False),
]


def with_limits(**limits: Any) -> Sandbox:
    changed = structs.replace(EVALUATOR, accredited=Accreditation(**limits))
    return structs.replace(SANDBOX, people=tuple(changed if p.id == "evaluator" else p for p in SANDBOX.people))


def halted(sandbox: Sandbox, **charter: Any) -> Founded:
    world = Founded(sandbox, admit=structs.replace(OWN, **charter))
    world.put(Override(**world.by("officer"), level="halt", reason="x"))
    world.put(Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e"))
    return world


def evaluated(world: Founded, author: str = "evaluator") -> Outputs:
    return world.put(Evaluation(**world.by(author), passed=True, report="r", results=RESULTS))


@pytest.mark.parametrize(("rule", "limits", "counts"), ROWS, ids=[row[0] for row in ROWS])
def test_an_evaluation_counts_where_its_author_is_accredited(rule: str, limits: dict[str, Any], counts: bool) -> None:
    out = evaluated(halted(with_limits(**limits)))
    if counts:
        assert out.decisions[-1].reason is Reason.EVALUATION_RECORDED
    else:
        assert out.rejected[0].detail.startswith(Refusal.NOT_ACCREDITED)
        assert "the pilot is in the sector logistics, the region north and the tier limited" in out.rejected[0].detail


def test_unicode_forms_are_not_told_apart() -> None:
    person = Person("e", (Role.EVALUATOR,), accredited=Accreditation(regions=(unicodedata.normalize("NFD", "Zürich"),)))
    assert accredited_for(person, HERE._replace(region="ZÜRICH"))


def test_the_firm_evaluates_as_before() -> None:
    assert evaluated(halted(with_limits(sectors=("health",))), "firm").decisions


def test_a_change_adds_no_evaluation_to_a_halt_that_stands() -> None:
    """Another accreditation is another right: it counts for halts that begin after it."""
    world = halted(with_limits(sectors=("health",)))
    world.change(PutPerson(structs.replace(EVALUATOR, accredited=UNSET)))
    assert evaluated(world).rejected[0].detail.startswith(Refusal.NOT_AN_EVALUATOR)


def test_a_change_that_leaves_a_halt_without_an_evaluator_is_refused() -> None:
    """Where the evaluation of the firm does not count."""
    before = SandboxState(SANDBOX, {}, founding_tenure(SANDBOX, 1))
    narrowed = with_limits(sectors=("health",))
    after = SandboxState(narrowed, {}, next_tenure(before.tenure, SANDBOX, narrowed, 5))
    halt = StandingHalt("p", 3, "high", ("authority", "other"), 1, "north", "logistics")
    assert "evaluator" in next(unreleasable(before, after, [halt]))


def test_under_a_halt_the_place_cannot_be_amended_to_one_where_another_evaluation_counts() -> None:
    world = halted(with_limits(regions=("south",)))
    out = world.amended(structs.replace(OWN, version=2, region="south"))
    assert out.rejected[0].detail.startswith(Refusal.HALT_STANDS)


def test_without_any_accreditation_a_place_is_amended_under_a_halt_as_before() -> None:
    world = halted(SANDBOX)
    assert world.amended(structs.replace(OWN, version=2, region="south")).decisions


def test_the_table_of_acts_asks_for_it() -> None:
    assert refused_by_role(Act.EVALUATE, {Role.EVALUATOR}) is Refusal.NOT_ACCREDITED
    assert refused_by_role(Act.EVALUATE, {Role.EVALUATOR}, {Fact.ACCREDITED}) is None
    assert refused_by_role(Act.EVALUATE, {Role.EVALUATOR, Role.FIRM}) is None
    assert refused_by_role(Act.PUBLISH_TOOLKIT, {Role.PUBLISHER}) is Refusal.NOT_ACCREDITED
    assert refused_by_role(Act.PUBLISH_TOOLKIT, {Role.OFFICER}) is None


# ---- publishers


def publishes(limits: Accreditation | None, *toolkits: str) -> Outputs:
    person = Person("publisher", (Role.PUBLISHER,), "", (PUBLIC["publisher"],))
    if limits is not None:
        person = structs.replace(person, accredited=limits)
    people = tuple(person if one.id == "publisher" else one for one in SANDBOX.people)
    world = Founded(structs.replace(SANDBOX, people=people), admit=None)
    changes = tuple(PutToolkit(ToolkitRef(name, 1, "1" * 64)) for name in toolkits)
    change = changes[0] if len(changes) == 1 else SeveralChanges(changes)
    return world.put(Proposal(**world.by("publisher", SUBJECT), change=change))


def test_a_publisher_publishes_what_the_authority_allows() -> None:
    """The publisher proposes, an approver puts in force."""
    assert publishes(None, "audio").decisions
    assert publishes(Accreditation(), "audio").decisions
    assert publishes(Accreditation(toolkits=("audio", "health")), "health", "audio").decisions
    refused = publishes(Accreditation(toolkits=("audio",)), "health").rejected[0].detail
    assert refused == "not_accredited: publisher is accredited for toolkits audio"
    assert publishes(Accreditation(toolkits=("audio",)), "audio", "health").rejected, "each of several"


def test_a_publisher_changes_nothing_else() -> None:
    world = Founded(admit=None)
    mixed = SeveralChanges((PutToolkit(ToolkitRef("audio", 1, "1" * 64)), PutPerson(EVALUATOR)))
    out = world.put(Proposal(**world.by("publisher", SUBJECT), change=mixed))
    assert out.rejected[0].detail.startswith(Refusal.NOT_AN_OFFICER)


# ---- the configuration


def test_an_accreditation_of_somebody_else_is_a_mistake_with_its_field() -> None:
    officer = SANDBOX.person("officer")
    assert officer is not None
    wrong = structs.replace(officer, accredited=Accreditation(sectors=("x",)))
    sandbox = structs.replace(SANDBOX, people=tuple(wrong if p.id == "officer" else p for p in SANDBOX.people))
    assert [(f.field, f.problem) for f in flaws(sandbox)] == [
        ("people[0].accredited", "the person is neither evaluator nor publisher")
    ]


def test_a_configuration_without_it_keeps_its_bytes() -> None:
    assert "accredited" not in sandbox_yaml(SANDBOX)


def test_the_record_of_a_change_says_for_what() -> None:
    person = structs.replace(EVALUATOR, accredited=Accreditation(sectors=("health",), tiers=("high",)))
    assert "accredited for sectors health; tiers high" in change_words(PutPerson(person))
