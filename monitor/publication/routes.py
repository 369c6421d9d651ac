"""Serves a publication over HTTP, read-only, as tlog-tiles asks: content types, caching, and nothing but its paths."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from aiohttp import web

from monitor.http_server.guards import error_response
from monitor.publication.pilot_logs import LEAF_PROOF
from monitor.tlog.errors import BadFormat
from monitor.tlog.tiles import parse_tile_path

PREFIX = "/publication"
_LOG = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")
_STAMP = re.compile(r"stamp/[1-9][0-9]{0,18}/[a-z0-9][a-z0-9.-]{0,60}")
_MUTABLE = "public, max-age=1"
_IMMUTABLE = "public, max-age=31536000, immutable"


def content_type(path: str) -> str | None:
    """The content type of a path below the prefix of a log; `None` for what is not published."""
    if path == "checkpoint":
        return "text/plain; charset=utf-8"
    if path == LEAF_PROOF:
        return "text/plain; charset=utf-8"
    if _STAMP.fullmatch(path):
        return "application/octet-stream"
    try:
        parse_tile_path(path)
    except BadFormat:
        return None
    return "application/octet-stream"


def publication_route(directory: Path) -> web.RouteDef:
    """`GET /publication/LOG/PATH`: a file of the publication in `directory`; 404 for everything else."""

    async def answer(request: web.Request) -> web.Response:
        log, path = request.match_info["log"], request.match_info["path"]
        kind = content_type(path) if _LOG.fullmatch(log) else None
        if kind is None:
            return error_response("no such file of a log; see c2sp.org/tlog-tiles", 404)
        try:
            body = await asyncio.to_thread((directory / log / path).read_bytes)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return error_response("this log does not have it (yet)", 404)
        caching = _MUTABLE if path in ("checkpoint", LEAF_PROOF) else _IMMUTABLE
        return web.Response(body=body, headers={"Content-Type": kind, "Cache-Control": caching})

    return web.get(PREFIX + "/{log}/{path:.+}", answer)
