"""Observe complaints that users made outside the firm: they count in the indicators that compare or limit them, and in
no other. Pure.

They are reported by acts, so they never take the fast path. A complaint whose period has closed counts nowhere: the
channel was late, not the firm, and no finding says so of the firm.
"""

from __future__ import annotations

from monitor.decide.context import DecisionContext
from monitor.model.events import ComplaintFiled, ComplaintFiledData, Envelope, instant
from monitor.model.labels import tidy
from monitor.observe.events import add_to_period
from monitor.state.observed import ChangedPeriod


def outside_complaint(pilot: str, author: str, name: str, at: int, segment: str) -> ComplaintFiled:
    """A complaint of the users' channel as an event of time `at` (ms), from a source that no firm has."""
    return ComplaintFiled(
        specversion="1.0",
        id=name,
        source=f"users:{author}",
        subject=pilot,
        time=instant(at),
        sequence="0",
        data=ComplaintFiledData(complaint=name, segment=tidy(segment)),
    )


def in_time(context: DecisionContext, event: Envelope) -> bool:
    """Whether the period of every indicator that counts the event is open."""
    for indicator in context.plan.outside:
        for slot in indicator.implementation.slots(event, context.at):
            stream = context.pilot.streams.get(indicator.keys.get(slot.segment, ""))
            if stream is not None and indicator.grid.index(slot.at) < stream.next:
                return False
    return True


def count_outside(context: DecisionContext, event: Envelope) -> tuple[ChangedPeriod, ...]:
    """Add the event to the open periods of the indicators of outside complaints. Returns those whose evidence may
    change."""
    changed: tuple[ChangedPeriod, ...] = ()
    for indicator in context.plan.outside:
        for slot in indicator.implementation.slots(event, context.at):
            stream = context.pilot.streams.get(indicator.keys.get(slot.segment, ""))
            period = None if stream is None else add_to_period(context, indicator, stream, slot)
            if period is not None:
                changed = (*changed, period)
    return changed
