"""The chain of responsibility: each finding is addressed to the role that owes, and to who has it."""

from __future__ import annotations

import pytest
from msgspec import UNSET, structs

from monitor.basis.catalogue import Catalogue
from monitor.charter.chain import CHAIN_ROLES, Chain, ChainRole, Party
from monitor.charter.control import Override
from monitor.charter.spec import Charter, HardRule, IndicatorSpec, canonical_charter, charter_hash
from monitor.compile.lint import lint
from monitor.compile.load_basis import shipped_catalogue
from monitor.indicators import INDICATORS
from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.events import Severity
from monitor.model.records import Finding, Reason
from monitor.network.addressees import addressees
from monitor.network.chain import BY_KIND, BY_REASON, DUTIES, of_chain, owing_role
from monitor.testing.records import decision
from tests.unit.lifecycle.founded import OWN, SANDBOX, Founded

CHAIN = Chain(Party("maker"), Party("builder"), Party("clinic"))
OF_NO_ROLE = frozenset({"compliance_cost", "efficiency_gain"})  # costs and gains are no failure


def chained(chain: Chain = CHAIN, *kinds: str) -> Charter:
    """A charter with this chain, and an indicator of each kind with the name of the kind."""
    specs = tuple(IndicatorSpec(kind, kind) for kind in kinds) or OWN.indicators
    rules = (
        HardRule("serious", "escalate", severity=(Severity.SERIOUS_INCIDENT,)),
        HardRule("outside", "escalate", boundary=True),
    )
    return structs.replace(OWN, chain=chain, indicators=specs, hard_rules=rules)


def test_each_kind_of_indicator_and_each_reason_is_of_at_most_one_duty() -> None:
    """The table answers every question once, and no kind of indicator is forgotten."""
    assert sum(len(duty.reasons) for duty in DUTIES) == len(BY_REASON)
    assert sum(len(duty.kinds) for duty in DUTIES) == len(BY_KIND)
    assert set(BY_KIND) | OF_NO_ROLE == set(INDICATORS)
    assert {duty.role for duty in DUTIES} == set(CHAIN_ROLES)


def test_the_clauses_of_the_duties_are_in_the_shipped_catalogue() -> None:
    """Each duty has a basis there."""
    catalogue: Catalogue = shipped_catalogue()
    assert all(duty.clauses for duty in DUTIES)
    assert not {name for duty in DUTIES for name in duty.clauses if catalogue.clause(name) is None}


@pytest.mark.parametrize(
    ("reason", "finding", "role", "party"),
    [
        (Reason.UNREGISTERED_MODEL, Finding(rule="unregistered_model"), "downstream_developer", "supplier:builder"),
        (Reason.CHANGE_NOT_REGISTERED, Finding(), "downstream_developer", "supplier:builder"),
        (Reason.OUTSIDE_CYCLE, Finding(rule="cycle"), "deployer", "firm:clinic"),
        (Reason.BOUNDARY_BREACHED, Finding(), "deployer", "firm:clinic"),
        (Reason.SILENCE, Finding(rule="silence"), "deployer", "firm:clinic"),
        (Reason.HALT_OVERDUE, Finding(), "deployer", "firm:clinic"),
        (Reason.LIMIT_EXCEEDED, Finding(indicator="false_positive_rate"), "downstream_developer", "supplier:builder"),
        (Reason.LIMIT_EXCEEDED, Finding(indicator="complaint_over_promise"), "deployer", "firm:clinic"),
        (Reason.HARD_RULE, Finding(rule="serious"), "downstream_developer", "supplier:builder"),
        (Reason.HARD_RULE, Finding(rule="outside"), "deployer", "firm:clinic"),
    ],
)
def test_a_finding_is_addressed_to_the_role_that_owes_and_to_who_has_it(
    reason: Reason, finding: Finding, role: ChainRole, party: str
) -> None:
    """The rule table, row by row."""
    charter = chained(CHAIN, "false_positive_rate", "complaint_over_promise")
    made = decision(1, reason=reason, finding=finding)
    assert owing_role(made, charter) == role
    assert of_chain(made, charter) == (party, f"role:{role}")
    assert addressees(made, SANDBOX, charter, ("authority",))[-2:] == (party, f"role:{role}")


def test_what_the_charter_says_of_an_indicator_comes_before_the_table() -> None:
    """A disparity may come from the base model."""
    chain = structs.replace(CHAIN, indicators={"false_positive_rate": "base_model_developer"})
    made = decision(1, reason=Reason.LIMIT_EXCEEDED, finding=Finding(indicator="false_positive_rate"))
    assert of_chain(made, chained(chain, "false_positive_rate")) == ("supplier:maker", "role:base_model_developer")


