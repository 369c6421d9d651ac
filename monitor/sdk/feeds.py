"""The threads of the leading process: one follows the pilot's commands, one the permits; both write on the board."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from msgspec import structs

from monitor.errors import SandboxMonitorError
from monitor.model.notice import Notice
from monitor.sdk.lease import Lease
from monitor.sdk.link import Feed, SignedMessage
from monitor.sdk.standing import Standing
from monitor.sdk.verifier import MessageVerifier

LOG = logging.getLogger("monitor.sdk")
POLL = 1.0  # seconds of one long poll: bounds how long `stop` takes, not how quickly a halt is seen


class Reader:
    """A thread that polls a feed and hands on what came; waits and tries again while the other side is away."""

    def __init__(self, feed: Feed, pilot: str, what: str) -> None:
        self._feed = feed
        self._pilot = pilot
        self._what = what
        self._stop = threading.Event()
        self.error = ""
        self._thread = threading.Thread(target=self._run, name=f"sandbox-{what}-{pilot}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still reads: false after a fault of our own, which is in the log."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Have it stop after the poll that it is in."""
        self._stop.set()

    def stop(self) -> None:
        """Stop; what was learnt stays."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _after(self) -> int:
        return -1

    def _take(self, letters: list[SignedMessage]) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        pause = 0.1
        try:
            while not self._stop.is_set():
                try:
                    letters = self._feed.poll(self._after(), POLL)
                    self.error, pause = "", 0.1
                except SandboxMonitorError as error:
                    if not self.error:
                        LOG.warning("pilot %s: %s cannot be read, trying again: %s", self._pilot, self._what, error)
                    self.error = str(error)
                    self._stop.wait(pause)
                    pause = min(2.0, pause * 2)
                    continue
                self._take(letters)
        except Exception:
            LOG.exception("pilot %s: the reader of %s ended", self._pilot, self._what)
        finally:
            self._feed.close()


class Follower(Reader):
    """Holds the current `Standing`; `moved` is called in this thread after it changed, `again` when the command that stands
    was heard once more.

    While the commands that already stood are being read, a letter that cannot be believed keeps the standing unknown
    unless a good one is found too: on a compacted log it may have taken the place of a halt.
    """

    def __init__(
        self,
        feed: Feed,
        pilot: str,
        intake: MessageVerifier,
        begin: Standing,
        *,
        moved: Callable[[], None],
        again: Callable[[], None],
    ) -> None:
        super().__init__(feed, pilot, "commands")
        self._intake = intake
        self._moved = moved
        self._again = again
        self._doubted = False
        self.standing = begin

    def _after(self) -> int:
        return self.standing.number

    def _take(self, letters: list[SignedMessage]) -> None:
        """Move to the highest standing among the letters."""
        new = self.standing
        for letter in letters:
            before = self._intake.counts
            command = self._intake.command(letter, new)
            if command is not None:
                new, self._doubted = new.meet(command), False
                continue
            after = self._intake.counts
            if after.get("repeated", 0) > before.get("repeated", 0):
                self._again()
            elif after.get("lower_standing", 0) == before.get("lower_standing", 0):
                self._doubted = self._doubted or new.command is None
        if self._feed.complete and not new.known:
            if self._doubted:
                self.error = "the commands hold a letter that cannot be believed, and none that can"
            else:
                new = structs.replace(new, known=True)
        if new != self.standing:
            self.standing = new
            self._moved()


class Renewer(Reader):
    """Renews the lease with each permit that answers a heartbeat of ours. `ready` is called in this thread when permits
    can be heard, again after each time they could not; `heard` with what a permit says of the pilot's telemetry."""

    def __init__(
        self,
        feed: Feed,
        pilot: str,
        intake: MessageVerifier,
        begin: Lease,
        *,
        standing: Callable[[], Standing],
        renewed: Callable[[Lease], None],
        ready: Callable[[], None],
        heard: Callable[[Notice], None],
    ) -> None:
        super().__init__(feed, pilot, "permits")
        self._notice = heard
        self._intake = intake
        self._standing = standing
        self._renewed = renewed
        self._ready = ready
        self._heard = False
        self.lease = begin

    def want(self, nonce: str) -> None:
        """A heartbeat with this nonce was sent."""
        self._feed.want(nonce)

    def _take(self, letters: list[SignedMessage]) -> None:
        if not self._heard and self._feed.complete:
            self._heard = True
            self._ready()
        for letter in letters:
            standing = self._standing()
            lease = self._intake.permit(letter, self.lease, standing.number, standing.halted)
            if lease is not None:
                self.lease = lease
                self._renewed(lease)
                self._notice(self._intake.notice(letter) or Notice())


class Listener(Reader):
    """Reads permits only for their notice about the pilot's telemetry. `heard` is called in this thread, with each
    notice."""

    def __init__(self, feed: Feed, pilot: str, intake: MessageVerifier, heard: Callable[[Notice], None]) -> None:
        super().__init__(feed, pilot, "notices")
        self._intake = intake
        self._heard = heard

    def want(self, nonce: str) -> None:
        """A heartbeat with this nonce was sent."""
        self._feed.want(nonce)

    def _take(self, letters: list[SignedMessage]) -> None:
        for letter in letters:
            notice = self._intake.notice(letter)
            if notice is not None:
                self._heard(notice)
