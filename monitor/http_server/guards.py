"""What every request of a server passes before its handler: host name, request rate, errors as JSON."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from monitor.charter.values import escaped
from monitor.http_server.connection import ERROR_HEADERS, Connection
from monitor.http_server.host_names import HostNames
from monitor.http_server.limits import ServerLimits
from monitor.http_server.refusal_log import RefusalLog
from monitor.http_server.refusals import HttpRefusal
from monitor.http_server.token_buckets import TokenBuckets

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RETRY_SECONDS = 60  # the longest wait that `Retry-After` asks for
_OF_STATUS = {
    403: HttpRefusal.NOT_ALLOWED,
    408: HttpRefusal.SLOW,
    413: HttpRefusal.TOO_LARGE,
    429: HttpRefusal.RATE,
    503: HttpRefusal.NOT_READY,
}


class TooMany(web.HTTPTooManyRequests):
    """429 with `Retry-After`; `why` is counted."""

    def __init__(self, text: str, seconds: float, why: HttpRefusal = HttpRefusal.RATE) -> None:
        super().__init__(text=text, headers=retry_after(seconds))
        self.why = why


class WrongHost(web.HTTPForbidden):
    """403: the `Host` header names no name of this server."""

    def __init__(self, header: str | None) -> None:
        shown = "missing, or given twice" if header is None else escaped(header[:80])
        super().__init__(
            text=f"host {shown} is not a loopback name, the address of this server or a name given with --host-name"
        )
        self.why = HttpRefusal.HOST_NAME


class Busy(web.HTTPServiceUnavailable):
    """503 with `Retry-After`: more of this at once than the server can hold."""

    def __init__(self, text: str, seconds: float = 1) -> None:
        super().__init__(text=text, headers=retry_after(seconds))
        self.why = HttpRefusal.BUSY


def retry_after(seconds: float) -> dict[str, str]:
    """The header `Retry-After`: whole seconds, at least 1 and at most RETRY_SECONDS."""
    return {"Retry-After": str(min(RETRY_SECONDS, max(1, math.ceil(seconds))))}


class Guards:
    """The middlewares of one server, and the reading of bodies. For one event loop."""

    def __init__(self, limits: ServerLimits, names: Iterable[str], refusals: RefusalLog) -> None:
        self._limits, self._names, self.refusals = limits, HostNames(names), refusals
        self._requests = TokenBuckets(limits.client_requests_per_second, limits.client_request_burst)
        self._bytes = TokenBuckets(limits.client_bytes_per_second, limits.client_byte_burst)
        self._receiving = 0  # bytes that bodies in reception may have

    def application(self) -> web.Application:
        """An application whose requests pass these guards."""
        return web.Application(client_max_size=self._limits.body_bytes, middlewares=[self._answered, self._admitted])

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Errors as JSON: {"error": problem and fix}. Each is counted."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.begin()
        try:
            return await handler(request)
        except web.HTTPException as refused:
            if refused.status < 400:
                raise
            why = getattr(refused, "why", _OF_STATUS.get(refused.status, HttpRefusal.BAD_REQUEST))
            self.refusals.refuse(why, connection.client, f"status {refused.status}")
            fix = "; send it in parts" if refused.status == 413 else ""
            answer = error_response((refused.text or refused.reason) + fix, refused.status)
            for name in ("Retry-After", "Allow"):
                if name in refused.headers:
                    answer.headers[name] = refused.headers[name]
            if refused.status in (408, 413, 429, 503) and not request.content.at_eof():
                answer.force_close()  # the rest of its body is not read
            return answer
        except UnicodeEncodeError:  # bytes of the path, the query or a header that are not UTF-8
            self.refusals.refuse(HttpRefusal.BAD_REQUEST, connection.client, "not UTF-8")
            return error_response("the request is not UTF-8; percent-encode it as UTF-8", 400)
        except ConnectionError:  # the client has gone while a response was streamed
            raise
        except Exception as error:
            self.refusals.refuse(HttpRefusal.INTERNAL_ERROR, connection.client, error=error)
            return error_response("internal error; it is in the log of the monitor", 500)
        finally:
            connection.end()

    @web.middleware
    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse unexpected host names (403) and clients that exceed their rate (429)."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not self._names.accepts(hosts[0], connection.local_address):
            raise WrongHost(hosts[0] if len(hosts) == 1 else None)
        now, client = asyncio.get_running_loop().time(), connection.client
        left = self._requests.wait(client, now)
        if request.body_exists:  # a client that sent too much may still read its commands
            left = max(left, self._bytes.wait(client, now))
        if left > 0:
            raise TooMany("too many requests or bytes of this client address; slow down", left)
        self._requests.charge(client, 1, now)
        return await handler(request)

    def charge(self, request: web.Request, *, requests: float = 0, size: float = 0) -> None:
        """Charge the client of a request for more than the request itself."""
        connection, now = request.protocol, asyncio.get_running_loop().time()
        assert isinstance(connection, Connection)
        self._requests.charge(connection.client, requests, now)
        self._bytes.charge(connection.client, size, now)

    async def body(self, request: web.Request, largest: int | None = None) -> bytes:
        """The body as sent, at most `largest` bytes (default: of the limits), charged to the client.

        Raises web.HTTPBadRequest when it is incomplete, HTTPRequestTimeout (408), HTTPRequestEntityTooLarge (413), and
        `Busy` when too many bodies are in reception.
        """
        largest = self._limits.body_bytes if largest is None else largest
        length = request.content_length
        if length is not None and length > largest:
            raise web.HTTPRequestEntityTooLarge(largest, length)
        if length is None and request.body_exists:
            length = largest
        reserved = length or 0
        if self._receiving and self._receiving + reserved > self._limits.bodies_bytes:
            raise Busy("too many bodies are in reception; retry")
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.reading, self._receiving = True, self._receiving + reserved
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                raw = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the body did not arrive in time; retry") from None
        except (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError) as error:
            raise web.HTTPBadRequest(text=f"the body is incomplete: {error}; retry") from None
        finally:
            connection.reading, self._receiving = False, self._receiving - reserved
        if len(raw) > largest:
            raise web.HTTPRequestEntityTooLarge(largest, len(raw))
        self.charge(request, size=len(raw))
        return raw


def error_response(text: str, status: int) -> web.Response:
    """`{"error": text}`."""
    body = msgspec.json.encode({"error": text})
    return web.Response(body=body, status=status, content_type="application/json", headers=ERROR_HEADERS)
