"""The page of one pilot: level and why, facts, decisions with their numbers, alpha, evidence picture."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.alpha import alpha_section
from monitor.console.banners import banners
from monitor.console.clocks import clocks_section
from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.frame import page
from monitor.console.parts import (
    COMMANDS,
    Column,
    Row,
    address,
    alpha_used,
    badge,
    command_state,
    facts,
    flag_text,
    folded,
    level_badge,
    link_to,
    small,
    table,
    time_tag,
    why,
)
from monitor.console.shadow_section import shadow_section
from monitor.console.svg.picture import picture
from monitor.lifecycle.next_steps import next_steps
from monitor.model.clock_record import ClockState
from monitor.model.records import Decision, Reason
from monitor.projections.clock_board import time_left
from monitor.projections.clock_words import OWED_BY
from monitor.projections.formats import span
from monitor.projections.life_words import life_words, step_words
from monitor.projections.wording import TIMED, budget_words, numbers, plain
from monitor.words import tr, trm, trn

SHOWN = 10  # decisions above the picture; earlier ones are folded away


def pilot_page(board: FleetView, pilot: str, now: int = 0) -> Markup | None:
    """The page of one pilot at `now` (ms); `None` for a pilot that the board does not know."""
    view = board.pilots.get(pilot)
    if view is None:
        return None
    body: list[Node] = [
        banners(board, now),
        _back(),
        h.h1[view.pilot],
        h.p(".lead")[badge(view), " ", why(view)],
        _unknown_note(view),
        _facts(board, view, now),
        clocks_section(view, now),
        shadow_section(view),
        _decisions(view),
        alpha_section(view),
        _picture(view),
    ]
    return page(view.pilot, body, "pilot")


def missing_page(pilot: str) -> Markup:
    """The page for a pilot that the board does not know."""
    title = tr("No such pilot")
    text = trm("The board has no pilot {pilot}.", pilot=h.b[pilot])
    return page(title, [_back(), h.h1[title], h.p[text]], "missing")


def _back() -> h.Element:
    return h.p(".back")[h.a(href="/fleet")[tr("← Fleet")]]


def _unknown_note(view: PilotView) -> Node:
    if not view.unknown:
        return None
    return h.p(".note")[
        tr("? State unknown: {reason}.", reason=flag_text(view.unknown)),
        [" ", trm("Since {time} UTC.", time=time_tag(view.unknown_since))] if view.unknown_since is not None else None,
        " ",
        tr("Unknown does not count as normal."),
    ]


def _facts(board: FleetView, view: PilotView, now: int) -> h.Element:
    plan, life = view.plan, view.life
    late = view.late_events
    return facts(
        (
            (
                tr("Firm"),
                link_to("firm", view.participant, plan.participant.name if plan else ""),
            ),
            (tr("Tier"), plan.tier if plan else ""),
            (tr("State"), life_words(life) if view.states else ""),
            (tr("Next step"), "; ".join(step_words(step) for step in next_steps(life))),
            (tr("At this level since"), _utc(view.since)),
            (tr("Last evidence"), _utc(view.last_evidence)),
            (tr("Too late to count"), trn("{n} event", "{n} events", late) if late else ""),
            (tr("Open command"), _command(view)),
            (tr("Next deadline"), _deadline(view, now)),
            (tr("Alpha used"), h.a(href="#alpha")[alpha_used(view)] if plan else ""),
            (tr("Scenario"), plan.scenario if plan else ""),
            (tr("Authority"), _authorities(view)),
            (tr("Charter"), _charter(view)),
            (tr("Ledger"), _ledger(board, view)),
        )
    )


def _utc(ms: int | None) -> Node:
    return None if ms is None else [time_tag(ms), " UTC"]


def _authorities(view: PilotView) -> Node:
    if view.plan is None:
        return None
    links = [link_to("authority", one.id, one.name or one.id) for one in view.plan.authorities]
    return [[", " if place else None, link] for place, link in enumerate(links)] or None


def _deadline(view: PilotView, now: int) -> Node:
    """The most urgent legal deadline and who owes it; nothing while nothing is owed."""
    found = next((row for row in view.clocks.rows(now) if row.due is not None and row.done is None), None)
    if found is None or found.state not in (ClockState.RUNNING, ClockState.MISSED):
        return None
    words = tr(
        "{title}, {left}, owed by {who}",
        title=tr(found.title),
        left=time_left(found.left),
        who=tr(OWED_BY[found.owed_by]),
    )
    return h.a(href="#deadlines")[words]


def _command(view: PilotView) -> Node:
    command = view.command
    if command is None or not command.open:
        return None
    return trm(
        "{command}, {state}; given {time} UTC; {attempts}",
        command=tr(COMMANDS[command.action]),
        state=command_state(command),
        time=time_tag(command.at),
        attempts=trn("{n} attempt", "{n} attempts", command.attempts),
    )


def _charter(view: PilotView) -> Node:
    code = h.code[view.charter]
    if view.plan is None:
        return code
    version = h.a(href=address("charter", view.pilot))[tr("version {version}", version=view.plan.version)]
    return [code, " (", version, ")"]


def _ledger(board: FleetView, view: PilotView) -> Node:
    head = board.ledger(view.pilot)
    if not head:
        return None
    entries = h.a(href=address("ledger", view.pilot))[trn("{n} entry", "{n} entries", head[0])]
    return trm("{entries}, root {root}", entries=entries, root=h.code[head[1]])


def _picture(view: PilotView) -> Node:
    drawn = picture(view.pilot, view.evidence, list(view.decisions), view.plan)
    return [
        h.h2("#evidence")[tr("Evidence")],
        h.p(".sideways")[tr("Wider than the screen: scroll sideways.")],
        h.div(".picture", role="region", aria_labelledby="evidence", tabindex="0")[Markup(drawn)],
    ]


def _decisions(view: PilotView) -> Node:
    latest = list(reversed(view.decisions))
    title = h.h2[tr("Decisions")]
    if not latest:
        return [title, h.p[tr("None yet.")]]
    earlier = latest[SHOWN:]
    return [
        title,
        _table(view, latest[:SHOWN], tr("Latest first. No. is the standing of the pilot, as in the ledger")),
        folded(
            trn("{n} earlier decision", "{n} earlier decisions", len(earlier)),
            _table(view, earlier, tr("Earlier decisions")),
            "earlier",
        )
        if earlier
        else None,
    ]


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
    cells = (decision.standing, time_tag(decision.at), level, [said, small("; ".join(_details(decision)))])
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
        found = tr("finding {key}", key=key) if finding.indicator else tr("detector {name}", name=plain(finding.rule))
        details.append(found)
    in_sentence = decision.reason in (Reason.SHELVED, Reason.MONITOR_GAP)  # its sentence has the period
    if not in_sentence and finding.period_start is not None and finding.period_end is not None:
        details.append(tr("period {span}", span=span(finding.period_start, finding.period_end)))
    told = [tr("addressed to {names}", names=", ".join(decision.addressed))] if decision.addressed else []
    return [*details, *budget_words(finding), tr("cause {cause}", cause=decision.cause), *told]
