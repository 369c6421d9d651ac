"""The threads of the leading process that read feeds: commands, permits, notices. Each writes to the shared state."""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec import structs

from monitor.errors import SandboxMonitorError, Unavailable
from monitor.logs import EventLogger
from monitor.model.notice import Notice
from monitor.sdk.command_state import CommandState
from monitor.sdk.lease import Lease
from monitor.sdk.link import Feed, SignedMessage
from monitor.sdk.refusals import MessageRejection
from monitor.sdk.verifier import MessageVerifier

LOG = EventLogger("monitor.sdk")
POLL_S = 1.0  # of one long poll: bounds how long `stop` blocks, not how fast a halt is seen
MIN_BACKOFF_S, MAX_BACKOFF_S = 0.1, 2.0


class FeedPoller:
    """A thread that polls one feed and passes messages on; retries with backoff while the other side is unavailable."""

    def __init__(self, feed: Feed, verifier: MessageVerifier, name: str) -> None:
        self._feed = feed
        self._verifier = verifier
        self._name = name
        self._stop = threading.Event()
        self.error = ""  # why the last poll failed, "" when it did not
        self._thread = threading.Thread(target=self._run, name=f"sandbox-{name}-{verifier.pilot}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; False after an unexpected exception, which is logged."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Request the end of the thread after its current poll. Does not block."""
        self._stop.set()

    def stop(self) -> None:
        """End the thread and block until it has ended."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def want(self, nonce: str) -> None:
        """Announce that a heartbeat with this nonce was sent. Any thread may call it."""
        self._feed.want(nonce)

    def _after(self) -> int:
        return -1

    def _take(self, messages: list[SignedMessage]) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        pause = MIN_BACKOFF_S
        try:
            while not self._stop.is_set():
                try:
                    messages = self._feed.poll(self._after(), POLL_S)
                    self.error, pause = "", MIN_BACKOFF_S
                except SandboxMonitorError as error:
                    if not self.error:
                        LOG.warning("feed.unavailable", pilot=self._verifier.pilot, feed=self._name, error=error)
                    self.error = str(error)
                    # Never longer than MAX_BACKOFF_S: a halt may be waiting.
                    asked = error.retry_after if isinstance(error, Unavailable) else 0.0
                    self._stop.wait(min(MAX_BACKOFF_S, max(pause, asked)))
                    pause = min(MAX_BACKOFF_S, pause * 2)
                    continue
                self._take(messages)
        except Exception as error:
            LOG.error("feed.failed", exc_info=True, pilot=self._verifier.pilot, feed=self._name)
            self.error = f"the thread that reads {self._name} failed: {error!r}"
        finally:
            self._feed.close()


class CommandFollower(FeedPoller):
    """Keeps the current `CommandState`.

    Calls `changed` in its thread after the state changed, and `resent` when the newest command was received again.
    While existing commands are read, a message that is not valid keeps the state unknown unless a valid one is found
    too: on a compacted log it may have replaced a halt.
    """

    def __init__(
        self,
        feed: Feed,
        verifier: MessageVerifier,
        begin: CommandState,
        *,
        changed: Callable[[], None],
        resent: Callable[[], None],
    ) -> None:
        super().__init__(feed, verifier, "commands")
        self._changed = changed
        self._resent = resent
        self._invalid = False  # an invalid message was read and no valid command yet
        self.state = begin

    def _after(self) -> int:
        return self.state.number

    def _take(self, messages: list[SignedMessage]) -> None:
        """Move to the command with the highest standing among the messages."""
        new = self.state
        for message in messages:
            after = self._verifier.command(message, new)
            if after is MessageRejection.REPEATED:
                self._resent()
            elif isinstance(after, MessageRejection):
                if after is not MessageRejection.LOWER_STANDING:
                    self._invalid = self._invalid or new.command is None
            else:
                new, self._invalid = after, False
        if self._feed.complete and not new.known:
            if self._invalid:
                self.error = "the commands contain a message that is not valid, and no valid one"
            else:
                new = structs.replace(new, known=True)
        if new != self.state:
            self.state = new
            self._changed()


class LeaseRenewer(FeedPoller):
    """Renews the lease with each permit that answers a heartbeat of this machine.

    Calls, in its thread, `ready` once permits can be received, and `renewed` with each new lease and what its permit
    says about the pilot's telemetry. `state` returns the current state of the commands.
    """

    def __init__(
        self,
        feed: Feed,
        verifier: MessageVerifier,
        begin: Lease,
        *,
        state: Callable[[], CommandState],
        renewed: Callable[[Lease, Notice], None],
        ready: Callable[[], None],
    ) -> None:
        super().__init__(feed, verifier, "permits")
        self._state = state
        self._renewed = renewed
        self._ready = ready
        self._announced = False
        self.lease = begin

    def _take(self, messages: list[SignedMessage]) -> None:
        if not self._announced and self._feed.complete:
            self._announced = True
            self._ready()
        for message in messages:
            lease = self._verifier.permit(message, self.lease, self._state())
            if lease is not None:
                self.lease = lease
                self._renewed(lease, self._verifier.notice(message) or Notice())


class NoticeListener(FeedPoller):
    """Reads permits only for their notice about the pilot's telemetry, and calls `received` with each."""

    def __init__(self, feed: Feed, verifier: MessageVerifier, received: Callable[[Notice], None]) -> None:
        super().__init__(feed, verifier, "notices")
        self._received = received

    def _take(self, messages: list[SignedMessage]) -> None:
        for message in messages:
            notice = self._verifier.notice(message)
            if notice is not None:
                self._received(notice)
