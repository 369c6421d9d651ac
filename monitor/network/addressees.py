"""Who must learn of a decision, or owes something after it. One pure function, `addressees`.

An addressee is `authority:<id>`, `firm:<id>`, `supplier:<id>` (the vendor of the base model) or `role:<duty>`, a role
of `monitor/lifecycle/acts.py`. Every decision on a pilot is addressed to its firm and its responsible authorities.
Further:

- what an authority owed and missed, and a pilot for which no authority is responsible: the level above;
- what a supplier owes: the supplier;
- what a role in the chain of the model owes, where the charter names the chain: see `chain.py`;
- what somebody owes next: the role.

A decision on the sandbox, or on the file of a model, is addressed to roles: approvers learn of proposals, officers of
everything. One on a firm (its class) is addressed to the firm, too.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from monitor.charter.spec import Charter
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import Sandbox
from monitor.model.clock_record import ClockState, Owes
from monitor.model.records import Decision, Reason
from monitor.model.subjects import firm_of
from monitor.network.chain import of_chain
from monitor.network.responsibility import level_above

ID_LENGTH = 200  # characters of an addressee after its kind

OWED_NEXT: dict[Reason, Role] = {
    Reason.APPLICATION_SUBMITTED: Role.OFFICER,
    Reason.CHARTER_AGREED: Role.OFFICER,
    Reason.CHANGE_PROPOSED: Role.OFFICER,
    Reason.PAUSE_REQUESTED: Role.OFFICER,
    Reason.CYCLE_REQUESTED: Role.OFFICER,
    Reason.GUIDANCE_ASKED: Role.OFFICER,
    Reason.ASSESSMENT_DUE: Role.OFFICER,
    Reason.ASSESSMENT_MISSED: Role.OFFICER,
    Reason.EXITED: Role.OFFICER,
    Reason.RECTIFICATION_RECORDED: Role.EVALUATOR,
    Reason.EVALUATION_RECORDED: Role.APPROVER,
    Reason.NO_AUTHORITY: Role.OFFICER,
}
"""Reason -> the role that owes the next step."""

MISSED_BY_AUTHORITY = frozenset({Reason.ASSESSMENT_MISSED})
"""Reasons without a clock that say that an authority did not do in time what it owed."""


def addressees(
    decision: Decision, sandbox: Sandbox, charter: Charter | None = None, responsible: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Who must learn of `decision`, without repeats, never empty. `charter` is the one in force (`None`: the decision
    is about the sandbox, a model or a firm), `responsible` the responsible authorities of the pilot."""
    if charter is None:
        firm, approves = firm_of(decision.pilot), decision.reason is Reason.CONFIGURATION_PROPOSED
        roles = (Role.APPROVER, Role.OFFICER) if approves else (Role.OFFICER,)
        return (*_named("firm", () if firm is None else (firm,)), *_named("role", roles))
    above = level_above(sandbox, charter, responsible) if _reaches_above(decision, responsible) else ()
    owed = OWED_NEXT.get(decision.reason)
    found = (
        *_named("authority", (*responsible, *above)),
        *_named("firm", (charter.participant.id,)),
        *(_vendor(charter) if _of_supplier(decision, charter) else ()),
        *_named("role", () if owed is None else (owed,)),
        *of_chain(decision, charter),
    )
    return tuple(dict.fromkeys(found))


def ids_of(kind: str, addressed: Iterable[str]) -> tuple[str, ...]:
    """The ids of one kind of addressees, in their order.

    >>> ids_of("authority", ("authority:north", "firm:acme", "authority:health"))
    ('north', 'health')
    """
    head = f"{kind}:"
    return tuple(name.removeprefix(head) for name in addressed if name.startswith(head))


def _reaches_above(decision: Decision, responsible: tuple[str, ...]) -> bool:
    """Whether the level above must learn of it: no authority is responsible, or one did not do what it owed."""
    if not responsible or decision.reason in MISSED_BY_AUTHORITY:
        return True
    clock = decision.finding.clock
    return clock is not UNSET and clock.owed_by is Owes.AUTHORITY and clock.state is ClockState.MISSED


def _of_supplier(decision: Decision, charter: Charter) -> bool:
    """Whether the vendor of the charter owes: a charter with a chain names the developer there."""
    clock = decision.finding.clock
    return clock is not UNSET and clock.owed_by is Owes.SUPPLIER and charter.chain is UNSET


def _vendor(charter: Charter) -> tuple[str, ...]:
    """The vendor; where the charter lists it as confidential its role, as decisions are public."""
    if "vendor" in (charter.confidential or ()):
        return _named("role", (Role.SUPPLIER,))
    return _named("supplier", (charter.vendor,) if charter.vendor else ())


def _named(kind: str, ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{kind}:{name[:ID_LENGTH]}" for name in ids)
