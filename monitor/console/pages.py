"""The table of pages: which address shows what. A page is added by one line in `PAGES`, its data by one in `DATA`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from markupsafe import Markup
from msgspec import Struct

from monitor.console.board_json import as_data
from monitor.console.charter_page import charter_page
from monitor.console.firms_page import firms_page
from monitor.console.fleet_page import fleet_page
from monitor.console.fleet_query import query_of
from monitor.console.fleet_view import FleetView
from monitor.console.pilot_page import missing_page, pilot_page
from monitor.console.search import search_page
from monitor.console.today_page import query_of as today_query
from monitor.console.today_page import today_page


def named(kind: str) -> str:
    """The address of the page of one thing, such as a `pilot`; its name may hold a slash or a line break."""
    return f"/{kind}/{{{kind}:[\\s\\S]+}}"


class Asked(Struct, frozen=True):
    """A request for a page: the board, the parameters of its address, the names in its path, the time (ms)."""

    board: FleetView
    query: Mapping[str, str]
    names: Mapping[str, str]
    now: int

    @property
    def name(self) -> str:
        """The first name in the path: of a pilot, a firm, an authority, a model; "" for a page without one."""
        return next(iter(self.names.values()), "")


Page: TypeAlias = Callable[[Asked], Markup | None]
"""`None`: there is no such thing; the answer is a page that says so, with status 404."""
Data: TypeAlias = Callable[[Asked], object]


def _fleet(asked: Asked) -> Markup:
    return fleet_page(asked.board, query_of(asked.query), asked.now)


PAGES: dict[str, Page] = {
    "/": lambda asked: today_page(asked.board, asked.now, today_query(asked.query)),
    "/fleet": _fleet,
    named("pilot"): lambda asked: pilot_page(asked.board, asked.name, asked.now),
    r"/charter/{pilot:[\s\S]+}": lambda asked: charter_page(asked.board, asked.name, asked.now),
    "/search": lambda asked: search_page(asked.board, asked.query.get("q", ""), asked.now),
    "/firms": lambda asked: firms_page(asked.board, asked.now),
}
DATA: dict[str, Data] = {
    "/api/board.json": lambda asked: as_data(asked.board, asked.now, asked.query.get("authority", "")),
}


def not_found(asked: Asked) -> Markup:
    """The page for a name that the board does not know."""
    return missing_page(asked.name)
