"""What decisions cite: of an indicator, a hard rule, a clock, an act, a rule of the monitor; old logs cite nothing."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, structs

from monitor.basis.cited import CITED, cited
from monitor.basis.shipped import SHIPPED_ACTS, SHIPPED_REASONS, shipped_basis
from monitor.charter.clauses import CharterBasis, Clauses, LegalBasis
from monitor.charter.control import Override, Rectification
from monitor.charter.running_acts import Suspension
from monitor.charter.spec import Charter, HardRule
from monitor.compile.load_basis import shipped_catalogue
from monitor.lifecycle.sandbox import Sandbox
from monitor.lifecycle.sandbox_acts import PutLegalBasis, RemoveLegalBasis
from monitor.lifecycle.sandbox_check import flaws
from monitor.lifecycle.sandbox_diff import change_between
from monitor.model.events import Harm, Severity
from monitor.model.records import Decision, Finding, Reason
from monitor.testing.records import decision
from tests.unit.engine.test_machine import T0
from tests.unit.lifecycle.founded import OWN, SANDBOX, Founded

BASIS = LegalBasis(
    id="small",
    version=3,
    digest="0" * 64,
    acts={"override": ("act-1",), "suspend": ("act-2",), "screen": ("act-3",)},
    reasons={"unregistered_model": ("monitor-1",)},
)
CITING = structs.replace(SANDBOX, legal_basis=BASIS)


def cites(charter: Charter = OWN, *, indicator: Clauses = ("rate-1",), rule: Clauses = ("rule-1",)) -> Charter:
    """A charter whose indicators and hard rules cite, and with a basis for acts."""
    return structs.replace(
        charter,
        indicators=tuple(structs.replace(one, clauses=indicator) for one in charter.indicators),
        hard_rules=(HardRule("serious", "escalate", severity=(Severity.SERIOUS_INCIDENT,), clauses=rule),),
        basis=CharterBasis(catalogue="small", acts={"override": ("own-1",)}, reasons={"outside_cycle": ("own-2",)}),
    )


def of(bench: Founded, reason: Reason) -> list[tuple[str, ...] | msgspec.UnsetType]:
    return [one.clauses for one in bench.decisions if one.reason is reason]


def serious(bench: Founded) -> None:
    event = bench.service.incident(bench.at, severity=Severity.SERIOUS_INCIDENT, harm=Harm.SERIOUS_INJURY)
    bench.say(event)


def test_the_decision_of_a_hard_rule_cites_the_clauses_of_that_rule() -> None:
    """A hard rule is found by its name."""
    bench = Founded(CITING, admit=cites())
    serious(bench)
    assert of(bench, Reason.HARD_RULE) == [("rule-1",)]


def test_the_decision_of_an_indicator_cites_the_clauses_of_that_indicator() -> None:
    """Each finding of an indicator rests on what the indicator cites."""
    found = cited(Reason.LIMIT_EXCEEDED, Finding(indicator=OWN.indicators[0].name), "", cites(), None)
    assert found == ("rate-1",)
    assert cited(Reason.LIMIT_EXCEEDED, Finding(indicator="another"), "", cites(), None) is UNSET


def test_an_act_cites_what_the_charter_says_of_it_then_what_the_sandbox_says() -> None:
    """Both sides may name the basis of an act; each clause stands once."""
    bench = Founded(CITING, admit=cites())
    bench.put(Override(**bench.by("officer"), level="watch", reason="look"))
    assert of(bench, Reason.OVERRIDDEN) == [("own-1", "act-1")]
    bench.put(Suspension(**bench.by("officer"), basis="Art. 57(11)", reason="risk"))
    assert of(bench, Reason.SUSPENDED) == [("act-2",)]


def test_a_clock_cites_the_clauses_of_its_rule_and_of_the_shorter_period_that_applies() -> None:
    """A serious injury has 15 days, a disruption of critical infrastructure two: each with its article."""
    bench = Founded(CITING, admit=cites())
    serious(bench)
    started = [one for one in bench.decisions if one.reason is Reason.CLOCK_STARTED and one.finding.clock]
    by_rule = {one.finding.clock.rule: one.clauses for one in started if one.finding.clock is not UNSET}
    assert by_rule["incident-report"] == ("eu-aia-73-2", "eu-aia-73-5")
    assert by_rule["evidence-hold"] == ("eu-aia-73-6",)
    bench.say(bench.service.incident(bench.at, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH))
    death = [one for one in bench.decisions if one.finding.clock and one.finding.clock.rule == "incident-report"][-1]
    assert death.clauses == ("eu-aia-73-2", "eu-aia-73-5", "eu-aia-73-4")


def test_an_application_cites_what_the_sandbox_says() -> None:
    """Before the admission no charter is in force, and the acts of the authority have their basis all the same."""
    bench = Founded(CITING, admit=cites())
    assert of(bench, Reason.APPLICATION_SCREENED) == [("act-3",)]
    clock = next(one for one in bench.decisions if one.reason is Reason.CLOCK_STARTED)
    assert clock.clauses == ("eu-aia-58-2-a",)


def test_a_sandbox_without_a_catalogue_and_a_charter_that_cites_nothing_give_decisions_without_clauses() -> None:
    """Decisions of older sandboxes keep their bytes, though the shipped clock table cites clauses."""
    bench = Founded(SANDBOX, admit=OWN)
    serious(bench)
    bench.put(Override(**bench.by("officer"), level="watch", reason="look"))
    assert len(bench.decisions) > 8
    assert {one.clauses for one in bench.decisions} == {UNSET}
    assert b"clauses" not in msgspec.json.encode(bench.decisions)


def test_putting_a_catalogue_in_force_is_a_change_by_two_people_and_counts_from_then_on() -> None:
    """The catalogue is part of the configuration: proposed, approved, and removed likewise."""
    bench = Founded(SANDBOX, admit=cites())
    bench.put(Override(**bench.by("officer"), level="watch", reason="look"))
    bench.change(PutLegalBasis(BASIS))
    bench.put(Override(**bench.by("officer"), level="escalate", reason="look again"))
    bench.change(RemoveLegalBasis())
    bench.put(Override(**bench.by("officer"), level="watch", reason="look"))
    assert of(bench, Reason.OVERRIDDEN) == [("own-1",), ("own-1", "act-1"), ("own-1",)]


def test_the_difference_of_two_configurations_has_the_catalogue() -> None:
    """`sandbox propose` finds a changed catalogue."""
    assert change_between(SANDBOX, CITING) == PutLegalBasis(BASIS)
    assert change_between(CITING, SANDBOX) == RemoveLegalBasis()
    assert change_between(CITING, CITING) is None


@pytest.mark.parametrize(
    ("basis", "field"),
    [
        (structs.replace(BASIS, acts={"suspendd": ("a",)}), "legal_basis.acts.suspendd"),
        (structs.replace(BASIS, acts={"configure": ("a",)}), "legal_basis.acts.configure"),
        (structs.replace(BASIS, reasons={"halted": ("a",)}), "legal_basis.reasons.halted"),
    ],
)
def test_acts_and_reasons_that_do_not_exist_are_refused(basis: LegalBasis, field: str) -> None:
    """A misspelt act would never be read. Acts on the sandbox itself have no basis here."""
    assert [flaw.field for flaw in flaws(structs.replace(SANDBOX, legal_basis=basis))] == [field]


def test_the_shipped_basis_names_acts_reasons_and_clauses_that_exist() -> None:
    """The sample can be put in force as it is."""
    catalogue = shipped_catalogue()
    made: Sandbox = structs.replace(SANDBOX, legal_basis=shipped_basis(catalogue))
    assert not list(flaws(made))
    named = {one for part in (SHIPPED_ACTS, SHIPPED_REASONS) for clauses in part.values() for one in clauses}
    assert not {one for one in named if catalogue.clause(one) is None}


def test_a_decision_cites_a_bounded_number_of_clauses_each_once() -> None:
    """However much charter and sandbox cite, a decision stays small."""
    many = tuple(f"c-{n}" for n in range(8))
    made = structs.replace(
        cites(indicator=many), basis=CharterBasis(acts={"override": ("c-0", *(f"d-{n}" for n in range(7)))})
    )
    sandbox = structs.replace(CITING, legal_basis=structs.replace(BASIS, acts={"override": ("e-1", "e-2")}))
    found = cited(Reason.OVERRIDDEN, Finding(indicator=OWN.indicators[0].name), "override", made, sandbox)
    assert isinstance(found, tuple)
    assert len(found) == len(set(found)) == CITED
    assert found[:8] == many


def test_an_unregistered_model_cites_the_gravest_rule_on_it() -> None:
    """The rule of the charter that set the level is the one that is cited."""
    rules = (
        HardRule("foreign", "watch", unregistered_model=True, clauses=("weak-1",)),
        HardRule("foreign-2", "escalate", unregistered_model=True, clauses=("model-1",)),
    )
    made = structs.replace(OWN, hard_rules=rules)
    found = cited(Reason.UNREGISTERED_MODEL, Finding(rule="unregistered_model"), "", made, CITING)
    assert found == ("model-1", "monitor-1")


def test_a_decision_with_clauses_is_read_back_and_an_older_one_has_none() -> None:
    """The field is additive."""
    made = structs.replace(decision(1), clauses=("a-1",))
    assert msgspec.json.decode(msgspec.json.encode(made), type=Decision) == made
    assert msgspec.json.decode(msgspec.json.encode(decision(1)), type=Decision).clauses is UNSET


def test_what_follows_from_an_act_and_is_no_act_does_not_cite_it() -> None:
    """The clock that a suspension starts cites its own article, not the power to suspend."""
    bench = Founded(CITING, admit=cites())
    bench.put(Suspension(**bench.by("officer"), basis="Art. 57(11)", reason="risk"))
    clock = [one for one in bench.decisions if one.finding.clock and one.finding.clock.rule == "ai-office"]
    assert [one.clauses for one in clock] == [("eu-aia-57-11", "eu-draft-8-2")]
    bench.put(Rectification(**bench.by("firm"), finding="x", cause="c", action="a", evidence="e"))
    assert bench.at > T0
