"""Server-sent events: tells open pages that the board changed, so that they fetch themselves again.

An event holds no content: a page that changed is fetched like any other, with its language and rights. A client that
does not read holds back its own stream only, as the next event is written when the last one is out; the server closes a
connection that is not read for longer than its limit. With many clients each is told less often, so that the pages
which they fetch stay within what the process can render.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiohttp import web

from monitor.console.fleet_view import FleetView

MOST = 500  # streams at once; a further client is refused, and fetches its page from time to time instead
LOOK_S = 1.0
PER_STREAM_S = 0.1  # added to the time between two events of one client for each open stream
TICK_MS = 60_000  # times left change without any record
RETRY_MS = 5_000


class EventStream:
    """The streams of one board. `clock` returns ms."""

    def __init__(self, board: FleetView, clock: Callable[[], int], headers: Mapping[str, str]) -> None:
        self._board, self._clock, self._headers = board, clock, headers
        self.open = 0

    async def send(self, request: web.Request) -> web.StreamResponse:
        """An event now, and whenever the board has changed, until the client leaves."""
        if self.open >= MOST:
            headers = {**self._headers, "Retry-After": "60"}
            return web.Response(status=503, text="too many open pages; try later", headers=headers)
        answer = web.StreamResponse(headers={**self._headers, "Content-Type": "text/event-stream"})
        self.open += 1
        try:
            await answer.prepare(request)
            await answer.write(f"retry: {RETRY_MS}\n\n".encode())
            await self._follow(answer)
        except ConnectionError:  # the client has left
            pass
        finally:
            self.open -= 1
        return answer

    async def _follow(self, answer: web.StreamResponse) -> None:
        told: tuple[object, ...] | None = None
        while True:
            state = self._state()
            if state != told:
                told = state
                await answer.write(f"data: {state[0]}\n\n".encode())
            await asyncio.sleep(LOOK_S + PER_STREAM_S * (self.open - 1))

    def _state(self) -> tuple[object, ...]:
        now = self._clock()
        return self._board.version, tuple(self._board.liveness.silent(now)), now // TICK_MS
