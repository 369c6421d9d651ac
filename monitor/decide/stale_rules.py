"""Findings of hard rules that the charter in force no longer has: bounded in number. Pure.

The finding of a hard rule stays until a regulator lowers the level, and an amendment may rename or remove the rule.
Amendments alone could then make the state of a pilot grow without bound.
"""

from __future__ import annotations

from msgspec import structs

from monitor.decide.context import DecisionContext
from monitor.model.records import Finding, Level, Reason

STALE_RULES = 8  # findings of such rules, at most
STATE = "state_limit"  # key of the finding that says what was dropped
PREFIX = "rule/"


def bound_stale_rules(context: DecisionContext) -> None:
    """Clear the oldest findings of rules that are gone, down to `STALE_RULES`, and forget what was shelved of such
    rules. The pilot is escalated with the reason: it must not become quiet by amendments. A halt stays latched."""
    known = {PREFIX + rule.name for rule in context.plan.charter.hard_rules}
    standing = context.pilot.standing
    stale = [key for key in standing.active if key.startswith(PREFIX) and key not in known]
    shelved = {
        key: shelf
        for key, shelf in standing.shelved.items()
        if key in known or key in standing.active or not key.startswith(PREFIX)
    }
    if len(shelved) < len(standing.shelved):
        context.pilot.standing = structs.replace(standing, shelved=shelved)
    excess = len(stale) - STALE_RULES
    if excess <= 0:
        return
    finding = Finding(rule="rules", observed=float(len(stale)), expected=float(STALE_RULES))
    context.raise_finding(STATE, Level.ESCALATE, Reason.STATE_LIMIT, finding, "until_lowered")
    for key in sorted(stale, key=lambda key: (standing.active[key].since, key))[:excess]:
        context.clear(key, Finding(rule=key.removeprefix(PREFIX), detail="the charter no longer has this rule"))
        kept = {name: shelf for name, shelf in context.pilot.standing.shelved.items() if name != key}
        context.pilot.standing = structs.replace(context.pilot.standing, shelved=kept)
