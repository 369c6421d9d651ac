"""Listens, and keeps what clients hold open within limits: connections, slow requests, unread responses."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from monitor.errors import Refused
from monitor.http_server.connection import Connection
from monitor.http_server.connection_counts import ConnectionCounts, client_of
from monitor.http_server.guards import Guards
from monitor.http_server.limits import ServerLimits, raise_open_files
from monitor.http_server.refusal_log import RefusalLog
from monitor.http_server.refusals import HttpRefusal

HANDSHAKE_S = 10.0
SWEEP_S = 1.0
BACKLOG = 128
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\nConnection: close\r\n"
    b'Content-Length: 44\r\n\r\n{"error": "too many connections; try later"}'
)


class HttpServer:
    """Serves `app`, to which routes are added before `start`. `count` is called with a `HttpRefusal` for each refusal.

    `names` are accepted in `Host`, besides loopback names and the address of the connection. With `tls` it serves
    HTTPS.
    """

    def __init__(
        self,
        name: str,
        *,
        limits: ServerLimits | None = None,
        names: Iterable[str] = (),
        count: Callable[[str], None] = lambda reason: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits or ServerLimits()
        self._refusals = RefusalLog(name, count)
        self.guards = Guards(self.limits, names, self._refusals)
        self.app = self.guards.application()
        self.port = 0
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._sockets: list[socket.socket] = []
        self._open: set[Connection] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._counts = ConnectionCounts(
            self.limits.connections_within(raise_open_files()), self.limits.connections_per_client
        )

    @property
    def connections(self) -> int:
        """Connections that are open or in their TLS handshake."""
        return self._counts.open

    async def start(self, host: str, port: int) -> int:
        """Listen; port 0 picks a free one. Returns the port. Raises Refused when it cannot be listened on."""
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            for family, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
                # Port 0: all addresses of the host get the port that the first one was given.
                at = (address[0], self.port or port, *address[2:])
                self._sockets.append(_listening(family, at))
                self.port = int(self._sockets[0].getsockname()[1])
        except OSError as error:
            await self.stop()
            raise Refused(f"{host}:{port} cannot be listened on: {error.strerror}; choose another") from error
        self._tasks = [asyncio.create_task(self._accept(listening)) for listening in self._sockets]
        self._tasks.append(asyncio.create_task(self._sweep()))
        return self.port

    async def stop(self) -> None:
        """Stop listening; requests that are being handled have a second to finish. Idempotent."""
        for task in (*self._tasks, *self._starting):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._starting, return_exceptions=True)
        for listening in self._sockets:
            listening.close()
        if self._runner is not None:
            await self._runner.cleanup()
        for connection in list(self._open):  # those whose client does not read the rest
            connection.discard()
        self._tasks, self._sockets, self._runner = [], [], None

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:  # no file descriptor is left; existing connections go on
                self._refusals.refuse(HttpRefusal.NO_FILE, error=error)
                await asyncio.sleep(0.1)
                continue
            client = client_of(address)
            why = self._counts.enter(client)
            if why is not None:
                self._refusals.refuse(why, client)
                _turn_away(accepted, b"" if self._tls else _FULL)
                continue
            task = asyncio.create_task(self._connect(accepted, client))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _connect(self, accepted: socket.socket, client: str) -> None:
        assert self._runner is not None
        assert self._runner.server is not None
        connection = Connection(self._runner.server, self.limits, self._refusals, client, self._closed)
        self._open.add(connection)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_S if self._tls else None
            )
        except (OSError, asyncio.CancelledError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            if not isinstance(error, asyncio.CancelledError):
                self._refusals.refuse(HttpRefusal.TLS if self._tls else HttpRefusal.NO_FILE, client, error=error)
            accepted.close()
            self._closed(connection)

    def _closed(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._counts.leave(connection.client)

    async def _sweep(self) -> None:
        """Close connections of clients that are too slow."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            now = loop.time()
            for connection in list(self._open):
                connection.check(now)


def _listening(family: int, address: tuple[Any, ...]) -> socket.socket:
    """A socket that listens on an address. Raises OSError."""
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # IPv4 has a socket of its class
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setblocking(False)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _turn_away(accepted: socket.socket, answer: bytes) -> None:
    """Close a connection, with an answer if it can be sent without waiting."""
    try:
        accepted.setblocking(False)
        if answer:
            accepted.send(answer)
    except OSError:  # the client has gone, or does not read
        pass
    finally:
        accepted.close()
