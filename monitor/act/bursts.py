"""Which alerts are notified each by itself, and which together: more messages than a person can read hide the first.

An alert that comes by itself is notified within a second or so (`deploy/alertmanager`). Of a burst the first ones are;
the others get the label `burst`, by which Alertmanager groups them, and the summary of the first cause:

- halts are notified each by itself up to `HALTS` in `HALT_MS`; after that, for `CALM_MS`, they have one group;
- all other alerts up to `OTHERS` in `WINDOW_MS`; after that they have another group, so that no halt is hidden in it.

What comes by itself during a burst has the summary of the first cause, too.

What is decided for a cause stays, also when its alerts are resent or end, and is the same for every Alertmanager of a
pair: one `Bursts` is shared by the queues of a process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from monitor.projections.alert_table import FLOOD, HALTED
from monitor.projections.alerts import Alert
from monitor.translation import tr

WINDOW_MS = 600_000
OTHERS = 2  # causes without a halt that are notified each by itself in WINDOW_MS
HALT_MS = 1_000
HALTS = 3  # halts that are notified each by itself in HALT_MS
CALM_MS = 60_000  # without a further halt, until halts are notified each by itself again
FIRST_MS = 60_000  # how far before the first grouped alert its first cause may be
MANY = 20  # causes in a burst from which on it is a flood
CAUSES = 100_000  # that are remembered; the oldest is forgotten


class _Burst(Struct):
    """A burst: the alert of its first cause, the time (ms) of the newest one, and how many causes it has."""

    first: Alert
    last: int
    causes: int = 0

    @property
    def name(self) -> str:
        """The value of the label `burst`."""
        return self.first.occurrence


class Bursts:
    """The decisions for alerts of one process. Times are ms and do not decrease."""

    def __init__(self) -> None:
        self._decided: dict[tuple[str, str], tuple[str, str]] = {}  # (pilot, occurrence) -> label, first cause
        self._halts: deque[int] = deque(maxlen=HALTS)
        self._others: deque[int] = deque(maxlen=OTHERS)
        self._recent: deque[tuple[int, Alert]] = deque(maxlen=HALTS + OTHERS)  # those notified each by itself
        self._calm = 0  # until when halts are grouped
        self._burst: _Burst | None = None

    def remember(self, sent: Iterable[Alert]) -> None:
        """Take what was decided before a restart."""
        for alert in sent:
            if alert.name == FLOOD:  # its first cause may have been notified by itself
                continue
            self._decided[alert.pilot, alert.occurrence] = alert.burst, alert.first_cause

    def grouped(self, alerts: Sequence[Alert], now: int) -> list[Alert]:
        """The alerts with their labels. Those of one cause have the same."""
        halting = {(alert.pilot, alert.occurrence) for alert in alerts if alert.name == HALTED}
        for alert in alerts:
            cause = alert.pilot, alert.occurrence
            if cause not in self._decided:
                self._decide(cause, alert, cause in halting, now)
        return [self.labelled(alert) for alert in alerts]

    def labelled(self, alert: Alert) -> Alert:
        """The alert with what was decided for its cause."""
        name, first = self._decided.get((alert.pilot, alert.occurrence), ("", ""))
        return structs.replace(alert, burst=name, first_cause=first) if first else alert

    def flood(self, now: int) -> Alert | None:
        """The alert that there is a flood, which names its first cause; `None` when there is none."""
        burst = self._burst
        if burst is None or burst.causes <= MANY or now - burst.last > WINDOW_MS:
            return None
        first = burst.first
        return structs.replace(
            first,
            name=FLOOD,
            severity="critical",
            finding="flood",
            summary=tr(
                "More than {n} alerts within {minutes} min; they are notified together. First: {first}",
                n=MANY, minutes=WINDOW_MS // 60_000, first=first.summary,
            ),
            until=None,
            burst=burst.name,
            first_cause=first.summary,
        )  # fmt: skip

    def _decide(self, cause: tuple[str, str], alert: Alert, halts: bool, now: int) -> None:
        burst = self._burst
        if burst is not None and now - burst.last > WINDOW_MS:
            burst = self._burst = None
        if self._alone(halts, now):
            self._recent.append((now, alert))
            label = "", burst.first.summary if burst is not None else ""
        else:
            if burst is None:
                before = [first for at, first in self._recent if now - at <= FIRST_MS]
                burst = self._burst = _Burst(before[0] if before else alert, now)
            burst.last, burst.causes = now, burst.causes + 1
            label = burst.name, burst.first.summary
        self._decided[cause] = label
        while len(self._decided) > CAUSES:
            del self._decided[next(iter(self._decided))]

    def _alone(self, halts: bool, now: int) -> bool:
        """Whether a cause is notified by itself; takes one of the places for it."""
        times, most, window = (self._halts, HALTS, HALT_MS) if halts else (self._others, OTHERS, WINDOW_MS)
        full = len(times) == most and now - times[0] < window
        if halts and (full or now < self._calm):
            self._calm = now + CALM_MS
            return False
        if full:
            return False
        times.append(now)
        return True
