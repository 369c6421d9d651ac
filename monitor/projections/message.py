"""Who moved where, and the board's own sentence that says why: for people who read it on a phone at night."""

from __future__ import annotations

from monitor.model.records import Decision, Level
from monitor.projections import wording

_MOVED = {
    Level.HALT: "was halted",
    Level.ESCALATE: "was escalated",
    Level.WATCH: "is on watch",
    Level.NORMAL: "is back at normal",
}


def sentence(decision: Decision) -> str:
    """Who, what, why and the numbers it rests on.

    >>> from monitor.model.records import Reason
    >>> d = Decision(id="1", pilot="p7", participant="acme", charter="c", kind="level", level=Level.HALT, was=Level.WATCH,
    ...              reason=Reason.LIMIT_EXCEEDED, at=0, standing=1, epoch=1, cause="event:s#1")
    >>> sentence(d)
    'Pilot p7 of acme was halted. A limit of the charter is broken.'
    """
    verb = _MOVED[decision.level] if decision.level is not decision.was else f"stays at {decision.level.word}"
    by = f" Done by {decision.author}." if decision.author else ""
    return f"Pilot {decision.pilot} of {decision.participant} {verb}. {wording.sentence(decision)}.{by}"
