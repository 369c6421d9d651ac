"""The control loop: one thread in each process of a pilot that obeys commands, elects a leader and reports lapses.

The processes of a pilot on one machine elect a leader by a file lock. The leader alone reads commands and permits and
writes the shared state; when its process dies, another one takes the lock and continues from the shared state. Every
process obeys for itself: it drains its own work and acknowledges with the last decision that it served.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from monitor.errors import Halted, SandboxMonitorError, Unavailable
from monitor.logs import EventLogger
from monitor.model.notice import Notice
from monitor.model.records import Command
from monitor.sdk.authority import FILE, Authority
from monitor.sdk.clock import SECOND
from monitor.sdk.command_state import CommandState
from monitor.sdk.drain import Drain, Hooks
from monitor.sdk.feeds import CommandFollower, FeedPoller, LeaseRenewer, NoticeListener
from monitor.sdk.guard import Guard
from monitor.sdk.lease import Lease, NonceSealer
from monitor.sdk.link import Link
from monitor.sdk.notice_log import NoticeLog
from monitor.sdk.problem_watch import ProblemHooks, ProblemWatch
from monitor.sdk.settings import PilotSettings
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
from monitor.sdk.verifier import MessageVerifier

LOG = EventLogger("monitor.sdk")
INTERVAL_S, DRAIN_INTERVAL_S = 0.1, 0.02  # between two iterations; while a halt is being enforced
STALE_NS = 10 * SECOND  # a shared state that the leader has not confirmed for so long lets no work begin
# For so long a new process leaves the lead to those that know the state already: they need not read all commands first.
HEAD_START_S = 0.5
LOG_EVERY_NS = 60 * SECOND  # between two log lines about a lasting lapse or a failing acknowledgement


class ControlLoop:
    """Runs until `stop`. `acknowledge` records the acknowledgement of a command and may raise; `heartbeat` requests a
    heartbeat. Both are called in this object's threads."""

    def __init__(
        self,
        link: Link,
        shared: SharedState,
        guard: Guard,
        settings: PilotSettings,
        *,
        acknowledge: Callable[[Command], None],
        heartbeat: Callable[[], None],
    ) -> None:
        self._link, self._shared, self._guard, self._settings = link, shared, guard, settings
        self._pilot, self._clock = settings.pilot, settings.clock
        self._permits = settings.permits == "required"
        self._acknowledge, self._heartbeat = acknowledge, heartbeat
        authority = Authority(settings.pilot, settings.keys, shared.base / FILE if settings.pins else None)
        self.verifier = MessageVerifier(settings.pilot, authority, NonceSealer(shared.secret, settings.pilot))
        self.hooks = Hooks()
        self._since, self._began = self._clock(), time.monotonic()
        self._pollers: list[FeedPoller] = []  # threads without which this process cannot lead
        self._follower: CommandFollower | None = None
        self._permit_poller: LeaseRenewer | NoticeListener | None = None
        self._writing = threading.Lock()
        self._written: CommandState | None = None
        self._notices = NoticeLog(self._pilot, shared.notice, time.monotonic)
        self._problems = ProblemWatch(shared.notice, time.monotonic)
        self.problem_hooks = ProblemHooks(self._pilot)
        self._resumed = ""  # id of the release that the firm last resumed from, as last read
        self._acknowledged = 0  # highest standing that this process has acknowledged
        self._ack_failure_logged = 0  # when (ns)
        self._resends = shared.words[RESENDS]
        self._hooks_done: Callable[[], bool] = lambda: True
        self._overran = False  # work was still running when the drain time was over
        self._lapse_logged = 0  # when (ns)
        self.lapsed = False
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sandbox-control-{self._pilot}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def want(self, nonce: str) -> None:
        """Announce that a heartbeat with this nonce was sent, so that the leader requests its permit."""
        poller = self._permit_poller
        if poller is not None:
            poller.want(nonce)

    def stop(self) -> None:
        """End the thread and give up the lead; blocks until then. The shared state stays valid until it is stale."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._abdicate()
        self.problem_hooks.stop()

    @property
    def state(self) -> CommandState:
        """What the commands say; unknown until the shared state was confirmed after this process began."""
        if self._follower is not None:
            return self._follower.state
        return self._shared.commands if self._shared.words[CONFIRMED] >= self._since else CommandState()

    @property
    def leading(self) -> bool:
        """Whether this process reads for all processes of the pilot on this machine."""
        return self._shared.leading

    def resume(self) -> None:
        """Record that the firm resumes from the newest release; durable when this returns.

        Blocks until the state is known and the leader lets work begin, at most for the guard's timeout each. Returns at
        once when there is nothing to resume from. Raises `Halted` under a halt; `Unavailable` when the state is not
        known by then or no leader responds.
        """
        end = time.monotonic() + self._guard.timeout
        while not (state := self.state).known:
            if time.monotonic() > end:
                raise Unavailable(f"the standing of pilot {self._pilot} is not known yet, so nothing can be resumed")
            time.sleep(0.01)
        if state.halted or not state.lifted:
            error = self._guard.refusal()
            if isinstance(error, Halted):
                raise error
            return
        self._shared.resume(state.release_id)
        self._wake.set()
        end = time.monotonic() + self._guard.timeout
        while self._shared.words[STATE] == RELEASED:
            if time.monotonic() > end:
                raise Unavailable(
                    f"pilot {self._pilot}: resumed, but no process has applied it yet; it takes effect once one leads"
                )
            time.sleep(0.01)
        self._heartbeat()

    @property
    def error(self) -> str:
        """Why commands or permits cannot be read; "" when they can, or another process reads them."""
        return next((poller.error for poller in self._pollers if poller.error), "")

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._pollers and not all(poller.alive for poller in self._pollers):
                self._abdicate()  # what this process does not read it must not confirm
            if self._follower is None:
                self._try_to_lead()
            self._publish()
            self._guard.error = self.error
            busy = self._obey()
            self._watch_lease()
            self._wake.wait(DRAIN_INTERVAL_S if busy else INTERVAL_S)
            self._wake.clear()

    # Leading.

    def _try_to_lead(self) -> None:
        words, now = self._shared.words, self._clock()
        known = words[CONFIRMED] >= self._since
        recent = words[CONFIRMED] and now - words[CONFIRMED] < STALE_NS
        if not known and recent and time.monotonic() - self._began < HEAD_START_S:
            return
        if not self._shared.lead():
            return
        self._problems.known(self._shared.notice)  # what an earlier leader told
        self._follower = CommandFollower(
            self._link.feed(self._pilot, "commands"),
            self.verifier,
            self._shared.commands if known else CommandState(),
            changed=self._changed,
            resent=self._resent,
        )
        self._pollers.append(self._follower)
        permits = self._link.feed(self._pilot, "permits")
        if self._permits:
            renewer = LeaseRenewer(
                permits,
                self.verifier,
                self._shared.lease,
                state=lambda: self.state,
                renewed=self._renewed,
                ready=self._heartbeat,
            )
            self._permit_poller = renewer
            self._pollers.append(renewer)
        else:  # its failure does not concern the guard
            self._permit_poller = NoticeListener(permits, self.verifier, self._noticed)
            self._permit_poller.start()
        for poller in self._pollers:
            poller.start()

    def _abdicate(self) -> None:
        """Stop reading and release the lock; the next leader continues from the shared state."""
        pollers, self._pollers, self._follower, self._written = self._pollers, [], None, None
        permit_poller, self._permit_poller = self._permit_poller, None
        if permit_poller is not None and permit_poller not in pollers:
            pollers = [*pollers, permit_poller]
        for poller in pollers:
            poller.end()
        for poller in pollers:
            poller.stop()
        self._shared.close()

    def _changed(self) -> None:
        self._publish()
        self._wake.set()

    def _resent(self) -> None:
        self._shared.words[RESENDS] += 1
        self._wake.set()

    def _renewed(self, lease: Lease, notice: Notice) -> None:
        self._shared.write_lease(lease)
        self._wake.set()
        self._noticed(notice)

    def _noticed(self, notice: Notice) -> None:
        try:
            self._tell(notice)
        except Exception:  # no fault in what is told may end the thread that renews leases
            LOG.error("notice.failed", exc_info=True, pilot=self._pilot)
        self._shared.write_notice(notice)

    def _tell(self, notice: Notice) -> None:
        self._notices.heard(notice)
        fresh = self._problems.fresh(notice)
        for problem in fresh:
            if problem.reason != "forged":  # `NoticeLog` has its own line
                LOG.warning(
                    "telemetry.without_effect",
                    pilot=self._pilot,
                    reason=problem.reason,
                    field=problem.field or None,
                    events=problem.events,
                    detail=problem.detail,
                    fix=problem.fix,
                )
        self.problem_hooks.tell(fresh)

    def _publish(self) -> None:
        """Write and confirm the state. Closing is written before everything else, opening after it: a reader in between
        refuses work."""
        follower, words = self._follower, self._shared.words
        if follower is None:
            return
        with self._writing:
            commands = follower.state
            if not commands.known:
                return
            state = HALTED if commands.halted else RELEASED if self._must_resume(commands) else RUNNING
            if state != RUNNING:
                words[OPEN_UNTIL] = 0
            if commands != self._written:
                self._shared.write_commands(commands)
                self._written = commands
            words[STATE] = state
            words[CONFIRMED] = now = self._clock()
            if state == RUNNING:
                words[OPEN_UNTIL] = now + STALE_NS

    def _must_resume(self, commands: CommandState) -> bool:
        if not commands.to_resume(self._resumed):
            return False
        self._resumed = self._shared.resumed  # another process may have resumed
        return commands.to_resume(self._resumed)

    # Obeying.

    def _obey(self) -> bool:
        """Drain and acknowledge the newest command; return whether draining is not finished."""
        words, guard = self._shared.words, self._guard
        if words[CONFIRMED] < self._since:
            return False
        if words[RESENDS] != self._resends:
            self._resends = words[RESENDS]
            self._acknowledged = min(self._acknowledged, words[STANDING] - 1)
        if guard.drain is not None and words[STATE] != HALTED:
            guard.drain, self._overran = None, False
        if words[STANDING] <= self._acknowledged:
            return False
        command = self._shared.commands.command
        if command is None:
            return False
        if command.halts and not self._drained(command):
            return True
        try:
            self._acknowledge(command)
        except SandboxMonitorError as error:
            if not self._ack_failure_logged or self._clock() - self._ack_failure_logged >= LOG_EVERY_NS:
                self._ack_failure_logged = self._clock()
                LOG.warning("command.not_acknowledged", stage="act", pilot=self._pilot, command=command.id, error=error)
            return False  # retried in the next iteration
        self._acknowledged, self._ack_failure_logged = command.standing, 0
        return False

    def _drained(self, command: Command) -> bool:
        """Whether no work is running any more, or the drain time is over."""
        guard = self._guard
        if guard.drain is None or guard.drain.command.id != command.id:
            guard.drain, self._overran = Drain(command, self._settings.drain_s), False
            self._hooks_done = self.hooks.run(guard.drain)
            return False  # work that was just beginning is counted by the next iteration
        if guard.drain.left:
            return self._hooks_done() and guard.drained()
        if guard.running and not self._overran:
            self._overran = True
            LOG.critical("halt.work_still_running", stage="act", pilot=self._pilot, running=guard.running)
            guard.cancel_tasks()
            return False  # cancelled tasks end by the next iteration
        return True

    # Lapses.

    def _watch_lease(self) -> None:
        if not self._permits:
            return
        words, now = self._shared.words, self._clock()
        policy = self._settings.lapse_policy
        stop = policy == "stop" if policy else words[LEASE_STOP] != 1
        self._guard.stops = stop or words[LEASE_STOP] == 2
        lease = self._shared.lease
        current = lease.sent >= self._since and now < lease.until
        waited = now - self._since > self._guard.timeout * SECOND
        lapsed = not current and words[STATE] == RUNNING and waited
        if lapsed and (not self.lapsed or now - self._lapse_logged >= LOG_EVERY_NS):
            self._lapse_logged = now
            LOG.critical(
                "permit.lapsed",
                stage="act",
                pilot=self._pilot,
                work="refused" if self._guard.stops else "continues",
                detail="the monitor responds to no heartbeat. This is not a halt",
            )
        elif self.lapsed and not lapsed:
            LOG.warning("permit.renewed", stage="act", pilot=self._pilot)
        self.lapsed = lapsed
