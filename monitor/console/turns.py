"""Pages take turns, so that readers cannot hold up what else the process does: in the embedded monitor the same event
loop takes telemetry and delivers halts.

One page is made at a time, and for `REST` times as long as it took none is: pages take a quarter of the loop at most,
and a halt waits for about one page, however many are asked for. Readers take turns among each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

REST = 3.0
LONGEST_REST_S = 1.0  # a halt is delivered in a fraction of it
WAITING = 32  # requests of one reader that wait for a turn


class NoTurn(Exception):
    """Too many requests of this reader wait."""


class _Queue(Struct):
    """The requests of one reader: one of them waits for the turn, the others for it."""

    lock: asyncio.Lock
    waiting: int = 0


class Turns:
    """The turns of one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._next_at = 0.0
        self._queues: dict[str, _Queue] = {}  # of readers whose requests wait

    @asynccontextmanager
    async def turn(self, reader: str) -> AsyncIterator[None]:
        """Make one page in this block, without waiting in it. Waits until it is the turn of `reader`. Raises NoTurn."""
        queue = self._queues.setdefault(reader, _Queue(asyncio.Lock()))
        if queue.waiting >= WAITING:
            raise NoTurn
        queue.waiting += 1
        try:
            async with queue.lock, self._turn:
                loop = asyncio.get_running_loop()
                await asyncio.sleep(self._next_at - loop.time())
                began = loop.time()
                try:
                    yield
                finally:
                    now = loop.time()
                    self._next_at = now + min(LONGEST_REST_S, REST * (now - began))
        finally:
            queue.waiting -= 1
            if not queue.waiting:
                del self._queues[reader]
