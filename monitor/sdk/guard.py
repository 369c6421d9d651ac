"""The guard: asked before each piece of work, refuses while a halt stands or before the standing is known."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

from monitor.errors import Halted, Unavailable
from monitor.sdk.follower import Follower


class Guard:
    """Counts work in hand and remembers the last decision that was served."""

    def __init__(self, pilot: str, follower: Follower | None, timeout: float) -> None:
        self._pilot = pilot
        self._follower = follower
        self._timeout = timeout
        self._lock = threading.Lock()
        self._in_hand = 0
        self.last_decision = ""

    @property
    def serving(self) -> bool:
        """Whether work is in hand or may begin."""
        if self._in_hand:
            return True
        if self._follower is None:
            return True
        standing = self._follower.standing
        return standing.known and not standing.halted

    def enter(self, decision: str, timeout: float) -> None:
        """Begin a piece of work. Raises `Halted` or `Unavailable`."""
        follower = self._follower
        if follower is None:
            raise Unavailable("this Pilot was made with follow=False: it reads no commands, so it cannot guard")
        if not follower.wait_known(timeout):
            raise Unavailable(
                f"the standing of pilot {self._pilot} is not known yet, so no work may begin"
                + (f": {follower.error}" if follower.error else "")
            )
        with self._lock:
            refusal = follower.standing.refusal(self._pilot)
            if refusal:
                raise Halted(refusal)
            self._in_hand += 1
            if decision:
                self.last_decision = decision

    def leave(self) -> None:
        """A piece of work has ended."""
        with self._lock:
            self._in_hand -= 1

    def entry(self, decision: str) -> Entry:
        """A context manager for one piece of work."""
        return Entry(self, decision, self._timeout)


class Entry:
    """One piece of work, as a plain or an async context manager."""

    def __init__(self, guard: Guard, decision: str, timeout: float) -> None:
        self._guard = guard
        self._decision = decision
        self._timeout = timeout

    def __enter__(self) -> None:
        self._guard.enter(self._decision, self._timeout)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._guard.leave()

    async def __aenter__(self) -> None:
        follower = self._guard._follower
        if follower is not None and not follower.standing.known:  # only then is there anything to wait for
            await asyncio.to_thread(follower.wait_known, self._timeout)
        self._guard.enter(self._decision, 0.0)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._guard.leave()
