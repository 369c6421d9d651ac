"""The connection that records are fetched on: each answer of the broker is received where it stays, and copied no more.

aiokafka reads through asyncio's `StreamReader`, which receives into a small buffer, appends it to a second, cuts the answer out
of that, and then aiokafka cuts the records out of the answer: a fetch of 8 MB is copied five times. Here it is received straight
into one buffer of its length, and what is cut out of it are views.

Only what is read is diverted. Writing, closing, the end of a connection and all that goes wrong on it still go the library's
way, through the `StreamReader` that no data reaches any more. A connection under TLS is left as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import weakref
from typing import Any

from aiokafka import client
from aiokafka.protocol.fetch import FetchRequest

SMALL = 64 * 1024  # bytes; what an idle broker answers comes whole in one read of so many
MUCH = 4 * 1024 * 1024  # bytes; whoever reads a long answer is not woken for less, as long as so much is to come
WORD = 512  # bytes; what is shorter than this comes out of an answer as bytes, as names and numbers must


class ZeroCopyClient(client.AIOKafkaClient):  # type: ignore[misc]
    """A client whose connections for fetches read their answers into place."""

    async def _get_conn(
        self, node_id: Any, *, group: Any = client.ConnectionGroup.DEFAULT, no_hint: bool = False
    ) -> Any:
        connection = await super()._get_conn(node_id, group=group, no_hint=no_hint)
        if connection is not None and group == client.ConnectionGroup.DEFAULT:
            divert(connection)
        return connection


def use(consumer: Any) -> None:
    """Have a consumer that has not started yet receive its answers so."""
    consumer._client.__class__ = ZeroCopyClient


def divert(connection: Any) -> bool:
    """Have a connection's answers read by `FrameReceiver` from now on; False when they are not, for now or for good: under TLS, while
    an answer is awaited, or when it is closed."""
    if connection._writer is None or connection._requests:
        return False
    transport = connection._writer.transport
    if isinstance(transport.get_protocol(), FrameReceiver):
        return True
    if transport.get_extra_info("sslcontext") is not None:
        return False
    transport.set_protocol(FrameReceiver(connection, transport.get_protocol(), transport.get_extra_info("socket")))
    return True


class FrameReceiver(asyncio.BufferedProtocol):
    """Cuts what comes in into answers: a length of four bytes, and so many bytes. `inner` is the library's own protocol, `wire` the
    socket; an answer of more than `small` bytes has a buffer of its own."""

    def __init__(self, connection: Any, inner: asyncio.Protocol, wire: socket.socket, small: int = SMALL) -> None:
        self._connection = weakref.ref(connection)  # the library closes, and complains of, a connection that is lost
        self._inner = inner
        self._wire = wire
        self._small = memoryview(bytearray(small))
        self._large: memoryview | None = None  # an answer that has come in part
        self._filled = 0  # bytes of `_large`, or of `_small` without one

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go: never empty."""
        return (self._small if self._large is None else self._large)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come. What is raised here ends the connection, and goes to the library by `connection_lost`."""
        self._filled += nbytes
        if self._large is None:
            self._cut()
        elif self._filled == len(self._large):
            whole, self._large, self._filled = self._large, None, 0
            self._wake_at(1)
            self._answered(whole)
        else:
            self._wake_at(len(self._large) - self._filled)

    def _cut(self) -> None:
        """Hand on what is whole; what is not, and has its length, goes on in a buffer of its own."""
        small, filled, at = self._small, self._filled, 0
        self._filled = 0
        while filled - at >= 4:
            size = int.from_bytes(small[at : at + 4], "big", signed=True)
            if size < 0:
                raise ValueError(f"an answer of {size} bytes")
            at += 4
            if size > filled - at:
                self._large = memoryview(bytearray(size))
                self._filled = filled - at
                self._large[: self._filled] = small[at:filled]
                self._wake_at(size - self._filled)
                return
            self._answered(memoryview(bytes(small[at : at + size])))
            at += size
        self._filled = filled - at
        small[: self._filled] = bytes(small[at:filled])

    def _wake_at(self, size: int) -> None:
        """Let the kernel gather what comes next: it says that there is something to read when it holds so many bytes, or as many as
        it can. Each turn of this thread takes the interpreter from the one that steps."""
        with contextlib.suppress(OSError):  # a system that does not know this wakes us more often
            self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(size, MUCH))

    def _answered(self, answer: memoryview) -> None:
        connection = self._connection()
        if connection is not None and connection._writer is not None:
            handle(connection, answer)

    # ---- what is not ours

    def pause_writing(self) -> None:
        """The library's."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The library's."""
        self._inner.resume_writing()

    def eof_received(self) -> bool | None:
        """The library's: whoever reads meets the end."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The library's: whoever reads meets what has happened."""
        self._inner.connection_lost(exc)


class ViewReader:
    """What `BytesIO` is to the library's decoders, but for long values, which are views. `data` must not change."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def read(self, size: int) -> bytes | memoryview:
        """The next `size` bytes, fewer at the end."""
        start, self._at = self._at, min(self._at + size, len(self._data))
        part = self._data[start : self._at]
        return part if size > WORD else bytes(part)


def handle(connection: Any, answer: memoryview) -> None:
    """Give an answer to whoever waits for it: that to a fetch as views, any other as the library does."""
    correlation, request, future = connection._requests[0]
    if correlation is None or request.API_KEY != FetchRequest.API_KEY:
        connection._handle_frame(bytes(answer))
        return
    data = ViewReader(answer)
    if request.parse_response_header(data).correlation_id != correlation:
        connection._handle_frame(bytes(answer))  # which knows how to end this
        return
    if not future.done():
        future.set_result(request.RESPONSE_TYPE.decode(data))
    connection._last_action = time.monotonic()
    connection._requests.popleft()
