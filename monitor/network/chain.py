"""Which role in the chain of a model owes what a decision found: duties as data, and one pure function. Pure.

The chain has three roles: the developer of the base model, the downstream developer who built the system on it, and the
deployer who runs it. A charter says who has them (`chain`); a role that it leaves out falls to the participant. A
decision about a finding is then also addressed to the role that owes (`role:<role>`), and to the party that has it
(`supplier:<id>` for developers, `firm:<id>` for deployers, and for the participant whatever its role).
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from monitor.charter.chain import Chain, ChainRole
from monitor.charter.spec import Charter
from monitor.model.clock_record import Owes
from monitor.model.records import Decision, Reason


class Duty(Struct, frozen=True, kw_only=True):
    """A duty of a role: findings with one of these `reasons`, or of an indicator of one of these `kinds`, are about
    it. `clauses` are those of the shipped catalogue that ask for it."""

    role: ChainRole
    title: str
    reasons: frozenset[Reason] = frozenset()
    kinds: frozenset[str] = frozenset()
    clauses: tuple[str, ...] = ()


DUTIES: tuple[Duty, ...] = (
    Duty(
        role="base_model_developer",
        title="Document the model and tell those who build on it of versions, capabilities and limits",
        clauses=("eu-aia-53-1", "eu-aia-25-4"),
    ),
    Duty(
        role="downstream_developer",
        title="Put only registered models and changes into use",
        reasons=frozenset({
            Reason.UNREGISTERED_MODEL, Reason.CHANGE_NOT_REGISTERED, Reason.MISSING_MODEL, Reason.EVIDENCE_HOLD,
        }),
        clauses=("eu-aia-43-4", "eu-aia-73-6"),
    ),
    Duty(
        role="downstream_developer",
        title="Keep the system safe, accurate and fair between groups",
        kinds=frozenset({"incident_rate", "false_positive_rate", "item_share", "outside_gap"}),
        clauses=("eu-aia-9", "eu-aia-10", "eu-aia-15"),
    ),
    Duty(
        role="deployer",
        title="Use the system within its plan: cycle, users, data boundary, pauses",
        reasons=frozenset({
            Reason.OUTSIDE_CYCLE, Reason.EXPOSURE_CAP, Reason.BOUNDARY_BREACHED, Reason.USED_IN_PAUSE,
        }),
        clauses=("eu-aia-26-1",),
    ),
    Duty(
        role="deployer",
        title="Answer complaints and claims of users",
        kinds=frozenset({
            "complaint_rate", "complaint_over_promise", "complaint_handling_time", "claim_rate", "claim_over_promise",
            "outside_complaint_rate",
        }),
        clauses=("eu-aia-26-5", "eu-aia-86-1"),
    ),
    Duty(
        role="deployer",
        title="Keep the service observable: complete telemetry, in time and in order",
        reasons=frozenset({
            Reason.SILENCE, Reason.UNKNOWN_TOO_LONG, Reason.PARTIAL_DATA, Reason.SEQUENCE_GAP, Reason.SOURCE_CONFLICT,
            Reason.LATE_SHARE, Reason.LATE_DROPPED, Reason.CORRECTED, Reason.COUNTED_NOWHERE, Reason.HEARD_AGAIN,
        }),
        kinds=frozenset({"silence", "late_share"}),
        clauses=("eu-aia-26-5", "eu-aia-26-6"),
    ),
    Duty(
        role="deployer",
        title="Stop the service when it is told to",
        reasons=frozenset({
            Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED, Reason.DRILL_OVERDUE, Reason.LAPSED,
        }),
        clauses=("eu-aia-14", "eu-aia-26-5"),
    ),
)  # fmt: skip
"""Every duty. Each reason and each kind of indicator is of one duty."""

BY_REASON: dict[Reason, ChainRole] = {reason: duty.role for duty in DUTIES for reason in duty.reasons}
BY_KIND: dict[str, ChainRole] = {kind: duty.role for duty in DUTIES for kind in duty.kinds}


def owing_role(decision: Decision, charter: Charter) -> ChainRole | None:
    """The role that owes what a decision found; `None` where the decision is no finding of a role, or the charter has
    no chain. What the charter says of an indicator comes before the table."""
    chain, finding = charter.chain, decision.finding
    if isinstance(chain, UnsetType):
        return None
    if not isinstance(finding.clock, UnsetType):
        return "base_model_developer" if finding.clock.owed_by is Owes.SUPPLIER else None
    if finding.indicator in chain.indicators:
        return chain.indicators[finding.indicator]
    if decision.reason in BY_REASON:
        return BY_REASON[decision.reason]
    if decision.reason is Reason.HARD_RULE:
        rule = next((one for one in charter.hard_rules if one.name == finding.rule), None)
        return "deployer" if rule is not None and rule.boundary is True else "downstream_developer"
    kind = next((spec.kind for spec in charter.indicators if spec.name == finding.indicator), "")
    return BY_KIND.get(kind)


def of_chain(decision: Decision, charter: Charter) -> tuple[str, ...]:
    """Who in the chain a decision is addressed to: the party, then its role; empty where no role owes. A link that is
    missing falls to the participant, whom every decision is addressed to. Where the chain is confidential only the role
    is named, as decisions are public."""
    role = owing_role(decision, charter)
    if role is None or charter.chain is UNSET:
        return ()
    if "chain" in (charter.confidential or ()):
        return (f"role:{role}",)
    return (*_party(charter.chain, role, charter.participant.id), f"role:{role}")


def _party(chain: Chain, role: ChainRole, participant: str) -> tuple[str, ...]:
    party = chain.party(role)
    if party is None or party.id == participant:
        return (f"firm:{participant}",)
    return (f"{'firm' if role == 'deployer' else 'supplier'}:{party.id}",)
