"""Logs what the monitor's notices say that a firm must not miss: somebody sends telemetry in its name."""

from __future__ import annotations

from collections.abc import Callable

from monitor.logs import EventLogger
from monitor.model.notice import Notice

LOG = EventLogger("monitor.sdk")
LOG_EVERY_S = 60.0


class NoticeLog:
    """Gets each notice about `pilot`. `clock` (s, steady) limits what is logged, `known` is the notice before the
    first."""

    def __init__(self, pilot: str, known: Notice | None, clock: Callable[[], float]) -> None:
        self._pilot, self._clock = pilot, clock
        self._forged = _forged(known)
        self._logged: float | None = None

    def heard(self, notice: Notice) -> None:
        """Log an error when more events were rejected as forged than the last time it was logged; at most once a
        minute."""
        forged, now = _forged(notice), self._clock()
        if forged < self._forged:  # the pilot was admitted anew
            self._forged = forged
        if forged == self._forged or (self._logged is not None and now - self._logged < LOG_EVERY_S):
            return
        newest = next((each.detail for each in reversed(notice.newest) if each.reason == "forged"), "")
        LOG.error("telemetry.forged", pilot=self._pilot, events=forged - self._forged, newest=newest)
        self._forged, self._logged = forged, now


def _forged(notice: Notice | None) -> int:
    return notice.rejected.get("forged", 0) if notice is not None else 0
