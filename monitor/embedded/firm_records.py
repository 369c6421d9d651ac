"""`GET /v1/firms`: the records of firms, folded in process from the committed outputs."""

from __future__ import annotations

import msgspec
from aiohttp import web

from monitor.firms.fold import FirmsFold


def firm_routes(fold: FirmsFold) -> list[web.RouteDef]:
    """`GET /v1/firms`: every record, by firm; `GET /v1/firms/ID`: that of one, 404 where it has no pilot."""

    async def every(_request: web.Request) -> web.Response:
        return _json(fold.records())

    async def one(request: web.Request) -> web.Response:
        name = request.match_info["firm"]
        if name not in fold.firms:
            raise web.HTTPNotFound(text=f"no pilot of a firm {name} is known")
        return _json(fold.record(name))

    return [web.get("/v1/firms", every), web.get("/v1/firms/{firm}", one)]


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
