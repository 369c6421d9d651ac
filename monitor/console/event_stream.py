"""Server-sent events: tells open pages that the board changed, so that they fetch themselves again.

An event holds no content: a page that changed is fetched like any other, with its language and rights. A client that
does not read holds back its own stream only, as the next event is written when the last one is out; the server closes a
connection that is not read for longer than its limit. A reader from whom pilots are hidden is told at fixed times, as
when the board changes says what happens to others. With many clients each is told less often, so that the pages
which they fetch stay within what the process can render.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from aiohttp import web

from monitor.console.access.roles import Reader
from monitor.console.fleet_view import FleetView

MOST = 500  # streams at once; a further client is refused, and fetches its page from time to time instead
MOST_OF_READER = 32
LOOK_S = 1.0
PER_STREAM_S = 0.1  # added to the time between two events of one client for each open stream
TICK_MS = 60_000  # times left change without any record
FIXED_MS = 10_000  # between two events of a reader who does not see the whole board
RETRY_MS = 5_000


class EventStream:
    """The streams of one board. `clock` returns ms."""

    def __init__(self, board: FleetView, clock: Callable[[], int], headers: Mapping[str, str]) -> None:
        self._board, self._clock, self._headers = board, clock, headers
        self.open = 0
        self._of_reader: Counter[str] = Counter()

    async def send(self, request: web.Request, reader: Reader | None) -> web.StreamResponse:
        """An event now, and whenever the board may have changed for `reader`, until the client leaves."""
        name = "" if reader is None else reader.name
        if self.open >= MOST or (name and self._of_reader[name] >= MOST_OF_READER):
            headers = {**self._headers, "Retry-After": "60"}
            return web.Response(status=503, text="too many open pages; try later", headers=headers)
        answer = web.StreamResponse(headers={**self._headers, "Content-Type": "text/event-stream"})
        self.open += 1
        self._of_reader[name] += 1
        try:
            await answer.prepare(request)
            await answer.write(f"retry: {RETRY_MS}\n\n".encode())
            await self._follow(answer, reader is None or reader.sees_all)
        except ConnectionError:  # the client has left
            pass
        finally:
            self.open -= 1
            self._of_reader[name] -= 1
            self._of_reader += Counter()  # forgets readers without a stream
        return answer

    async def _follow(self, answer: web.StreamResponse, sees_all: bool) -> None:
        told: tuple[object, ...] | None = None
        while True:
            state = self._state(sees_all)
            if state != told:
                told = state
                await answer.write(f"data: {state[0]}\n\n".encode())
            await asyncio.sleep(LOOK_S + PER_STREAM_S * (self.open - 1))

    def _state(self, sees_all: bool) -> tuple[object, ...]:
        now = self._clock()
        if not sees_all:
            return now // FIXED_MS, tuple(self._board.liveness.silent(now))
        return self._board.version, tuple(self._board.liveness.silent(now)), now // TICK_MS
