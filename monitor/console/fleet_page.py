"""The fleet page: banners, counts by level, open commands, and a table of all pilots with filters. Readable without
scripts, colour or a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.html import (
    NONE,
    alpha_used,
    badge,
    banners,
    command_state,
    count,
    flag_text,
    level_badge,
    link,
    page,
    time_tag,
    why,
)
from monitor.lifecycle.arrows import APPLIED
from monitor.model.records import Level

SORTS = {
    "worst": "worst first",
    "pilot": "pilot",
    "participant": "participant",
    "newest": "latest change",
    "alpha": "alpha used",
}
_KEYS: dict[str, Callable[[PilotView], Any]] = {
    "pilot": lambda view: view.pilot,
    "participant": lambda view: (view.participant, view.pilot),
    "newest": lambda view: -(view.since or 0),
    "alpha": lambda view: -(view.alpha_used or 0),
}
_HEADS = {
    "Pilot": "pilot",
    "Level": "worst",
    "Why": "",
    "Since (UTC)": "newest",
    "Tier": "",
    "Alpha used": "alpha",
    "Last evidence (UTC)": "",
}
"""Columns of the table, and the key of `SORTS` that each sorts by."""


class Query(Struct, frozen=True):
    """The request for the fleet page: a level word, `unknown` or "" for all; words to search for; a key of `SORTS`; the
    id of an authority, "" for all."""

    level: str = ""
    words: str = ""
    sort: str = "worst"
    authority: str = ""


ALL = Query()


def fleet_page(board: FleetView, query: Query = ALL, now: int = 0) -> str:
    """All pilots, filtered and sorted by `query`; `now` (ms) tells which workers are silent. With an authority the
    counts and open commands are those of the pilots that concern it."""
    views, commands = _of(query.authority, board.fleet()), _of(query.authority, board.open_commands())
    return page(
        "Fleet",
        banners(board, now)
        + _summary(board, views, query.authority)
        + _open_commands(commands)
        + _filters(query)
        + _table(_select(views, query), query),
        "fleet",
    )


def _of(authority: str, views: list[PilotView]) -> list[PilotView]:
    return [view for view in views if not authority or view.concerns(authority)]


def _summary(board: FleetView, views: Sequence[PilotView], authority: str) -> str:
    inside = [view for view in views if not (view.exited or view.applicant)]
    counts = Counter(view.level for view in inside)
    unknown = sum(1 for view in inside if view.unknown)
    of = escape("&" + urlencode({"authority": authority})) if authority else ""
    tiles = "".join(
        f'<li><a href="/?level={level.word}{of}" class="tile {level.word}"><b>{counts[level]}</b>'
        f"{level_badge(level)}</a></li>"
        for level in reversed(Level)
    )
    tiles += (
        f'<li><a href="/?level=unknown{of}" class="tile unknown"><b>{unknown}</b>'
        '<span class="level unknown">? unknown</span></a></li>'
    )
    newest = max((view.decisions[-1].at for view in views if view.decisions), default=None)
    participants = len({view.participant for view in inside if view.participant})
    text = f"{count(len(inside), 'pilot')} of {count(participants, 'participant')} in the sandbox"
    text += f", authority {escape(authority)}" if authority else ""
    if open_ := sum(view.life.pilot in APPLIED for view in views):
        text += f"; {count(open_, 'open application')}"
    if newest is not None:
        text += f"; latest decision {time_tag(newest)}"
    if board.liveness.last_seen is not None:
        text += f"; worker last seen {time_tag(board.liveness.last_seen)}"
    if board.left_out:
        text += f"; {board.left_out} more not shown (the board is full)"
    return f'<h1>Fleet</h1><p class="lead">{text}.</p><ul class="tiles">{tiles}</ul>'


def _open_commands(views: Sequence[PilotView]) -> str:
    """A row for each open command; empty when there is none."""
    if not views:
        return ""
    rows = "".join(
        f'<tr class="{view.command.state}"><td data-head="Pilot">'
        f'<div><a href="{escape(link(view.pilot))}">{escape(view.pilot)}</a>'
        f'<span class="firm">{escape(view.participant)}</span></div></td>'
        f'<td data-head="Command">{view.command.action}</td>'
        f'<td data-head="State" class="why">{command_state(view.command)}</td>'
        f'<td data-head="Given" class="when">{time_tag(view.command.at)}</td>'
        f'<td data-head="Attempts" class="number">{view.command.attempts}</td></tr>'
        for view in views
        if view.command is not None
    )
    return (
        f'<table class="fleet orders" id="orders"><caption>{count(len(views), "open command")}, oldest first'
        '</caption><thead><tr><th scope="col">Pilot</th><th scope="col">Command</th><th scope="col">State</th>'
        f'<th scope="col">Given (UTC)</th><th scope="col">Attempts</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _filters(query: Query) -> str:
    words = ["", *(level.word for level in reversed(Level)), "unknown"]
    levels = "".join(
        f'<option value="{word}"{" selected" if word == query.level else ""}>{word or "all"}</option>' for word in words
    )
    sorts = "".join(
        f'<option value="{key}"{" selected" if key == query.sort else ""}>{label}</option>'
        for key, label in SORTS.items()
    )
    return (
        '<form method="get" action="/" class="filters" role="search">'
        f'<label>Level <select name="level">{levels}</select></label>'
        f'<label>Search <input name="words" type="search" value="{escape(query.words)}" '
        'placeholder="pilot or participant"></label>'
        f'<label>Authority <input name="authority" value="{escape(query.authority)}" placeholder="id"></label>'
        f'<label>Sort by <select name="sort">{sorts}</select></label><button>Apply</button></form>'
    )


def _select(views: Sequence[PilotView], query: Query) -> list[PilotView]:
    words = query.words.casefold().split()
    chosen = [view for view in views if _at_level(view, query.level) and _matches(view, words)]
    return sorted(chosen, key=_KEYS[query.sort]) if query.sort in _KEYS else chosen


def _at_level(view: PilotView, level: str) -> bool:
    return not level or level == view.level.word or (level == "unknown" and bool(view.unknown))


def _matches(view: PilotView, words: Sequence[str]) -> bool:
    text = f"{view.pilot} {view.participant} {view.plan.tier if view.plan else ''}".casefold()
    return all(word in text for word in words)


def _table(views: Sequence[PilotView], query: Query) -> str:
    if not views:
        text = "No pilot has been admitted yet." if query == ALL else 'No pilot matches. <a href="/">Show all</a>'
        return f'<p class="empty">{text}</p>'
    heads = "".join(_head(head, key, query) for head, key in _HEADS.items())
    rows = "".join(_row(view) for view in views)
    order = SORTS.get(query.sort, SORTS["worst"])
    return (
        f'<table class="fleet"><caption>{count(len(views), "pilot")}, {order}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _head(head: str, key: str, query: Query) -> str:
    if not key:
        return f'<th scope="col">{head}</th>'
    asked = {"level": query.level, "words": query.words, "sort": key}
    where = escape("/?" + urlencode(asked | ({"authority": query.authority} if query.authority else {})))
    chosen = ' aria-sort="other"' if key == query.sort else ""
    mark = ' <span aria-hidden="true">↓</span>' if key == query.sort else ""
    return f'<th scope="col"{chosen}><a href="{where}">{head}{mark}</a></th>'


def _row(view: PilotView) -> str:
    tier = escape(view.plan.tier) if view.plan else NONE
    unknown = f'<br><span class="why-unknown">{escape(flag_text(view.unknown))}</span>' if view.unknown else ""
    late = f"<br><span>{count(view.late_events, 'event')} too late to count</span>" if view.late_events else ""
    return (
        f'<tr class="{view.level.word}"><th scope="row"><a href="{escape(link(view.pilot))}">{escape(view.pilot)}</a>'
        f'<span class="firm">{escape(view.participant)}</span></th>'
        f'<td data-head="Level">{badge(view)}</td><td data-head="Why" class="why">{why(view)}{unknown}{late}</td>'
        f'<td data-head="Since" class="when">{time_tag(view.since)}</td><td data-head="Tier">{tier}</td>'
        f'<td data-head="Alpha used" class="number">{alpha_used(view)}</td>'
        f'<td data-head="Last evidence" class="when">{time_tag(view.last_evidence)}</td></tr>'
    )
