"""Serves pages from a separate thread, so that they are answered while the service is busy or blocked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from aiohttp import web

from monitor.http_server.limits import ServerLimits
from monitor.http_server.server import HttpServer

Page = Callable[[], tuple[int, str, bytes]]  # status, media type, body; may block
LIMITS = ServerLimits(
    connections=128,
    connections_per_client=32,
    body_bytes=1_024,
    client_requests_per_second=50,
    client_request_burst=200,
)
PAGE_THREADS = 2


class PagesInThread:
    """Serves GET on these paths from its own thread and event loop, until `stop` or the end of the process.

    `names` and `count`: see `HttpServer`. Port 0 picks a free one; `port` is the one in use. The constructor raises
    Refused when host and port cannot be listened on.
    """

    def __init__(
        self,
        port: int,
        pages: Mapping[str, Page],
        host: str = "127.0.0.1",
        *,
        names: Iterable[str] = (),
        count: Callable[[str], None] = lambda reason: None,
        limits: ServerLimits = LIMITS,
    ) -> None:
        self._pages, self._host, self._limits = pages, host, limits
        self._names, self._count = tuple(names), count
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        started: Future[int] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(port, started)), name="http-pages", daemon=True
        )
        self._thread.start()
        self.port = started.result()

    async def _run(self, port: int, started: Future[int]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = HttpServer("pages", limits=self._limits, names=self._names, count=self._count)
        with ThreadPoolExecutor(PAGE_THREADS, "page") as pool:
            server.app.add_routes([web.get(path, _handler(page, pool)) for path, page in self._pages.items()])
            try:
                started.set_result(await server.start(self._host, port))
            except BaseException as error:
                started.set_exception(error)
                return
            await self._stopping.wait()
            await server.stop()

    def stop(self) -> None:
        """Stop listening and end the thread."""
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()


def serve_pages(
    port: int,
    pages: Mapping[str, Page],
    host: str = "127.0.0.1",
    *,
    names: Iterable[str] = (),
    count: Callable[[str], None] = lambda reason: None,
) -> int:
    """Serve pages until the process ends; see `PagesInThread`. Returns the port."""
    return PagesInThread(port, pages, host, names=names, count=count).port


def _handler(page: Page, pool: ThreadPoolExecutor) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        status, media, body = await asyncio.get_running_loop().run_in_executor(pool, page)
        return web.Response(status=status, body=body, headers={"Content-Type": media})

    return answer
