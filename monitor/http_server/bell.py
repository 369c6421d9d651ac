"""Wakes long polls when something has happened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from weakref import WeakValueDictionary


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


class PilotBells:
    """A bell for each pilot, so that an output wakes the polls of its pilot and no other. Keeps nothing for a pilot
    without waiters."""

    def __init__(self) -> None:
        self._events: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    def ticket(self, pilot: str) -> asyncio.Event:
        """The event to wait for, see `Bell.ticket`; the caller keeps it while it waits."""
        event = self._events.get(pilot)
        if event is None:
            event = self._events[pilot] = asyncio.Event()
        return event

    def __len__(self) -> int:
        """How many pilots have waiters."""
        return len(self._events)

    def ring(self, pilots: Iterable[str]) -> None:
        """Wake all waiters of these pilots."""
        for pilot in pilots:
            event = self._events.pop(pilot, None)
            if event is not None:
                event.set()


async def waited(ticket: asyncio.Event, seconds: float) -> bool:
    """Wait for a ticket of a `Bell`. Returns False after `seconds` without a notification."""
    try:
        await asyncio.wait_for(ticket.wait(), seconds)
    except TimeoutError:
        return False
    return True
