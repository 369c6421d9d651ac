"""The table of pages: which address shows what. A page is added by one line in `PAGES`, its data by one in `DATA`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from markupsafe import Markup
from msgspec import Struct

from monitor.console.authorities_page import authorities_page, authority_page
from monitor.console.authorities_view import authorities_data, authorities_view, authority_data, authority_view
from monitor.console.board_json import as_data, pilot_data
from monitor.console.charter_page import charter_page
from monitor.console.clocks_page import clocks_page
from monitor.console.clocks_view import ClocksQuery, clocks_data, clocks_view
from monitor.console.firm_page import firm_page
from monitor.console.firms_page import firms_page
from monitor.console.firms_view import firm_data, firm_view, firms_data, firms_view, views_of
from monitor.console.fleet_page import fleet_page
from monitor.console.fleet_query import query_of
from monitor.console.fleet_view import FleetView
from monitor.console.halts_page import halts_page
from monitor.console.halts_view import HaltsQuery, halts_data, halts_view
from monitor.console.ledger_page import entry_page, ledger_page, ledgers_page
from monitor.console.ledger_view import entry_answer, ledger_answer, ledgers_answer
from monitor.console.listing import number_of
from monitor.console.models_page import model_page, models_page
from monitor.console.models_view import model_data, model_view, models_data, models_view
from monitor.console.pilot_page import missing_page, pilot_page
from monitor.console.problems_part import LISTED, problem_data, problems_of
from monitor.console.search import search_page
from monitor.console.today_page import query_of as today_query
from monitor.console.today_page import today_page
from monitor.console.today_view import today_data, today_view


def named(kind: str) -> str:
    """The address of the page of one thing, such as a `pilot`; its name may hold a slash or a line break."""
    return f"/{kind}/{{{kind}:[\\s\\S]+}}"


def data_of(kind: str) -> str:
    """The address of the data of one thing."""
    return f"/api{named(kind)}.json"


ENTRY = r"/ledger/{subject:[\s\S]+}/{entry:[0-9]+|[0-9a-f]{32}}"
"""An entry of the ledger of a subject, by its number from 0 or the id of its record."""


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


def _number(asked: Asked) -> int:
    return number_of(asked.query.get("page", ""))


def _given(asked: Asked, *names: str) -> dict[str, str]:
    return {name: asked.query[name] for name in names if asked.query.get(name)}


def _clocks(asked: Asked) -> ClocksQuery:
    return ClocksQuery(**_given(asked, *ClocksQuery.__struct_fields__))


def _halts(asked: Asked) -> HaltsQuery:
    force = number_of(asked.query.get("force", ""))
    return HaltsQuery(**_given(asked, "authority", "firm"), force=force, page=_number(asked))


def _halts_data(asked: Asked) -> object:
    return halts_data(halts_view(asked.board, asked.now, _halts(asked)))


def _model_data(asked: Asked) -> object:
    found = model_view(asked.board, asked.name, asked.query.get("firm", ""))
    return None if found is None else model_data(found)


def _firm_data(asked: Asked) -> object:
    found = firm_view(asked.board, asked.name, asked.now, _number(asked))
    if found is None:
        return None
    problems = problems_of(asked.board, views_of(asked.board, asked.name))[:LISTED]
    return {**firm_data(found), "without_effect": [problem_data(one) for one in problems]}


def _authority_data(asked: Asked) -> object:
    found = authority_view(asked.board, asked.name, asked.now, _number(asked))
    return None if found is None else authority_data(found)


PAGES: dict[str, Page] = {
    "/": lambda asked: today_page(asked.board, asked.now, today_query(asked.query)),
    "/fleet": _fleet,
    named("pilot"): lambda asked: pilot_page(asked.board, asked.name, asked.now),
    r"/charter/{pilot:[\s\S]+}": lambda asked: charter_page(asked.board, asked.name, asked.now),
    "/halts": lambda asked: halts_page(asked.board, asked.now, _halts(asked)),
    "/clocks": lambda asked: clocks_page(asked.board, asked.now, _clocks(asked), _number(asked)),
    "/models": lambda asked: models_page(asked.board, asked.now, asked.query.get("firm", ""), _number(asked)),
    named("model"): lambda asked: model_page(asked.board, asked.name, asked.now, asked.query.get("firm", "")),
    "/firms": lambda asked: firms_page(asked.board, asked.now, _number(asked)),
    named("firm"): lambda asked: firm_page(asked.board, asked.name, asked.now, _number(asked)),
    "/authorities": lambda asked: authorities_page(asked.board, asked.now),
    named("authority"): lambda asked: authority_page(asked.board, asked.name, asked.now, _number(asked)),
    "/ledger": lambda asked: ledgers_page(asked.board, asked.now, _number(asked)),
    ENTRY: lambda asked: entry_page(
        asked.board, asked.name, asked.names["entry"], asked.now, _given(asked, "log", "year")
    ),
    named("ledger"): lambda asked: ledger_page(
        asked.board, asked.name, asked.now, _given(asked, "log", "year"), _number(asked)
    ),
    "/search": lambda asked: search_page(asked.board, asked.query.get("q", ""), asked.now),
}
DATA: dict[str, Data] = {
    "/api/board.json": lambda asked: as_data(asked.board, asked.now, asked.query.get("authority", "")),
    "/api/today.json": lambda asked: today_data(today_view(asked.board, asked.now, today_query(asked.query))),
    data_of("pilot"): lambda asked: pilot_data(asked.board, asked.name, asked.now),
    "/api/halts.json": _halts_data,
    "/api/clocks.json": lambda asked: clocks_data(clocks_view(asked.board, asked.now, _clocks(asked), _number(asked))),
    "/api/models.json": lambda asked: models_data(
        *models_view(asked.board, asked.query.get("firm", ""), _number(asked))
    ),
    data_of("model"): _model_data,
    "/api/firms.json": lambda asked: firms_data(firms_view(asked.board, asked.now, _number(asked))),
    data_of("firm"): _firm_data,
    "/api/authorities.json": lambda asked: authorities_data(authorities_view(asked.board, asked.now)),
    data_of("authority"): _authority_data,
    "/api/ledger.json": lambda asked: ledgers_answer(asked.board.desk, _number(asked)),
    f"/api{ENTRY}.json": lambda asked: entry_answer(asked.board.desk, asked.name, asked.names["entry"], asked.query),
    data_of("ledger"): lambda asked: ledger_answer(asked.board.desk, asked.name, asked.query, _number(asked)),
}


def not_found(asked: Asked) -> Markup:
    """The page for a name that the board does not know."""
    return missing_page(asked.name)
