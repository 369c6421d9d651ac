"""The fleet page: banners, counts by level, open commands, and a table of all pilots with filters. Readable without
scripts, colour or a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import htpy as h
from htpy import Node
from markupsafe import Markup
from msgspec import Struct, structs

from monitor.console.banners import banners
from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.frame import page
from monitor.console.parts import (
    COMMANDS,
    LEVEL_NAMES,
    Column,
    Row,
    alpha_used,
    badge,
    command_state,
    flag_text,
    level_badge,
    none,
    pilot_link,
    table,
    time_tag,
    unknown_badge,
    why,
)
from monitor.lifecycle.arrows import APPLIED
from monitor.model.records import Level
from monitor.words import mark, tr, trm, trn

SORTS = {
    "worst": mark("worst first"),
    "pilot": mark("pilot"),
    "participant": mark("firm"),
    "newest": mark("latest change"),
    "alpha": mark("alpha used"),
}
_KEYS: dict[str, Callable[[PilotView], Any]] = {
    "pilot": lambda view: view.pilot,
    "participant": lambda view: (view.participant, view.pilot),
    "newest": lambda view: -(view.since or 0),
    "alpha": lambda view: -(view.alpha_used or 0),
}


class Query(Struct, frozen=True):
    """The request for the fleet page: a level word, `unknown` or "" for all; words to search for; a key of `SORTS`; the
    id of an authority, "" for all."""

    level: str = ""
    words: str = ""
    sort: str = "worst"
    authority: str = ""


ALL = Query()


def fleet_page(board: FleetView, query: Query = ALL, now: int = 0) -> Markup:
    """All pilots, filtered and sorted by `query`; `now` (ms) tells which workers are silent. With an authority the
    counts and open commands are those of the pilots that concern it."""
    views, commands = _of(query.authority, board.fleet()), _of(query.authority, board.open_commands())
    body: list[Node] = [
        banners(board, now),
        _summary(board, views, query.authority),
        _open_commands(commands),
        _filters(query),
        _table(_select(views, query), query),
    ]
    return page(tr("Fleet"), body, "fleet", _parameters(query))


def _parameters(query: Query) -> dict[str, str]:
    """What of the query differs from the whole fleet."""
    return {name: value for name, value in structs.asdict(query).items() if value != getattr(ALL, name)}


def _where(query: Query, **changed: str) -> str:
    return "/fleet?" + urlencode(_parameters(structs.replace(query, **changed)))


def _of(authority: str, views: list[PilotView]) -> list[PilotView]:
    return [view for view in views if not authority or view.concerns(authority)]


def _summary(board: FleetView, views: Sequence[PilotView], authority: str) -> Node:
    inside = [view for view in views if not (view.exited or view.applicant)]
    counts = Counter(view.level for view in inside)
    unknown = sum(1 for view in inside if view.unknown)
    of = Query(authority=authority)
    tiles = [(level.word, counts[level], level_badge(level)) for level in reversed(Level)]
    tiles.append(("unknown", unknown, unknown_badge()))
    return [
        h.h1[tr("Fleet")],
        h.p(".lead")[_lead(board, views, inside, authority)],
        h.ul(".tiles")[
            (
                h.li[h.a(href=_where(of, level=word), class_=f"tile {word}")[h.b[str(number)], mark_]]
                for word, number, mark_ in tiles
            )
        ],
    ]


def _lead(board: FleetView, views: Sequence[PilotView], inside: Sequence[PilotView], authority: str) -> Node:
    newest = max((view.decisions[-1].at for view in views if view.decisions), default=None)
    firms = len({view.participant for view in inside if view.participant})
    parts: list[Node] = [
        tr(
            "{pilots} of {firms} in the sandbox",
            pilots=trn("{n} pilot", "{n} pilots", len(inside)),
            firms=trn("{n} firm", "{n} firms", firms),
        )
    ]
    if authority:
        parts.append(tr("authority {authority}", authority=authority))
    if open_ := sum(view.life.pilot in APPLIED for view in views):
        parts.append(trn("{n} open application", "{n} open applications", open_))
    if newest is not None:
        parts.append(trm("latest decision {time}", time=time_tag(newest)))
    if board.liveness.last_seen is not None:
        parts.append(trm("worker last seen {time}", time=time_tag(board.liveness.last_seen)))
    if board.left_out:
        parts.append(tr("{n} more not shown (the board is full)", n=board.left_out))
    return [[part, "; " if place < len(parts) - 1 else "."] for place, part in enumerate(parts)]


def _open_commands(views: Sequence[PilotView]) -> Node:
    """A row for each open command; nothing when there is none."""
    if not views:
        return None
    columns = (
        Column(tr("Pilot"), kind="name"),
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
        for view in views
        if view.command is not None
    )
    caption = trn("{n} open command, oldest first", "{n} open commands, oldest first", len(views))
    return h.div("#orders")[table(caption, columns, rows, "fleet orders")]


def _filters(query: Query) -> h.Element:
    levels = [
        ("", tr("all")),
        *((level.word, tr(LEVEL_NAMES[level])) for level in reversed(Level)),
        ("unknown", tr("unknown")),
    ]
    return h.form(".filters", method="get", action="/fleet", role="search")[
        _select_box("level", tr("Level"), levels, query.level),
        h.label[
            tr("Search"),
            " ",
            h.input(name="words", type="search", value=query.words, placeholder=tr("pilot or firm")),
        ],
        h.label[tr("Authority"), " ", h.input(name="authority", value=query.authority, placeholder=tr("id"))],
        _select_box("sort", tr("Sort by"), [(key, tr(label)) for key, label in SORTS.items()], query.sort),
        h.button[tr("Apply")],
    ]


def _select_box(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str) -> h.Element:
    return h.label[
        label,
        " ",
        h.select(name=name)[(h.option(value=value, selected=value == chosen)[text] for value, text in options)],
    ]


def _select(views: Sequence[PilotView], query: Query) -> list[PilotView]:
    words = query.words.casefold().split()
    chosen = [view for view in views if _at_level(view, query.level) and _matches(view, words)]
    return sorted(chosen, key=_KEYS[query.sort]) if query.sort in _KEYS else chosen


def _at_level(view: PilotView, level: str) -> bool:
    return not level or level == view.level.word or (level == "unknown" and bool(view.unknown))


def _matches(view: PilotView, words: Sequence[str]) -> bool:
    text = f"{view.pilot} {view.participant} {view.plan.tier if view.plan else ''}".casefold()
    return all(word in text for word in words)


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
    return table(caption, columns, map(_row, views), "fleet")


def _sorted_by(query: Query, key: str, column: Column) -> Column:
    return structs.replace(column, sort=_where(query, sort=key), chosen=key == query.sort)


def _row(view: PilotView) -> Row:
    late = view.late_events
    reasons = [
        why(view),
        h.span(".why-unknown")[flag_text(view.unknown)] if view.unknown else None,
        h.span(".small")[trn("{n} event too late to count", "{n} events too late to count", late)] if late else None,
    ]
    cells = (
        pilot_link(view),
        badge(view),
        reasons,
        time_tag(view.since),
        view.plan.tier if view.plan else none(),
        alpha_used(view),
        time_tag(view.last_evidence),
    )
    return Row(cells, view.level.word)
