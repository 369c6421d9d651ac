"""The routes of the board: `/`, `/firms`, `/pilot/<id>`, `/charter/<id>`, `/api/board.json` and two static files."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import msgspec
from aiohttp import web

from monitor.clock import wall_ms
from monitor.console.board_json import as_data
from monitor.console.firms_page import firms_page
from monitor.console.fleet_page import Query, fleet_page
from monitor.console.fleet_view import FleetView
from monitor.console.pilot_page import charter_page, missing_page, pilot_page

# Nothing is loaded from another host, framed or submitted; inline styles are those of the pictures.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def routes(board: FleetView, clock: Callable[[], int] = wall_ms) -> list[web.RouteDef]:
    """Read-only routes over `board`; `clock` returns ms."""

    async def fleet(request: web.Request) -> web.Response:
        asked = {name: request.query[name] for name in ("level", "words", "sort", "authority") if name in request.query}
        return _html(fleet_page(board, Query(**asked), clock()))

    async def pilot(request: web.Request) -> web.Response:
        name = request.match_info["pilot"]
        page = pilot_page(board, name, clock())
        return _html(missing_page(name), 404) if page is None else _html(page)

    async def charter(request: web.Request) -> web.Response:
        name = request.match_info["pilot"]
        page = charter_page(board, name)
        return _html(missing_page(name), 404) if page is None else _html(page)

    async def firms(request: web.Request) -> web.Response:
        return _html(firms_page(board))

    async def data(request: web.Request) -> web.Response:
        body = msgspec.json.encode(as_data(board, clock(), request.query.get("authority", "")))
        return web.Response(body=body, content_type="application/json", headers=_HEADERS)

    return [
        web.get("/", fleet),
        web.get(r"/pilot/{pilot:[\s\S]+}", pilot),  # an id may hold a line break
        web.get(r"/charter/{pilot:[\s\S]+}", charter),
        web.get("/firms", firms),
        web.get("/api/board.json", data),
        _file("board.css", "text/css"),
        _file("board.js", "text/javascript"),
    ]


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status, headers=_HEADERS)


def _file(name: str, content_type: str) -> web.RouteDef:
    text = files("monitor.console").joinpath(name).read_text("utf-8")

    async def send(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, headers=_HEADERS)

    return web.get(f"/{name}", send)
