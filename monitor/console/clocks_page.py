"""The page of deadlines over all pilots: pilots by state of life, what was missed and by whom, what is due next, day by
day."""

from __future__ import annotations

from urllib.parse import urlencode

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.banners import banners
from monitor.console.clocks_view import EVERY, ClocksQuery, ClocksView, Day, clocks_view
from monitor.console.deadlines_part import deadline_table
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.listing import filters, pager
from monitor.model.clock_record import Owes
from monitor.projections.formats import day
from monitor.projections.life_words import state_name
from monitor.translation import mark, tr, trn

WHO = {Owes.FIRM: mark("firms"), Owes.AUTHORITY: mark("authorities"), Owes.SUPPLIER: mark("suppliers")}


def clocks_page(board: FleetView, now: int, query: ClocksQuery = EVERY, number: int = 1) -> Markup:
    """The deadlines at `now` (ms) that `query` asks for; `number` is the page of those that are due."""
    view = clocks_view(board, now, query, number)
    asked = {name: getattr(query, name) for name in query.__struct_fields__}
    given = {name: value for name, value in asked.items() if value}
    fields = [
        ("authority", tr("Authority"), query.authority),
        ("firm", tr("Firm"), query.firm),
        ("pilot", tr("Pilot"), query.pilot),
    ]
    body: list[Node] = [
        banners(board, now),
        h.h1[tr("Life and deadlines")],
        _lead(view),
        _states(view),
        filters("/clocks", fields),
        _owing(view, asked),
        _missed(view),
        _days(view, now),
        pager("/clocks", asked, view.page, view.pages),
    ]
    return page(tr("Life and deadlines"), body, "clocks", given)


def _lead(view: ClocksView) -> h.Element:
    missed, running = sum(view.missed_counts.values()), sum(view.running.values())
    said = [
        trn("{n} deadline was missed and is still owed.", "{n} deadlines were missed and are still owed.", missed),
        trn("{n} runs.", "{n} run.", running),
        trn("{n} complaint of users waits for an answer.", "{n} complaints of users wait for an answer.", view.waiting),
        trn("{n} was met.", "{n} were met.", view.met),
    ]
    return h.p(".lead")[" ".join(said)]


def _states(view: ClocksView) -> Node:
    if not view.states:
        return None
    return h.section("#life")[
        h.h2[tr("Pilots by state of life")],
        h.ul(".counts")[(h.li[h.b[str(count)], " ", state_name(state)] for state, count in view.states.items())],
    ]


def _owing(view: ClocksView, asked: dict[str, str]) -> h.Element:
    """Who owes and who missed, as links that filter."""
    rows = []
    for who, name in WHO.items():
        missed, running = view.missed_counts.get(who, 0), view.running.get(who, 0)
        if not (missed or running) and asked["owed_by"] != who:
            continue
        query = {key: value for key, value in {**asked, "owed_by": who.value}.items() if value}
        rows.append(
            h.li[
                h.a(href="/clocks?" + urlencode(query), aria_current="true" if asked["owed_by"] == who else None)[
                    tr(name)
                ],
                " ",
                tr("{missed} missed, {running} running", missed=missed, running=running),
            ]
        )
    others = {key: value for key, value in asked.items() if value and key != "owed_by"}
    back = h.li[h.a(href="/clocks?" + urlencode(others))[tr("everybody")]] if asked["owed_by"] else None
    return h.nav(".counts-nav", aria_label=tr("Who owes"))[h.ul(".counts")[rows, back]]


def _missed(view: ClocksView) -> Node:
    if not view.missed:
        return None
    left = sum(view.missed_counts.values()) - len(view.missed)
    return h.section("#missed")[
        h.h2[tr("Missed and still owed")],
        deadline_table(view.missed, tr("The oldest first. A deadline is missed at the stated instant, not after it")),
        h.p[trn("{n} more is not listed", "{n} more are not listed", left)] if left else None,
    ]


def _days(view: ClocksView, now: int) -> Node:
    if not view.days:
        return h.p(".empty")[tr("No deadline runs.")]
    return h.section("#due")[h.h2[tr("Due next")], (_day(one, now) for one in view.days)]


def _day(one: Day, now: int) -> Node:
    heading = one.day or tr("Without a date")
    if one.day == day(now):
        heading = tr("{day} (today)", day=one.day)
    caption = trn("{n} deadline", "{n} deadlines", len(one.deadlines))
    return h.section(".day")[h.h3[heading], deadline_table(one.deadlines, caption)]
