"""Counts refusals and logs them: at most one line per reason in LOG_EVERY_S, however many there are."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from monitor.http_server.refusals import HttpRefusal
from monitor.logs import EventLogger

log = EventLogger("monitor.http_server")
LOG_EVERY_S = 10.0


class RefusalLog:
    """Thread-safe enough: used by the event loop of one server only. `count` is called for every refusal."""

    def __init__(self, server: str, count: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._server, self._count, self._clock = server, count, clock
        self._logged: dict[HttpRefusal, float] = {}
        self._more: Counter[HttpRefusal] = Counter()

    def refuse(self, why: HttpRefusal, client: str = "", detail: str = "", error: BaseException | None = None) -> None:
        """Count a refusal, and log it unless one for the same reason was logged in the last LOG_EVERY_S seconds. The
        line says how many more there were since the last line. A defect of the monitor is logged with its traceback."""
        self._count(why.value)
        now = self._clock()
        if now - self._logged.get(why, -LOG_EVERY_S) < LOG_EVERY_S:
            self._more[why] += 1
            return
        self._logged[why] = now
        more = self._more.pop(why, 0) or None
        fields: dict[str, Any] = {"server": self._server, "reason": why.value, "client": client or None, "more": more}
        if why is HttpRefusal.INTERNAL_ERROR:
            log.error("http.failed", exc_info=error, detail=detail or None, **fields)
        else:
            log.warning("http.refused", detail=detail or None, error=error, **fields)
