"""One connection of a server: what aiohttp does, and limits on what the client can hold open or make us keep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError

from monitor.http_server.limits import ServerLimits
from monitor.http_server.refusal_log import RefusalLog
from monitor.http_server.refusals import HttpRefusal

QUEUED_BYTES = 1024 * 1024  # that a client may send while a request of it is handled and none is read
HEADER_FIELDS, FIELD_BYTES, LINE_BYTES = 64, 4_096, 8_190
ERROR_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
READ_BYTES = 16 * 1024  # of a body that aiohttp buffers before it is asked for


class Connection(web.RequestHandler):
    """`closed` is called once, when the connection is closed. `check` must be called about once per second."""

    __slots__ = (
        "_closed", "_limits", "_loop_time", "_queued", "_refusals", "_unread_since", "_wire", "began", "client",
        "handling", "reading", "served", "streaming",
    )  # fmt: skip

    def __init__(
        self,
        server: web.Server,
        limits: ServerLimits,
        refusals: RefusalLog,
        client: str,
        closed: Callable[[Connection], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=loop,
            access_log=cast(Any, None),
            auto_decompress=False,  # aiohttp answers a broken content coding with 500
            keepalive_timeout=limits.idle_seconds,
            lingering_time=2.0,
            max_headers=HEADER_FIELDS,
            max_field_size=FIELD_BYTES,
            max_line_size=LINE_BYTES,
            read_bufsize=READ_BYTES,
        )
        self._limits, self._refusals, self._loop_time = limits, refusals, loop.time
        self._closed: Callable[[Connection], None] | None = closed
        self._wire: asyncio.Transport | None = None
        self._queued = 0
        self._unread_since: float | None = None
        self.client = client
        self.began = loop.time()
        self.served = 0  # requests that reached a handler
        self.handling = False
        self.reading = False  # a handler reads a body
        self.streaming = False  # a handler writes a long response and limits the time of each write

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._wire = cast(asyncio.Transport, transport)  # aiohttp forgets it while unsent bytes keep it open
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self._wire = None
        closed, self._closed = self._closed, None
        if closed is not None:
            closed(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. Closes the connection of a client that sends more than QUEUED_BYTES behind a request
        that is being handled."""
        if self.handling and not self.reading:
            self._queued += len(data)
            if self._queued > QUEUED_BYTES:
                self.abort(HttpRefusal.TOO_LARGE, "pipelined requests")
                return
        super().data_received(data)

    def begin(self) -> None:
        """A request reached its handler."""
        self.served += 1
        self.handling, self._queued = True, 0

    def end(self) -> None:
        """The handler has a response."""
        self.handling = self.reading = False

    @property
    def local_address(self) -> str:
        """The address on which the connection arrived."""
        name = self.sockname
        return str(name[0]) if name else ""

    def check(self, now: float) -> None:
        """Close the connection if the client is too slow. `now` is the time of the event loop."""
        if self._wire is None:
            return
        if self.served == 0 and now - self.began > self._limits.header_seconds:
            self.abort(HttpRefusal.SLOW, "no complete request in time")
        elif self.streaming or self._wire.get_write_buffer_size() == 0:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since > self._limits.write_seconds:
            self.abort(HttpRefusal.SLOW, "response is not read")

    def abort(self, why: HttpRefusal, detail: str) -> None:
        """Close the connection at once; unsent bytes are dropped."""
        self._refusals.refuse(why, self.client, detail)
        self.discard()

    def discard(self) -> None:
        """Close the connection at once; unsent bytes are dropped."""
        self.force_close()
        if self._wire is not None:
            self._wire.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp cannot encode what it repeats from a request that is not UTF-8, such as an unknown `Expect`."""
        if isinstance(exc, UnicodeEncodeError):
            status, exc, message = 400, BadHttpMessage("not UTF-8"), "the request is not UTF-8"
        answer = super().handle_error(request, status, exc, message)
        answer.headers.update(ERROR_HEADERS)  # it repeats parts of the request
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """aiohttp logs here what is not HTTP (it answers 400) and what escaped a handler, each with a traceback."""
        error = kw.get("exc_info")
        if isinstance(error, web.HTTPException | ConnectionError):
            return
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            self._refusals.refuse(HttpRefusal.NOT_HTTP, self.client, type(error).__name__)
        else:
            self._refusals.refuse(
                HttpRefusal.INTERNAL_ERROR, self.client, error=error if isinstance(error, BaseException) else None
            )
