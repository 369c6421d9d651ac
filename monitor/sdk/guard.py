"""The guard: called before each piece of work; refuses while a halt is in force, the permit has lapsed, or nothing is
known.

The usual answer costs about a microsecond: it compares two words of the shared memory with the clock. A word counts
only if it was written after this process began, so that no earlier start's permission is inherited.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
import time
import weakref
from asyncio import current_task, get_running_loop
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from msgspec import structs

from monitor.errors import Halted, Lapsed, Unavailable
from monitor.model.notice import Notice
from monitor.sdk.clock import SECOND, Clock
from monitor.sdk.command_state import CommandState, ground_text, halted_text, not_resumed_text
from monitor.sdk.drain import Drain
from monitor.sdk.lease import Lease
from monitor.sdk.refusals import WorkRefusal
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

P = ParamSpec("P")
R = TypeVar("R")
RETRY_S = 0.01  # between two attempts while the state is not known yet
# A first permit that never comes while commands can be read usually has one of these causes, seen by the monitor only.
NO_PERMIT_YET = (
    "none has arrived since this process began; if that lasts, the monitor may reject its heartbeats as not admitted, "
    "not signed with the charter's key, or of a wrong clock: see `rejected`"
)


class Guard:
    """Counts running pieces of work, remembers the last decision served, and decides whether work may begin.

    `timeout` (s) is how long a piece of work waits for a state or a first permit that is not known yet. `stops` says
    whether work stops when the lease ends. Thread-safe.
    """

    def __init__(self, pilot: str, shared: SharedState | None, clock: Clock, timeout: float, stops: bool) -> None:
        self._pilot = pilot
        self._shared = shared
        self._words: Any = shared.words if shared else [0] * 16
        self._clock = clock
        self.timeout = timeout
        self._lock = threading.Lock()
        self._since = clock()
        self._verified = False  # the words that the fast path reads were written since this process began
        self._stops = stops
        self._forked = False
        self._tasks: dict[asyncio.Task[Any], asyncio.AbstractEventLoop] = {}
        self._cancelled: set[asyncio.Task[Any]] = set()
        self.drain: Drain | None = None  # while a halt is in force
        self.running = 0  # pieces of work
        self.last_decision = ""
        self.page = self.runbook = ""  # addresses of the pilot's page on the board and of what to do; "" = not known
        self.error = ""  # why commands or permits cannot be read by this process
        self._plain = GuardedWork(self, "", False)
        _all.add(self)

    @property
    def stops(self) -> bool:
        """Whether work stops when the lease ends."""
        return self._stops

    @stops.setter
    def stops(self, value: bool) -> None:
        if value and not self._stops:
            self._verified = False  # so far only commands were checked
        self._stops = value

    @property
    def lease(self) -> Lease | None:
        """The lease of the newest permit, None when none arrived since this process began."""
        lease = self._shared.lease if self._shared else Lease()
        return lease if self._shared and lease.sent >= self._since else None

    @property
    def notice(self) -> Notice | None:
        """The monitor's newest notice about the pilot's telemetry."""
        return self._shared.notice if self._shared else None

    @property
    def serving(self) -> bool:
        """Whether work is running or may begin."""
        return self.running > 0 or self._shared is None or self.refusal() is None

    def enter(self, decision: str, finishing: bool = False) -> None:
        """Begin a piece of work. Does not block. Raises `Halted`, `Lapsed` or `Unavailable`."""
        # Counted before the check: when the leader has closed the guard and then counts no running work, none begins.
        words = self._words
        with self._lock:
            self.running += 1
            if self._verified:
                now = self._clock()
                if now < words[OPEN_UNTIL] and (not self._stops or now < words[LEASE_UNTIL]):
                    if decision:
                        self.last_decision = decision
                    return
            self.running -= 1
        self._enter_slow(decision, finishing)

    def leave(self) -> None:
        """End a piece of work."""
        with self._lock:
            self.running -= 1

    def work(self, decision: str, finishing: bool) -> GuardedWork:
        """Return a context manager for one piece of work."""
        return GuardedWork(self, decision, finishing) if decision or finishing else self._plain

    def _enter_slow(self, decision: str, finishing: bool) -> None:
        with self._lock:
            self.running += 1
            error = self.refusal()
            if error is None or (finishing and isinstance(error, Halted) and self.drain and self.drain.left):
                if decision:
                    self.last_decision = decision
                return
            self.running -= 1
        raise error

    def refusal(self) -> Halted | Lapsed | Unavailable | None:
        """Return why no work may begin now, None when it may."""
        shared, words = self._shared, self._words
        if shared is None:
            return Unavailable("this Pilot was made with follow=False: it reads no commands, so it cannot guard")
        if self._forked:
            return Unavailable("this Pilot was made before a fork: make a new one in the child")
        now, state = self._clock(), words[STATE]
        if words[CONFIRMED] < self._since or state not in (RUNNING, HALTED, RELEASED):
            return self._unknown("is not known yet")
        if state != RUNNING:
            commands = shared.commands
            if commands.command is None or (state == RELEASED and not commands.lifted):
                return self._unknown("is being written")
            return self._halted(commands, state == RELEASED)
        if now >= words[OPEN_UNTIL]:
            return self._unknown("was not confirmed for too long")
        if self._stops and (words[LEASE_SENT] < self._since or now >= words[LEASE_UNTIL]):
            return self._lapse(now)
        self._verified = True
        return None

    def _halted(self, commands: CommandState, released: bool) -> Halted:
        command = commands.command
        assert command is not None
        if released:
            return Halted(
                not_resumed_text(self._pilot, commands),
                page=self.page,
                runbook=self.runbook,
                pilot=self._pilot,
                reason=WorkRefusal.NOT_RESUMED.value,
                decision=commands.lifted,
                standing=(commands.release or command).standing,
            )
        return Halted(
            halted_text(command) + (f". See {self.page}" if self.page else ""),
            brief=halted_text(structs.replace(command, ground=None)),
            sentence=ground_text(command),
            page=self.page,
            runbook=self.runbook,
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
        why = NO_PERMIT_YET
        if words[LEASE_SENT] >= self._since:
            why = f"the last one expired {(now - words[LEASE_UNTIL]) / SECOND:.1f} s ago"
        return Lapsed(
            f"pilot {self._pilot} has no permit: {why}. No work may begin until the monitor responds to a heartbeat; "
            "this is not a halt",
            pilot=self._pilot,
        )

    def may_wait(self, error: Unavailable | Lapsed) -> bool:
        """Whether waiting may resolve `error`: the state is not known yet, or the first permit has not arrived."""
        if self._shared is None or self._forked:
            return False
        return isinstance(error, Unavailable) or self._words[LEASE_SENT] < self._since

    def wait(self, decision: str, finishing: bool) -> None:
        """`enter`, but blocks for up to `timeout` seconds while the state or a first permit is not known yet."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                return self.enter(decision, finishing)
            except (Unavailable, Lapsed) as error:
                if time.monotonic() >= end or not self.may_wait(error):
                    raise
            time.sleep(RETRY_S)

    def check(self) -> None:
        """For running work: raises `Halted` once the drain time of a halt is over."""
        if self.drain is not None and not self.drain.left:
            error = self.refusal()
            if isinstance(error, Halted):
                raise error

    def drained(self) -> bool:
        """End the drain if no work is running; return whether it has ended."""
        with self._lock:
            if self.drain is not None and not self.running:
                self.drain.over = True
            return self.drain is None or not self.drain.left

    def cancel_tasks(self) -> None:
        """Cancel the asyncio tasks that still work after the drain time. Threads learn it from their next `check`."""
        with self._lock:
            tasks = dict(self._tasks)
        for task, loop in tasks.items():
            self._cancelled.add(task)
            loop.call_soon_threadsafe(task.cancel)

    def forked(self) -> None:
        """In a forked child: refuse all work, since none of this object's threads runs here."""
        self._forked, self._verified = True, False
        self._lock = threading.Lock()
        if self._shared is not None:
            self._shared.forked()


