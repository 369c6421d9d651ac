"""Complaints and the promise of the charter to answer them: the deadline of each of the first that wait. Pure.

The promise is that of the indicators which judge it (`complaint_over_promise`). A pilot follows at most
`deadlines.engine.COMPLAINTS` complaints one by one; those beyond are counted for metrics, and the indicator judges all.
"""

from __future__ import annotations

from monitor.deadlines.cases import ClockState
from monitor.deadlines.facts import Fact, FactKind
from monitor.decide.clock_facts import clock_facts, known_case
from monitor.decide.context import DecisionContext
from monitor.model.events import ComplaintFiled, ComplaintResolved, ComplaintWithdrawn, millis

Complaint = ComplaintFiled | ComplaintResolved | ComplaintWithdrawn


def complaint_facts(context: DecisionContext, event: Complaint) -> bool:
    """Give a complaint, its resolution or withdrawal to the clocks. Returns whether timers have to be set again. As
    with every deadline, a resolution counts by the time at which the log received it."""
    pilot, key = context.pilot, event.data.complaint
    if context.table is None or not context.plan.promised or not context.table.started_by(FactKind.COMPLAINT):
        return False
    due, kind = None, FactKind.COMPLAINT_ANSWERED
    known = known_case(pilot.clocks, FactKind.COMPLAINT, key)
    if isinstance(event, ComplaintFiled):
        dues = [slot.at for one in context.plan.promised for slot in one.implementation.slots(event, context.at)]
        if not dues or millis(event.time) < pilot.admitted:
            return False
        due, kind = min(dues), FactKind.COMPLAINT
    elif isinstance(event, ComplaintWithdrawn) and not (
        known and any(clock.state is ClockState.MISSED for clock in known.clocks)
    ):  # after a miss a withdrawal is the end of what was owed, too late
        kind = FactKind.COMPLAINT_WITHDRAWN
    clock_facts(context, Fact(kind=kind, at=context.at, key=key, due=due))
    if kind is FactKind.COMPLAINT and known_case(pilot.clocks, kind, key) is None:
        context.out.uncount("complaint_without_clock")
    return True
