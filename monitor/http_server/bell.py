"""Wakes long polls when something has happened."""

from __future__ import annotations

import asyncio


class Bell:
    """Notifies all waiters. A notification between two waits is not lost if the caller took `ticket` before it read."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def ticket(self) -> asyncio.Event:
        """The event to wait for; set at the next `ring`."""
        return self._event

    def ring(self) -> None:
        """Wake all waiters."""
        self._event.set()
        self._event = asyncio.Event()


async def waited(ticket: asyncio.Event, seconds: float) -> bool:
    """Wait for a ticket of a `Bell`. Returns False after `seconds` without a notification."""
    try:
        await asyncio.wait_for(ticket.wait(), seconds)
    except TimeoutError:
        return False
    return True
