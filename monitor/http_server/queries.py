"""Numbers of a query string, and responses as JSON."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web

from monitor.charter.values import escaped

N = TypeVar("N", int, float)


def number(request: web.Request, name: str, default: N) -> N:
    """A number of the query, of the type of `default`. Raises web.HTTPBadRequest for NaN, and for what neither SQLite
    nor a clock can hold."""
    text = request.query.get(name)
    if text is None:
        return default
    try:
        found = type(default)(text)
    except ValueError:
        found = None
    if found is None or not abs(found) < 1 << 62:
        raise web.HTTPBadRequest(text=f"{name}={escaped(text[:40])} is not a valid number")
    return found


def json_response(value: object, status: int = 200) -> web.Response:
    """`value` as JSON."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
