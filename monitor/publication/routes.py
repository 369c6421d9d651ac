"""Serves a publication over HTTP, read-only, as tlog-tiles asks: content types, caching, and nothing but its paths.

The server does not know who asks. So it serves what is for everybody: the authority log, and the proofs that
checkpoints of pilot logs are in it. A pilot log holds the entries of one firm; it is served only where the operator
says that something in front decides who may read it.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from aiohttp import web

from monitor.http_server.guards import error_response
from monitor.publication.log_key import AUTHORITY
from monitor.publication.pilot_logs import LEAF_PROOF
from monitor.tlog.errors import BadFormat
from monitor.tlog.tiles import parse_tile_path

PREFIX = "/publication"
_LOG = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")
_STAMP = re.compile(r"stamp/[1-9][0-9]{0,18}/[a-z0-9][a-z0-9.-]{0,60}")
_MUTABLE = "max-age=1"
_IMMUTABLE = "max-age=31536000, immutable"
_NOT_SERVED = (
    "pilot logs are not served here, only authority/ and LOG/authority.tlog-proof; a firm asks the authority where to "
    "read its own log"
)


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


def publication_route(directory: Path, *, pilot_logs: bool = False) -> web.RouteDef:
    """`GET /publication/LOG/PATH`: a file of the publication in `directory`; 404 for everything else.

    Without `pilot_logs` a path of a pilot log is answered with 403, whether it exists or not, but for the proof of its
    checkpoint. Answers about pilot logs are not for shared caches (RFC 9111, 5.2.2.7).
    """

    async def answer(request: web.Request) -> web.Response:
        log, path = request.match_info["log"], request.match_info["path"]
        kind = content_type(path) if _LOG.fullmatch(log) else None
        if kind is None:
            return error_response("no such file of a log; see c2sp.org/tlog-tiles", 404)
        public = log == AUTHORITY or path == LEAF_PROOF
        if not (public or pilot_logs):
            return error_response(_NOT_SERVED, 403)
        try:
            body = await asyncio.to_thread((directory / log / path).read_bytes)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return error_response("this log does not have it (yet)", 404)
        age = _MUTABLE if path in ("checkpoint", LEAF_PROOF) else _IMMUTABLE
        caching = f"{'public' if public else 'private'}, {age}"
        return web.Response(body=body, headers={"Content-Type": kind, "Cache-Control": caching})

    return web.get(PREFIX + "/{log}/{path:.+}", answer)
