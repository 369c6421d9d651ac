"""Stamps checkpoints in a background thread: at most one a minute, without delaying their publication."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from monitor.clock import wall_ms
from monitor.errors import Refused, Unavailable
from monitor.logs import EventLogger
from monitor.stamps.client import StampClient
from monitor.stamps.store import StampStore, files_of

logger = EventLogger(__name__)

EVERY_S = 60.0
CLOSE_S = 30.0  # longest wait of `close`


class StampCounts(NamedTuple):
    """Where a stamper reports: each failure by its kind, and since when (ms since 1970) the oldest checkpoint waits
    for a stamp; None when none does."""

    failed: Callable[[str], None] = lambda kind: None
    waiting: Callable[[int | None], None] = lambda since: None


class BackgroundStamper:
    """Stamps the newest checkpoint that it was given, with `client`, into every one of `stores`.

    The first store is the record; the others are copies, and get at the start what they lack. A checkpoint that comes
    within `every_s` of a stamp waits; a newer one takes its place, because a stamp on it covers the older one.
    """

    def __init__(
        self,
        client: StampClient,
        stores: list[StampStore],
        *,
        every_s: float = EVERY_S,
        counts: StampCounts = StampCounts(),  # noqa: B008 (a frozen value)
    ) -> None:
        self._client, self._stores, self._every_s, self._counts = client, stores, every_s, counts
        self._changed = threading.Condition()
        self._newest: tuple[int, bytes] | None = None
        self._since: int | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, name="stamps", daemon=True)
        self._thread.start()

    def stamp(self, origin: str, checkpoint: bytes) -> Mapping[str, bytes]:
        """Take a signed checkpoint of the authority log. Returns at once, without files: the stamp comes later."""
        size = int(checkpoint.split(b"\n", 2)[1])
        with self._changed:
            self._newest = (size, checkpoint)
            if self._since is None:
                self._since = wall_ms()
                self._counts.waiting(self._since)
            self._changed.notify()
        return {}

    def close(self) -> None:
        """End the thread; waits for a request that is running, but at most `CLOSE_S`: an authority may answer in small
        pieces without end. What is not stored then is as after a crash, and stamped after the restart."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        self._complete_copies()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._over)
                if self._over:
                    return
                assert self._newest is not None
                size, note = self._newest
            began = time.monotonic()
            done = self._try(size, note)
            with self._changed:
                if done and self._newest == (size, note):
                    self._newest = self._since = None
                elif done:
                    self._since = wall_ms()  # a newer one came during the request
                self._counts.waiting(self._since)
                self._changed.wait_for(lambda: self._over, max(0.0, self._every_s - (time.monotonic() - began)))

    def _try(self, size: int, note: bytes) -> bool:
        try:
            stamped = self._client.stamp(note)
            for store in self._stores:
                store.add(size, files_of(stamped))
        except (Unavailable, Refused, OSError) as error:
            kind = {Unavailable: "unavailable", Refused: "refused"}.get(type(error), "not_stored")
            self._counts.failed(kind)
            logger.warning("stamp.failed", stage="record", size=size, kind=kind, error=error)
            return False
        except Exception as error:  # the thread must go on, whatever an authority answers
            self._counts.failed("refused")
            logger.error("stamp.failed", stage="record", size=size, kind="refused", error=repr(error))
            return False
        for problem in stamped.verdict.problems:
            self._counts.failed(problem.kind.value)
            logger.warning("stamp.incomplete", stage="record", size=size, problem=problem)
        logger.info("stamp.stored", stage="record", size=size, at=stamped.verdict.at)
        return True

    def _complete_copies(self) -> None:
        for copy in self._stores[1:]:
            try:
                self._stores[0].complete(copy)
            except OSError as error:
                logger.warning("stamp.copy_failed", stage="record", directory=copy.directory, error=error)
