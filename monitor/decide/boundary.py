"""Breaches of the data boundary: data was used or passed on outside of what the charter allows. Pure.

The charter lists what may not be crossed (`data_boundary`). A breach is reported as an event, by the firm or a
reporter. A hard rule with `boundary: true` sets its level; without one it escalates. The finding stays until a
regulator lowers the level.
"""

from __future__ import annotations

from monitor.charter.spec import LEVEL_OF_NAME
from monitor.decide.context import DecisionContext
from monitor.model.events import BoundaryBreached, millis
from monitor.model.labels import alike
from monitor.model.pseudonyms import shown
from monitor.model.records import Finding, Level, Reason

KEY = "boundary"  # of the finding where no hard rule is on breaches


def check_boundary(context: DecisionContext, event: BoundaryBreached) -> None:
    """Raise the finding of each hard rule on breaches, or of the breach itself; once while it is active."""
    charter, pilot = context.plan.charter, context.pilot
    if millis(event.time) < pilot.began:
        return
    listed = {alike(one): one for one in charter.data_boundary}
    # A text that the charter does not list may name a person.
    what = listed.get(alike(event.data.boundary), "") or f"not in the charter: {shown(event.data.boundary)}"
    rules = [rule for rule in charter.hard_rules if rule.boundary is True]
    for rule in rules:
        if f"rule/{rule.name}" not in pilot.standing.active:
            finding = Finding(segment=event.data.segment, rule=rule.name, observed=1.0, expected=0.0, detail=what)
            level = LEVEL_OF_NAME[rule.level]
            context.raise_finding(f"rule/{rule.name}", level, Reason.HARD_RULE, finding, "until_lowered")
    if not rules and KEY not in pilot.standing.active:
        finding = Finding(segment=event.data.segment, rule=KEY, observed=1.0, expected=0.0, detail=what)
        context.raise_finding(KEY, Level.ESCALATE, Reason.BOUNDARY_BREACHED, finding, "until_lowered")
