"""The history of a pilot as a section of its page: findings and acts in front, technical records folded."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h
from htpy import Node

from monitor.console.parts import Column, Row, entry_address, folded, level_badge, small, table, time_tag
from monitor.console.pilot_view import PilotView
from monitor.model.records import Decision, Reason
from monitor.projections.detector_words import detector_words
from monitor.projections.evidence_words import period_words
from monitor.projections.number_words import TIMED, budget_words, numbers
from monitor.translation import tr, trn

SHOWN = 10  # decisions in front; earlier ones are folded
TECHNICAL = (
    Reason.COMMAND_ACKNOWLEDGED, Reason.CLOCK_STARTED, Reason.CLOCK_MOVED, Reason.CLOCK_STOPPED, Reason.CLOCK_MET,
    Reason.CYCLE_STARTED, Reason.DRILL_BEGUN, Reason.DRILL_PASSED, Reason.HEARD_AGAIN, Reason.RESPONSIBILITY_CHANGED,
    Reason.TREND_STEADY,
)  # fmt: skip
"""Records that a reader of the history rarely needs: acknowledgements, timers, heartbeats."""


def history_section(view: PilotView) -> Node:
    """The decisions on the board, newest first."""
    latest = list(reversed(view.decisions))
    title = h.h2("#history")[tr("History")]
    if not latest:
        return [title, h.p[tr("None yet.")]]
    front = [one for one in latest if not _technical(one)]
    technical = [one for one in latest if _technical(one)]
    caption = tr("Findings and acts, latest first. No. is the standing of the pilot, as in the ledger")
    return [
        title,
        _table(view, front[:SHOWN], caption) if front else h.p[tr("No finding and no act.")],
        _folded(view, front[SHOWN:], tr("Earlier findings and acts"), "earlier"),
        _folded(view, technical, tr("Technical records: acknowledgements, timers, heartbeats"), "technical"),
    ]


def _technical(decision: Decision) -> bool:
    return decision.reason in TECHNICAL and decision.level == decision.was


def _folded(view: PilotView, decisions: Sequence[Decision], caption: str, key: str) -> Node:
    if not decisions:
        return None
    count = len(decisions)
    if key == "earlier":
        summary = trn("{n} earlier decision", "{n} earlier decisions", count)
    else:
        summary = trn("{n} technical record", "{n} technical records", count)
    return folded(summary, _table(view, decisions, caption), key)


def _table(view: PilotView, decisions: Sequence[Decision], caption: str) -> h.Element:
    columns = (
        Column(tr("No."), kind="number"),
        Column(tr("Time (UTC)"), tr("Time"), "when"),
        Column(tr("Level"), kind="state"),
        Column(tr("Decision and its numbers"), tr("Decision"), "why"),
    )
    return table(caption, columns, (_decision(view, one) for one in decisions), "decisions")


def _decision(view: PilotView, decision: Decision) -> Row:
    level: Node = level_badge(decision.level)
    if decision.level != decision.was:
        level = [level_badge(decision.was), " ", h.span(role="img", aria_label=tr("to"))["→"], " ", level]
    said = tr("{sentence}.", sentence=view.say(decision))
    number = h.a(href=entry_address(view.pilot, decision))[str(decision.standing)]
    cells = (number, time_tag(decision.at), level, [said, small("; ".join(_details(decision)))])
    return Row(cells, decision.level.word)


def _details(decision: Decision) -> list[str]:
    """Who and what a decision rests on, beyond its sentence."""
    finding = decision.finding
    details = []
    if decision.kind == "flag":
        details.append(tr("state unknown") if decision.unknown else tr("state known"))
    if decision.author:
        details.append(tr("by {author}", author=decision.author))
    if decision.cause.startswith("control:"):
        details.append(tr("signed by key {key}", key=decision.signed) if decision.signed else tr("not signed"))
    if decision.first_out:
        details.append(tr("first cause"))
    if finding.rule and numbers(decision) and decision.reason not in TIMED:  # times are measured, not detected
        # With an indicator it is the key by which the finding is shelved.
        key = f"{finding.indicator}/{finding.segment}/{finding.rule}"
        found = (
            tr("finding {key}", key=key)
            if finding.indicator
            else tr("detector {name}", name=detector_words(finding.rule))
        )
        details.append(found)
    in_sentence = decision.reason in (Reason.SHELVED, Reason.MONITOR_GAP)  # its sentence has the period
    if not in_sentence and finding.period_start is not None and finding.period_end is not None:
        details.append(tr("period {span}", span=period_words(finding.period_start, finding.period_end)))
    told = [tr("addressed to {names}", names=", ".join(decision.addressed))] if decision.addressed else []
    return [*details, *budget_words(finding), tr("cause {cause}", cause=decision.cause), *told]
