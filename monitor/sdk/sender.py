"""The thread that empties spools: packs durable events into batches and delivers them in order, for as long as it takes.

One batch is in flight at a time, so that order holds whatever fails; packing, not pipelining, is what makes it quick.
What dead incarnations left goes first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from monitor.errors import SandboxMonitorError
from monitor.model.signing import Signer
from monitor.sdk.incarnation import Incarnation
from monitor.sdk.link import Link
from monitor.sdk.spool import Spool, SpoolBroken

LOG = logging.getLogger("monitor.sdk")
BODY = 512 << 10  # bytes of a batch: half of what a broker takes by default
SLOWEST = 5.0  # seconds between two tries


class Sender:
    """Drains `adopted`, then `own` until told to stop. `pack` events or `pack_ms` milliseconds make a batch; `signer`
    signs each."""

    def __init__(
        self,
        link: Link,
        pilot: str,
        own: Incarnation,
        adopted: list[Incarnation],
        *,
        pack: int,
        pack_ms: int,
        signer: Signer | None = None,
    ) -> None:
        self._link = link
        self._pilot = pilot
        self._own = own
        self._adopted = adopted
        self._pack = pack
        self._signer = signer
        self._wait = pack_ms / 1000
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._reported = 0  # events of our own incarnation that are durable, and those of them delivered
        self._delivered = 0
        self._hurry = 0  # positions before this one are wanted at once
        self.error = ""  # why the last try failed, empty when it did not
        self._thread = threading.Thread(target=self._run, name=f"sandbox-sender-{pilot}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self, reported: int) -> None:
        """`reported` events of this incarnation are durable."""
        with self._changed:
            self._reported = max(self._reported, reported)
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Bytes not yet delivered, those of earlier incarnations included."""
        return self._own.spool.unsent + sum(old.spool.unsent for old in list(self._adopted))

    def flush(self, timeout: float) -> bool:
        """Deliver everything appended so far without waiting for fuller batches; False when `timeout` seconds were not enough."""
        want = self._own.spool.durable
        with self._changed:
            self._hurry = max(self._hurry, want)
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: self._own.spool.sent >= want and not self._adopted, timeout=max(0.0, timeout)
            )

    def stop(self) -> None:
        """Stop after the try in hand and let go of the spools; what was not delivered stays in them."""
        self._stop.set()
        self.wake(0)
        self._thread.join(0.5)
        if self._thread.is_alive():
            self._link.close()  # ends a send that waits for a broker
            self._thread.join()
        for incarnation in (*self._adopted, self._own):
            incarnation.close()

    def _run(self) -> None:
        try:
            while self._adopted and not self._stop.is_set():
                self._adopt(self._adopted[0])
            while not self._stop.is_set():
                if self._linger():
                    self._drain(self._own.spool)
        except Exception:
            LOG.exception("the sender of pilot %s ended; events stay in the spool", self._pilot)
            self.error = self.error or "the sender thread ended, see the log"
        finally:
            self._link.close()

    def _adopt(self, old: Incarnation) -> None:
        try:
            while old.spool.unsent and not self._stop.is_set():
                self._drain(old.spool)
        except SpoolBroken as error:
            LOG.error("%s; kept as %s", error, old.set_aside())
        else:
            if old.spool.unsent:
                return
            self._own.spool.limit += old.spool.used
            old.close()
        with self._changed:
            self._adopted.remove(old)
            self._changed.notify_all()

    def _linger(self) -> bool:
        """Wait for something durable to send, then up to `pack_ms` for more of it; False when there is nothing."""
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

    def _drain(self, spool: Spool) -> None:
        """Deliver one batch, for as many tries as it takes, unless stopped."""
        taken = spool.read(self._pack, BODY)
        if not taken:
            return
        body = b"[" + b",".join(payload for _, payload in taken) + b"]"
        signature = self._signer.sign("telemetry", body) if self._signer else ""
        if self._insist(lambda: self._link.send(self._pilot, body, signature)):
            spool.release(taken[-1][0])
            with self._changed:
                if spool is self._own.spool:
                    self._delivered += len(taken)
                self._changed.notify_all()

    def _insist(self, attempt: Callable[[], None]) -> bool:
        pause, told = 0.1, -60.0
        while not self._stop.is_set():
            try:
                attempt()
            except SandboxMonitorError as error:
                self.error = str(error)
                if time.monotonic() - told >= 60:
                    told = time.monotonic()
                    LOG.warning("pilot %s: events wait in the spool, trying again: %s", self._pilot, error)
                self._stop.wait(pause)
                pause = min(SLOWEST, pause * 2)
            else:
                self.error = ""
                return True
        return False
