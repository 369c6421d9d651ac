"""The first page: what waits for whom, oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.banners import banners
from monitor.console.fleet_query import choices
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.parts import (
    COMMAND_STATES,
    Column,
    Row,
    badge,
    flag_text,
    link,
    none,
    pages,
    pilot_link,
    select_box,
    small,
    table,
    time_tag,
)
from monitor.console.today_view import Kind, TodayQuery, TodayView, Waiting, today_view
from monitor.model.clock_record import ClockState
from monitor.model.records import Level, Reason
from monitor.projections.clock_board import time_left
from monitor.projections.clock_words import occurrence
from monitor.projections.life_words import role_name
from monitor.projections.wording import REASONS, level_word
from monitor.translation import mark, tr, trn

_COMMAND = {
    ("halt", "commanded"): mark("Halt not acknowledged; resent until it is"),
    ("halt", "acknowledged"): mark("Halt acknowledged; the stop is not yet confirmed by heartbeats"),
    ("halt", "contradicted"): mark("Halt contradicted: the service was active after it had to be stopped"),
    ("halt", "overdue"): mark("Halt overdue: not acknowledged or not confirmed in the time that the charter allows"),
    ("release", "commanded"): mark("Release not acknowledged; resent until it is"),
    ("drill", "commanded"): mark("Halt drill not acknowledged; resent until it is"),
}


def query_of(parameters: Mapping[str, str]) -> TodayQuery:
    """The query of an address; parameters of other names are passed over."""
    number = parameters.get("page", "1")
    return TodayQuery(
        authority=parameters.get("authority", ""),
        firm=parameters.get("firm", ""),
        who=parameters.get("who", ""),
        page=int(number) if number.isdecimal() and len(number) < 10 else 1,
    )


def today_page(board: FleetView, now: int, query: TodayQuery | None = None) -> Markup:
    """What waits at `now` (ms), for the authority, firm or role of the query."""
    query = query or TodayQuery()
    view = today_view(board, now, query)
    body: list[Node] = [
        banners(board, now),
        h.h1[tr("Today")],
        h.p(".lead")[_lead(view)],
        _tiles(view, query),
        _filters(board, query, view),
        _front(view, now),
        _rest(view, now, query),
    ]
    return page(tr("Today"), body, "today", _parameters(query))


def _parameters(query: TodayQuery, **changed: str) -> dict[str, str]:
    asked = {"authority": query.authority, "firm": query.firm, "who": query.who} | changed
    return {name: value for name, value in asked.items() if value}


def _where(query: TodayQuery, **changed: str) -> str:
    found = _parameters(query, **changed)
    return "/" + ("?" + urlencode(found) if found else "")


def _lead(view: TodayView) -> str:
    total = view.total + len(view.front)
    if not total:
        return tr("Nothing waits for anybody.")
    said = trn("{n} thing waits, oldest first.", "{n} things wait, oldest first.", total)
    if view.missed:
        missed = trn("{n} legal deadline is missed.", "{n} legal deadlines are missed.", view.missed)
        said = tr("{waiting} {missed}", waiting=said, missed=missed)
    return said


def _tiles(view: TodayView, query: TodayQuery) -> Node:
    if not view.roles:
        return None
    roles = sorted(view.roles.items(), key=lambda row: (-row[1], row[0]))
    return h.ul(".tiles")[
        (
            h.li[
                h.a(".tile", href=_where(query, who=role), aria_current="true" if role == query.who else None)[
                    h.b[str(number)], h.span[tr("for {who}", who=role_name(role))]
                ]
            ]
            for role, number in roles
        )
    ]


def _filters(board: FleetView, query: TodayQuery, view: TodayView) -> h.Element:
    offered = choices(board.pilots.values())

    def options(values: Sequence[str], chosen: str) -> list[tuple[str, str]]:
        listed = [*values, *([chosen] if chosen and chosen not in values else [])]
        return [("", tr("all")), *((value, value) for value in listed)]

    roles = [("", tr("all")), *((role, role_name(role)) for role in sorted({*view.roles, query.who} - {""}))]
    return h.form(".filters", method="get", action="/")[
        select_box("who", tr("Waits for"), roles, query.who),
        select_box("authority", tr("Authority"), options(offered["authority"], query.authority), query.authority),
        select_box("firm", tr("Firm"), options(offered["firm"], query.firm), query.firm),
        h.button[tr("Apply")],
    ]


def _front(view: TodayView, now: int) -> Node:
    """Halts that were not obeyed, apart from everything else."""
    if not view.front:
        return None
    title = trn("{n} halt was not obeyed", "{n} halts were not obeyed", len(view.front))
    return [h.h2[f"■ {title}"], _table(view.front, now, tr("A person must make sure that the service stops"))]


def _rest(view: TodayView, now: int, query: TodayQuery) -> Node:
    if not view.rest:
        return h.p(".empty")[tr("Nothing else waits.")] if view.front else None
    caption = trn("{n} thing, oldest first", "{n} things, oldest first", view.total)
    turn = pages(view.page, view.pages, lambda number: _where(query, page=str(number)))
    return [h.h2[tr("What waits")], _table(view.rest, now, caption), turn]


def _table(rows: Sequence[Waiting], now: int, caption: str) -> h.Element:
    columns = (
        Column(tr("What"), kind="why"),
        Column(tr("Waits for")),
        Column(tr("Pilot"), kind="pilot"),
        Column(tr("Since (UTC)"), tr("Since"), "when"),
        Column(tr("Due before (UTC)"), tr("Due before"), "when"),
    )
    return table(caption, columns, (_row(one, now) for one in rows), "today")


def _row(one: Waiting, now: int) -> Row:
    late = one.due is not None and one.due <= now
    due: Node = none() if one.due is None else [time_tag(one.due), small(time_left(one.due - now))]
    since = [time_tag(one.since), small(tr("for {time}", time=time_left(max(1, now - one.since))))]
    kind = "halt" if one.front else "escalate" if late or one.kind is Kind.FINDING else "normal"
    cells = (h.div[_what(one)], role_name(one.who), h.div[pilot_link(one.view)], since, due)
    return Row(cells, kind)


def _what(one: Waiting) -> Node:
    """What waits, in a sentence that links to where it is shown in full."""
    place = {Kind.DEADLINE: "#deadlines", Kind.ROLLOUT: "#rollout"}.get(one.kind, "")
    return [h.a(href=link(one.view.pilot) + place)[_words(one)], small(_detail(one))]


def _words(one: Waiting) -> str:
    match one.kind:
        case Kind.COMMAND:
            action = one.view.command.action if one.view.command is not None else "halt"
            return tr(_COMMAND.get((action, one.state)) or COMMAND_STATES[one.state])
        case Kind.STEP:
            words = tr(one.step.what) if one.step is not None else ""
            return words[:1].upper() + words[1:]
        case Kind.DEADLINE:
            assert one.clock is not None
            title = tr(one.clock.title) + occurrence(one.clock.starts, one.clock.key)
            missed = one.clock.state is ClockState.MISSED
            return tr("Deadline missed: {title}", title=title) if missed else tr("Deadline: {title}", title=title)
        case Kind.FINDING:
            level = level_word(Level.ESCALATE)
            return tr("Finding at {level}: {reason}", level=level, reason=tr(REASONS[Reason(one.state)]))
        case Kind.UNKNOWN:
            return tr("State unknown: {reason}", reason=flag_text(one.state))
        case Kind.GUIDANCE:
            return tr("Answer the firm's question for guidance")
        case Kind.ROLLOUT:
            return tr("Evaluate step {step} of the rollout", step=one.place)
        case Kind.COMPLAINTS:
            return trn("Answer {n} complaint of users", "Answer {n} complaints of users", one.place)


def _detail(one: Waiting) -> Node:
    if one.clock is not None:
        return tr(one.clock.basis)
    if one.kind is Kind.FINDING:
        return tr("Look into it, then shelve it or act on it")
    return badge(one.view) if one.kind is Kind.STEP else None