@pytest.mark.parametrize("role", CHAIN_ROLES)
def test_a_missing_link_falls_to_the_participant(role: ChainRole) -> None:
    """So does a role of the participant itself; no finding is without an addressee."""
    for chain in (structs.replace(CHAIN, **{role: UNSET}), structs.replace(CHAIN, **{role: Party("firm")})):
        made = structs.replace(chain, indicators={"x": role})
        found = decision(1, reason=Reason.LIMIT_EXCEEDED, finding=Finding(indicator="x"))
        assert of_chain(found, structs.replace(chained(made), participant=OWN.participant)) == (
            "firm:firm", f"role:{role}",
        )  # fmt: skip


def test_a_deadline_of_a_supplier_is_of_the_developer_of_the_base_model() -> None:
    """With a chain the vendor of the charter is not addressed as well; deadlines of others are of no role."""
    clock = ClockRecord(
        change=Change.MISSED, at=1, rule="r", title="t", starts="exit", key="k", owed_by=Owes.SUPPLIER, basis="b",
        on_miss=OnMiss.ESCALATE, state=ClockState.MISSED,
    )  # fmt: skip
    charter = structs.replace(chained(), vendor="other")
    made = decision(1, reason=Reason.CLOCK_MISSED, finding=Finding(clock=clock))
    assert addressees(made, SANDBOX, charter, ("a",)) == (
        "authority:a", "firm:firm", "supplier:maker", "role:base_model_developer",
    )  # fmt: skip
    firms = structs.replace(made, finding=Finding(clock=structs.replace(clock, owed_by=Owes.FIRM)))
    assert of_chain(firms, charter) == ()


def test_what_a_charter_keeps_confidential_is_in_no_addressee() -> None:
    """Decisions are public: only the role is named, of the chain and of a vendor without one."""
    hidden = structs.replace(chained(), confidential=("chain", "vendor"), vendor="modelmaker")
    found = addressees(decision(1, reason=Reason.OUTSIDE_CYCLE), SANDBOX, hidden, ("north",))
    assert found == ("authority:north", "firm:firm", "role:deployer")
    owed = ClockRecord(
        change=Change.MISSED, at=1, rule="r", title="t", starts="s", key="k", owed_by=Owes.SUPPLIER, basis="b",
        on_miss=OnMiss.RECORD, state=ClockState.MISSED,
    )  # fmt: skip
    missed = decision(1, reason=Reason.CLOCK_MISSED, finding=Finding(rule="r", clock=owed))
    for charter, role in ((hidden, "base_model_developer"), (structs.replace(hidden, chain=UNSET), "supplier")):
        assert addressees(missed, SANDBOX, charter, ("north",)) == ("authority:north", "firm:firm", f"role:{role}")


def test_a_charter_without_a_chain_keeps_its_bytes_and_its_addressees() -> None:
    """The field is additive."""
    made = decision(1, reason=Reason.UNREGISTERED_MODEL)
    assert of_chain(made, OWN) == ()
    assert b'"chain"' not in canonical_charter(OWN)
    assert charter_hash(chained()) != charter_hash(structs.replace(chained(), chain=UNSET))


def test_the_machine_addresses_findings_along_the_chain() -> None:
    """Where the sandbox computes responsibility; an act is addressed to no role of the chain."""
    network = structs.replace(SANDBOX, responsibility="computed")
    bench = Founded(network, admit=structs.replace(OWN, chain=CHAIN))
    bench.say(bench.service.incident(bench.at, severity=Severity.SERIOUS_INCIDENT))
    rule = next(one for one in bench.decisions if one.reason is Reason.HARD_RULE)
    assert isinstance(rule.addressed, tuple)
    assert {"supplier:builder", "role:downstream_developer", "firm:firm"} <= set(rule.addressed)
    bench.put(Override(**bench.by("officer"), level="watch", reason="look"))
    assert not [name for name in bench.decisions[-1].addressed or () if name.startswith("supplier:")]


def test_the_check_of_a_charter_names_missing_links_and_unknown_indicators() -> None:
    """A misspelt indicator is an error; a link that is missing, or a vendor of another name, is a warning."""
    chain = Chain(base_model_developer=Party("maker"), indicators={"no-such": "deployer"})
    found = {one.field: one.severity for one in lint(structs.replace(OWN, chain=chain, vendor="other"))}
    assert found["chain.indicators.no-such"] == "error"
    assert found["chain.deployer"] == found["chain.downstream_developer"] == "warning"
    assert found["chain.base_model_developer.id"] == "warning"
    assert not [one for one in lint(structs.replace(OWN, chain=CHAIN)) if one.field.startswith("chain")]
