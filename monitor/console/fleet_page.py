"""The fleet page: banners, counts by level, open commands, and the pilots by page, with filters. Readable without
scripts, colour or a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import htpy as h
from htpy import Node
from markupsafe import Markup
from msgspec import structs

from monitor.console.banners import banners
from monitor.console.fleet_query import ALL as ALL
from monitor.console.fleet_query import PAGE, choices, in_scope, selected, where
from monitor.console.fleet_query import SORTS as SORTS
from monitor.console.fleet_query import Query as Query
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.parts import (
    COMMANDS,
    Column,
    Row,
    alpha_used,
    badge,
    command_state,
    flag_text,
    level_badge,
    none,
    pages,
    pilot_link,
    select_box,
    small,
    table,
    time_tag,
    unknown_badge,
    why,
)
from monitor.console.pilot_view import PilotView
from monitor.lifecycle.arrows import APPLIED
from monitor.model.records import Level
from monitor.projections.wording import level_word
from monitor.translation import mark, tr, trm, trn

COMMANDS_SHOWN = 20  # open commands on this page; the page of halts has all


def fleet_page(board: FleetView, query: Query = ALL, now: int = 0) -> Markup:
    """A page of the pilots, filtered and sorted by `query`; `now` (ms) tells which workers are silent. Counts and open
    commands are those of the pilots in its scope: authority, firm, sector, region, tier."""
    fleet = board.fleet()
    views = in_scope(fleet, query)
    body: list[Node] = [
        banners(board, now),
        _summary(board, views, query),
        _open_commands(in_scope(board.open_commands(), query)),
        _filters(query, fleet),
        _table(selected(views, query), query),
    ]
    return page(tr("Fleet"), body, "fleet", query.parameters)


def _summary(board: FleetView, views: Sequence[PilotView], query: Query) -> Node:
    inside = [view for view in views if not (view.exited or view.applicant)]
    counts = Counter(view.level for view in inside)
    unknown = sum(1 for view in inside if view.unknown)
    scope = structs.replace(query, level="", words="", sort="worst")
    tiles = [(level.word, counts[level], level_badge(level)) for level in reversed(Level)]
    tiles.append(("unknown", unknown, unknown_badge()))
    return [
        h.h1[tr("Fleet")],
        h.p(".lead")[_lead(board, views, inside, query)],
        h.ul(".tiles")[
            (
                h.li[h.a(href=where(scope, level=word), class_=f"tile {word}")[h.b[str(number)], mark_]]
                for word, number, mark_ in tiles
            )
        ],
    ]


def _lead(board: FleetView, views: Sequence[PilotView], inside: Sequence[PilotView], query: Query) -> Node:
    newest = max((view.decisions[-1].at for view in views if view.decisions), default=None)
    firms = len({view.participant for view in inside if view.participant})
    parts: list[Node] = [
        tr(
            "{pilots} of {firms} in the sandbox",
            pilots=trn("{n} pilot", "{n} pilots", len(inside)),
            firms=trn("{n} firm", "{n} firms", firms),
        )
    ]
    scope = {
        "authority": mark("authority {name}"), "firm": mark("firm {name}"), "sector": mark("sector {name}"),
        "region": mark("region {name}"), "tier": mark("tier {name}"),
    }  # fmt: skip
    parts += [tr(text, name=getattr(query, name)) for name, text in scope.items() if getattr(query, name)]
    if open_ := sum(view.life.pilot in APPLIED for view in views):
        parts.append(trn("{n} open application", "{n} open applications", open_))
    if newest is not None:
        parts.append(trm("latest decision {time}", time=time_tag(newest)))
    if board.liveness.last_seen is not None:
        parts.append(trm("worker last seen {time}", time=time_tag(board.liveness.last_seen)))
    if board.left_out:
        parts.append(
            trn(
                "{n} more pilot not shown (the board is full; it needs least attention)",
                "{n} more not shown (the board is full; they need least attention)",
                board.left_out,
            )
        )
    return [[part, "; " if place < len(parts) - 1 else "."] for place, part in enumerate(parts)]


def _open_commands(views: Sequence[PilotView]) -> Node:
    """A row for each open command; nothing when there is none."""
    if not views:
        return None
    columns = (
        Column(tr("Pilot"), kind="pilot"),
        Column(tr("Command")),
        Column(tr("State"), kind="why"),
        Column(tr("Given (UTC)"), tr("Given"), "when"),
        Column(tr("Attempts"), kind="number"),
    )
    rows = (
        Row(
            (
                pilot_link(view),
                tr(COMMANDS[view.command.action]),
                command_state(view.command),
                time_tag(view.command.at),
                view.command.attempts,
            ),
            view.command.state,
        )
        for view in views[:COMMANDS_SHOWN]
        if view.command is not None
    )
    caption = trn("{n} open command, oldest first", "{n} open commands, oldest first", len(views))
    rest = len(views) - COMMANDS_SHOWN
    more = h.p[h.a(href="/halts")[trn("{n} further open command", "{n} further open commands", rest)]]
    return h.div("#orders")[table(caption, columns, rows, "fleet orders"), more if rest > 0 else None]


def _filters(query: Query, fleet: Sequence[PilotView]) -> h.Element:
    levels = [
        ("", tr("all")),
        *((level.word, level_word(level)) for level in reversed(Level)),
        ("unknown", tr("unknown")),
    ]
    labels = {
        "authority": mark("Authority"), "firm": mark("Firm"), "sector": mark("Sector"), "region": mark("Region"),
        "tier": mark("Tier"),
    }  # fmt: skip
    offered = choices(fleet)
    return h.form(".filters", method="get", action="/fleet")[
        select_box("level", tr("Level"), levels, query.level),
        h.label[
            tr("Words"),
            " ",
            h.input(name="words", type="search", value=query.words, placeholder=tr("pilot or firm")),
        ],
        (_filter(name, tr(label), offered[name], getattr(query, name)) for name, label in labels.items()),
        select_box("sort", tr("Sort by"), [(key, tr(label)) for key, label in SORTS.items()], query.sort),
        h.button[tr("Apply")],
    ]


def _filter(name: str, label: str, values: Sequence[str], chosen: str) -> h.Element:
    """A box with the values that occur, and the one that is asked for."""
    listed = [*values, *([chosen] if chosen and chosen not in values else [])]
    return select_box(
        name, label, [("", tr("all")), *((value, tr(value) if name == "tier" else value) for value in listed)], chosen
    )


def _table(views: Sequence[PilotView], query: Query) -> Node:
    if not views:
        if query == ALL:
            return h.p(".empty")[tr("No pilot has been admitted yet.")]
        return h.p(".empty")[trm("No pilot matches. {link}", link=h.a(href="/fleet")[tr("Show all")])]
    columns = (
        _sorted_by(query, "pilot", Column(tr("Pilot"), kind="name")),
        _sorted_by(query, "worst", Column(tr("Level"), kind="state")),
        Column(tr("Why"), kind="why"),
        _sorted_by(query, "newest", Column(tr("Since (UTC)"), tr("Since"), "when")),
        Column(tr("Tier")),
        _sorted_by(query, "alpha", Column(tr("Alpha used"), kind="number")),
        Column(tr("Last evidence (UTC)"), tr("Last evidence"), "when"),
    )
    order = tr(SORTS.get(query.sort, SORTS["worst"]))
    caption = tr("{pilots}, {order}", pilots=trn("{n} pilot", "{n} pilots", len(views)), order=order)
    last = -(-len(views) // PAGE)
    number = min(query.number, last)
    shown = views[(number - 1) * PAGE : number * PAGE]
    return [
        table(caption, columns, map(_row, shown), "fleet"),
        pages(number, last, lambda wanted: where(query, page=str(wanted))),
    ]


def _sorted_by(query: Query, key: str, column: Column) -> Column:
    return structs.replace(column, sort=where(query, sort=key), chosen=key == query.sort)


def _row(view: PilotView) -> Row:
    late = view.late_events
    reasons = [
        why(view),
        h.span(".why-unknown")[flag_text(view.unknown)] if view.unknown else None,
        small(trn("{n} event too late to count", "{n} events too late to count", late)) if late else None,
    ]
    cells = (
        pilot_link(view),
        badge(view),
        reasons,
        time_tag(view.since),
        tr(view.plan.tier) if view.plan else none(),
        alpha_used(view),
        time_tag(view.last_evidence),
    )
    return Row(cells, view.level.word)
