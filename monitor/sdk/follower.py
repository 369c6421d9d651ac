"""The thread that follows a pilot's commands and keeps its standing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from monitor.errors import SandboxMonitorError
from monitor.model import Command
from monitor.sdk.link import Feed
from monitor.sdk.standing import Standing

LOG = logging.getLogger("monitor.sdk")
POLL = 1.0  # seconds of one long poll: bounds how long `stop` takes, not how quickly a halt is seen


class Follower:
    """Holds the current `Standing`. After a change took effect, `moved` is called in this thread, then `obeyed` if a new
    command caused it.

    When `obeyed` raises one of our errors it is called again with the same command until it succeeds or a newer command
    has come: an acknowledgement is not given up.
    """

    def __init__(self, feed: Feed, pilot: str, *, moved: Callable[[], None], obeyed: Callable[[Command], None]) -> None:
        self._feed = feed
        self._pilot = pilot
        self._moved = moved
        self._obeyed = obeyed
        self._owed: Command | None = None
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self.standing = Standing()
        self.error = ""
        self._thread = threading.Thread(target=self._run, name=f"sandbox-follower-{pilot}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait_known(self, timeout: float) -> bool:
        """Whether the standing is known, after at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.standing.known, timeout=max(0.0, timeout))

    def stop(self) -> None:
        """Stop; the last standing stays."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = 0.1
        try:
            while not self._stop.is_set():
                try:
                    commands = self._feed.poll(self.standing.number, POLL)
                    self.error, pause = "", 0.1
                except SandboxMonitorError as error:
                    if not self.error:
                        LOG.warning("pilot %s: commands cannot be read, trying again: %s", self._pilot, error)
                    self.error = str(error)
                    self._stop.wait(pause)
                    pause = min(2.0, pause * 2)
                    commands = []
                self._take(commands)
        finally:
            self._feed.close()

    def _take(self, commands: list[Command]) -> None:
        """Move to the highest standing among `commands`; only that one is obeyed and acknowledged."""
        new = self.standing
        for command in commands:
            if command.pilot == self._pilot:
                new = new.meet(command)
        if self._feed.complete and not new.known:
            new = Standing(known=True, command=new.command)
        if new != self.standing:
            if new.command is not None and new.number > self.standing.number:
                self._owed = new.command
            with self._changed:
                self.standing = new
                self._changed.notify_all()
            self._moved()
        owed = self._owed
        if owed is not None:
            try:
                self._obeyed(owed)
                self._owed = None
            except SandboxMonitorError as error:
                LOG.warning("pilot %s: command %s is not acknowledged yet: %s", self._pilot, owed.id, error)
