"""The thread that sends heartbeats: at a fixed interval, on request, and faster after a command."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from monitor.errors import SandboxMonitorError

BURST = 4  # heartbeats in quick succession after a command, so that a halt is verified soon
BURST_INTERVAL_S = 1.0


class HeartbeatThread:
    """Calls `send` every `interval` seconds. With an interval of 0 no thread is started."""

    def __init__(self, pilot: str, interval: float, send: Callable[[], object]) -> None:
        self._interval = interval
        self._send = send
        self._wake = threading.Event()
        self._stopped = False
        self._burst = 0
        self._thread = threading.Thread(target=self._run, name=f"sandbox-heartbeat-{pilot}", daemon=True)

    def start(self) -> None:
        """Start the thread; the first heartbeat is sent at once."""
        if self._interval > 0:
            self._thread.start()

    def now(self) -> None:
        """Have a heartbeat sent at once. Does not block; any thread may call it."""
        self._wake.set()

    def burst(self) -> None:
        """Have `BURST` heartbeats sent in quick succession, the first at once. Does not block."""
        self._burst = BURST
        self._wake.set()

    def stop(self) -> None:
        """End the thread and block until it has ended."""
        self._stopped = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            # A full spool is an error of those calls that report; heartbeats are tried again.
            with contextlib.suppress(SandboxMonitorError):
                self._send()
            self._wake.wait(min(self._interval, BURST_INTERVAL_S) if self._burst else self._interval)
            self._burst = max(0, self._burst - 1)
            self._wake.clear()
