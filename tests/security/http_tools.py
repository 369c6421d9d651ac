"""Raw requests against real servers, for the tests of the HTTP servers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from monitor.console.fleet_view import FleetView
from monitor.console.routes import routes
from monitor.embedded.monitor import Monitor
from monitor.http_server.limits import ServerLimits
from monitor.http_server.server import HttpServer

HOST = b"Host: 127.0.0.1"
SAMPLES = Path(__file__).parents[1] / "data" / "http"
SEPARATOR = b"\n=====\n"


def samples() -> list[bytes]:
    """Recorded requests that a server once answered with a status of 500 or more, or did not answer."""
    return [part for path in sorted(SAMPLES.glob("*.bin")) for part in path.read_bytes().split(SEPARATOR) if part]


def get(path: str = "/live", *headers: bytes, host: bytes = HOST) -> bytes:
    """A GET request."""
    return b"\r\n".join([f"GET {path} HTTP/1.1".encode(), host, *headers, b"", b""])


def post(path: str, media: str, body: bytes, *headers: bytes) -> bytes:
    """A POST request."""
    lines = [f"POST {path} HTTP/1.1".encode(), HOST, f"Content-Type: {media}".encode(), *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


class Client:
    """One connection that writes raw bytes and reads responses."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, local: str = "127.0.0.1") -> Client:
        """Connect from the address `local`."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(local, 0), limit=1 << 24))

    async def response(self, timeout: float = 30, *, bare: bool = False) -> tuple[int, dict[str, str], bytes]:
        """The next response: status, headers with lower-case names, body (none if `bare`, as after HEAD). Status 0: the
        connection was closed. Raises ValueError for what is no response."""
        try:
            async with asyncio.timeout(timeout):
                head = await self.reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
                words = lines[0].split()
                if len(words) < 2 or not words[0].startswith("HTTP/1."):
                    raise ValueError(f"no status line: {lines[0][:80]}")
                return int(words[1]), headers, b"" if bare else await self._body(headers)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, {}, b""

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", "0")))
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readuntil(b"\r\n")
        return body

    async def ask(self, request: bytes, timeout: float = 30) -> tuple[int, dict[str, str], bytes]:
        """Send a request and return its response."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(request)
            await self.writer.drain()
        return await self.response(timeout)

    async def closed(self, timeout: float) -> bool:
        """Whether the server closes the connection within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while await self.reader.read(65_536):
                    pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self.writer.close()


async def ask(port: int, request: bytes, local: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
    """The response to one request on a new connection."""
    client = await Client.open(port, local)
    try:
        return await client.ask(request)
    finally:
        client.close()


@contextlib.asynccontextmanager
async def monitor(directory: Path, **more: object) -> AsyncIterator[Monitor]:
    """A running embedded monitor on a free port."""
    running = Monitor(directory, port=0, **more)  # type: ignore[arg-type]
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@contextlib.asynccontextmanager
async def board(
    limits: ServerLimits | None = None, names: tuple[str, ...] = (), count: Callable[[str], None] = lambda why: None
) -> AsyncIterator[HttpServer]:
    """The board as the notary serves it, on a free port."""
    server = HttpServer("board", limits=limits, names=names, count=count)
    server.app.add_routes(routes(FleetView()))
    await server.start("127.0.0.1", 0)
    try:
        yield server
    finally:
        await server.stop()
