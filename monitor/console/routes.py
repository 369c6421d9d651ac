"""The board over HTTP: the pages and data of `pages.py`, the language of each reader, and the static files."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.clock import wall_ms
from monitor.console.event_stream import EventStream
from monitor.console.fleet_view import FleetView
from monitor.console.pages import DATA, PAGES, Asked, Data, Page, not_found
from monitor.words import LANGUAGES, TAGS, Language, language_of, speaking

# Nothing is loaded from another host, framed or submitted; no script and no style stands in a page.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
COOKIE = "lang"
_YEAR_S = 365 * 86_400


def routes(board: FleetView, clock: Callable[[], int] = wall_ms) -> list[web.RouteDef]:
    """Read-only routes over `board`; `clock` returns ms."""

    def asked(request: web.Request) -> Asked:
        return Asked(board, request.query, request.match_info, clock())

    return [
        *(web.get(path, _page(one, asked)) for path, one in PAGES.items()),
        *(web.get(path, _data(one, asked)) for path, one in DATA.items()),
        web.get("/events", EventStream(board, clock, HEADERS).send),
        _file("board.css", "text/css"),
        _file("chart.css", "text/css"),
        _file("board.js", "text/javascript"),
    ]


def _page(shown: Page, asked: Callable[[web.Request], Asked]) -> Handler:
    async def send(request: web.Request) -> web.Response:
        _moved(request)
        wanted = asked(request)
        with speaking(language(request)):
            text = shown(wanted)
            status = 200 if text is not None else 404
            answer = web.Response(
                text=not_found(wanted) if text is None else text,
                content_type="text/html",
                status=status,
                headers=HEADERS | {"Content-Language": TAGS[language(request)]},
            )
        if request.query.get("lang") in LANGUAGES:
            answer.set_cookie(COOKIE, request.query["lang"], max_age=_YEAR_S, httponly=True, samesite="Lax")
        return answer

    return send


def _data(shown: Data, asked: Callable[[web.Request], Asked]) -> Handler:
    async def send(request: web.Request) -> web.Response:
        found = shown(asked(request))
        status = 404 if found is None else 200
        body = msgspec.json.encode(found)
        return web.Response(body=body, status=status, content_type="application/json", headers=HEADERS)

    return send


def language(request: web.Request) -> Language:
    """The language of a reader: what the address asks for, then what it asked for last, then what the browser
    prefers."""
    for wanted in (request.query.get("lang"), request.cookies.get(COOKIE)):
        for one in LANGUAGES:
            if wanted == one:
                return one
    return language_of(request.headers.get("Accept-Language", ""))


def _moved(request: web.Request) -> None:
    """Send addresses of an earlier version to where the page is now."""
    if request.path == "/" and {"level", "words", "sort"} & set(request.query):
        raise web.HTTPFound("/fleet?" + urlencode(list(request.query.items())), headers=HEADERS)


def _file(name: str, content_type: str) -> web.RouteDef:
    text = files("monitor.console").joinpath(name).read_text("utf-8")

    async def send(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, headers=HEADERS)

    return web.get(f"/{name}", send)
