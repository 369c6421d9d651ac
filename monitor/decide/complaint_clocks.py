"""Complaints and the promise of the charter to answer them: the deadline of each of the first that wait. Pure.

The promise is that of the indicators which judge it (`complaint_over_promise`). A pilot follows at most
`deadlines.engine.COMPLAINTS` complaints one by one; those beyond are counted for metrics, and the indicator judges all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from monitor.compile.plan import Plan
from monitor.deadlines.cases import ClockState
from monitor.deadlines.engine import Clocks, apply, case_key, full, next_due
from monitor.deadlines.facts import Fact, FactKind
from monitor.deadlines.rules import ClockTable
from monitor.decide.clock_facts import clock_facts, known_case, quiet
from monitor.decide.context import DecisionContext
from monitor.model.events import ComplaintFiled, ComplaintResolved, ComplaintWithdrawn, millis

Complaint: TypeAlias = ComplaintFiled | ComplaintResolved | ComplaintWithdrawn
COMPLAINTS = (ComplaintFiled, ComplaintResolved, ComplaintWithdrawn)
_KINDS = (FactKind.COMPLAINT, FactKind.COMPLAINT_ANSWERED, FactKind.COMPLAINT_WITHDRAWN)


def complaint_facts(context: DecisionContext, event: Complaint) -> bool:
    """Give a complaint, its resolution or withdrawal to the clocks. Returns whether timers have to be set again. As
    with every deadline, a resolution counts by the time at which the log received it."""
    pilot, table, key = context.pilot, context.table, event.data.complaint
    if table is None or not context.plan.promised or not table.started_by(FactKind.COMPLAINT):
        return False
    fact = _fact(context.plan, pilot.clocks, pilot.admitted, event, context.at)
    if fact is None:
        return False
    known = known_case(pilot.clocks, FactKind.COMPLAINT, key) is not None
    changed = known or not _only_complaints(table) or not full(pilot.clocks, FactKind.COMPLAINT)
    if changed:
        clock_facts(context, fact)
        known = known_case(pilot.clocks, FactKind.COMPLAINT, key) is not None
    if fact.kind is FactKind.COMPLAINT and not known:
        context.out.uncount("complaint_without_clock")
    return changed


def quiet_complaints(
    plan: Plan, clocks: Clocks, table: ClockTable, admitted: int, events: Iterable[tuple[int, Complaint]], until: int
) -> tuple[Clocks, int] | None:
    """Fast twin of `complaint_facts` for `events` in their order, each with when it was received (ms), before `until`
    (ms, included). Returns the clocks after them and how many complaints have none; `None` if a decision may follow.
    """
    if not _only_complaints(table):
        return None
    if any(FactKind.MODEL_CHANGED in rule.broken_by for rule in table.started_by(FactKind.COMPLAINT)):
        return None  # its clock holds the system as evidence
    if _ends(clocks, until):
        return None
    without, no_space = 0, full(clocks, FactKind.COMPLAINT)
    for at, event in events:
        if no_space and case_key(FactKind.COMPLAINT, event.data.complaint) not in clocks.cases:
            without += type(event) is ComplaintFiled and _due(plan, admitted, event, at) is not None
            continue
        fact = _fact(plan, clocks, admitted, event, at)
        if fact is None:
            continue
        clocks, changes = apply(clocks, table, fact)
        if not all(map(quiet, changes)) or _ends(clocks, until):
            return None
        no_space = full(clocks, FactKind.COMPLAINT)
    return clocks, without


def _only_complaints(table: ClockTable) -> bool:
    """Whether complaints concern no other cases."""
    return all(kind is FactKind.COMPLAINT for fact in _KINDS for kind in table.starts_touched_by(fact))


def _ends(clocks: Clocks, until: int) -> bool:
    due = next_due(clocks)
    return due is not None and due <= until


def _fact(plan: Plan, clocks: Clocks, admitted: int, event: Complaint, at: int) -> Fact | None:
    """What an event that was received at `at` (ms) is to the clocks; `None` for a complaint without a deadline."""
    key = event.data.complaint
    if isinstance(event, ComplaintFiled):
        due = _due(plan, admitted, event, at)
        return None if due is None else Fact(kind=FactKind.COMPLAINT, at=at, key=key, due=due)
    kind = FactKind.COMPLAINT_ANSWERED
    if isinstance(event, ComplaintWithdrawn):
        known = known_case(clocks, FactKind.COMPLAINT, key)
        if not (known and any(clock.state is ClockState.MISSED for clock in known.clocks)):
            kind = FactKind.COMPLAINT_WITHDRAWN  # after a miss it is the end of what was owed, too late
    return Fact(kind=kind, at=at, key=key)


def _due(plan: Plan, admitted: int, event: ComplaintFiled, at: int) -> int | None:
    """Until when (ms) the charter promises to answer; `None`: it promises nothing."""
    if millis(event.time) < admitted:
        return None
    return min([slot.at for one in plan.promised for slot in one.implementation.slots(event, at)], default=None)
