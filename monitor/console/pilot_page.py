"""The page of one pilot: level and why, facts, decisions with their numbers, alpha, evidence picture."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.alpha import alpha_section
from monitor.console.banners import banners
from monitor.console.chart_parts import chart_figure
from monitor.console.clocks import clocks_section
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.history_section import history_section
from monitor.console.parts import (
    COMMANDS,
    address,
    alpha_used,
    badge,
    command_state,
    facts,
    flag_text,
    link_to,
    small,
    time_tag,
    why,
)
from monitor.console.pilot_view import PilotView
from monitor.console.shadow_section import shadow_section
from monitor.console.svg.picture import chart
from monitor.console.today_view import rollout_step, status_of
from monitor.lifecycle.next_steps import NextStep, next_steps
from monitor.model.clock_record import ClockState
from monitor.projections.clock_board import time_left
from monitor.projections.clock_words import OWED_BY
from monitor.projections.evidence_words import evidence_sentence, strength_words
from monitor.projections.life_words import life_words, step_words
from monitor.projections.wording import REASONS
from monitor.translation import tr, trm, trn


def pilot_page(board: FleetView, pilot: str, now: int = 0) -> Markup | None:
    """The page of one pilot at `now` (ms); `None` for a pilot that the board does not know."""
    view = board.pilots.get(pilot)
    if view is None:
        return None
    body: list[Node] = [
        banners(board, now),
        _back(),
        h.h1[view.pilot],
        _lead(view),
        _unknown_note(view),
        _facts(board, view, now),
        clocks_section(view, now),
        shadow_section(view),
        history_section(view),
        alpha_section(view),
        _picture(view, now),
    ]
    return page(view.pilot, body, "pilot")


def missing_page(pilot: str) -> Markup:
    """The page for a pilot that the board does not know."""
    title = tr("No such pilot")
    text = trm("The board has no pilot {pilot}.", pilot=h.b[pilot])
    return page(title, [_back(), h.h1[title], h.p[text]], "missing")


def _back() -> h.Element:
    return h.p(".back")[h.a(href="/fleet")[tr("← Fleet")]]


def _lead(view: PilotView) -> Node:
    """The level and why; below a finding, the numbers that it rests on in one sentence, and how strong they are."""
    rests = view.why if view.why is not None and view.why.level > view.why.was else None
    said = evidence_sentence(rests, view.plan) if rests is not None else None
    strength = strength_words(rests.finding) if rests is not None else None
    if rests is None or said is None:
        return h.p(".lead")[badge(view), " ", why(view)]
    return [
        h.p(".lead")[badge(view), " ", tr("{sentence}.", sentence=tr(REASONS[rests.reason]))],
        h.p(".numbers")[tr("{sentence}.", sentence=said[:1].upper() + said[1:])],
        h.p[small(tr("{sentence}.", sentence=strength[:1].upper() + strength[1:]))] if strength else None,
    ]


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
            (tr("Tier"), tr(plan.tier) if plan else ""),
            (tr("State"), life_words(life) if view.states else ""),
            (tr("Next step"), "; ".join(map(step_words, _owed(view)))),
            (tr("At this level since"), _utc(view.since)),
            (tr("Last evidence"), _utc(view.last_evidence)),
            (tr("Users"), _users(view)),
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


def _owed(view: PilotView) -> Sequence[NextStep]:
    """Who owes what: the steps of its life, and of a release."""
    status = status_of(view)
    return status.steps if status is not None else next_steps(view.life)


def _users(view: PilotView) -> str:
    """The most users that the pilot may have, with the step of a rollout."""
    plan = view.plan
    if plan is None:
        return ""
    if not plan.rollout:
        return "" if plan.users.cap is None else tr("at most {cap}", cap=format(plan.users.cap, ","))
    place = min(rollout_step(view)[0], len(plan.rollout) - 1)
    return tr(
        "at most {cap}: step {step} of {steps} of the rollout",
        cap=format(plan.rollout[place].cap, ","),
        step=place + 1,
        steps=len(plan.rollout),
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


def _picture(view: PilotView, now: int) -> Node:
    drawn = chart(view.pilot, view.evidence, list(view.decisions), view.plan, now=now)
    return [h.h2("#evidence")[tr("Evidence")], chart_figure(drawn, "evidence")]
