"""A decision as a message to a person: which pilot (or other subject), which level, and why, in the sentence of the
board."""

from __future__ import annotations

from monitor.model.records import Decision, Level
from monitor.model.subjects import is_pilot, subject_words
from monitor.projections import wording
from monitor.translation import mark, tr

_MOVED = {
    Level.HALT: mark("Pilot {pilot} of {firm} was halted."),
    Level.ESCALATE: mark("Pilot {pilot} of {firm} was escalated."),
    Level.WATCH: mark("Pilot {pilot} of {firm} was put on watch."),
    Level.NORMAL: mark("Pilot {pilot} of {firm} returned to normal."),
}
_STAYS = {
    Level.HALT: mark("Pilot {pilot} of {firm} stays at halt."),
    Level.ESCALATE: mark("Pilot {pilot} of {firm} stays at escalate."),
    Level.WATCH: mark("Pilot {pilot} of {firm} stays at watch."),
    Level.NORMAL: mark("Pilot {pilot} of {firm} stays at normal."),
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
    said = wording.sentence(decision)
    if not is_pilot(decision.pilot):
        what = tr("{subject}: {sentence}.", subject=subject_words(decision.pilot), sentence=said)
    else:
        moved = _MOVED if decision.level is not decision.was else _STAYS
        text = tr(moved[decision.level], pilot=decision.pilot, firm=decision.participant)
        what = tr("{moved} {sentence}.", moved=text, sentence=said)
    return tr("{what} Done by {author}.", what=what, author=decision.author) if decision.author else what
