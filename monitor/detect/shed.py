"""Load shedding: drops open periods of a pilot whose charter was admitted before state was bounded. Pure.

Only open periods can exceed the bound then. The oldest one of the stream with the most open periods is dropped without
being scored, and the pilot is escalated with the reason: no halt may rest on dropped data, and a firm must not be able
to hide data that way.
"""

from __future__ import annotations

from monitor.decide.context import DecisionContext
from monitor.model.records import Finding, Level, Reason

STATE = "state_limit"


def shed(context: DecisionContext, most: int) -> None:
    """Drop open periods until at most `most` are left, and raise the finding `state_limit`."""
    streams = context.pilot.streams
    count = sum([len(stream.open) for stream in streams.values()])
    if count <= most:
        return
    finding = Finding(rule="open_periods", observed=float(count), expected=float(most))
    while count > most:
        name = max(streams, key=lambda name: (len(streams[name].open), name))
        dropped = streams[name].open.pop(min(streams[name].open))
        streams[name].stock += dropped.stock
        count -= 1
    context.raise_finding(STATE, Level.ESCALATE, Reason.STATE_LIMIT, finding)
