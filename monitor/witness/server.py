"""A witness over HTTP: `POST /add-checkpoint` (C2SP tlog-witness) and `GET /latest/<sha256 of origin>`.

Requests are handled in threads, because each one waits for the disk. What one client can take is bounded by
`monitor/http_server`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from monitor.http_server.limits import ServerLimits
from monitor.http_server.server import HttpServer
from monitor.witness.answers import TEXT
from monitor.witness.witness import Witness

THREADS = 8
MAX_REQUEST_BYTES = 64 * 1024  # a proof of 63 hashes has 2.8 KiB, an ML-DSA-44 signature 3.3 KiB
LIMITS = ServerLimits(
    connections=512,
    connections_per_client=256,
    body_bytes=MAX_REQUEST_BYTES,
    bodies_bytes=512 * MAX_REQUEST_BYTES,
    body_seconds=10.0,
    client_requests_per_second=500.0,
    client_request_burst=2_000.0,
)


class WitnessServer:
    """Serves `witness`; `origins` are the logs that it follows. `names` and `count`: see `HttpServer`."""

    def __init__(
        self,
        witness: Witness,
        origins: Iterable[str],
        *,
        names: Iterable[str] = (),
        count: Callable[[str], None] = lambda reason: None,
        limits: ServerLimits = LIMITS,
    ) -> None:
        self._witness = witness
        self._origins = {hashlib.sha256(origin.encode()).hexdigest(): origin for origin in origins}
        self._server = HttpServer("witness", limits=limits, names=names, count=count)
        self._threads = ThreadPoolExecutor(THREADS, "witness")
        self._server.app.add_routes(
            [web.post("/add-checkpoint", self._add), web.get("/latest/{log:[0-9a-f]{64}}", self._latest)]
        )

    async def start(self, host: str, port: int) -> int:
        """Listen; port 0 picks a free one. Returns the port. Raises Refused."""
        return await self._server.start(host, port)

    async def stop(self) -> None:
        """Stop listening, and wait for requests that are being stored."""
        await self._server.stop()
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    async def _add(self, request: web.Request) -> web.StreamResponse:
        body = await self._server.guards.body(request)
        response = await asyncio.get_running_loop().run_in_executor(self._threads, self._witness.add, body)
        headers = {"Content-Type": response.content_type}
        return web.Response(status=response.answer.status, body=response.body, headers=headers)

    async def _latest(self, request: web.Request) -> web.StreamResponse:
        origin = self._origins.get(request.match_info["log"])
        note = None if origin is None else self._witness.latest(origin)
        if note is None:
            raise web.HTTPNotFound(text="this witness has cosigned nothing of that log")
        return web.Response(body=note, headers={"Content-Type": TEXT})
