"""The guard: asked before each piece of work, refuses while a halt stands, the permit has lapsed or nothing is known."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from asyncio import current_task, get_running_loop
from types import TracebackType
from typing import Any

from msgspec import structs

from monitor.errors import Halted, Lapsed, Unavailable
from monitor.model.notice import Notice
from monitor.sdk.clock import SECOND, Clock
from monitor.sdk.drain import Drain
from monitor.sdk.lease import Lease
from monitor.sdk.shared_state import (
    CONFIRMED,
    HALTED,
    LEASE_SENT,
    LEASE_UNTIL,
    OPEN_UNTIL,
    RELEASED,
    RUNNING,
    STATE,
    SharedState,
)
from monitor.sdk.standing import Standing, not_resumed, refusal

LOOK = 0.01  # seconds between two looks at the board while something is not known yet


class Guard:
    """Counts work in hand, remembers the last decision that was served, and answers from two words of the board.

    A word of the board counts only if it was written after this process began (`since`): whatever an earlier start was
    told or permitted is worth nothing to this one. `stops` says whether the end of the lease stops work.
    """

    def __init__(self, pilot: str, board: SharedState | None, clock: Clock, timeout: float, stops: bool) -> None:
        self._pilot = pilot
        self._board = board
        self._words: Any = board.words if board else [0] * 16
        self._clock = clock
        self.timeout = timeout
        self._lock = threading.Lock()
        self._since = clock()
        self._met = False  # the board was written since we began; with `stops`, so was the lease
        self._stops = stops
        self._forked = False
        self._tasks: dict[asyncio.Task[Any], asyncio.AbstractEventLoop] = {}
        self._cut: set[asyncio.Task[Any]] = set()
        self.drain: Drain | None = None  # while a halt stands
        self.in_hand = 0
        self.last_decision = ""
        self.page = ""  # of the pilot on the board, if that is known
        self.error = ""  # why the board's writer, if it is ours, learns nothing
        self._plain = Entry(self, "", False)
        _all.add(self)

    @property
    def stops(self) -> bool:
        """Whether work stops when the lease ends."""
        return self._stops

    @stops.setter
    def stops(self, value: bool) -> None:
        if value and not self._stops:
            self._met = False  # entitled by what commands say alone so far
        self._stops = value

    @property
    def lease(self) -> Lease | None:
        """The lease of the last permit, None when none came since this process began."""
        lease = self._board.lease if self._board else Lease()
        return lease if self._board and lease.sent >= self._since else None

    @property
    def notice(self) -> Notice | None:
        """What the monitor said last of the pilot's telemetry."""
        return self._board.notice if self._board else None

    @property
    def serving(self) -> bool:
        """Whether work is in hand or may begin."""
        return self.in_hand > 0 or self._board is None or self.refusal() is None

    def enter(self, decision: str, finishing: bool = False) -> None:
        """Begin a piece of work. Raises `Halted`, `Lapsed` or `Unavailable`, without waiting."""
        # Counted first, then asked: whoever closes the board and then finds nothing in hand knows that nothing begins.
        words = self._words
        with self._lock:
            self.in_hand += 1
            if self._met:
                now = self._clock()
                if now < words[OPEN_UNTIL] and (not self._stops or now < words[LEASE_UNTIL]):
                    if decision:
                        self.last_decision = decision
                    return
            self.in_hand -= 1
        self._slowly(decision, finishing)

    def leave(self) -> None:
        """A piece of work has ended."""
        with self._lock:
            self.in_hand -= 1

    def entry(self, decision: str, finishing: bool) -> Entry:
        """A context manager for one piece of work."""
        return Entry(self, decision, finishing) if decision or finishing else self._plain

    def _slowly(self, decision: str, finishing: bool) -> None:
        with self._lock:
            self.in_hand += 1
            error = self.refusal()
            if error is None or (finishing and isinstance(error, Halted) and self.drain and self.drain.left):
                if decision:
                    self.last_decision = decision
                return
            self.in_hand -= 1
        raise error

    def refusal(self) -> Halted | Lapsed | Unavailable | None:
        """Why no work may begin now; None when it may."""
        board, words = self._board, self._words
        if board is None:
            return Unavailable("this Pilot was made with follow=False: it reads no commands, so it cannot guard")
        if self._forked:
            return Unavailable("this Pilot was made before a fork: make a new one in the child")
        now, state = self._clock(), words[STATE]
        if words[CONFIRMED] < self._since or state not in (RUNNING, HALTED, RELEASED):
            return self._unknown("is not known yet")
        if state != RUNNING:
            standing = board.standing
            if standing.command is None or (state == RELEASED and not standing.lifted):
                return self._unknown("is being written")
            return self._halted(standing, state == RELEASED)
        if now >= words[OPEN_UNTIL]:
            return self._unknown("was not confirmed for too long")
        if self._stops and (words[LEASE_SENT] < self._since or now >= words[LEASE_UNTIL]):
            return self._lapse(now)
        self._met = True
        return None

    def _halted(self, standing: Standing, released: bool) -> Halted:
        command = standing.command
        assert command is not None
        if released:
            return Halted(
                not_resumed(self._pilot, standing),
                page=self.page,
                pilot=self._pilot,
                reason="not_resumed",
                decision=standing.lifted,
                standing=(standing.release or command).standing,
            )
        brief = refusal(structs.replace(command, ground=None))
        return Halted(
            refusal(command) + (f". See {self.page}" if self.page else ""),
            brief=brief,
            page=self.page,
            pilot=self._pilot,
            reason=command.reason.value,
            decision=command.decision,
            standing=command.standing,
            ground=command.ground,
        )

    def _unknown(self, what: str) -> Unavailable:
        return Unavailable(
            f"the standing of pilot {self._pilot} {what}, so no work may begin"
            + (f": {self.error}" if self.error else "")
        )

    def _lapse(self, now: int) -> Lapsed:
        words = self._words
        since = (now - words[LEASE_UNTIL]) / SECOND if words[LEASE_SENT] >= self._since else None
        # A first one that never comes while the standing is read has mostly one of these causes, which only the monitor sees.
        never = (
            "none has come since this process began; if that lasts, the monitor may set its heartbeats aside as not "
        )
        never += "admitted, not signed with the charter's key, or of a wrong clock: look at `rejected`"
        return Lapsed(
            f"pilot {self._pilot} has no permit: "
            + (never if since is None else f"the last one ran out {since:.1f} s ago")
            + ". No work may begin until the monitor answers a heartbeat; this is not a halt",
            pilot=self._pilot,
        )

    def patient(self, error: Unavailable | Lapsed) -> bool:
        """Whether waiting may help: nothing is known yet, or the first permit has not come."""
        if self._board is None or self._forked:
            return False
        return isinstance(error, Unavailable) or self._words[LEASE_SENT] < self._since

    def wait(self, decision: str, finishing: bool) -> None:
        """`enter`, as soon as what is not known yet is known, for at most `timeout` seconds."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                return self.enter(decision, finishing)
            except (Unavailable, Lapsed) as error:
                if time.monotonic() >= end or not self.patient(error):
                    raise
            time.sleep(LOOK)

    def check(self) -> None:
        """For work in hand: raises `Halted` once a halt's time to finish is over."""
        if self.drain is not None and not self.drain.left:
            error = self.refusal()
            if isinstance(error, Halted):
                raise error

    def finished(self) -> bool:
        """End the time to finish if nothing is in hand; whether it has ended."""
        with self._lock:
            if self.drain is not None and not self.in_hand:
                self.drain.over = True
            return self.drain is None or not self.drain.left

    def cut(self) -> None:
        """A halt's time to finish is over: end the asyncio tasks that still work. Threads end at their next `check`."""
        with self._lock:
            tasks = dict(self._tasks)
        for task, loop in tasks.items():
            self._cut.add(task)
            loop.call_soon_threadsafe(task.cancel)

    def forked(self) -> None:
        """In a forked child: nothing here is watched any more."""
        self._forked, self._met = True, False
        self._lock = threading.Lock()
        if self._board is not None:
            self._board.forked()


