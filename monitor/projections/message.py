"""A decision as a message to a person: which pilot (or other subject), which level, and why, in the sentence of the
board."""

from __future__ import annotations

from monitor.model.records import Decision, Level
from monitor.model.subjects import VENDOR, is_pilot, subject_words
from monitor.projections import wording

_MOVED = {
    Level.HALT: "was halted",
    Level.ESCALATE: "was escalated",
    Level.WATCH: "was put on watch",
    Level.NORMAL: "returned to normal",
}


def notification_line(decision: Decision) -> str:
    """Pilot, change of level, reason and numbers.

    >>> from monitor.model.records import Finding, Reason
    >>> from monitor.testing.records import decision
    >>> d = decision(1, "p7", participant="acme", level=Level.HALT, was=Level.WATCH, reason=Reason.LIMIT_EXCEEDED,
    ...              finding=Finding())
    >>> notification_line(d)
    'Pilot p7 of acme was halted. Charter limit exceeded.'
    """
    by = f" Done by {decision.author}." if decision.author else ""
    if decision.pilot.startswith(VENDOR):
        return f"Vendor {decision.pilot.removeprefix(VENDOR)}: {wording.sentence(decision)}.{by}"
    if not is_pilot(decision.pilot):
        return f"{subject_words(decision.pilot)}: {wording.sentence(decision)}.{by}"
    verb = _MOVED[decision.level] if decision.level is not decision.was else f"stays at {decision.level.word}"
    return f"Pilot {decision.pilot} of {decision.participant} {verb}. {wording.sentence(decision)}.{by}"
