"""Search over what the board shows: pilots, firms, authorities, models, and decisions by their id. The view is pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import htpy as h
from htpy import Node
from markupsafe import Markup
from msgspec import Struct

from monitor.console.banners import banners
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.parts import badge, entry_address, link, link_to, small, time_tag
from monitor.console.pilot_view import PilotView
from monitor.model.records import Decision
from monitor.translation import tr, trn

MOST = 50  # results of one kind
LEAST_ID = 6  # characters of a decision id
LONGEST = 300  # characters of a query that are read


class Found(Struct, frozen=True):
    """What matches, at most `MOST` of each kind, exact matches first."""

    pilots: tuple[PilotView, ...] = ()
    firms: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    models: tuple[tuple[str, PilotView], ...] = ()  # digest or version, and a pilot whose charter names it
    decisions: tuple[tuple[PilotView, Decision], ...] = ()

    @property
    def number(self) -> int:
        """How many results there are."""
        return sum(len(getattr(self, name)) for name in self.__struct_fields__)


def search(board: FleetView, query: str) -> Found:
    """Everything that holds all words of the query; a decision is found by the beginning of its id."""
    words = query[:LONGEST].casefold().split()
    if not words:
        return Found()
    whole = " ".join(words)

    def matches(name: str) -> bool:
        text = name.casefold()
        return all(word in text for word in words)

    def best(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(filter(matches, set(names) - {""}), key=lambda n: (n.casefold() != whole, n))[:MOST])

    views = board.fleet()
    pilots = [view for view in views if matches(f"{view.pilot} {view.participant} {_firm_name(view)}")]
    pilots.sort(key=lambda view: view.pilot.casefold() != whole)
    return Found(
        pilots=tuple(pilots[:MOST]),
        firms=best(view.participant for view in views),
        authorities=best(name for view in views for name in _authorities(view)),
        models=tuple(islice(((name, view) for view in views for name in _models(view) if matches(name)), MOST)),
        decisions=tuple(islice(_decisions(views, whole), MOST)),
    )


def _firm_name(view: PilotView) -> str:
    return view.plan.participant.name if view.plan else ""


def _authorities(view: PilotView) -> Iterator[str]:
    yield from view.responsible
    if view.plan is not None:
        yield from (one.id for one in view.plan.authorities)


def _models(view: PilotView) -> Iterator[str]:
    if view.plan is not None:
        yield from (f"{one.version} {one.digest}" for one in view.plan.models)


def _decisions(views: Iterable[PilotView], start: str) -> Iterator[tuple[PilotView, Decision]]:
    if len(start) < LEAST_ID:
        return
    for view in views:
        for one in view.decisions:
            if one.id.startswith(start):
                yield view, one


def search_page(board: FleetView, query: str, now: int) -> Markup:
    """The results, each with a link to its page."""
    found = search(board, query)
    title = tr("Search: {words}", words=query[:LONGEST]) if query.strip() else tr("Search")
    count = trn("{n} result", "{n} results", found.number)
    body: list[Node] = [
        banners(board, now),
        h.h1[title],
        h.form(".find.wide", method="get", action="/search")[
            h.input(name="q", type="search", value=query[:LONGEST], aria_label=tr("Search")), h.button[tr("Search")]
        ],
        h.p(".lead")[count if query.strip() else tr("Type a part of a name, or the beginning of a decision id.")],
        _list(tr("Pilots"), ([link_to("pilot", v.pilot), " ", badge(v), small(v.participant)] for v in found.pilots)),
        _list(tr("Firms"), (link_to("firm", name) for name in found.firms)),
        _list(tr("Authorities"), (link_to("authority", name) for name in found.authorities)),
        _list(tr("Models"), ([name, small(h.a(href=link(v.pilot))[v.pilot])] for name, v in found.models)),
        _list(tr("Decisions"), (_decision(view, one) for view, one in found.decisions)),
    ]
    return page(title, body, "search", {"q": query[:LONGEST]} if query else {})


def _decision(view: PilotView, one: Decision) -> Node:
    entry = h.a(href=entry_address(view.pilot, one))[view.say(one)]
    return [entry, small([h.a(href=link(view.pilot))[view.pilot], ", ", time_tag(one.at), ", ", one.id])]


def _list(title: str, items: Iterable[Node]) -> Node:
    found = list(items)
    return [h.h2[title], h.ul(".results")[(h.li[item] for item in found)]] if found else None
