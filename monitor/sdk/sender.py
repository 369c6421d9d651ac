"""The thread that empties spools: packs durable events into batches and delivers them in order, with retries.

One batch is in flight at a time, so that a failure never changes the order; throughput comes from packing, not from
pipelining. Spools of earlier incarnations are delivered first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from monitor.errors import SandboxMonitorError, Unavailable
from monitor.logs import EventLogger
from monitor.sdk.incarnation import Incarnation
from monitor.sdk.link import Link
from monitor.sdk.settings import PilotSettings
from monitor.sdk.spool import Spool, SpoolBroken

LOG = EventLogger("monitor.sdk")
BATCH_BYTES = 512 << 10  # half of what a broker accepts by default
MIN_BACKOFF_S, MAX_BACKOFF_S = 0.1, 5.0
LOG_EVERY_S = 60.0


class Sender:
    """Delivers the spools of `adopted`, then `own` until stopped.

    A batch is sent when it holds `settings.pack` events or `settings.pack_ms` milliseconds have passed.
    `settings.signer` signs each batch.
    """

    def __init__(
        self,
        link: Link,
        own: Incarnation,
        adopted: list[Incarnation],
        settings: PilotSettings,
    ) -> None:
        self._link = link
        self._pilot = settings.pilot
        self._own = own
        self._adopted = adopted
        self._pack = settings.pack
        self._signer = settings.signer
        self._wait = settings.pack_ms / 1000
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._reported = 0  # durable events of our own incarnation
        self._delivered = 0  # of them
        self._hurry = 0  # flush: deliver up to this position without waiting for fuller batches
        self.error = ""  # why the last attempt failed, "" when it did not
        self._thread = threading.Thread(target=self._run, name=f"sandbox-sender-{settings.pilot}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self, reported: int) -> None:
        """Announce that `reported` events of this incarnation are durable."""
        with self._changed:
            self._reported = max(self._reported, reported)
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Bytes that are not delivered yet, including those of earlier incarnations."""
        return self._own.spool.unsent + sum(old.spool.unsent for old in list(self._adopted))

    def flush(self, timeout: float) -> bool:
        """Block until everything durable so far is delivered; return False when it is not after `timeout` seconds."""
        want = self._own.spool.durable
        with self._changed:
            self._hurry = max(self._hurry, want)
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: self._own.spool.sent >= want and not self._adopted, timeout=max(0.0, timeout)
            )

    def stop(self) -> None:
        """End the thread after its current attempt and close the spools; what is not delivered stays in them."""
        self._stop.set()
        self.wake(0)
        self._thread.join(0.5)
        if self._thread.is_alive():
            self._link.close()  # aborts a send that waits for a broker
            self._thread.join()
        for incarnation in (*self._adopted, self._own):
            incarnation.close()

    def _run(self) -> None:
        try:
            while self._adopted and not self._stop.is_set():
                self._adopt(self._adopted[0])
            while not self._stop.is_set():
                if self._linger():
                    self._deliver(self._own.spool)
        except Exception:
            LOG.error("sender.failed", exc_info=True, pilot=self._pilot, detail="events stay in the spool")
            self.error = self.error or "the sender thread failed, see the log"
        finally:
            self._link.close()

    def _adopt(self, old: Incarnation) -> None:
        try:
            while old.spool.unsent and not self._stop.is_set():
                self._deliver(old.spool)
        except SpoolBroken as error:
            LOG.error("spool.damaged", pilot=self._pilot, error=error, kept_as=old.set_aside())
        else:
            if old.spool.unsent:
                return
            self._own.spool.limit += old.spool.used
            old.close()
        with self._changed:
            self._adopted.remove(old)
            self._changed.notify_all()

    def _linger(self) -> bool:
        """Wait for a durable event, then up to `pack_ms` for more; return False when there is none."""
        spool = self._own.spool
        with self._changed:
            if not self._changed.wait_for(lambda: self._stop.is_set() or spool.durable > spool.sent, timeout=1.0):
                return False
            since = time.monotonic()
            while (left := since + self._wait - time.monotonic()) > 0 and not self._stop.is_set():
                if self._hurry > spool.sent or self._reported - self._delivered >= self._pack:
                    break
                self._changed.wait(timeout=left)
        return spool.durable > spool.sent

    def _deliver(self, spool: Spool) -> None:
        """Deliver one batch, with as many attempts as it takes, unless stopped."""
        taken = spool.read(self._pack, BATCH_BYTES)
        if not taken:
            return
        body = b"[" + b",".join(payload for _, payload in taken) + b"]"
        signature = self._signer.sign("telemetry", body) if self._signer else ""
        if self._retried(lambda: self._link.send(self._pilot, body, signature)):
            spool.release(taken[-1][0])
            with self._changed:
                if spool is self._own.spool:
                    self._delivered += len(taken)
                self._changed.notify_all()

    def _retried(self, attempt: Callable[[], None]) -> bool:
        """Repeat `attempt` with backoff until it succeeds; return False when stopped before."""
        pause, logged = MIN_BACKOFF_S, -LOG_EVERY_S
        while not self._stop.is_set():
            try:
                attempt()
            except SandboxMonitorError as error:
                self.error = str(error)
                if time.monotonic() - logged >= LOG_EVERY_S:
                    logged = time.monotonic()
                    LOG.warning("telemetry.delayed", pilot=self._pilot, waiting_bytes=self.waiting, error=error)
                # A monitor with a backlog says when to try again.
                asked = error.retry_after if isinstance(error, Unavailable) else 0.0
                self._stop.wait(max(pause, asked))
                pause = min(MAX_BACKOFF_S, pause * 2)
            else:
                self.error = ""
                return True
        return False