class GuardedWork:
    """One piece of work, as a plain or an async context manager. Entering may block for the guard's timeout."""

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
            if not self._guard.may_wait(error):
                raise
        self._guard.wait(self._decision, self._finishing)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._guard.leave()

    async def __aenter__(self) -> None:
        await self.begin()

    async def begin(self) -> asyncio.Task[Any] | None:
        """Enter; return the current task, to be passed to `end`."""
        guard = self._guard
        try:
            guard.enter(self._decision, self._finishing)
        except (Unavailable, Lapsed) as error:
            if not guard.may_wait(error):
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
        if guard._cancelled and task in guard._cancelled:
            guard._cancelled.discard(task)
            if isinstance(error, asyncio.CancelledError) and task.uncancel() == 0:
                guard.check()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.end(current_task(get_running_loop()), error)


def guarded(guard: Guard, function: Callable[P, R]) -> Callable[P, R]:
    """Return `function`, plain or async, with each call as one piece of work."""
    work = guard.work("", False)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
            task, error = await work.begin(), None
            try:
                return await cast("Awaitable[Any]", function(*args, **kwargs))
            except BaseException as raised:
                error = raised
                raise
            finally:
                work.end(task, error)

        return cast("Callable[P, R]", later)

    @functools.wraps(function)
    def now(*args: P.args, **kwargs: P.kwargs) -> R:
        work.__enter__()
        try:
            return function(*args, **kwargs)
        finally:
            guard.leave()

    return now


_all: weakref.WeakSet[Guard] = weakref.WeakSet()


def _after_fork() -> None:
    for guard in list(_all):
        guard.forked()


os.register_at_fork(after_in_child=_after_fork)
