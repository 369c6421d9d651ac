"""One plain sentence per decision, for people who read it on a phone at night."""

from __future__ import annotations

from monitor.model import Decision, Level, Reason

_MOVED = {
    Level.HALT: "was halted",
    Level.ESCALATE: "was escalated",
    Level.WATCH: "is on watch",
    Level.NORMAL: "is back at normal",
}


def sentence(decision: Decision) -> str:
    """Who, what, why and the numbers it rests on.

    >>> d = Decision(id="1", pilot="p7", participant="acme", charter="c", kind="level", level=Level.HALT, was=Level.WATCH,
    ...              reason=Reason.HARD_RULE, at=0, standing=1, epoch=1, cause="event:s#1")
    >>> sentence(d)
    'Pilot p7 of acme was halted: hard rule.'
    """
    verb = _MOVED[decision.level] if decision.level is not decision.was else f"stays at {decision.level.word}"
    text = f"Pilot {decision.pilot} of {decision.participant} {verb}: {decision.reason.value.replace('_', ' ')}"
    finding = decision.finding
    if finding.indicator:
        text += f" on {finding.indicator}" + (f" ({finding.segment})" if finding.segment else "")
    if finding.rule and decision.reason is Reason.HARD_RULE:
        text += f" {finding.rule}"
    if finding.observed is not None and finding.expected is not None:
        text += f", observed {finding.observed:.4g} where {finding.expected:.4g} is expected"
    if finding.statistic is not None and finding.bar is not None:
        text += f", statistic {finding.statistic:.4g} against a bar of {finding.bar:.4g}"
    if decision.author:
        text += f", by {decision.author}"
    return text + "."
