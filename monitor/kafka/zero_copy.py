"""Receives fetch responses without copying them: each is read from the socket into the buffer that it stays in.

aiokafka reads through asyncio's `StreamReader`: into a small buffer, appended to a second one, from which the response
is cut, and the records from that. A fetch of 8 MB is copied five times. Here it is received into one buffer of its
length, and its parts are views.

Only reading is replaced. Writing, closing, the end of a connection and all errors are handled by aiokafka as before,
through the `StreamReader` that receives no data any more. A connection under TLS is not changed.
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

SMALL = 64 * 1024  # bytes; a response of an idle broker fits into one read of this size
MUCH = 4 * 1024 * 1024  # bytes; while more is missing, the reader of a long response is not woken for less
WORD = 512  # bytes; shorter values are read as bytes, as names and numbers must be


class ZeroCopyClient(client.AIOKafkaClient):  # type: ignore[misc]
    """A client whose connections for fetches receive without copies."""

    async def _get_conn(
        self, node_id: Any, *, group: Any = client.ConnectionGroup.DEFAULT, no_hint: bool = False
    ) -> Any:
        connection = await super()._get_conn(node_id, group=group, no_hint=no_hint)
        if connection is not None and group == client.ConnectionGroup.DEFAULT:
            divert(connection)
        return connection


def use(consumer: Any) -> None:
    """Make a consumer that has not started yet receive without copies."""
    consumer._client.__class__ = ZeroCopyClient


def divert(connection: Any) -> bool:
    """Let `FrameReceiver` read this connection's responses from now on.

    Returns False, and changes nothing, under TLS, while a response is awaited, or when the connection is closed.
    """
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
    """Splits the input into responses: four bytes of length, then that many bytes.

    `inner` is the library's protocol, `wire` the socket. A response of more than `small` bytes gets a separate buffer.
    """

    def __init__(self, connection: Any, inner: asyncio.Protocol, wire: socket.socket, small: int = SMALL) -> None:
        self._connection = weakref.ref(
            connection
        )  # the library closes a lost connection, and reports one that is kept alive
        self._inner = inner
        self._wire = wire
        self._small = memoryview(bytearray(small))
        self._large: memoryview | None = None  # a response of which a part has arrived
        self._filled = 0  # bytes received into `_large`, or into `_small` without one

    def get_buffer(self, sizehint: int) -> memoryview:
        """The buffer for the next bytes; never empty."""
        return (self._small if self._large is None else self._large)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """`nbytes` bytes have arrived. An exception ends the connection; the library gets it from `connection_lost`."""
        self._filled += nbytes
        if self._large is None:
            self._cut()
        elif self._filled == len(self._large):
            whole, self._large, self._filled = self._large, None, 0
            self._wake_at(1)
            self._handle(whole)
        else:
            self._wake_at(len(self._large) - self._filled)

    def _cut(self) -> None:
        """Handle complete responses. An incomplete one whose length is known continues in a separate buffer."""
        small, filled, at = self._small, self._filled, 0
        self._filled = 0
        while filled - at >= 4:
            size = int.from_bytes(small[at : at + 4], "big", signed=True)
            if size < 0:
                raise ValueError(f"a response of {size} bytes")
            at += 4
            if size > filled - at:
                self._large = memoryview(bytearray(size))
                self._filled = filled - at
                self._large[: self._filled] = small[at:filled]
                self._wake_at(size - self._filled)
                return
            self._handle(memoryview(bytes(small[at : at + size])))
            at += size
        self._filled = filled - at
        small[: self._filled] = bytes(small[at:filled])

    def _wake_at(self, size: int) -> None:
        """Let the kernel collect `size` bytes before it reports the socket readable (or as many as it can hold).

        Each wake-up of this thread takes the interpreter lock from the thread that steps records.
        """
        with contextlib.suppress(OSError):  # a system without this option wakes the thread more often
            self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(size, MUCH))

    def _handle(self, response: memoryview) -> None:
        connection = self._connection()
        if connection is not None and connection._writer is not None:
            handle(connection, response)

    # ---- passed on to the library

    def pause_writing(self) -> None:
        """Passed on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Passed on."""
        self._inner.resume_writing()

    def eof_received(self) -> bool | None:
        """Passed on: the library's reader gets the end of the stream."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Passed on: the library's reader gets the error."""
        self._inner.connection_lost(exc)


class ViewReader:
    """A replacement for `BytesIO` in the library's decoders; long values are views. `data` must not change."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def read(self, size: int) -> bytes | memoryview:
        """The next `size` bytes, fewer at the end."""
        start, self._at = self._at, min(self._at + size, len(self._data))
        part = self._data[start : self._at]
        return part if size > WORD else bytes(part)


def handle(connection: Any, response: memoryview) -> None:
    """Pass a response to the future that waits for it: a fetch response as views, any other as the library does."""
    correlation, request, future = connection._requests[0]
    if correlation is None or request.API_KEY != FetchRequest.API_KEY:
        connection._handle_frame(bytes(response))
        return
    data = ViewReader(response)
    if request.parse_response_header(data).correlation_id != correlation:
        connection._handle_frame(bytes(response))  # which reports the mismatch and closes the connection
        return
    if not future.done():
        future.set_result(request.RESPONSE_TYPE.decode(data))
    connection._last_action = time.monotonic()
    connection._requests.popleft()
