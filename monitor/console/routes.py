"""The board over HTTP: the pages and data of `pages.py`, the language of each reader, and the static files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.clock import wall_ms
from monitor.console.access.gate import BoardAccess, Gate, status_of
from monitor.console.access.proxy_login import LoginRefusal, LoginRefused
from monitor.console.access.refused_page import refused_page
from monitor.console.access.roles import Reader
from monitor.console.access.seen import seen_by
from monitor.console.access.session import reading
from monitor.console.event_stream import EventStream
from monitor.console.fleet_view import FleetView
from monitor.console.pages import DATA, PAGES, Asked, Data, Page, not_found
from monitor.console.turns import NoTurn, Turns
from monitor.translation import LANGUAGES, TAGS, Language, current, language_of, speaking

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


def routes(board: FleetView, clock: Callable[[], int] = wall_ms, gate: Gate | None = None) -> list[web.RouteDef]:
    """Read-only routes over `board`; `clock` returns ms. With a gate, readers log in and each sees what its role
    sees."""
    visits = _Visits(board, clock, gate)
    stream = EventStream(board, clock, HEADERS)
    return [
        *(web.get(path, visits.page(one)) for path, one in PAGES.items()),
        *(web.get(path, visits.data(one)) for path, one in DATA.items()),
        web.get("/events", visits.stream(stream), allow_head=False),  # a stream is a body
        _file("board.css", "text/css"),
        _file("chart.css", "text/css"),
        _file("board.js", "text/javascript"),
    ]


def gate_of(access: BoardAccess | None, clock: Callable[[], int], app: web.Application) -> Gate | None:
    """The gate of a board that `app` serves, closed with it; `None` where readers do not log in. Raises OSError where
    the read log cannot be opened."""
    if access is None:
        return None
    gate = Gate(access, clock)

    async def close(app: web.Application) -> None:
        gate.close()

    app.on_cleanup.append(close)
    return gate


class _Visits:
    """Answers requests: who reads, what this reader sees, in which language; logs the read."""

    def __init__(self, board: FleetView, clock: Callable[[], int], gate: Gate | None) -> None:
        self._board, self._clock, self._gate = board, clock, gate
        self._turns = Turns()

    def page(self, shown: Page) -> Handler:
        async def send(request: web.Request) -> web.Response:
            spoken = language(request)
            with speaking(spoken):
                try:
                    reader = self._reader(request)
                except LoginRefused as refused:
                    return _html(refused_page(LoginRefusal(refused.reason)), status_of(refused))
                _moved(request)
                async with self._turn(reader):
                    asked = self._asked(request, reader)
                    with reading(reader):
                        text = shown(asked)
                        answer = _html(not_found(asked), 404) if text is None else _html(text, 200)
            self._logged(request, reader, answer.status)
            if request.query.get("lang") in LANGUAGES:
                answer.set_cookie(COOKIE, spoken, max_age=_YEAR_S, httponly=True, samesite="Lax")
            return answer

        return send

    def data(self, shown: Data) -> Handler:
        async def send(request: web.Request) -> web.Response:
            try:
                reader = self._reader(request)
            except LoginRefused as refused:
                return _json({"error": str(refused)}, status_of(refused))
            async with self._turn(reader):
                with speaking(spoken_data(request)):
                    found = shown(self._asked(request, reader))
                answer = _json(found, 404 if found is None else 200)
            self._logged(request, reader, answer.status)
            return answer

        return send

    def stream(self, events: EventStream) -> Handler:
        """The stream of events: a reader needs a login, and the read is not logged, as it has nothing about pilots."""

        async def send(request: web.Request) -> web.StreamResponse:
            try:
                reader = self._reader(request)
            except LoginRefused as refused:
                return _json({"error": str(refused)}, status_of(refused))
            return await events.send(request, reader)

        return send

    @asynccontextmanager
    async def _turn(self, reader: Reader | None) -> AsyncIterator[None]:
        try:
            async with self._turns.turn("" if reader is None else reader.name):
                yield
        except NoTurn:
            text = "too many pages are asked for at once; try later"
            raise web.HTTPServiceUnavailable(text=text, headers={**HEADERS, "Retry-After": "5"}) from None

    def _reader(self, request: web.Request) -> Reader | None:
        return None if self._gate is None else self._gate.admit(request.path_qs, request.headers.items())

    def _asked(self, request: web.Request, reader: Reader | None) -> Asked:
        seen = self._board if reader is None else seen_by(self._board, reader)
        return Asked(seen, request.query, request.match_info, self._clock())

    def _logged(self, request: web.Request, reader: Reader | None, status: int) -> None:
        if self._gate is not None and reader is not None:
            self._gate.logged(request.path_qs, status, reader)
            self._board.notices.reads_not_logged = self._gate.log_failed


def _html(text: str, status: int) -> web.Response:
    headers = HEADERS | {"Content-Language": TAGS[current()]}
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)


def _json(found: object, status: int) -> web.Response:
    body = msgspec.json.encode(found)
    return web.Response(body=body, status=status, content_type="application/json", headers=HEADERS)


def language(request: web.Request) -> Language:
    """The language of a reader: what the address asks for, then what it asked for last, then what the browser
    prefers."""
    for wanted in (request.query.get("lang"), request.cookies.get(COOKIE)):
        for one in LANGUAGES:
            if wanted == one:
                return one
    return language_of(request.headers.get("Accept-Language", ""))


def spoken_data(request: web.Request) -> Language:
    """The language of sentences in data: English, unless the address itself asks for another one, so that a browser or
    a cookie changes nothing in it. Names of fields and codes are the same in every language."""
    wanted = request.query.get("lang")
    return next((one for one in LANGUAGES if one == wanted), LANGUAGES[0])


def _moved(request: web.Request) -> None:
    """Send addresses of an earlier version to where the page is now."""
    if request.path == "/" and {"level", "words", "sort"} & set(request.query):
        raise web.HTTPFound("/fleet?" + urlencode(list(request.query.items())), headers=HEADERS)


def _file(name: str, content_type: str) -> web.RouteDef:
    text = files("monitor.console").joinpath(name).read_text("utf-8")

    async def send(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, headers=HEADERS)

    return web.get(f"/{name}", send)
