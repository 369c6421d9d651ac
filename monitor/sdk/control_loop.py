"""The keeper: one thread of each process that keeps the board or takes the lead, obeys what it says, and tells of lapses.

The processes of a pilot on one machine elect a leader by a lock. It alone reads commands and permits and writes the board;
when it dies another takes the lock and goes on from what stood. Every process obeys for itself: it drains its own work and
acknowledges with the last decision that it served.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from monitor.errors import Halted, SandboxMonitorError, Unavailable
from monitor.model.records import Command
from monitor.sdk.clock import SECOND, Clock
from monitor.sdk.drain import Drain, Hooks
from monitor.sdk.feeds import Follower, Listener, Reader, Renewer
from monitor.sdk.guard import Guard
from monitor.sdk.lease import Lease
from monitor.sdk.link import Link
from monitor.sdk.shared_state import (
    CONFIRMED,
    HALTED,
    LEASE_STOP,
    OPEN_UNTIL,
    RELEASED,
    RESENDS,
    RUNNING,
    STANDING,
    STATE,
    SharedState,
)
from monitor.sdk.standing import Standing
from monitor.sdk.verifier import MessageVerifier

LOG = logging.getLogger("monitor.sdk")
OnLapse: TypeAlias = Literal["stop", "shout"]
TICK, BUSY = 0.1, 0.02  # seconds between two looks at the board; while a halt is being obeyed
STALE = 10 * SECOND  # a board that its writer has not confirmed for so long lets nothing begin
ELDERS = 0.5  # seconds (monotonic) for which those who already know may take the lead before a newcomer does
AGAIN = 60 * SECOND  # a lapse, or an acknowledgement that finds no room, is told as often


class ControlLoop:
    """`answer` acknowledges a command, `beat` sends a heartbeat now; both are called in the keeper's thread."""

    def __init__(
        self,
        pilot: str,
        link: Link,
        board: SharedState,
        guard: Guard,
        intake: MessageVerifier,
        *,
        clock: Clock,
        permits: bool,
        on_lapse: OnLapse | None,
        drain_s: float,
        answer: Callable[[Command], None],
        beat: Callable[[], None],
    ) -> None:
        self._pilot, self._link, self._board, self._guard, self._intake = pilot, link, board, guard, intake
        self._clock, self._permits, self._on_lapse, self._drain_s = clock, permits, on_lapse, drain_s
        self._answer, self._beat = answer, beat
        self.hooks = Hooks()
        self._since, self._began = clock(), time.monotonic()
        self._readers: list[Reader] = []
        self._follower: Follower | None = None
        self._renewer: Renewer | None = None
        self._listener: Listener | None = None  # where no permit is needed: its failing is no failure of the guard
        self._writing = threading.Lock()
        self._written: Standing | None = None
        self._resumed = ""  # id of the release that the firm last resumed from, as last read
        self._answered = 0
        self._unanswered = 0  # when it was last told that an acknowledgement found no room
        self._repeats = board.words[RESENDS]
        self._hooks_done: Callable[[], bool] = lambda: True
        self._late = False
        self._told = 0
        self.lapsed = False
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sandbox-keeper-{pilot}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def want(self, nonce: str) -> None:
        """A heartbeat with this nonce was sent: who reads for all looks for its permit."""
        for reader in (self._renewer, self._listener):
            if reader is not None:
                reader.want(nonce)

    def wake(self) -> None:
        """Look at the board at once."""
        self._wake.set()

    def stop(self) -> None:
        """Stop and let another process lead. What was known stays on the board until it is stale."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._abdicate()

    @property
    def standing(self) -> Standing:
        """The highest standing met so far; unknown until the board was written after this process began."""
        if self._follower is not None:
            return self._follower.standing
        return self._board.standing if self._board.words[CONFIRMED] >= self._since else Standing()

    @property
    def leading(self) -> bool:
        """Whether this process reads for all processes of the pilot on this machine."""
        return self._board.leading

    def resume(self) -> None:
        """The firm resumes from the release that stands. Raises `Halted` or `Unavailable`; waits until the board says so."""
        standing = self.standing
        if not standing.known:
            raise Unavailable(f"the standing of pilot {self._pilot} is not known yet, so nothing can be resumed")
        if standing.halted or not standing.lifted:
            error = self._guard.refusal()
            if isinstance(error, Halted):
                raise error
            return
        self._board.resume(standing.release_id)
        self._wake.set()
        end = time.monotonic() + self._guard.timeout
        while self._board.words[STATE] == RELEASED:
            if time.monotonic() > end:
                raise Unavailable(
                    f"pilot {self._pilot}: resumed, but no process took it up; it will hold once one leads"
                )
            time.sleep(0.01)
        self._beat()

    @property
    def error(self) -> str:
        """Why commands or permits cannot be read, empty when they can or another process reads them."""
        return next((reader.error for reader in self._readers if reader.error), "")

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._readers and not all(reader.alive for reader in self._readers):
                self._abdicate()  # what it no longer reads it must not confirm
            if self._follower is None:
                self._try_to_lead()
            self._write()
            self._guard.error = self.error
            busy = self._obey()
            self._watch_lease()
            self._wake.wait(BUSY if busy else TICK)
            self._wake.clear()

    # Leading.

    def _try_to_lead(self) -> None:
        words, now = self._board.words, self._clock()
        known = words[CONFIRMED] >= self._since
        lately = words[CONFIRMED] and now - words[CONFIRMED] < STALE
        if (not known and lately and time.monotonic() - self._began < ELDERS) or not self._board.lead():
            return
        begin = self._board.standing if known else Standing()
        self._follower = Follower(
            self._link.feed(self._pilot, "commands"),
            self._pilot,
            self._intake,
            begin,
            moved=self._moved,
            again=self._again,
        )
        self._readers.append(self._follower)
        if self._permits:
            self._renewer = renewer = Renewer(
                self._link.feed(self._pilot, "permits"),
                self._pilot,
                self._intake,
                self._board.lease,
                standing=lambda: self.standing,
                renewed=self._renewed,
                ready=self._beat,
                heard=self._board.put_notice,
            )
            self._readers.append(renewer)
        else:
            feed = self._link.feed(self._pilot, "permits")
            self._listener = Listener(feed, self._pilot, self._intake, self._board.put_notice)
            self._listener.start()
        for reader in self._readers:
            reader.start()

    def _abdicate(self) -> None:
        """Stop reading, and let whoever takes the lock go on from what stands on the board."""
        readers, self._readers, self._follower, self._written = self._readers, [], None, None
        self._renewer = None
        listener, self._listener = self._listener, None
        readers = [*readers, listener] if listener else readers
        for reader in readers:
            reader.end()
        for reader in readers:
            reader.stop()
        self._board.close()

    def _moved(self) -> None:
        self._write()
        self._wake.set()

    def _again(self) -> None:
        self._board.words[RESENDS] += 1
        self._wake.set()

    def _renewed(self, lease: Lease) -> None:
        self._board.put_lease(lease)
        self._wake.set()

    def _write(self) -> None:
        """Put the standing on the board and confirm it. Closing comes before everything else, opening after it."""
        follower, words = self._follower, self._board.words
        if follower is None:
            return
        with self._writing:
            standing = follower.standing
            if not standing.known:
                return
            state = HALTED if standing.halted else RELEASED if self._due(standing) else RUNNING
            if state != RUNNING:
                words[OPEN_UNTIL] = 0
            if standing != self._written:
                self._board.put(standing)
                self._written = standing
            words[STATE] = state
            words[CONFIRMED] = now = self._clock()
            if state == RUNNING:
                words[OPEN_UNTIL] = now + STALE

    def _due(self, standing: Standing) -> bool:
        if not standing.to_resume(self._resumed):
            return False
        self._resumed = self._board.resumed
        return standing.to_resume(self._resumed)

    # Obeying.

    def _obey(self) -> bool:
        """Drain and acknowledge what stands on the board; whether there is still something to do."""
        words, guard = self._board.words, self._guard
        if words[CONFIRMED] < self._since:
            return False
        if words[RESENDS] != self._repeats:
            self._repeats = words[RESENDS]
            self._answered = min(self._answered, words[STANDING] - 1)
        if guard.drain is not None and words[STATE] != HALTED:
            guard.drain, self._late = None, False
        if words[STANDING] <= self._answered:
            return False
        command = self._board.standing.command
        if command is None:
            return False
        if command.halts and not self._drained(command):
            return True
        try:
            self._answer(command)
        except SandboxMonitorError as error:
            if not self._unanswered or self._clock() - self._unanswered >= AGAIN:
                self._unanswered = self._clock()
                LOG.warning("pilot %s: command %s is not acknowledged yet: %s", self._pilot, command.id, error)
            return False  # tried again at every look at the board
        self._answered, self._unanswered = command.standing, 0
        return False

    def _drained(self, command: Command) -> bool:
        """Whether nothing is in hand any more, or the time to finish it is over."""
        guard = self._guard
        if guard.drain is None or guard.drain.command.id != command.id:
            guard.drain, self._late = Drain(command, self._drain_s), False
            self._hooks_done = self.hooks.run(guard.drain)
            return False  # whoever was just beginning has counted itself by the next look
        if guard.drain.left:
            return self._hooks_done() and guard.finished()
        if guard.in_hand and not self._late:
            self._late = True
            LOG.critical("pilot %s: %s pieces of work go on after the time to finish", self._pilot, guard.in_hand)
            guard.cut()
            return False  # tasks end within one look
        return True

    # Lapses.

    def _watch_lease(self) -> None:
        if not self._permits:
            return
        words, now = self._board.words, self._clock()
        stop = {"stop": True, "shout": False, None: words[LEASE_STOP] != 1}[self._on_lapse]
        self._guard.stops = stop or words[LEASE_STOP] == 2
        lease = self._board.lease
        current = lease.sent >= self._since and now < lease.until
        waited = now - self._since > self._guard.timeout * SECOND
        lapsed = not current and words[STATE] == RUNNING and waited
        if lapsed and (not self.lapsed or now - self._told >= AGAIN):
            self._told = now
            LOG.critical(
                "pilot %s has no permit: the monitor answers no heartbeat; the service %s. This is not a halt",
                self._pilot,
                "refuses work" if self._guard.stops else "goes on, as its tier may",
            )
        elif self.lapsed and not lapsed:
            LOG.warning("pilot %s has a permit again", self._pilot)
        self.lapsed = lapsed
