"""A clock that the test moves, so that a year of behaviour is tested in a second.

Times are integer milliseconds since 1970-01-01T00:00Z, as everywhere in the monitor.
"""

from __future__ import annotations


class MovingClock:
    """Call it for the time; `step` ms pass with every call, `advance` and `set` move it by hand. It never goes back.

    >>> clock = MovingClock(1_000, step=5)
    >>> clock(), clock(), clock.advance(60_000), clock.now
    (1000, 1005, 61010, 61010)
    """

    def __init__(self, now: int = 0, *, step: int = 0) -> None:
        if step < 0:
            raise ValueError("a clock never goes back: step >= 0")
        self.now = now
        self.step = step

    def __call__(self) -> int:
        """The time (ms) before this call's step is taken."""
        now = self.now
        self.now += self.step
        return now

    def advance(self, ms: int) -> int:
        """Let `ms` milliseconds pass; returns the new time. Raises ValueError when `ms` is negative."""
        return self.set(self.now + ms)

    def set(self, now: int) -> int:
        """Move to `now`; returns it. Raises ValueError when that lies in the past."""
        if now < self.now:
            raise ValueError(f"a clock never goes back: {now} < {self.now}")
        self.now = now
        return now