class Entry:
    """One piece of work, as a plain or an async context manager."""

    __slots__ = ("_decision", "_finishing", "_guard")

    def __init__(self, guard: Guard, decision: str, finishing: bool) -> None:
        self._guard = guard
        self._decision = decision
        self._finishing = finishing

    def __enter__(self) -> None:
        try:
            self._guard.enter(self._decision, self._finishing)
            return
        except (Unavailable, Lapsed) as error:
            if not self._guard.patient(error):
                raise
        self._guard.wait(self._decision, self._finishing)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._guard.leave()

    async def __aenter__(self) -> None:
        await self.begin()

    async def begin(self) -> asyncio.Task[Any] | None:
        """Enter; returns the task that works now, for `end`."""
        guard = self._guard
        try:
            guard.enter(self._decision, self._finishing)
        except (Unavailable, Lapsed) as error:
            if not guard.patient(error):
                raise
            await asyncio.to_thread(guard.wait, self._decision, self._finishing)
        loop = get_running_loop()
        task = current_task(loop)
        if task is not None:
            guard._tasks[task] = loop
        return task

    def end(self, task: asyncio.Task[Any] | None, error: BaseException | None) -> None:
        """Leave. Raises `Halted` in place of the cancellation with which a halt ended the work."""
        guard = self._guard
        guard.leave()
        if task is None:
            return
        guard._tasks.pop(task, None)
        if guard._cut and task in guard._cut:
            guard._cut.discard(task)
            if isinstance(error, asyncio.CancelledError) and task.uncancel() == 0:
                guard.check()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.end(current_task(get_running_loop()), error)


_all: weakref.WeakSet[Guard] = weakref.WeakSet()


def _after_fork() -> None:
    for guard in list(_all):
        guard.forked()


os.register_at_fork(after_in_child=_after_fork)
