"""The pages of authorities: the list by level, and one authority with what waits for it and what it owes."""

from __future__ import annotations

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.authorities_view import AuthorityRow, AuthorityView, Waiting, authorities_view, authority_view
from monitor.console.banners import banners
from monitor.console.deadlines_part import deadline_table
from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.frame import page
from monitor.console.listing import address_of, lasting, pager
from monitor.console.parts import (
    Column,
    Row,
    address,
    badge,
    facts,
    level_badge,
    link_to,
    none,
    small,
    table,
    time_tag,
    why,
)
from monitor.model.records import Level
from monitor.projections.life_words import ROLES, role_name
from monitor.translation import mark, tr, trm, trn

LEVELS = {
    "central": mark("central authority"), "provincial": mark("authority of a region"),
    "sectoral": mark("authority of a sector"),
}  # fmt: skip
UNKNOWN = mark("named by charters alone")


def authorities_page(board: FleetView, now: int) -> Markup:
    """Every authority, from the central level down."""
    rows = authorities_view(board, now)
    columns = (
        Column(tr("Authority"), kind="name"),
        Column(tr("Level and place"), tr("Level"), "why"),
        Column(tr("Pilots")),
        Column(tr("Waits for it"), kind="number"),
        Column(tr("Deadlines it owes"), tr("Owes"), "number"),
        Column(tr("Missed and still owed"), tr("Missed"), "number"),
    )
    shown: Node = h.p(".empty")[tr("No authority is known: no sandbox is founded, and no pilot is admitted.")]
    if rows:
        caption = tr("Each level learns of what the one below misses; the central level is first")
        shown = table(caption, columns, map(_row, rows), "authorities")
    return page(tr("Authorities"), [banners(board, now), h.h1[tr("Authorities")], shown], "authorities")


def _row(row: AuthorityRow) -> Row:
    cells: tuple[Node, ...] = (
        [link_to("authority", row.id), small(row.name) if row.name else None],
        _place(row),
        [str(row.pilots), _levels(row)],
        row.waiting or none(),
        row.owed or none(),
        row.missed or none(),
    )
    return Row(cells, "halt" if row.missed else "normal")


def _place(row: AuthorityRow) -> str:
    said = [tr(LEVELS.get(row.level, UNKNOWN))]
    if row.region:
        said.append(tr("region {region}", region=row.region))
    if row.sectors:
        said.append(tr("sectors: {sectors}", sectors=", ".join(row.sectors)))
    return "; ".join(said)


def _levels(row: AuthorityRow) -> Node:
    found = [(level, row.levels[level]) for level in reversed(Level) if row.levels.get(level) and level > Level.NORMAL]
    return small([[level_badge(level), f" {count} "] for level, count in found]) if found else None


def authority_page(board: FleetView, name: str, now: int, number: int = 1) -> Markup | None:
    """One authority at `now` (ms); `number` is the page of its pilots. `None` for one that is not known."""
    view = authority_view(board, name, now, number)
    if view is None:
        return None
    title = tr("Authority {name}", name=name)
    body: list[Node] = [
        banners(board, now), h.h1[title], _facts(view), _waiting(view, now), _deadlines(view), _pilots(view),
    ]  # fmt: skip
    return page(title, body, "authority")


def _facts(view: AuthorityView) -> h.Element:
    row = view.row
    people = "; ".join(
        tr("{role}: {n}", role=tr(ROLES[role]), n=row.people[role]) for role in ROLES if row.people.get(role)
    )
    return facts((
        (tr("Name"), row.name),
        (tr("Level and place"), _place(row)),
        (tr("Level above"), _links(view.above)),
        (tr("Levels below"), _links(view.below)),
        (tr("Its people"), people),
        (tr("Pilots"), str(row.pilots)),
        (tr("Deadlines it owes"), str(row.owed) if row.owed else ""),
        (tr("Missed and still owed"), str(row.missed) if row.missed else ""),
    ))  # fmt: skip


def _links(names: tuple[str, ...]) -> Node:
    if not names:
        return ""
    return [[", " if place else None, link_to("authority", name)] for place, name in enumerate(names)]


def _waiting(view: AuthorityView, now: int) -> h.Element:
    heading = h.h2[tr("Waits for it")]
    if not view.waiting:
        return h.section("#waiting")[heading, h.p[tr("Nothing waits.")]]
    columns = (
        Column(tr("What"), kind="why"),
        Column(tr("Pilot"), kind="pilot"),
        Column(tr("Since (UTC)"), tr("Since"), "when"),
        Column(tr("Waits"), kind="when"),
    )
    caption = tr("What its officers and approvers owe next, the oldest first")
    more = view.row.waiting - len(view.waiting)
    return h.section("#waiting")[
        heading,
        table(caption, columns, (_step(one, now) for one in view.waiting), "waiting"),
        h.p[trn("{n} more is not listed", "{n} more are not listed", more)] if more > 0 else None,
    ]


def _step(one: Waiting, now: int) -> Row:
    what = tr("{who}: {what}", who=role_name(one.step.who), what=tr(one.step.what))
    cells = (
        what,
        h.div[link_to("pilot", one.pilot), small(one.participant)],
        time_tag(one.since),
        none() if one.since is None else lasting(max(0, now - one.since)),
    )
    return Row(cells, "halt" if one.halted else "normal")


def _deadlines(view: AuthorityView) -> h.Element:
    heading = h.h2[tr("Deadlines it owes")]
    if not view.deadlines:
        return h.section("#owed")[heading, h.p[tr("Nothing is owed.")]]
    said = tr("Missed ones first, then by due date. What is missed is addressed to the level above, too")
    return h.section("#owed")[heading, deadline_table(view.deadlines, said)]


def _pilots(view: AuthorityView) -> h.Element:
    columns = (
        Column(tr("Pilot"), kind="name"),
        Column(tr("Level"), kind="state"),
        Column(tr("Why"), kind="why"),
        Column(tr("Since (UTC)"), tr("Since"), "when"),
    )
    shown: Node = h.p[tr("It is responsible for no pilot.")]
    if view.pilots:
        shown = table(tr("Worst first"), columns, map(_pilot, view.pilots), "fleet")
    return h.section("#pilots")[
        h.h2[tr("Pilots it is responsible for")],
        h.p(".small")[
            trm(
                "Also as {link}",
                link=h.a(href=address_of("/fleet", {"authority": view.row.id}))[tr("filter of the fleet")],
            )
        ],
        shown,
        pager(address("authority", view.row.id), {}, view.page, view.pages),
    ]


def _pilot(view: PilotView) -> Row:
    name = [link_to("pilot", view.pilot), small(link_to("firm", view.participant))]
    return Row((name, badge(view), why(view), time_tag(view.since)), view.level.word)
