"""Who must learn of a decision, or owes something after it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET, structs

from monitor.charter.spec import Authority
from monitor.lifecycle.sandbox import SandboxAuthority
from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.records import Decision, Finding, Reason
from monitor.network.addressees import OWED_NEXT, addressees, ids_of
from monitor.network.responsibility import MOST_RESPONSIBLE, responsible
from monitor.testing.records import decision
from tests.unit.lifecycle.founded import OWN, SANDBOX

NORTH, CAPITAL = SandboxAuthority("north", "provincial", region="north"), SandboxAuthority("capital", "central")
NETWORK = structs.replace(SANDBOX, authorities=(NORTH, CAPITAL))
PLAN = structs.replace(OWN, authorities=(Authority("north"),), vendor="modelmaker")
USUAL = ("authority:north", "firm:firm")


def clock(owed_by: Owes, state: ClockState, change: Change) -> ClockRecord:
    return ClockRecord(
        change=change, at=1, rule="r", title="t", starts="exit", key="k", owed_by=owed_by, basis="b",
        on_miss=OnMiss.ESCALATE, state=state,
    )  # fmt: skip


def about(reason: Reason, found: ClockRecord | None = None, **fields: Any) -> Decision:
    return decision(1, reason=reason, finding=Finding(clock=UNSET if found is None else found), **fields)


ROWS = [
    ("a finding", about(Reason.LIMIT_EXCEEDED), USUAL),
    ("the unknown flag", about(Reason.SILENCE, kind="flag"), USUAL),
    ("an act of the firm that an officer answers", about(Reason.PAUSE_REQUESTED), (*USUAL, "role:officer")),
    ("a rectification is evaluated next", about(Reason.RECTIFICATION_RECORDED), (*USUAL, "role:evaluator")),
    ("an evaluation is followed by approvals", about(Reason.EVALUATION_RECORDED), (*USUAL, "role:approver")),
    (
        "the firm missed a deadline: those below",
        about(Reason.CLOCK_MISSED, clock(Owes.FIRM, ClockState.MISSED, Change.MISSED)),
        USUAL,
    ),
    (
        "the authority missed a deadline: the level above too",
        about(Reason.CLOCK_MISSED, clock(Owes.AUTHORITY, ClockState.MISSED, Change.MISSED)),
        ("authority:north", "authority:capital", "firm:firm"),
    ),
    (
        "what it owes and did not miss: not the level above",
        about(Reason.CLOCK_STARTED, clock(Owes.AUTHORITY, ClockState.RUNNING, Change.STARTED)),
        USUAL,
    ),
    (
        "done after the miss: the level above learns that too",
        about(Reason.CLOCK_MET, clock(Owes.AUTHORITY, ClockState.MISSED, Change.DONE_LATE)),
        ("authority:north", "authority:capital", "firm:firm"),
    ),
    (
        "a supplier owes",
        about(Reason.CLOCK_STARTED, clock(Owes.SUPPLIER, ClockState.RUNNING, Change.STARTED)),
        (*USUAL, "supplier:modelmaker"),
    ),
    (
        "an assessment that an officer missed",
        about(Reason.ASSESSMENT_MISSED),
        ("authority:north", "authority:capital", "firm:firm", "role:officer"),
    ),
]


@pytest.mark.parametrize(("rule", "found", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_those_who_must_learn_are_addressed(rule: str, found: Decision, expected: tuple[str, ...]) -> None:
    assert addressees(found, NETWORK, PLAN, ("north",)) == expected


def test_without_a_responsible_authority_the_level_above_is_addressed() -> None:
    assert addressees(about(Reason.SILENCE), NETWORK, PLAN, ()) == ("authority:capital", "firm:firm")


@pytest.mark.parametrize("reason", Reason)
def test_every_decision_reaches_its_firm_and_its_authorities(reason: Reason) -> None:
    found = addressees(about(reason), NETWORK, PLAN, ("north",))
    assert set(USUAL) <= set(found)
    assert len(found) == len(set(found))
    assert all(kind in ("authority", "firm", "supplier", "role") for kind in (one.split(":")[0] for one in found))


def test_a_decision_on_the_sandbox_reaches_those_who_configure() -> None:
    assert addressees(about(Reason.CONFIGURATION_PROPOSED), NETWORK) == ("role:approver", "role:officer")
    assert addressees(about(Reason.CONFIGURATION_CHANGED), NETWORK) == ("role:officer",)


def test_a_decision_on_a_firm_reaches_the_firm() -> None:
    """Its class is an act on the subject `firm:<id>`."""
    assert addressees(decision(1, pilot="firm:acme", kind="act"), NETWORK) == ("firm:acme", "role:officer")


def test_addressees_are_bounded() -> None:
    """256 authorities with the longest names add at most 32 of them."""
    many = tuple(SandboxAuthority(f"{n:064d}", "provincial" if n % 2 else "central") for n in range(256))
    network = structs.replace(SANDBOX, authorities=many)
    plan = structs.replace(OWN, authorities=(Authority("none"),))
    found = addressees(about(Reason.ASSESSMENT_MISSED), network, plan, responsible(network, plan))
    assert len(ids_of("authority", found)) == 2 * MOST_RESPONSIBLE


def test_a_role_that_owes_is_one_of_the_table_of_acts() -> None:
    assert OWED_NEXT
    assert {role.value for role in OWED_NEXT.values()} <= {"officer", "evaluator", "approver"}
