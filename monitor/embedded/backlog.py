"""Input that is stored and not yet stepped: what it holds, and whether more may be accepted.

Without a bound, a sender that is faster than the machine delays the timers and halts of all pilots, and fills the disk.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

EVENTS = 100_000  # a few seconds of work of the machine
BYTES = 64 * 1024 * 1024
RETRY_S = (1.0, 30.0)  # the shortest and the longest wait that a sender is asked for


class _Append(Struct):
    next: int  # offset after it
    events: int
    size: int


class Backlog:
    """The backlog of one log. `reserve` before an append, then `appended` or `released`; `stepped` as the machine
    proceeds."""

    def __init__(self, events: int = EVENTS, size: int = BYTES) -> None:
        self._most_events, self._most_size = events, size
        self._appends: deque[_Append] = deque()
        self._stepped = 0  # next offset of the machine
        self.events = 0  # stored or about to be stored, and not stepped
        self.size = 0
        self._rate = 0.0  # events per second, smoothed

    def reserve(self, events: int, size: int) -> float:
        """Reserve room for a request. Returns 0.0, or the seconds after which the sender should retry; nothing is
        reserved then. A request larger than the bound is accepted when nothing is pending."""
        if self.events and (self.events + events > self._most_events or self.size + size > self._most_size):
            shortest, longest = RETRY_S
            return min(longest, max(shortest, self.events / self._rate if self._rate else shortest))
        self.events += events
        self.size += size
        return 0.0

    def released(self, events: int, size: int) -> None:
        """A reserved request was not stored."""
        self.events -= events
        self.size -= size

    def appended(self, next_offset: int, events: int, size: int) -> None:
        """A reserved request is stored, up to `next_offset` (exclusive)."""
        if next_offset <= self._stepped:
            self.released(events, size)
        else:
            self._appends.append(_Append(next_offset, events, size))

    def stepped(self, next_offset: int, seconds: float = 0.0) -> None:
        """The machine has processed everything below `next_offset`, the last part of it in `seconds`."""
        self._stepped = max(self._stepped, next_offset)
        done = 0
        while self._appends and self._appends[0].next <= next_offset:
            append = self._appends.popleft()
            done += append.events
            self.released(append.events, append.size)
        if done and seconds > 0:
            rate = done / seconds
            self._rate = rate if not self._rate else 0.8 * self._rate + 0.2 * rate
