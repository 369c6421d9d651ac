"""The table of acts: act x role x state of a pilot -> allowed, or refused with its reason. Pure.

Every process asks this table: the machine through `monitor/decide/authority.py`, the gateway of the firms for the acts
that a firm may send at all. The role half is `RULES`; in which states an act is possible is said by the arrows
(`monitor/lifecycle/arrows.py`).

Where a deployment has no sandbox (open mode, and logs from before there was one), authors have the roles that the
charter in force gives them; an officer then also does what `by_charter` lists.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from monitor.lifecycle.life import NEEDED_FACT, Lifecycle
from monitor.lifecycle.life import refusal as refused_by_state
from monitor.lifecycle.names import Act, Fact, Outcome
from monitor.model.refusals import Refusal

RolesFrom: TypeAlias = Literal["sandbox", "charter"]


class Role(StrEnum):
    """Who an author is to one pilot."""

    FIRM = "firm"  # the participant of the charter in force
    OFFICER = "officer"  # of a responsible authority
    APPROVER = "approver"  # of a responsible authority
    EVALUATOR = "evaluator"  # a third party
    SUPPLIER = "supplier"  # of a base model that the pilot uses
    PUBLISHER = "publisher"  # an association that publishes toolkits
    PUBLIC_CHANNEL = "public_channel"  # receives complaints of users
    AUDITOR = "auditor"  # reads
    OPERATOR = "operator"  # runs the monitor; no act on any pilot
    ADMITTER = "admitter"  # signed with an admitter key of a deployment without a sandbox


class Rule(Struct, frozen=True, kw_only=True):
    """Who may do an act: `roles`, and in addition `by_charter` where roles come from the charter. `otherwise` is the
    reason for everybody else. `needs`: a role may only where this fact holds. `people` is how many different people
    must do it before it has an effect. `on_pilot` False: the act is on the sandbox or on the file of a model or firm,
    in no state of a pilot."""

    roles: frozenset[Role]
    otherwise: Refusal
    by_charter: frozenset[Role] = frozenset()
    needs: Mapping[Role, Fact] = {}
    people: int = 1
    on_pilot: bool = True


def _rules() -> dict[Act, Rule]:
    firm = Rule(roles=frozenset({Role.FIRM}), otherwise=Refusal.NOT_THE_FIRM)
    officer = Rule(roles=frozenset({Role.OFFICER}), otherwise=Refusal.NOT_AN_OFFICER)
    admitter = Rule(roles=officer.roles, by_charter=frozenset({Role.ADMITTER}), otherwise=Refusal.NOT_AN_OFFICER)
    two = Rule(roles=frozenset({Role.APPROVER}), otherwise=Refusal.NOT_AN_APPROVER, people=2)
    # Officers record rectifications and evaluations in logs from before evaluators had a role.
    step = frozenset({Role.OFFICER})
    complaint = Rule(
        roles=frozenset({Role.PUBLIC_CHANNEL, Role.OFFICER, Role.FIRM}),
        otherwise=Refusal.NOT_A_COMPLAINT_CHANNEL,
        needs={Role.FIRM: Fact.OWN_COMPLAINT},
    )
    publish = Rule(
        roles=frozenset({Role.OFFICER, Role.PUBLISHER}),
        otherwise=Refusal.NOT_A_PUBLISHER,
        needs={Role.PUBLISHER: Fact.ACCREDITED},
        on_pilot=False,
    )
    configure = Rule(roles=officer.roles, otherwise=Refusal.NOT_AN_OFFICER, on_pilot=False)
    to_model = Rule(
        roles=frozenset({Role.OFFICER, Role.SUPPLIER}),
        otherwise=Refusal.NOT_A_SUPPLIER,
        needs={Role.SUPPLIER: Fact.OWN_MODEL},
        on_pilot=False,
    )
    evaluates = structs.replace(to_model, roles=to_model.roles | {Role.EVALUATOR}, otherwise=Refusal.NOT_AN_EVALUATOR)
    own_entry = structs.replace(evaluates, needs=dict.fromkeys((Role.SUPPLIER, Role.EVALUATOR), Fact.OWN_ENTRY),
                                otherwise=Refusal.NOT_A_SUPPLIER)  # fmt: skip
    groups: tuple[tuple[Rule, tuple[Act, ...]], ...] = (
        (firm, (Act.APPLY, Act.WITHDRAW_APPLICATION, Act.PROPOSE_CHANGE, Act.PROPOSE_CYCLE, Act.PAUSE, Act.RESUME,
                Act.ASK_GUIDANCE, Act.FOLLOW_GUIDANCE, Act.APPEAL, Act.CONSENT_TO_PUBLISH, Act.REPORT)),
        (Rule(roles=firm.roles, by_charter=step, otherwise=Refusal.NOT_THE_FIRM), (Act.RECTIFY,)),
        (Rule(roles=frozenset({Role.FIRM, Role.OFFICER}), otherwise=Refusal.NOT_AN_OFFICER),
         (Act.AGREE, Act.NOTIFY_CHANGE)),
        (admitter, (Act.ADMIT, Act.AMEND, Act.EXIT)),
        (officer, (Act.SCREEN, Act.REFUSE, Act.REFUSE_CHANGE, Act.GRANT, Act.DECLINE, Act.OVERRIDE, Act.SHELVE,
                   Act.ACCEPT_LEVEL, Act.DRILL, Act.INSPECT, Act.GUIDE, Act.ASSESS, Act.EXTEND, Act.SUSPEND,
                   Act.TERMINATE, Act.ISSUE_REPORT, Act.WITHHOLD, Act.GRADUATE, Act.RECALL, Act.HOLD, Act.LIFT_HOLD,
                   Act.RECLASSIFY, Act.NOTIFY_SUSPENSION, Act.START_SHADOW, Act.STOP_SHADOW, Act.MAKE_TEMPLATE,
                   Act.EVALUATE_STEP, Act.RELEASE)),
        (two, (Act.APPROVE, Act.APPROVE_EXIT, Act.APPROVE_TIER)),
        (Rule(roles=frozenset({Role.EVALUATOR, Role.FIRM}), by_charter=step, otherwise=Refusal.NOT_AN_EVALUATOR,
              needs={Role.EVALUATOR: Fact.ACCREDITED}),
         (Act.EVALUATE,)),
        (complaint, (Act.FILE_COMPLAINT, Act.WITHDRAW_COMPLAINT, Act.ANSWER_COMPLAINT, Act.REDRESS)),
        (structs.replace(complaint, roles=complaint.roles - {Role.FIRM}, needs={}), (Act.LEAVE_PILOT,)),
        (publish, (Act.PUBLISH_TOOLKIT,)),
        (configure, (Act.PUBLISH_LEGAL_BASIS, Act.CONFIGURE, Act.NAME_SUPPLIER, Act.INSPECT_MODEL, Act.CLASSIFY)),
        (to_model, (Act.ADD_TO_MODEL,)),
        (evaluates, (Act.EVALUATE_MODEL,)),
        (own_entry, (Act.WITHDRAW_FROM_MODEL,)),
        (Rule(roles=frozenset({Role.APPROVER}), otherwise=Refusal.NOT_AN_APPROVER, on_pilot=False),
         (Act.APPROVE_CONFIGURATION, Act.ANNUL)),
    )  # fmt: skip
    return {act: rule for rule, acts in groups for act in acts}


RULES: dict[Act, Rule] = _rules()
"""Act -> who may do it."""


def roles_that_may(act: Act, roles_from: RolesFrom = "sandbox") -> frozenset[Role]:
    """The roles that may do an act in some state."""
    rule = RULES[act]
    return rule.roles | rule.by_charter if roles_from == "charter" else rule.roles


def refused_by_role(
    act: Act, roles: Collection[Role], facts: Collection[Fact] = (), roles_from: RolesFrom = "sandbox"
) -> Refusal | None:
    """Why an author with these roles may not do the act in any state, or `None`."""
    rule = RULES[act]
    may = roles_that_may(act, roles_from).intersection(roles)
    if not may:
        return rule.otherwise
    lacking = [rule.needs[role] for role in Role if role in may and role in rule.needs]
    if len(lacking) < len(may) or any(fact in facts for fact in lacking):
        return None
    return NEEDED_FACT[lacking[0]]


def refused(
    act: Act,
    roles: Collection[Role],
    life: Lifecycle,
    facts: Collection[Fact] = (),
    outcome: Outcome | None = None,
    roles_from: RolesFrom = "sandbox",
) -> Refusal | None:
    """The cell of the table: why an author with these roles may not do the act on a pilot in this state, or `None`. The
    role is judged first, so that a stranger learns nothing of the state."""
    found = refused_by_role(act, roles, facts, roles_from)
    if found is not None or not RULES[act].on_pilot:
        return found
    return refused_by_state(life, act, facts, outcome)


def evaluation_counts(roles: Collection[Role], tier: str) -> bool:
    """Whether an evaluation by an author with these roles counts for a release or an exit. That of the firm itself is
    recorded, but does not count in the tiers `high` and `critical`."""
    return tier not in ("high", "critical") or bool(set(roles) - {Role.FIRM})
