"""Parts that pages share: levels, times, links, tables, lists of facts, folded sections. All are `htpy` elements, so
that whatever is not built here is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import quote

import htpy as h
from htpy import Node
from msgspec import Struct

from monitor.console.pilot_view import PilotView
from monitor.model.records import Decision, Level, Reason
from monitor.projections.formats import figure, stamp
from monitor.projections.life_words import state_name
from monitor.projections.open_commands import OpenCommand
from monitor.projections.wording import REASONS, level_word, plain
from monitor.translation import mark, tr

SIGNS = {Level.NORMAL: "●", Level.WATCH: "▲", Level.ESCALATE: "◆", Level.HALT: "■"}
COMMAND_STATES = {
    "commanded": mark("commanded: not acknowledged; resent until it is"),
    "acknowledged": mark("acknowledged: the stop is not yet confirmed by heartbeats"),
    "contradicted": mark("contradicted: the service was active after it had to be stopped"),
    "overdue": mark("overdue: not acknowledged, or no data since, for longer than the charter allows"),
}
COMMANDS = {"halt": mark("halt"), "release": mark("release"), "drill": mark("drill")}


class Column(Struct, frozen=True):
    """A column of a table: its heading; the label in front of the cell on a phone where it is shorter; the class of its
    cells (`number`, `when`, `why`, `state`, `name`); the address that sorts by it, and whether it is the order shown.
    Texts are in the language of the page."""

    head: str
    label: str = ""
    kind: str = ""
    sort: str = ""
    chosen: bool = False


class Row(Struct, frozen=True):
    """A row: one cell for each column. `kind` is a class, of a level or of an attempt; `key` an id for links to it."""

    cells: Sequence[Node]
    kind: str = ""
    key: str = ""


def table(caption: Node, columns: Sequence[Column], rows: Iterable[Row], kind: str = "") -> h.Element:
    """A table with a caption. On a phone each row becomes a card, each cell with the label of its column. The first
    column heads the row where its kind is `name`."""
    return h.table(class_=kind or None)[
        h.caption[caption],
        h.thead[h.tr[(_head(column) for column in columns)]],
        h.tbody[(_row(columns, row) for row in rows)],
    ]


def _head(column: Column) -> h.Element:
    if not column.sort:
        return h.th(scope="col")[column.head]
    arrow = h.span(aria_hidden="true")[" ↓"] if column.chosen else None
    order = "other" if column.chosen else None
    return h.th(scope="col", aria_sort=order)[h.a(href=column.sort)[column.head, arrow]]


def _row(columns: Sequence[Column], row: Row) -> h.Element:
    cells = (_cell(column, cell) for column, cell in zip(columns, row.cells, strict=True))
    return h.tr(class_=row.kind or None, id=row.key or None)[cells]


def _cell(column: Column, cell: Node) -> h.Element:
    if column.kind == "name":
        return h.th(scope="row")[cell]
    one = cell if isinstance(cell, (str, int, h.BaseElement)) else h.div[cell]  # on a phone: one box next to the label
    return h.td({"data-head": column.label or column.head}, class_=column.kind or None)[one]


def pages(number: int, last: int, where: Callable[[int], str]) -> Node:
    """Links to the pages of a list; nothing for a single page. `where` gives the address of a page."""
    if last <= 1:
        return None
    steps = (
        (1, tr("First page"), number > 1),
        (number - 1, tr("Previous page"), number > 1),
        (number + 1, tr("Next page"), number < last),
        (last, tr("Last page"), number < last),
    )
    return h.nav(".pages", aria_label=tr("Pages of the list"))[
        h.span[tr("Page {number} of {last}", number=number, last=last)],
        (h.a(href=where(page))[text] for page, text, possible in steps if possible),
    ]


def select_box(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str) -> h.Element:
    """A box of (value, text) with its label."""
    return h.label[
        label,
        " ",
        h.select(name=name)[(h.option(value=value, selected=value == chosen)[text] for value, text in options)],
    ]


def facts(rows: Iterable[tuple[str, Node]]) -> h.Element:
    """Names and values, such as those at the head of a page; a row without a value is left out. A value that holds
    `code` takes the whole width."""
    shown = [(name, value) for name, value in rows if value not in (None, "")]
    return h.dl(".facts")[
        (
            h.div(class_="wide" if "<code" in str(h.fragment[value]) else "short")[h.dt[name], h.dd[value]]
            for name, value in shown
        )
    ]


def folded(summary: Node, content: Node, key: str = "") -> h.Element:
    """Content that a reader unfolds. With a `key` it stays unfolded when the page refreshes."""
    return h.details(id=key or None)[h.summary[summary], content]


def small(content: Node) -> h.Element:
    """A line in small letters below another."""
    return h.span(".small")[content]


def none() -> h.Element:
    """The sign for: no value."""
    return h.span(".none")["–"]


def level_badge(level: Level) -> h.Element:
    """The level as a word with its sign; the colour adds nothing."""
    return h.span(class_=f"level {level.word}")[h.span(aria_hidden="true")[SIGNS[level]], " ", level_word(level)]


def unknown_badge(title: str = "") -> h.Element:
    """The flag that the state is not known; `title` says why."""
    return h.span(".level.unknown", title=title or None)[tr("? unknown")]


def badge(view: PilotView) -> Node:
    """The level of a pilot, with the unknown flag and whether it has left; the state of one that is not admitted."""
    if view.applicant:
        return h.span(".level.gone")[state_name(view.life.pilot)]
    return [
        [h.span(".level.gone")[tr("left")], " "] if view.exited else None,
        level_badge(view.level),
        [" ", unknown_badge(flag_text(view.unknown))] if view.unknown else None,
    ]


def flag_text(flag: str) -> str:
    """The unknown flag of a pilot as a sentence."""
    return tr(REASONS[Reason(flag)]) if flag in set(Reason) else plain(flag)


def why(view: PilotView) -> str:
    """The decision that brought a pilot to its level, as a sentence."""
    if view.why is None:
        return tr("No decision yet.")
    text = view.say(view.why)
    if view.why.level < view.why.was:
        reason = text[0].lower() + text[1:]
        text = tr("Lowered from {level}: {reason}", level=level_word(view.why.was), reason=reason)
    return tr("{sentence}.", sentence=text)


def time_tag(ms: int | None) -> h.Element:
    """A time in UTC; a dash for `None`."""
    if ms is None:
        return none()
    text = stamp(ms).removesuffix(" UTC")
    return h.time(datetime=f"{text.replace(' ', 'T')}Z")[text]


def alpha_used(view: PilotView) -> Node:
    """The alpha used of the alpha granted; a dash while the charter is not known."""
    used = view.alpha_used
    if used is None or view.plan is None:
        return none()
    return tr("{used} of {granted}", used=figure(used), granted=figure(view.plan.alpha))


def command_state(command: OpenCommand) -> str:
    """The state of an open command, and what it means."""
    return tr(COMMAND_STATES[command.state])


def link(pilot: str) -> str:
    """The path of a pilot's page."""
    return address("pilot", pilot)


def address(kind: str, name: str) -> str:
    """The path of the page of one thing: `kind` is the first part (`pilot`, `firm`, `authority`, `model`, `charter`).

    >>> address("firm", "a/b c")
    '/firm/a%2Fb%20c'
    """
    return f"/{kind}/{quote(name, safe='')}"


def entry_address(pilot: str, decision: Decision) -> str:
    """The path of the ledger's entry of a decision, by its id."""
    return f"{address('ledger', pilot)}/{quote(decision.id, safe='')}"


def link_to(kind: str, name: str, text: Node = None) -> Node:
    """A link to the page of one thing, by its name or under a text; a dash without a name."""
    return h.a(href=address(kind, name))[text or name] if name else none()


def pilot_link(view: PilotView) -> Node:
    """A link to a pilot, and its firm below it."""
    return [h.a(href=link(view.pilot))[view.pilot], h.span(".firm")[view.participant]]
