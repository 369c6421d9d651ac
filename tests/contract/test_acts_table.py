"""The table of acts, cell by cell: act x role x state of a pilot, against the rows that are written out here.

A row says which roles may do an act, and in which states of a pilot without and with a halt it is possible, given every
fact that it needs. A change of the table is a change of who may do what: it changes the row here too.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest

from monitor.charter.control import Admission
from monitor.decide.authority import ACT_OF, ROLES_OF_ACT
from monitor.lifecycle.acts import RULES, Role, evaluation_counts, refused, refused_by_role, roles_that_may
from monitor.lifecycle.arrows import BY_TRIGGER
from monitor.lifecycle.life import Lifecycle
from monitor.lifecycle.names import REGION_OF, Act, Fact, Outcome, Region, State
from monitor.model.refusals import Refusal

PILOT = [state for state in State if REGION_OF[state] is Region.PILOT]
HALT = [state for state in State if REGION_OF[state] is Region.HALT]
FACTS = frozenset(Fact) - {
    Fact.OPEN_MODE, Fact.SCALES, Fact.ENDS_TERMINATED, Fact.ENDS_WITHDRAWN, Fact.STOP_VERIFIED, Fact.INSIDE_PLAN,
}  # fmt: skip

LIVE = "registered running paused exiting tracked"
APPLIED = "submitted screened agreed"
ENDED = "exited terminated withdrawn reported published withheld closed recalled"
BEGAN = f"{LIVE} {ENDED}"
RUNS = "registered running paused"


class Row(NamedTuple):
    """Who, in which states without a halt, in which with one (`None`: the same), and what else is set in the pilot."""

    roles: str
    free: str
    halted: str | None
    other: Lifecycle = Lifecycle()


PROPOSED = Lifecycle(change=State.CHANGE_PROPOSED)
SCALED = Lifecycle(outcome=Outcome.SCALE)
ROWS: dict[Act, Row] = {
    Act.APPLY: Row("firm", "draft", None),
    Act.WITHDRAW_APPLICATION: Row("firm", APPLIED, None),
    Act.PROPOSE_CHANGE: Row("firm", "running paused", ""),
    Act.PROPOSE_CYCLE: Row("firm", RUNS, ""),
    Act.PAUSE: Row("firm", "running", ""),
    Act.RESUME: Row("firm", "paused", ""),
    Act.RECTIFY: Row("firm", LIVE, None),
    Act.ASK_GUIDANCE: Row("firm", LIVE, None),
    Act.APPEAL: Row("firm", f"{APPLIED} refused application_withdrawn {BEGAN}", None),
    Act.CONSENT_TO_PUBLISH: Row("firm", "reported withheld", None),
    Act.AGREE: Row("firm officer", f"screened {LIVE}", None),
    Act.SCREEN: Row("officer", "submitted", None),
    Act.REFUSE: Row("officer", APPLIED, None),
    Act.ADMIT: Row("officer", "agreed", None),
    Act.AMEND: Row("officer", LIVE, None),
    Act.REFUSE_CHANGE: Row("officer", LIVE, None, PROPOSED),
    Act.GRANT: Row("officer", "running", "", Lifecycle(request=State.PAUSE_REQUESTED)),
    Act.DECLINE: Row("officer", LIVE, None, Lifecycle(request=State.PAUSE_REQUESTED)),
    Act.OVERRIDE: Row("officer", LIVE, None),
    Act.SHELVE: Row("officer", "registered running paused tracked", ""),
    Act.ACCEPT_LEVEL: Row("officer", LIVE, None),
    Act.DRILL: Row("officer", "registered running paused tracked", ""),
    Act.START_SHADOW: Row("officer", "registered running paused tracked", ""),
    Act.STOP_SHADOW: Row("officer", LIVE, None),
    Act.INSPECT: Row("officer", LIVE, None),
    Act.FOLLOW_GUIDANCE: Row("firm", LIVE, None),
    Act.GUIDE: Row("officer", LIVE, None),
    Act.ASSESS: Row("officer", LIVE, None),
    Act.EXTEND: Row("officer", "running paused", ""),
    Act.SUSPEND: Row("officer", LIVE, None),
    Act.TERMINATE: Row("officer", RUNS, None),
    Act.EXIT: Row("officer", RUNS, None),
    Act.ISSUE_REPORT: Row("officer", "exited terminated withdrawn", None),
    Act.WITHHOLD: Row("officer", "reported", None),
    Act.GRADUATE: Row("officer", "published withheld", "", SCALED),
    Act.RECALL: Row("officer", "tracked", None),
    Act.HOLD: Row("officer", BEGAN, None),
    Act.LIFT_HOLD: Row("officer", BEGAN, None, Lifecycle(hold=State.EVIDENCE_HELD)),
    Act.REPORT: Row("firm", BEGAN, None),
    Act.NOTIFY_CHANGE: Row("firm officer", BEGAN, None),
    Act.NOTIFY_SUSPENSION: Row("officer", BEGAN, None),
    Act.RECLASSIFY: Row("officer", BEGAN, None),
    Act.REPORT: Row("firm", BEGAN, None),
    Act.NOTIFY_CHANGE: Row("firm officer", BEGAN, None),
    Act.NOTIFY_SUSPENSION: Row("officer", BEGAN, None),
    Act.MAKE_TEMPLATE: Row("officer", f"tracked {ENDED}", None),
    Act.EVALUATE_STEP: Row("officer", "running paused", ""),
    Act.RELEASE: Row("officer", "", LIVE),
    Act.APPROVE: Row("approver", "", LIVE),
    Act.APPROVE_EXIT: Row("approver", "running paused", ""),
    Act.APPROVE_TIER: Row("approver", RUNS, ""),
    Act.EVALUATE: Row("evaluator firm", "", LIVE),
    Act.FILE_COMPLAINT: Row("public_channel officer firm", BEGAN, None),
    Act.WITHDRAW_COMPLAINT: Row("public_channel officer firm", BEGAN, None),
    Act.ANSWER_COMPLAINT: Row("public_channel officer firm", BEGAN, None),
    Act.REDRESS: Row("public_channel officer firm", BEGAN, None),
    Act.LEAVE_PILOT: Row("public_channel officer", BEGAN, None),
}
ON_THE_SANDBOX = {
    Act.PUBLISH_TOOLKIT: "officer publisher",
    Act.PUBLISH_LEGAL_BASIS: "officer",
    Act.CONFIGURE: "officer",
    Act.APPROVE_CONFIGURATION: "approver",
    Act.NAME_SUPPLIER: "officer",
    Act.ADD_TO_MODEL: "officer supplier",
    Act.EVALUATE_MODEL: "officer supplier evaluator",
    Act.INSPECT_MODEL: "officer",
    Act.WITHDRAW_FROM_MODEL: "officer supplier evaluator",
    Act.CLASSIFY: "officer",
    Act.ANNUL: "approver",
}
BY_CHARTER = {  # what else the roles that a charter gives may do, where a deployment has no sandbox
    Act.ADMIT: {Role.ADMITTER},
    Act.AMEND: {Role.ADMITTER},
    Act.EXIT: {Role.ADMITTER},
    Act.RECTIFY: {Role.OFFICER},
    Act.EVALUATE: {Role.OFFICER},
}


def lives(row: Row) -> list[Lifecycle]:
    """A pilot in each state of the regions PILOT and HALT."""
    return [
        Lifecycle(pilot, halt, row.other.change, row.other.request, row.other.assessment, row.other.hold,
                  row.other.outcome)
        for pilot, halt in itertools.product(PILOT, HALT)
    ]  # fmt: skip


def expected(row: Row, life: Lifecycle, act: Act) -> bool:
    """Whether the row allows the act in this state."""
    if act is Act.SUSPEND and life.halt is State.SUSPENDED:
        return False
    halted = row.free if row.halted is None else row.halted
    return life.pilot.value in (halted if life.halted else row.free).split()


def test_every_act_has_one_row() -> None:
    """No act is without a rule, and every act on a pilot has its arrows."""
    assert {*ROWS, *ON_THE_SANDBOX} == set(Act) == set(RULES)
    assert set(ROWS) == {act for act in Act if act in BY_TRIGGER}
    assert set(ACT_OF.values()) <= set(ROWS)


@pytest.mark.parametrize("act", ROWS)
def test_every_cell_is_as_written(act: Act) -> None:
    """An act is allowed to the roles of its row in the states of its row, and to no other role anywhere."""
    row, cells = ROWS[act], 0
    for role, life in itertools.product(Role, lives(row)):
        why = refused(act, {role}, life, FACTS)
        may = role.value in row.roles.split()
        assert (why is None) == (may and expected(row, life, act)), (role, life, why)
        assert why is None or (isinstance(why, Refusal) and (why is RULES[act].otherwise) == (not may)), (role, life)
        cells += 1
    assert cells == len(Role) * len(PILOT) * len(HALT)


@pytest.mark.parametrize("act", ON_THE_SANDBOX)
def test_acts_on_the_sandbox_and_on_models_depend_on_the_role_only(act: Act) -> None:
    """They are in no state of a pilot."""
    for role, life in itertools.product(Role, lives(Row("", "", None))):
        assert (refused(act, {role}, life, FACTS) is None) == (role.value in ON_THE_SANDBOX[act].split())


@pytest.mark.parametrize("act", Act)
def test_a_charter_gives_roles_only_where_there_is_no_sandbox(act: Act) -> None:
    """With a sandbox the additional rights of officers and admitters are gone; no role loses one without it."""
    assert roles_that_may(act, "charter") == roles_that_may(act) | BY_CHARTER.get(act, set())


def test_roles_that_read_or_operate_do_no_act_on_a_pilot() -> None:
    """Auditor, operator and supplier; and with a sandbox an admitter key gives no right."""
    for act in ROWS:
        assert not roles_that_may(act) & {Role.AUDITOR, Role.OPERATOR, Role.SUPPLIER, Role.ADMITTER}
        assert refused_by_role(act, ()) is RULES[act].otherwise


def test_control_records_of_today_keep_their_roles() -> None:
    """The roles of the acts that exist since before the table, as logs were judged by them."""
    officer, firm, admitter = Role.OFFICER, Role.FIRM, Role.ADMITTER
    today = {
        "Amendment": {officer, admitter},
        "Withdrawal": {officer, admitter},
        "Override": {officer},
        "Shelving": {officer},
        "Acceptance": {officer},
        "Drill": {officer},
        "Rectification": {officer, firm},
        "Evaluation": {officer, firm, Role.EVALUATOR},  # no charter names an evaluator
        "Approval": {Role.APPROVER},
        "Release": {officer},
    }
    assert {kind.__name__: set(roles) for kind, roles in ROLES_OF_ACT.items() if kind.__name__ in today} == today
    assert Admission not in ROLES_OF_ACT


def test_a_firm_acts_on_its_own_complaints_only() -> None:
    """An officer or the public channel on every one."""
    running = Lifecycle(State.RUNNING)
    for act in (Act.FILE_COMPLAINT, Act.WITHDRAW_COMPLAINT, Act.ANSWER_COMPLAINT, Act.REDRESS):
        assert refused(act, {Role.FIRM}, running) is Refusal.NOT_ITS_OWN
        assert refused(act, {Role.FIRM}, running, {Fact.OWN_COMPLAINT}) is None
        assert refused(act, {Role.PUBLIC_CHANNEL}, running) is None


def test_suppliers_and_evaluators_act_on_their_own_models_and_entries_only() -> None:
    """An officer on every one. A role that has no such condition is enough."""
    own = {
        Act.ADD_TO_MODEL: (Role.SUPPLIER, Fact.OWN_MODEL),
        Act.EVALUATE_MODEL: (Role.SUPPLIER, Fact.OWN_MODEL),
        Act.WITHDRAW_FROM_MODEL: (Role.EVALUATOR, Fact.OWN_ENTRY),
    }
    for act, (role, fact) in own.items():
        assert refused_by_role(act, {role}) is Refusal.NOT_ITS_OWN
        assert refused_by_role(act, {role}, {fact}) is None
        assert refused_by_role(act, {role, Role.OFFICER}) is None
    assert refused_by_role(Act.EVALUATE_MODEL, {Role.EVALUATOR}) is None
    assert refused_by_role(Act.WITHDRAW_FROM_MODEL, {Role.SUPPLIER}, {Fact.OWN_MODEL}) is Refusal.NOT_ITS_OWN


def test_the_firms_own_evaluation_does_not_count_where_the_risk_is_high() -> None:
    """It is recorded in every tier."""
    counts = {tier: evaluation_counts({Role.FIRM}, tier) for tier in ("minimal", "limited", "high", "critical")}
    assert counts == {"minimal": True, "limited": True, "high": False, "critical": False}
    assert all(evaluation_counts({Role.EVALUATOR}, tier) for tier in counts)


def test_approvals_need_two_people() -> None:
    """Of a release, an exit `scale` and a lower tier; every other act needs one."""
    assert {act for act, rule in RULES.items() if rule.people == 2} == {
        Act.APPROVE, Act.APPROVE_EXIT, Act.APPROVE_TIER,
    }  # fmt: skip
